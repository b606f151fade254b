//! vLLM's routes for loading adapters, as far as their replies go.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// How the server stands to adapters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lora {
    /// Started without `VLLM_ALLOW_RUNTIME_LORA_UPDATING`: the routes are not there.
    #[default]
    NoRoute,
    /// The routes are there, the engine was started without `--enable-lora`.
    NotEnabled,
    /// Adapters can be loaded.
    Open,
}

/// The adapters that are loaded: name and path.
#[derive(Debug, Default)]
pub(super) struct Adapters(Mutex<Vec<(String, String)>>);

impl Adapters {
    pub(super) fn list(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The reply to `POST /v1/load_lora_adapter`: status and body.
    pub(super) fn load(&self, lora: Lora, body: &Value) -> (u16, String) {
        if lora == Lora::NoRoute {
            return no_route();
        }
        let (Some(name), Some(path)) = (body["lora_name"].as_str(), body["lora_path"].as_str()) else {
            return missing(if body["lora_name"].is_string() { "lora_path" } else { "lora_name" });
        };
        if lora == Lora::NotEnabled {
            let message = "Call to add_lora method failed: Worker failed with error 'LoRA is not enabled. Use \
                           --enable-lora to enable LoRA.', please check the stack trace above for the root cause";
            return error(500, "InternalServerError", message);
        }
        let mut loaded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = loaded.iter().position(|(known, _)| known == name);
        match known {
            Some(_) if body["load_inplace"] != true => error(
                400,
                "InvalidUserInput",
                &format!(
                    "The lora adapter '{name}' has already been loaded. If you want to load the adapter in place, set \
                     'load_inplace' to True."
                ),
            ),
            Some(place) => {
                path.clone_into(&mut loaded[place].1);
                added(name)
            }
            None => {
                loaded.push((name.to_owned(), path.to_owned()));
                added(name)
            }
        }
    }

    /// The reply to `POST /v1/unload_lora_adapter`.
    pub(super) fn unload(&self, lora: Lora, body: &Value) -> (u16, String) {
        if lora == Lora::NoRoute {
            return no_route();
        }
        let Some(name) = body["lora_name"].as_str() else {
            return missing("lora_name");
        };
        let mut loaded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = loaded.len();
        loaded.retain(|(known, _)| known != name);
        if loaded.len() == before {
            return error(404, "NotFoundError", &format!("The lora adapter '{name}' cannot be found."));
        }
        (200, format!("Success: LoRA adapter '{name}' removed successfully."))
    }
}

fn added(name: &str) -> (u16, String) {
    (200, format!("Success: LoRA adapter '{name}' added successfully."))
}

fn no_route() -> (u16, String) {
    (404, json!({"detail": "Not Found"}).to_string())
}

fn missing(field: &str) -> (u16, String) {
    let message = format!(
        "1 validation error:\n  {{'type': 'missing', 'loc': 'body.{field}', 'msg': 'Field required', 'input': '<dict>'}}"
    );
    error(400, "Bad Request", &message)
}

fn error(status: u16, kind: &str, message: &str) -> (u16, String) {
    (status, json!({"error": {"message": message, "type": kind, "param": null, "code": status}}).to_string())
}
