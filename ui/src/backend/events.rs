//! What the host tells without being asked, handed on by topic.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{ApiError, Client, Empty, ErrorCode, Event};

use super::{Host, Link, ipc};

/// Longest pause between two attempts to reach the host.
const MAX_PAUSE_MS: u32 = 8_000;

/// Whether the host can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    /// Not known yet.
    Connecting,
    /// Events come in.
    Online,
    /// The connection ended; it is being tried again.
    Offline,
    /// The host does not accept this page: why, and what to do.
    Refused(ApiError),
}

/// What a listener of a topic gets.
#[derive(Clone, Debug)]
pub(crate) enum Tail {
    /// The next event.
    Event(Box<Event>),
    /// Events were lost (a gap in their numbers, or a new connection): fetch the whole again.
    Gap,
}

/// What an event's number means for a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accept {
    /// The next one.
    New,
    /// The snapshot already has it.
    Old,
    /// One is missing: fetch the snapshot again.
    Gap,
}

/// The number of the last event that is in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sequence(pub(crate) u64);

impl Sequence {
    /// Takes the number of an event into account.
    pub(crate) fn accept(&mut self, seq: u64) -> Accept {
        if seq <= self.0 {
            Accept::Old
        } else if seq == self.0 + 1 {
            self.0 = seq;
            Accept::New
        } else {
            Accept::Gap
        }
    }
}

type Listener = Rc<dyn Fn(&Tail)>;

#[derive(Default)]
struct Hub {
    /// By number: the topic and who hears it.
    listeners: RefCell<HashMap<u64, (String, Listener)>>,
    next: Cell<u64>,
    last: RefCell<HashMap<String, u64>>,
}

impl Hub {
    /// Tells the listeners of one topic, or all.
    fn send(&self, topic: Option<&str>, tail: &Tail) {
        let mut wanted: Vec<(u64, Listener)> = self
            .listeners
            .borrow()
            .iter()
            .filter(|(_, (of, _))| topic.is_none_or(|topic| topic == of))
            .map(|(id, (_, listener))| (*id, Rc::clone(listener)))
            .collect();
        wanted.sort_by_key(|(id, _)| *id);
        for (id, listener) in wanted {
            // An earlier listener may have ended this one.
            if self.listeners.borrow().contains_key(&id) {
                listener(tail);
            }
        }
    }

    fn receive(&self, text: &str) {
        let Ok(event) = serde_json::from_str::<Event>(text) else {
            // A newer host may send what this page does not know; the numbers show that something was left out.
            return;
        };
        let before = self.last.borrow_mut().insert(event.topic.clone(), event.seq);
        if before.is_some_and(|before| event.seq != before + 1) {
            self.send(Some(&event.topic), &Tail::Gap);
        }
        self.send(Some(&event.topic.clone()), &Tail::Event(Box::new(event)));
    }

    /// A connection stands: what was fetched before it may miss something.
    fn reset(&self) {
        self.last.borrow_mut().clear();
        self.send(None, &Tail::Gap);
    }
}

/// The host's events. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct Events(StoredValue<Rc<Hub>, LocalStorage>);

impl Events {
    /// Calls `listener` with each event of `topic` until the current owner (component) is gone. After a new connection
    /// and where events were lost it gets [`Tail::Gap`].
    pub(crate) fn listen(self, topic: impl Into<String>, listener: impl Fn(&Tail) + 'static) {
        let topic = topic.into();
        let listener: Listener = Rc::new(listener);
        let Some(hub) = self.0.try_get_value() else { return };
        let id = hub.next.replace(hub.next.get() + 1);
        hub.listeners.borrow_mut().insert(id, (topic, listener));
        on_cleanup(move || {
            self.0.try_with_value(|hub| hub.listeners.borrow_mut().remove(&id));
        });
    }
}

/// The host's events.
pub(crate) fn use_events() -> Events {
    expect_context()
}

/// Whether the host can be reached.
pub(crate) fn use_connection() -> ReadSignal<Connection> {
    expect_context()
}

pub(super) fn provide(host: Host) {
    let hub = Rc::new(Hub::default());
    let (connection, set_connection) = signal(Connection::Connecting);
    provide_context(connection);
    provide_context(Events(StoredValue::new_local(Rc::clone(&hub))));
    match host.link.clone() {
        Link::Ipc => spawn_local(async move {
            let opened = Rc::clone(&hub);
            match ipc::subscribe(move |text| hub.receive(&text)).await {
                Ok(()) => {
                    set_connection.set(Connection::Online);
                    opened.reset();
                }
                Err(error) => set_connection.set(Connection::Refused(error)),
            }
        }),
        Link::Http(server) => spawn_local(async move {
            let mut pause_ms = 0;
            loop {
                // Tells a refused token, which a WebSocket does not, from a host that is away.
                match Client(host.clone()).workspace_info(Empty {}).await {
                    Err(error) if error.code == ErrorCode::Unauthorized => {
                        set_connection.set(Connection::Refused(error));
                        return;
                    }
                    Err(error) if error.code == ErrorCode::Offline => {}
                    _ => {
                        let opened = Rc::clone(&hub);
                        let stood = server
                            .listen(
                                move || {
                                    set_connection.set(Connection::Online);
                                    opened.reset();
                                },
                                |text| hub.receive(&text),
                            )
                            .await;
                        if stood {
                            pause_ms = 0;
                        }
                    }
                }
                set_connection.set(Connection::Offline);
                pause_ms = (pause_ms * 2).clamp(250, MAX_PAUSE_MS);
                TimeoutFuture::new(pause_ms).await;
            }
        }),
    }
}
