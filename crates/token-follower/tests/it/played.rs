//! A server that says what the test says.

use core::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(20);

pub(crate) struct Played(TcpListener);

/// The feed of one connection.
pub(crate) struct Stream(TcpStream);

impl Played {
    pub(crate) async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    /// The next connection, which must ask for `target`; answered with `head`.
    pub(crate) async fn answer(&self, target: &str, head: &str) -> Stream {
        let accepted = timeout(LONG, self.0.accept()).await;
        let (mut socket, _) = accepted.expect("a connection").unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(timeout(LONG, socket.read_u8()).await.unwrap().unwrap());
        }
        let request = String::from_utf8(request).unwrap();
        let line = format!("GET {target} HTTP/1.1\r\n");
        assert!(request.starts_with(&line), "{request}");
        socket.write_all(head.as_bytes()).await.unwrap();
        Stream(socket)
    }

    /// The same, answered with a stream of events.
    pub(crate) async fn accept(&self, target: &str) -> Stream {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                    connection: close\r\n\r\n";
        self.answer(target, head).await
    }
}

impl Stream {
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }
}
