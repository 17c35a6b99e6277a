//! One connection, from its first byte to its last.

use core::convert::Infallible;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::panic::AssertUnwindSafe;
use core::pin::pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Poll;
use std::panic::catch_unwind;
use std::sync::Arc;

use http::request::Parts;
use http::{Request, Response, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use prometheus_client::metrics::counter::Counter;
use token_core::limits::REQUEST_HEAD_BYTES_MAX;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{Instrument as _, Span};

use super::body::{RequestBody, ResponseBody};
use super::guarded::{Guarded, Refused};
use super::streams::{Streams, in_pieces};
use super::tunnel::{Opened, Tunnel};
use super::{ConnectionLimits, Handler, Refusal, Terms};

/// What hyper buffers of a head, in bytes. Twice what we take, so that a head
/// that is somewhat too large gets our answer and not hyper's bare 431.
const HEAD_BUFFER_BYTES: usize = 64 * 1024;

pub(super) async fn connection<H: Handler>(
    stream: TcpStream,
    peer: SocketAddr,
    handler: Arc<H>,
    terms: Terms,
    failed_handshakes: Counter,
    mut stop: watch::Receiver<bool>,
) {
    let limits = terms.limits;
    let mut byte = [0];
    // `readable` alone may be a false alarm, so a byte is looked at.
    tokio::select! {
        first = timeout(limits.first_byte, stream.peek(&mut byte)) => {
            if !matches!(first, Ok(Ok(1))) {
                return;
            }
        }
        _ = stop.changed() => return,
    }
    // Failing to turn off Nagle's algorithm costs time, not correctness.
    stream.set_nodelay(true).unwrap_or_default();
    let Some(tls) = terms.tls else {
        return requests(stream, peer, handler, limits, stop).await;
    };
    tokio::select! {
        shaken = timeout(limits.handshake, TlsAcceptor::from(tls).accept(stream)) => match shaken {
            Ok(Ok(stream)) => requests(stream, peer, handler, limits, stop).await,
            Ok(Err(error)) => {
                failed_handshakes.inc();
                tracing::debug!(%peer, %error, "a TLS handshake failed");
            }
            Err(_) => {
                failed_handshakes.inc();
                tracing::debug!(%peer, "a TLS handshake took too long");
            }
        },
        _ = stop.changed() => {}
    }
}

/// The requests of a connection, whatever carries its bytes.
async fn requests<S, H>(
    stream: S,
    peer: SocketAddr,
    handler: Arc<H>,
    limits: ConnectionLimits,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    // hyper's own timer starts once it knows the version of HTTP. Until the
    // first head is complete, this one is in force.
    let head_seen = Arc::new(AtomicBool::new(false));
    let opened = Opened::default();
    let refused = Refused::default();
    let (tunnel, mut carried) = Tunnel::new(opened.clone());
    let service = service_fn(|mut request| {
        request.extensions_mut().insert(tunnel.clone());
        head_seen.store(true, Ordering::Relaxed);
        let (handler, refused) = (Arc::clone(&handler), refused.clone());
        async move {
            let answer = answer(&*handler, peer, request, limits, &refused);
            Ok::<_, Infallible>(answer.await)
        }
    });
    let streams = Streams::new(limits.write);
    let builder = builder(&limits, &streams);
    let stream = TokioIo::new(Guarded::new(stream, limits.write, opened, refused.clone()));
    let mut connection = pin!(builder.serve_connection_with_upgrades(stream, service));
    let mut first_head = pin!(sleep(limits.head));
    let mut idle = pin!(streams.idle(limits.head));
    let (mut waiting, mut stopping, mut leaving) = (true, false, false);
    loop {
        tokio::select! {
            // An error here is the peer's doing; there is nobody left to tell.
            _ = connection.as_mut() => break,
            () = first_head.as_mut(), if waiting => {
                if !head_seen.load(Ordering::Relaxed) {
                    return;
                }
                waiting = false;
            }
            () = idle.as_mut() => {
                if leaving {
                    // The peer was told, and takes nothing of what is left.
                    return;
                }
                connection.as_mut().graceful_shutdown();
                leaving = true;
                idle.set(streams.idle(limits.write));
            }
            _ = stop.changed(), if !stopping => {
                connection.as_mut().graceful_shutdown();
                stopping = true;
            }
        }
    }
    if let Ok(carrying) = carried.try_recv() {
        carrying.await;
    }
}

fn builder(limits: &ConnectionLimits, streams: &Streams) -> Builder<Streams> {
    let mut builder = Builder::new(streams.clone());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_BUFFER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_pending_accept_reset_streams(limits.reset_streams)
        .max_local_error_reset_streams(limits.reset_streams.saturating_mul(4))
        .max_header_list_size(u32::try_from(HEAD_BUFFER_BYTES).unwrap_or(u32::MAX))
        .keep_alive_interval(limits.ping)
        .keep_alive_timeout(limits.ping);
    builder
}

/// Answers a request, and writes how into the log.
async fn answer<H: Handler>(
    handler: &H,
    peer: SocketAddr,
    request: Request<Incoming>,
    limits: ConnectionLimits,
    refused: &Refused,
) -> Response<ResponseBody> {
    let (head, body) = request.into_parts();
    let trace = handler.trace(peer, &head);
    let span = trace
        .as_ref()
        .map_or_else(Span::none, |trace| trace.span().clone());
    let request = Request::from_parts(head, body);
    let answered = unpanicked(handler, peer, request, limits, refused);
    let mut response = answered.instrument(span).await;
    if let Some(trace) = trace {
        trace.answered(&mut response);
    }
    response.map(in_pieces)
}

/// The seam where a panic becomes one 500: nothing of the request survives
/// it, and the handler keeps no state that a request can leave half done.
async fn unpanicked<H: Handler>(
    handler: &H,
    peer: SocketAddr,
    request: Request<Incoming>,
    limits: ConnectionLimits,
    refused: &Refused,
) -> Response<ResponseBody> {
    let mut response = pin!(respond(handler, peer, request, limits));
    let caught = poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| response.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(response)) => Poll::Ready(Some(response)),
            Err(_) => Poll::Ready(None),
        }
    })
    .await;
    match caught {
        Some(Ok(response)) => response,
        Some(Err(refusal)) => {
            refused.set();
            closing(handler.refuse(refusal)).map(ResponseBody::from)
        }
        None => {
            tracing::error!("a request was answered 500 because its handler panicked");
            handler.refuse(Refusal::Panicked).map(ResponseBody::from)
        }
    }
}

async fn respond<H: Handler>(
    handler: &H,
    peer: SocketAddr,
    request: Request<Incoming>,
    limits: ConnectionLimits,
) -> Result<Response<ResponseBody>, Refusal> {
    let (head, body) = request.into_parts();
    if let Some(refusal) = oversized_head(&head) {
        return Err(refusal);
    }
    let body = RequestBody::network(body, limits.body);
    handler.respond(peer, Request::from_parts(head, body)).await
}

/// Contract 2.5: 32 KiB for the whole head, as HTTP/1.1 writes it. The larger
/// part names the status.
fn oversized_head(head: &Parts) -> Option<Refusal> {
    const LINE: usize = "  HTTP/1.1\r\n".len();
    const HEADER: usize = ": \r\n".len();
    const END: usize = "\r\n".len();
    let sum = |lengths: &[usize]| lengths.iter().copied().fold(0, usize::saturating_add);
    let target = head
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    let line = sum(&[head.method.as_str().len(), target, LINE]);
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| sum(&[name.as_str().len(), value.len(), HEADER]))
        .fold(END, usize::saturating_add);
    if line.saturating_add(headers) <= REQUEST_HEAD_BYTES_MAX {
        return None;
    }
    Some(if line > headers {
        Refusal::TargetTooLong
    } else {
        Refusal::HeadTooLarge
    })
}

/// Ends the connection after the answer: what follows of the request is not
/// read.
fn closing<B>(mut response: Response<B>) -> Response<B> {
    let close = header::HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}
