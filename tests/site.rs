//! A small site on loopback for a browser to visit.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the second page says.
pub(crate) const PRICE: &str = "The kettle costs 42 euros";

/// The site; it ends when this is dropped.
pub(crate) struct Site {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let home = "<!doctype html><title>Shop</title><h1>Shop</h1><a href='/kettle'>The kettle</a>";
        let kettle = format!("<!doctype html><title>Kettle</title><h1>Kettle</h1><p>{PRICE}</p>");
        let app = Router::new()
            .route("/", get(move || async move { Html(home) }))
            .route("/kettle", get(move || async move { Html(kettle) }));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let task = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("the site serves");
        });
        Self { address, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}
