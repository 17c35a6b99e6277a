//! A whole server before an upstream that the test plays by hand, byte for
//! byte.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use serde_json::{Value, json};
use token_server::{Config, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::harness::{Harness, NOW, PUBLISH_KEY, SECRET_KEY, SUBSCRIBE_KEY, TestClock};

/// Longer than anything takes that happens at all.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) harness: Harness,
    pub(crate) server: Server,
    pub(crate) upstream: TcpListener,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// A server on loopback with the keyset `sub-c-demo`, its configuration
    /// changed by `change`.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let any_port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let mut config = Config::default();
        config.data_dir = dir.path().join("data");
        config.listen = any_port;
        config.internal_listen = any_port;
        let url = format!("http://{}", upstream.local_addr().unwrap());
        config.upstream = Some(url.parse().unwrap());
        change(&mut config);
        let clock = TestClock::at(NOW - 100);
        let server = Server::start_at(config, clock.clone()).await.unwrap();
        clock.advance(100);
        let harness = Harness {
            service: server.service().clone(),
            clock,
            dir,
        };
        harness
            .create(
                SUBSCRIBE_KEY,
                SECRET_KEY,
                json!({"accept_unsigned_publish_body": true}),
            )
            .await;
        Self {
            harness,
            server,
            upstream,
        }
    }

    /// A token with these permissions, as the value of `auth`.
    pub(crate) async fn token(&self, permissions: Value) -> String {
        let body = json!({"ttl": 60, "permissions": permissions});
        let token = self.harness.grant_at(self.harness.clock_now(), &body).await;
        token.token().replace('=', "%3D")
    }

    /// A token for everything that these tests do with the channel `room`.
    pub(crate) async fn room(&self) -> String {
        self.token(json!({"resources": {"channels": {"room": 239}}}))
            .await
    }

    /// A connection to the public listener.
    pub(crate) async fn connect(&self) -> Peer {
        let address = self.server.public_address();
        Peer(TcpStream::connect(address).await.unwrap())
    }

    /// One request on a connection of its own, and the whole answer.
    pub(crate) async fn send(&self, request: &[u8]) -> Message {
        let mut client = self.connect().await;
        client.write(request).await;
        client.message().await
    }

    /// Waits until there is room for a connection.
    pub(crate) async fn until_served(&self) {
        let served = async {
            loop {
                let mut client = self.connect().await;
                // It may be closed at once.
                drop(client.0.write_all(&get("/healthz")).await);
                let mut byte = [0];
                if matches!(client.0.read(&mut byte).await, Ok(1)) {
                    break;
                }
            }
        };
        timeout(LONG, served).await.expect("room comes back");
    }

    /// The next connection that the gateway makes.
    pub(crate) async fn accept(&self) -> Peer {
        let accepted = timeout(LONG, self.upstream.accept()).await;
        Peer(accepted.expect("the upstream is asked").unwrap().0)
    }

    /// That the gateway never asked the upstream.
    pub(crate) async fn assert_upstream_unasked(&self) {
        // A connection that was made earlier is accepted before this one.
        let address = self.upstream.local_addr().unwrap();
        let own = TcpStream::connect(address).await.unwrap();
        let (_, peer) = self.upstream.accept().await.unwrap();
        assert_eq!(peer, own.local_addr().unwrap(), "the upstream was asked");
    }
}

/// `GET` of the history of `room`.
pub(crate) fn history(token: &str) -> String {
    format!("/v2/history/sub-key/{SUBSCRIBE_KEY}/channel/room?auth={token}")
}

/// `GET` of a subscribe to `room` that waits.
pub(crate) fn subscribe(token: &str) -> String {
    format!("/v2/subscribe/{SUBSCRIBE_KEY}/room/0?tt=17&auth={token}")
}

/// `POST` of a message to `room`.
pub(crate) fn publish(token: &str) -> String {
    format!("/v2/publish/{PUBLISH_KEY}/{SUBSCRIBE_KEY}/0/room/0?auth={token}")
}

pub(crate) fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: example.test\r\n\r\n").into_bytes()
}

/// One end of a connection, read as HTTP/1.1.
pub(crate) struct Peer(pub(crate) TcpStream);

/// A message: its head as received, and the body without any framing.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// The status of an answer.
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        core::str::from_utf8(&self.body).unwrap()
    }

    /// The value of a header, if it is there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().skip(1).filter_map(|line| {
            let (known, value) = line.split_once(": ")?;
            known.eq_ignore_ascii_case(name).then_some(value)
        });
        let value = values.next();
        assert!(values.next().is_none(), "{name} twice: {}", self.head);
        value
    }
}

impl Peer {
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        timeout(LONG, self.0.write_all(bytes))
            .await
            .expect("taken")
            .unwrap();
    }

    /// An answer with a length, as an upstream gives it.
    pub(crate) async fn answer(&mut self, status: &str, body: &str) {
        let length = body.len();
        let text = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
        self.write(text.as_bytes()).await;
    }

    pub(crate) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = timeout(LONG, self.0.read_u8()).await.expect("in time");
            head.push(
                byte.unwrap_or_else(|_| panic!("closed: {}", String::from_utf8_lossy(&head))),
            );
        }
        String::from_utf8(head).unwrap()
    }

    /// The next message, or `None` when the connection ends before one.
    pub(crate) async fn try_message(&mut self) -> Option<Message> {
        let mut byte = [0];
        match self.0.peek(&mut byte).await {
            Ok(1) => {}
            _ => return None,
        }
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).ok()?;
        let mut message = Message {
            head,
            body: Vec::new(),
        };
        if let Some(length) = message.header("content-length") {
            message.body = vec![0; length.parse().ok()?];
            self.0.read_exact(&mut message.body).await.ok()?;
        } else if message.header("transfer-encoding").is_some() {
            while !message.body.ends_with(b"0\r\n\r\n") {
                message.body.push(self.0.read_u8().await.ok()?);
            }
        }
        Some(message)
    }

    pub(crate) async fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let read = timeout(LONG, self.0.read_exact(&mut bytes)).await;
        read.expect("in time").unwrap();
        bytes
    }

    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.extend(self.bytes(1).await);
        }
        String::from_utf8(line).unwrap().trim_end().to_owned()
    }

    /// The next chunk of a chunked body; empty at its end.
    pub(crate) async fn chunk(&mut self) -> Vec<u8> {
        let size = usize::from_str_radix(&self.line().await, 16).unwrap();
        let chunk = self.bytes(size).await;
        assert_eq!(self.line().await, "");
        chunk
    }

    /// A whole message with the body that its head announces.
    pub(crate) async fn message(&mut self) -> Message {
        let head = self.head().await;
        let mut message = Message {
            head,
            body: Vec::new(),
        };
        if message.header("transfer-encoding").is_some() {
            loop {
                let chunk = self.chunk().await;
                if chunk.is_empty() {
                    break;
                }
                message.body.extend(chunk);
            }
        } else if let Some(length) = message.header("content-length") {
            message.body = self.bytes(length.parse().unwrap()).await;
        }
        message
    }

    /// Everything until the other end closes or resets.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let read = timeout(LONG, self.0.read_to_end(&mut rest)).await;
        let read = read.map_err(|_| String::from_utf8_lossy(&rest));
        drop(read.expect("closed in time"));
        rest
    }
}
