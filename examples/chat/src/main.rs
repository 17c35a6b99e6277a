//! A chat over HTTP and server-sent events that knows nothing of tokens: who
//! may read or write a room is decided in front of it, by a rule file.
//!
//! It trusts the header `X-Chat-User`, so nobody but the gateway or the proxy
//! may reach it.

#![expect(clippy::print_stdout, reason = "a program talks to its user")]

mod rooms;

use core::convert::Infallible;
use core::error::Error;
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Channel, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::rooms::Rooms;

/// Longest message, in bytes.
const MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// How long a client may take to send a head, and then a body.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Events that wait for one slow reader.
const EVENTS_WAITING_MAX: usize = 16;

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:8092".to_owned());
    let socket = TcpListener::bind(address).await?;
    println!("chat http://{}", socket.local_addr()?);
    let rooms = Arc::new(Rooms::default());
    loop {
        let (stream, _) = socket.accept().await?;
        let rooms = Arc::clone(&rooms);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let rooms = Arc::clone(&rooms);
                async move { Ok::<_, Infallible>(answer(&rooms, request).await) }
            });
            // An error is the client's doing; there is nobody left to tell.
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(READ_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service)
                .await
                .unwrap_or_default();
        });
    }
}

async fn answer(rooms: &Rooms, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let user = head.headers.get("x-chat-user");
    let user = user.and_then(|user| user.to_str().ok());
    let path: Vec<&str> = head.uri.path().split('/').collect();
    match (&head.method, path.as_slice(), user) {
        (&Method::GET, ["", "health"], _) => text(StatusCode::OK, "well"),
        (&Method::GET, ["", "rooms", room, "events"], Some(_)) => events(rooms, room),
        (&Method::POST, ["", "rooms", room, "messages"], Some(user)) => match read(body).await {
            Ok(message) => {
                rooms.say(room, user, &message);
                text(StatusCode::CREATED, "said")
            }
            Err(_) => text(
                StatusCode::BAD_REQUEST,
                "a message is a text of at most 4 KiB",
            ),
        },
        (_, ["", "rooms", ..], None) => text(StatusCode::BAD_GATEWAY, "nobody says who you are"),
        _ => text(StatusCode::NOT_FOUND, "there is no such thing here"),
    }
}

/// The messages of a room from now on, as server-sent events.
fn events(rooms: &Rooms, room: &str) -> Answer {
    let mut messages = rooms.listen(room);
    let (mut events, body) = Channel::new(EVENTS_WAITING_MAX);
    tokio::spawn(async move {
        // The client knows by this that nothing said from now on is missed.
        let mut event = "event: ready\ndata: {}\n\n".to_owned();
        // Who has gone, or is too slow, is let go.
        while events.send_data(Bytes::from(event)).await.is_ok() {
            let Ok(message) = messages.recv().await else {
                return;
            };
            event = format!("data: {message}\n\n");
        }
    });
    let mut response = Response::new(body.boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn read(body: Incoming) -> Result<String, Box<dyn Error + Send + Sync>> {
    let whole = Limited::new(body, MESSAGE_BYTES_MAX).collect();
    let bytes = timeout(READ_TIMEOUT, whole).await??.to_bytes();
    Ok(String::from_utf8(bytes.into())?)
}

fn text(status: StatusCode, text: &'static str) -> Answer {
    let mut response = Response::new(Full::from(text).boxed_unsync());
    *response.status_mut() = status;
    response
}
