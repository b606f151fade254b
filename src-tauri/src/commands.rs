//! The two things that the page can ask of the shell. Everything else goes through `call`'s `cmd`.

#![expect(clippy::let_underscore_must_use, reason = "in what the command macro writes")]

use std::sync::{Mutex, PoisonError};

use tauri::State;
use tauri::async_runtime::JoinHandle;
use tauri::ipc::Channel;

use crate::host::Host;

/// The page's subscription: at most one, because a page that was loaded again has forgotten its channel.
#[derive(Default)]
pub(crate) struct Subscription(Mutex<Option<JoinHandle<()>>>);

impl Subscription {
    fn replace(&self, task: JoinHandle<()>) {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(forgotten) = current.replace(task) {
            forgotten.abort();
        }
    }
}

/// Carries out one command of the contract. `payload` and the answer are JSON; the error is an `ApiError` as JSON.
#[tauri::command]
pub(crate) async fn call(host: State<'_, Host>, cmd: String, payload: String) -> Result<String, String> {
    host.call(&cmd, &payload).await
}

/// Sends every event from now on into the page's channel, each a JSON text.
#[tauri::command]
pub(crate) async fn subscribe(
    host: State<'_, Host>,
    subscription: State<'_, Subscription>,
    channel: Channel<String>,
) -> Result<(), String> {
    let mut events = host.events().await?;
    subscription.replace(tauri::async_runtime::spawn(async move {
        while let Some(event) = events.next().await {
            if channel.send(event).is_err() {
                // The window is gone.
                break;
            }
        }
    }));
    Ok(())
}
