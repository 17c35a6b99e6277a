//! Every limit of the listener fires, over a real socket. Attack H03, and
//! M05: a panic is one 500.

use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use token_server::{ConnectionLimits, Handler, Listener, Refusal, RequestBody, ResponseBody};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

/// Answers `ok`, but panics at `/panic` and waits for `release` at `/wait`.
#[derive(Default)]
struct Sample {
    entered: Notify,
    release: Notify,
}

impl Handler for Sample {
    async fn respond(
        &self,
        _: SocketAddr,
        request: Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let (head, body) = request.into_parts();
        drop(body.read(1_000).await?);
        match head.uri.path() {
            "/panic" => panic!("a bug"),
            "/wait" => {
                self.entered.notify_one();
                self.release.notified().await;
            }
            _ => {}
        }
        Ok(Response::new(Bytes::from_static(b"ok").into()))
    }

    fn refuse(&self, refusal: Refusal) -> Response<Bytes> {
        let status = match refusal {
            Refusal::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Refusal::BodyBroken => StatusCode::BAD_REQUEST,
            Refusal::TargetTooLong => StatusCode::URI_TOO_LONG,
            Refusal::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Refusal::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        response
    }
}

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(50);

/// No limit fires by itself.
fn patient() -> ConnectionLimits {
    ConnectionLimits {
        connections: 100,
        first_byte: LONG,
        head: LONG,
        body: LONG,
        shutdown: LONG,
        ..ConnectionLimits::default()
    }
}

async fn start(limits: ConnectionLimits) -> (Listener, Arc<Sample>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let handler = Arc::new(Sample::default());
    let listener = Listener::start(socket, Arc::clone(&handler), limits).unwrap();
    (listener, handler)
}

async fn connect(listener: &Listener) -> TcpStream {
    TcpStream::connect(listener.address()).await.unwrap()
}

/// Everything until the server closes.
async fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    // A reset is a close too.
    drop(
        timeout(LONG, stream.read_to_end(&mut received))
            .await
            .expect("closed in time"),
    );
    received
}

/// The status line of the next answer, whose body is `ok` or empty.
async fn status(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    while !received.ends_with(b"\r\n\r\n") && !received.ends_with(b"\r\n\r\nok") {
        let byte = timeout(LONG, stream.read_u8()).await.expect("answered");
        received.push(byte.expect("an answer before the end"));
        if received.ends_with(b"\r\n\r\n")
            && received.windows(17).any(|w| w == b"content-length: 2")
        {
            let mut body = [0; 2];
            stream.read_exact(&mut body).await.unwrap();
        }
    }
    let text = String::from_utf8(received).unwrap();
    text.split(' ').nth(1).unwrap().to_owned()
}

async fn exchange(listener: &Listener, request: &[u8]) -> String {
    let mut stream = connect(listener).await;
    stream.write_all(request).await.unwrap();
    status(&mut stream).await
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let limits = ConnectionLimits {
        first_byte: SHORT,
        ..patient()
    };
    let (listener, _) = start(limits).await;
    assert!(until_closed(&mut connect(&listener).await).await.is_empty());
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let limits = ConnectionLimits {
        head: SHORT,
        ..patient()
    };
    let (listener, _) = start(limits).await;
    let stalls: [&[u8]; 4] = [
        b"P",
        b"PRI * HTTP/2.0\r\n\r\nSM",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nx:",
    ];
    for stall in stalls {
        let mut stream = connect(&listener).await;
        stream.write_all(stall).await.unwrap();
        let answer = until_closed(&mut stream).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{stall:?}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_request() {
    let limits = ConnectionLimits {
        head: SHORT,
        ..patient()
    };
    let (listener, _) = start(limits).await;
    let mut stream = connect(&listener).await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    assert!(until_closed(&mut stream).await.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_body_that_never_ends_is_408() {
    let limits = ConnectionLimits {
        body: SHORT,
        ..patient()
    };
    let (listener, _) = start(limits).await;
    let request = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc";
    assert_eq!(exchange(&listener, request).await, "408");
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_before_it_is_read() {
    let (listener, _) = start(patient()).await;
    let head = |n: usize| format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {n}\r\n\r\n");
    let whole = [head(1_000).into_bytes(), vec![b'a'; 1_000]].concat();
    assert_eq!(exchange(&listener, &whole).await, "200");
    // Not one byte of the body is sent.
    assert_eq!(exchange(&listener, head(1_001).as_bytes()).await, "413");
    assert_eq!(
        exchange(&listener, head(100_000_000).as_bytes()).await,
        "413"
    );
    let chunk = format!("3e9\r\n{}\r\n0\r\n\r\n", "a".repeat(1_001));
    let chunked =
        format!("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunk}");
    assert_eq!(exchange(&listener, chunked.as_bytes()).await, "413");
}

/// Many clients send the whole body before they look for an answer.
#[tokio::test]
async fn whoever_goes_on_sending_what_is_too_large_sees_the_answer() {
    let (listener, _) = start(patient()).await;
    let body = "a".repeat(1_500_000);
    let length = body.len();
    let sized = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{body}");
    let chunked = format!(
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
    );
    // What is framed in two ways is refused as soon.
    let ambiguous = format!("POST / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n{body}");
    for (request, status) in [(sized, "413"), (chunked, "413"), (ambiguous, "400")] {
        let mut stream = connect(&listener).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = timeout(LONG, stream.read_to_string(&mut answer));
        read.await.expect("closed in time").expect("no reset");
        assert_eq!(answer.split(' ').nth(1), Some(status));
    }
}

#[tokio::test]
async fn a_head_over_32_kib_is_414_or_431() {
    let (listener, _) = start(patient()).await;
    // Every byte counts, from the method to the empty line.
    let target = |n: usize| format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(n - 1));
    assert_eq!(exchange(&listener, target(32_742).as_bytes()).await, "200");
    assert_eq!(exchange(&listener, target(32_743).as_bytes()).await, "414");
    let header = |n: usize| format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(n));
    assert_eq!(exchange(&listener, header(32_736).as_bytes()).await, "200");
    assert_eq!(exchange(&listener, header(32_737).as_bytes()).await, "431");
    let many = "x: y\r\n".repeat(1_000);
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n");
    assert_eq!(exchange(&listener, many.as_bytes()).await, "431");
    // A megabyte is not even buffered.
    let mut stream = connect(&listener).await;
    drop(stream.write_all(target(1_000_000).as_bytes()).await);
    assert!(!until_closed(&mut stream).await.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_connection_over_the_cap_is_closed_and_room_comes_back() {
    let limits = ConnectionLimits {
        connections: 1,
        ..patient()
    };
    let (listener, handler) = start(limits).await;
    let mut first = connect(&listener).await;
    first
        .write_all(b"GET /wait HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    handler.entered.notified().await;
    let mut second = connect(&listener).await;
    assert!(until_closed(&mut second).await.is_empty());
    handler.release.notify_one();
    assert!(until_closed(&mut first).await.starts_with(b"HTTP/1.1 200"));
    // The permit returns when the first task has ended, which nothing
    // outside can see; so ask until there is room.
    for _ in 0..1_000 {
        let mut third = connect(&listener).await;
        drop(
            third
                .write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                .await,
        );
        if until_closed(&mut third).await.starts_with(b"HTTP/1.1 200") {
            return;
        }
    }
    panic!("the room of a closed connection never came back");
}

#[tokio::test]
async fn a_panic_is_one_500_and_the_process_lives() {
    let (listener, _) = start(patient()).await;
    let mut stream = connect(&listener).await;
    stream
        .write_all(b"GET /panic HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(status(&mut stream).await, "500");
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(status(&mut stream).await, "200");
}

#[tokio::test]
async fn shutdown_lets_an_open_request_finish_and_closes_idle_connections() {
    let (listener, handler) = start(patient()).await;
    let mut silent = connect(&listener).await;
    let mut idle = connect(&listener).await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(status(&mut idle).await, "200");
    let mut open = connect(&listener).await;
    open.write_all(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    handler.entered.notified().await;
    let address = listener.address();
    let shutdown = tokio::spawn(listener.shutdown());
    assert!(until_closed(&mut silent).await.is_empty());
    assert!(until_closed(&mut idle).await.is_empty());
    assert!(!shutdown.is_finished());
    handler.release.notify_one();
    assert!(until_closed(&mut open).await.starts_with(b"HTTP/1.1 200"));
    timeout(LONG, shutdown).await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn shutdown_cuts_a_request_off_at_the_deadline() {
    let limits = ConnectionLimits {
        shutdown: SHORT,
        ..patient()
    };
    let (listener, handler) = start(limits).await;
    let mut open = connect(&listener).await;
    open.write_all(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    handler.entered.notified().await;
    timeout(LONG, listener.shutdown()).await.unwrap();
    assert!(until_closed(&mut open).await.is_empty());
}

mod http2 {
    use super::*;
    use crate::http2::{DATA, GOAWAY, PREFACE, RST_STREAM, SETTINGS, frame, get};

    async fn next(stream: &mut TcpStream) -> Option<crate::http2::Frame> {
        let next = timeout(LONG, crate::http2::next(stream)).await;
        next.expect("in time")
    }

    #[tokio::test]
    async fn a_request_is_answered() {
        let (listener, _) = start(patient()).await;
        let mut stream = connect(&listener).await;
        stream
            .write_all(&[PREFACE, &get(1, "/")].concat())
            .await
            .unwrap();
        while let Some(frame) = next(&mut stream).await {
            if frame.kind == DATA && frame.stream == 1 {
                assert_eq!(frame.payload, b"ok");
                return;
            }
        }
        panic!("no answer");
    }

    #[tokio::test]
    async fn a_stream_over_the_cap_is_refused() {
        let limits = ConnectionLimits {
            streams: 2,
            ..patient()
        };
        let (listener, _) = start(limits).await;
        let mut stream = connect(&listener).await;
        let gets = [get(1, "/wait"), get(3, "/wait"), get(5, "/wait")].concat();
        stream.write_all(&[PREFACE, &gets].concat()).await.unwrap();
        let (mut announced, mut refused) = (false, false);
        while let Some(frame) = next(&mut stream).await {
            let (kind, payload) = (frame.kind, frame.payload);
            // SETTINGS_MAX_CONCURRENT_STREAMS is 3.
            announced |= kind == SETTINGS && payload.chunks(6).any(|s| s == [0, 3, 0, 0, 0, 2]);
            // REFUSED_STREAM.
            refused |= kind == RST_STREAM && frame.stream == 5 && payload == [0, 0, 0, 7];
            if announced && refused {
                return;
            }
        }
        panic!("announced: {announced}, refused: {refused}");
    }

    #[tokio::test]
    async fn rapid_reset_ends_the_connection() {
        let (listener, _) = start(patient()).await;
        let mut stream = connect(&listener).await;
        let mut attack = PREFACE.to_vec();
        for i in 0..200 {
            attack.extend(get(2 * i + 1, "/wait"));
            attack.extend(frame(RST_STREAM, 0, 2 * i + 1, &[0, 0, 0, 8]));
        }
        stream.write_all(&attack).await.unwrap();
        while let Some(frame) = next(&mut stream).await {
            if frame.kind == GOAWAY {
                // ENHANCE_YOUR_CALM.
                assert_eq!(frame.payload[4..8], [0, 0, 0, 11]);
                return;
            }
        }
        panic!("the connection was never told to go away");
    }

    /// Attack H02: what is idle makes room, as with HTTP/1.1.
    #[tokio::test]
    async fn a_connection_without_a_request_is_closed() {
        let limits = ConnectionLimits {
            head: SHORT,
            // A peer that answers no ping is waited for as long as this.
            write: 4 * SHORT,
            ..patient()
        };
        let (listener, handler) = start(limits).await;
        let mut stream = connect(&listener).await;
        let start = [PREFACE, &get(1, "/"), &get(3, "/wait")].concat();
        stream.write_all(&start).await.unwrap();
        handler.entered.notified().await;
        // For as long as one is open nothing is idle.
        tokio::time::sleep(4 * SHORT).await;
        handler.release.notify_one();
        let (mut answered, mut told) = (false, false);
        while let Some(frame) = next(&mut stream).await {
            answered |= frame.kind == DATA && frame.stream == 3;
            assert!(answered || frame.kind != GOAWAY, "it was at work");
            told |= frame.kind == GOAWAY;
        }
        assert!(answered && told);
    }
}

#[tokio::test]
async fn a_connection_serves_on_after_every_kind_of_body() {
    let requests: [&[u8]; 4] = [
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    ];
    let (listener, _) = start(patient()).await;
    for first in requests {
        for second in requests {
            let mut stream = connect(&listener).await;
            stream.write_all(first).await.unwrap();
            assert_eq!(status(&mut stream).await, "200");
            stream.write_all(second).await.unwrap();
            let text = String::from_utf8_lossy(first);
            assert_eq!(status(&mut stream).await, "200", "after {text}");
        }
    }
    listener.shutdown().await;
}
