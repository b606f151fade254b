//! The host is the shell around this window.

use js_sys::{Function, Object, Promise, Reflect};
use tw_contract::{ApiError, ErrorCode};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// Whether this page runs inside the app's window.
pub(crate) fn is_present() -> bool {
    core().is_some()
}

/// Sends one call.
pub(crate) async fn call(command: &str, payload: &str) -> Result<String, ApiError> {
    let arguments = Object::new();
    set(&arguments, "cmd", &command.into());
    set(&arguments, "payload", &payload.into());
    match invoke("call", &arguments).await {
        Ok(reply) => Ok(text_of(&reply)),
        Err(error) => Err(read_error(&error)),
    }
}

/// Sends every event from now on to `on_event`, as JSON text.
pub(crate) async fn subscribe(on_event: impl Fn(String) + 'static) -> Result<(), ApiError> {
    let make = core()
        .and_then(|core| Reflect::get(&core, &"Channel".into()).ok())
        .and_then(|it| it.dyn_into::<Function>().ok())
        .ok_or_else(gone)?;
    let channel = Reflect::construct(&make, &js_sys::Array::new()).map_err(|error| read_error(&error))?;
    let listen = Closure::<dyn Fn(JsValue)>::new(move |event: JsValue| on_event(text_of(&event)));
    Reflect::set(&channel, &"onmessage".into(), listen.as_ref()).map_err(|error| read_error(&error))?;
    // The channel calls it for as long as the page lives.
    listen.into_js_value();
    let arguments = Object::new();
    set(&arguments, "channel", &channel);
    invoke("subscribe", &arguments).await.map(|_| ()).map_err(|error| read_error(&error))
}

fn core() -> Option<JsValue> {
    let tauri = Reflect::get(&js_sys::global(), &"__TAURI__".into()).ok()?;
    if tauri.is_undefined() {
        return None;
    }
    Reflect::get(&tauri, &"core".into()).ok().filter(JsValue::is_object)
}

async fn invoke(name: &str, arguments: &Object) -> Result<JsValue, JsValue> {
    let core = core().ok_or(JsValue::UNDEFINED)?;
    let invoke = Reflect::get(&core, &"invoke".into())?.dyn_into::<Function>()?;
    let promise = invoke.call2(&core, &name.into(), arguments)?;
    JsFuture::from(promise.dyn_into::<Promise>()?).await
}

fn set(object: &Object, key: &str, value: &JsValue) {
    // A fresh plain object takes every property.
    Reflect::set(object, &key.into(), value).unwrap_or_default();
}

fn text_of(value: &JsValue) -> String {
    value
        .as_string()
        .unwrap_or_else(|| js_sys::JSON::stringify(value).ok().and_then(|text| text.as_string()).unwrap_or_default())
}

fn read_error(value: &JsValue) -> ApiError {
    let text = text_of(value);
    serde_json::from_str(&text).unwrap_or_else(|_| gone().with_detail(Some(text)))
}

fn gone() -> ApiError {
    ApiError::new(ErrorCode::Internal, "The window's bridge to the app failed.")
        .with_hint("Close the window and open it again.")
}
