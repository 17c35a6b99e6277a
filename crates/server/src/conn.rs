//! The listener: connections, their limits, and nothing of any API.
//!
//! HTTP/1.1 and HTTP/2 (RFC 9112, RFC 9113) by hyper; the accept loop is
//! ours, so that each limit is in one place.

mod body;
mod frames;
mod framing;
mod guarded;
mod serve;
mod streams;
mod tunnel;

use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls::ServerConfig;

use crate::metrics::ConnectionMetrics;
use crate::trace::Trace;

pub use body::{RequestBody, ResponseBody};
pub(crate) use tunnel::Tunnel;

/// What answers the requests of a listener.
pub trait Handler: Send + Sync + 'static {
    /// Answers a request whose head is within its limits. How much of the body
    /// is taken is the handler's to say. A refusal is answered with
    /// [`Handler::refuse`], and then the connection is closed.
    fn respond(
        &self,
        peer: SocketAddr,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<ResponseBody>, Refusal>> + Send;

    /// The answer to a request that the listener refuses.
    fn refuse(&self, refusal: Refusal) -> Response<Bytes>;

    /// How the request appears in the log; without one it does not.
    fn trace(&self, _peer: SocketAddr, _head: &Parts) -> Option<Trace> {
        None
    }
}

/// Why a request is refused without a look at what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every handler has an answer to each"
)]
pub enum Refusal {
    /// The body is larger than the route takes: 413.
    #[error("the body is too large")]
    BodyTooLarge,
    /// The body did not arrive in time: 408.
    #[error("the body did not arrive in time")]
    BodyTimeout,
    /// The body broke off or is malformed: 400.
    #[error("the body broke off or is malformed")]
    BodyBroken,
    /// The head is too large, mostly by its request line: 414.
    #[error("the request line is too long")]
    TargetTooLong,
    /// The head is too large, mostly by its headers: 431.
    #[error("the headers are too large")]
    HeadTooLarge,
    /// The handler panicked: 500.
    #[error("the handler failed")]
    Panicked,
}

/// The limits of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain numbers with defaults")]
pub struct ConnectionLimits {
    /// Most connections at one time; further ones are closed at once.
    pub connections: usize,
    /// How long a connection may stay silent at its start.
    pub first_byte: Duration,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long the head of a request may take, and how long a connection may
    /// be idle between two requests.
    pub head: Duration,
    /// How long the body of a request may take.
    pub body: Duration,
    /// How long a peer may take nothing of an answer that is there.
    pub write: Duration,
    /// Most streams of one HTTP/2 connection at one time.
    pub streams: u32,
    /// Most streams that a peer may open and reset before we look at them;
    /// more end the connection (rapid reset).
    pub reset_streams: usize,
    /// How long an HTTP/2 peer may leave a ping unanswered.
    pub ping: Duration,
    /// How long open requests get to finish at shutdown.
    pub shutdown: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            first_byte: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(30),
            body: Duration::from_secs(30),
            write: Duration::from_secs(30),
            streams: 128,
            reset_streams: 20,
            ping: Duration::from_secs(20),
            shutdown: Duration::from_secs(10),
        }
    }
}

/// What a new connection is served under.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    pub(crate) limits: ConnectionLimits,
    /// What handshakes are made with; none, and bytes travel as they are.
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

impl Terms {
    pub(crate) const fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }
}

/// A socket that is being served.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Listener {
    /// Serves `socket` with `handler` until [`Listener::shutdown`].
    ///
    /// # Errors
    ///
    /// When the address of the socket cannot be read.
    pub fn start<H: Handler>(
        socket: TcpListener,
        handler: Arc<H>,
        limits: ConnectionLimits,
    ) -> io::Result<Self> {
        let terms = move || Terms { limits, tls: None };
        Self::on_terms(socket, handler, terms, ConnectionMetrics::default())
    }

    /// [`Listener::start`] under terms that may change: each connection is
    /// served under those of its beginning.
    pub(crate) fn on_terms<H: Handler>(
        socket: TcpListener,
        handler: Arc<H>,
        terms: impl Fn() -> Terms + Send + Sync + 'static,
        metrics: ConnectionMetrics,
    ) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(socket, handler, terms, metrics, stopped));
        Ok(Self {
            address,
            stop,
            accepting,
        })
    }

    /// The address that is listened on, with its real port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts nothing more, lets open requests finish, and cuts them off at
    /// the deadline of the limits.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        // A join error is a panic of the loop, which has nothing left to end.
        self.accepting.await.unwrap_or_default();
    }
}

/// A connection that is counted while it is open, however it ends.
struct Open(Gauge);

impl Open {
    fn new(count: Gauge) -> Self {
        count.inc();
        Self(count)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// How long to wait when the system has no room for another connection.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

async fn accept<H: Handler>(
    socket: TcpListener,
    handler: Arc<H>,
    terms: impl Fn() -> Terms + Send,
    metrics: ConnectionMetrics,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stop.changed() => break,
        };
        // Those that have ended make room first.
        while connections.try_join_next().is_some() {}
        let terms = terms();
        match accepted {
            Ok((_, peer)) if connections.len() >= terms.limits.connections => {
                metrics.refused.inc();
                tracing::warn!(%peer, "connection closed: too many are open");
            }
            Ok((stream, peer)) => {
                let handler = Arc::clone(&handler);
                let stop = stop.clone();
                metrics.accepted.inc();
                let open = Open::new(metrics.open.clone());
                let failed = metrics.failed_handshakes.clone();
                let connection = serve::connection(stream, peer, handler, terms, failed, stop);
                connections.spawn(async move {
                    connection.await;
                    drop(open);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
    drop(socket);
    let finished = async { while connections.join_next().await.is_some() {} };
    if timeout(terms().limits.shutdown, finished).await.is_err() {
        tracing::warn!("requests were cut off at shutdown");
    }
}
