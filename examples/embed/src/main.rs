//! A service that decides on live requests in-process: it verifies the token
//! of each, consults its deny list and answers 200, or 403 and why.
//!
//! Copy it, and forward where it says so. It takes token-core, token-codec and
//! token-policy, and neither a store nor a server of Usher.

#![expect(clippy::print_stdout, reason = "a program talks to its user")]

mod gate;

use core::convert::Infallible;
use core::error::Error;
use core::time::Duration;
use std::sync::Arc;
use std::time::SystemTime;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use token_core::limits::TOKEN_TEXT_BYTES_MAX;
use token_core::{PublishKey, SubscribeKey, UnixSeconds};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::gate::Gate;

/// Connections of a listener at a time.
const CONNECTIONS_MAX: usize = 1_024;
/// How long a client may take to send a head, and then a body.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a body; a token that is to be revoked fits.
const BODY_BYTES_MAX: usize = 4 * TOKEN_TEXT_BYTES_MAX;

#[derive(Clone, Copy)]
enum Listener {
    /// For clients: every request is decided on.
    Public,
    /// For us: grants and revokes. Clients must not reach it.
    Internal,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let key_file = arguments
        .next()
        .ok_or("usage: embed SIGNING_KEY_FILE [PUBLIC_ADDRESS [INTERNAL_ADDRESS]]")?;
    let mut address = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let public = TcpListener::bind(address("127.0.0.1:8090")).await?;
    let internal = TcpListener::bind(address("127.0.0.1:8091")).await?;
    let signing_key: [u8; 32] = std::fs::read(key_file)?
        .try_into()
        .map_err(|_| "a signing key is a file of 32 random bytes")?;

    let gate = Arc::new(Gate::new(
        SubscribeKey::new("sub-c-demo")?,
        PublishKey::new("pub-c-demo")?,
        &signing_key,
    ));
    println!("public   http://{}", public.local_addr()?);
    println!("internal http://{}", internal.local_addr()?);
    tokio::join!(
        serve(public, Arc::clone(&gate), Listener::Public),
        serve(internal, gate, Listener::Internal),
    );
    Ok(())
}

/// Accepts for ever, within limits.
async fn serve(socket: TcpListener, gate: Arc<Gate>, listener: Listener) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        let Ok((stream, _)) = socket.accept().await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let gate = Arc::clone(&gate);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let gate = Arc::clone(&gate);
                async move { Ok::<_, Infallible>(answer(&gate, listener, request).await) }
            });
            // An error is the client's doing; there is nobody left to tell.
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(READ_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service)
                .await
                .unwrap_or_default();
            drop(place);
        });
    }
}

async fn answer(
    gate: &Gate,
    listener: Listener,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let Ok(body) = read(body).await else {
        return text(StatusCode::BAD_REQUEST, "the body is too large or too slow");
    };
    let target = head.uri.to_string();
    match listener {
        Listener::Public => match gate.decide(head.method.as_str(), &target, &body, now()) {
            // Here a gateway forwards: this method, this target, these bytes.
            Ok(()) => text(StatusCode::OK, "allowed"),
            Err(reason) => text(StatusCode::FORBIDDEN, reason.code()),
        },
        Listener::Internal => administer(gate, &head.method, &target, &body),
    }
}

/// `POST /tokens` with the name of a channel, `POST /revocations` with a token.
fn administer(gate: &Gate, method: &Method, target: &str, body: &[u8]) -> Response<Full<Bytes>> {
    let Ok(body) = core::str::from_utf8(body) else {
        return text(StatusCode::BAD_REQUEST, "the body is not UTF-8");
    };
    match (method, target) {
        (&Method::POST, "/tokens") => match gate.grant(body, now()) {
            Ok(token) => text(StatusCode::OK, &token),
            Err(error) => text(StatusCode::BAD_REQUEST, &error.to_string()),
        },
        (&Method::POST, "/revocations") => match gate.revoke(body, now()) {
            Ok(id) => text(StatusCode::OK, &id.to_string()),
            Err(error) => text(StatusCode::BAD_REQUEST, &error.to_string()),
        },
        _ => text(StatusCode::NOT_FOUND, "POST /tokens or POST /revocations"),
    }
}

async fn read(body: Incoming) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
    let whole = Limited::new(body, BODY_BYTES_MAX).collect();
    Ok(timeout(READ_TIMEOUT, whole).await??.to_bytes())
}

fn text(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text.to_owned()));
    *response.status_mut() = status;
    // A decision is good for this request only.
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[expect(
    clippy::disallowed_methods,
    reason = "time is an argument everywhere else; this is where it comes from"
)]
fn now() -> UnixSeconds {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // A clock before 1970 makes every token one from the future: denied.
    UnixSeconds(since_epoch.map_or(0, |elapsed| elapsed.as_secs()))
}
