//! The running program, and a client of it.

use core::time::Duration;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// How long anything may take that is meant to happen at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// The chat; it ends with the test.
pub(crate) struct Chat {
    process: Child,
    pub(crate) address: String,
}

impl Chat {
    pub(crate) fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_chat"))
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("chat http://").unwrap().to_owned();
        Self { process, address }
    }

    /// The status of a POST.
    pub(crate) fn post(&self, path: &str, headers: &[&str], body: &str) -> u16 {
        Stream::send(&self.address, "POST", path, headers, body).status
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// An answer as it comes in.
pub(crate) struct Stream {
    pub(crate) status: u16,
    lines: BufReader<TcpStream>,
}

impl Stream {
    /// Sends a request and reads the head of its answer.
    pub(crate) fn send(
        address: &str,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &str,
    ) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\n\
             {headers}\r\n{body}"
        )
        .unwrap();
        let mut answer = Self {
            status: 0,
            lines: BufReader::new(stream),
        };
        let status = answer.line();
        answer.status = status.split(' ').nth(1).unwrap().parse().unwrap();
        while !answer.line().is_empty() {}
        answer
    }

    /// Opens a stream of events that is allowed.
    pub(crate) fn open(address: &str, path: &str, headers: &[&str]) -> Self {
        let mut stream = Self::send(address, "GET", path, headers, "");
        assert_eq!(stream.status, 200);
        assert_eq!(stream.event(), "{}", "it is ready");
        stream
    }

    /// Whether the answer comes to its end, orderly or not, without an event.
    pub(crate) fn ends(&mut self) -> bool {
        let mut rest = String::new();
        // It may be broken off.
        drop(self.lines.read_to_string(&mut rest));
        !rest.contains("data: ")
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The data of the next event.
    pub(crate) fn event(&mut self) -> String {
        loop {
            let line = self.line();
            if let Some(data) = line.strip_prefix("data: ") {
                return data.to_owned();
            }
        }
    }
}
