//! The two ends of a proxy: a client that sends any bytes, and an application
//! that records what reaches it.

use core::net::SocketAddr;
use core::time::Duration;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than any proxy waits for its authorizer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request, written as it stands.
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Sent {
    pub(crate) fn get(target: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !self.headers.iter().any(|(name, _)| name == "Host") {
            text.push_str("Host: chat.example\r\n");
        }
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        text.push_str("Connection: close\r\n\r\n");
        text.push_str(&self.body);
        text.into_bytes()
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) head: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        header(&self.head, name)
    }
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    let mut named = fields.filter(|(known, _)| known.eq_ignore_ascii_case(name));
    named.next().map_or("", |(_, value)| value.trim())
}

/// One request on a connection of its own; nothing when there is no answer.
pub(crate) async fn send(address: SocketAddr, request: &Sent) -> Option<Received> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(&request.bytes()).await.ok()?;
    let mut bytes = Vec::new();
    // A reset after the answer is an end too.
    drop(
        timeout(PATIENCE, stream.read_to_end(&mut bytes))
            .await
            .ok()?,
    );
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, _) = text.split_once("\r\n\r\n")?;
    Some(Received {
        status: head.split(' ').nth(1)?.parse().ok()?,
        head: head.to_owned(),
    })
}

/// What reached the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Arrived {
    pub(crate) fn header(&self, name: &str) -> &str {
        header(&self.head, name)
    }
}

/// An application behind a proxy. It answers `up` to everything.
pub(crate) struct Application {
    pub(crate) address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    serving: JoinHandle<()>,
}

impl Drop for Application {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Application {
    pub(crate) async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&arrived);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&record)));
            }
        });
        Self {
            address,
            arrived,
            serving,
        }
    }

    /// What arrived since the last look.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        core::mem::take(&mut self.arrived.lock().unwrap())
    }
}

/// Requests until the peer closes.
async fn serve(mut stream: TcpStream, record: Arc<Mutex<Vec<Arrived>>>) -> Option<()> {
    loop {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            bytes.push(stream.read_u8().await.ok()?);
        }
        // Of any bytes, as long as one stands for one.
        let head: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        let length = header(&head, "content-length").parse().unwrap_or(0);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        let (line, _) = head.split_once("\r\n")?;
        let (method, rest) = line.split_once(' ')?;
        let (target, _) = rest.rsplit_once(' ')?;
        record.lock().unwrap().push(Arrived {
            method: method.to_owned(),
            target: target.to_owned(),
            head: head.clone(),
            body: String::from_utf8_lossy(&body).into_owned(),
        });
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup";
        stream.write_all(answer).await.ok()?;
    }
}
