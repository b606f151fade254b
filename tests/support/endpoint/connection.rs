//! Connections that can be torn from inside: HTTP servers have no polite way to be rude.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Tears one connection.
#[derive(Clone, Debug)]
pub(crate) struct Line(Arc<LineState>);

#[derive(Debug, Default)]
struct LineState {
    torn: AtomicBool,
    waker: AtomicWaker,
}

impl Line {
    /// Closes the connection at once, whatever was being said.
    pub(crate) fn tear(&self) {
        self.0.torn.store(true, Ordering::Release);
        self.0.waker.wake();
    }
}

/// All open connections of one server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<Weak<LineState>>>>);

impl Lines {
    fn open(&self) -> Line {
        let state = Arc::new(LineState::default());
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|line| line.strong_count() > 0);
        lines.push(Arc::downgrade(&state));
        Line(state)
    }

    /// Closes every connection.
    pub(crate) fn tear_all(&self) {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for state in lines.iter().filter_map(Weak::upgrade) {
            Line(state).tear();
        }
    }
}

/// Accepts connections and keeps hold of their lines.
pub(crate) struct Doors {
    pub(crate) listener: TcpListener,
    pub(crate) lines: Lines,
}

impl Listener for Doors {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Chunks of a few bytes must not wait for each other.
        drop(stream.set_nodelay(true));
        (Connection { stream, line: self.lines.open() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends when its line is torn.
pub(crate) struct Connection {
    stream: TcpStream,
    line: Line,
}

impl Connection {
    fn is_torn(&self, cx: &Context<'_>) -> bool {
        self.line.0.waker.register(cx.waker());
        self.line.0.torn.load(Ordering::Acquire)
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_torn(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_torn(cx) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Connected<IncomingStream<'_, Doors>> for Line {
    fn connect_info(stream: IncomingStream<'_, Doors>) -> Self {
        stream.io().line.clone()
    }
}
