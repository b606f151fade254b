//! Events to the window: numbered by topic, in order, to every listener.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::broadcast;
use tw_contract::{Event, EventBody};

/// Events that a slow listener may fall behind; one that falls further sees a gap and fetches the whole again.
const CAPACITY: usize = 4_096;

/// Numbers events and hands them out.
#[derive(Debug)]
pub(crate) struct Hub {
    sender: broadcast::Sender<Event>,
    last: Mutex<HashMap<String, u64>>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self { sender: broadcast::channel(CAPACITY).0, last: Mutex::default() }
    }

    /// Sends an event and gives its number. The lock is held over the sending: numbers arrive in order.
    pub(crate) fn emit(&self, topic: &str, body: EventBody) -> u64 {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let seq = last.entry(topic.to_owned()).or_default();
        *seq += 1;
        // An error means that nobody listens.
        drop(self.sender.send(Event { topic: topic.to_owned(), seq: *seq, body }));
        *seq
    }

    /// The number of the topic's last event; 0 before the first.
    pub(crate) fn last_seq(&self, topic: &str) -> u64 {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).get(topic).copied().unwrap_or_default()
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }
}
