//! The app behind the window.

use crate::options::Options;

pub(crate) struct Host {}

pub(crate) struct Events {}

impl Events {
    pub(crate) async fn next(&mut self) -> Option<String> {
        std::future::pending().await
    }
}

impl Host {
    pub(crate) fn open(_options: Options) -> Self {
        Self {}
    }
    pub(crate) async fn call(&self, cmd: &str, _payload: &str) -> Result<String, String> {
        Err(format!(
            "{{\"code\":\"internal\",\"message\":\"{cmd}\",\"hint\":\"\",\"detail\":null,\"retryable\":false}}"
        ))
    }
    pub(crate) async fn events(&self) -> Result<Events, String> {
        Ok(Events {})
    }
    pub(crate) async fn shutdown(&self) {}
}
