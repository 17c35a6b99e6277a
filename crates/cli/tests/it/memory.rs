//! What strangers can make a server keep in memory (attack H03).

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use crate::serve::Running;

const CONNECTIONS: usize = 300;
const BYTES_PER_CONNECTION_MAX: usize = 256 * 1024;

/// The largest memory that the process ever had, in bytes (proc(5)).
fn peak(server: &Running) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes: usize = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kilobytes.saturating_mul(1024)
}

#[test]
fn a_connection_with_half_a_request_takes_at_most_256_kib() {
    let halves = [
        format!(
            "GET /time/0 HTTP/1.1\r\nHost: localhost\r\nX: {}",
            "a".repeat(60_000)
        ),
        format!(
            "POST /v3/pam/demo/grant HTTP/1.1\r\nHost: localhost\r\n\
             Content-Length: 65000\r\n\r\n{}",
            "a".repeat(64_000)
        ),
        format!(
            "POST /v3/pam/demo/grant HTTP/1.1\r\nHost: localhost\r\n\
             Transfer-Encoding: chunked\r\n\r\n{}",
            "1\r\na\r\n".repeat(10_000)
        ),
    ];
    for half in &halves {
        let directory = tempfile::tempdir().unwrap();
        let server = Running::start(directory.path(), &[]);
        let address = server.public.strip_prefix("http://").unwrap().to_owned();
        let before = peak(&server);
        let connect = |_| {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.write_all(half.as_bytes()).unwrap();
            stream
        };
        let open: Vec<TcpStream> = (0..CONNECTIONS).map(connect).collect();
        // All of them are held; the server has read each once it answers its
        // end or hangs up.
        for mut stream in open {
            stream.shutdown(Shutdown::Write).unwrap();
            // A reset is an end, too.
            drop(stream.read_to_end(&mut Vec::new()));
        }
        let each = peak(&server).saturating_sub(before) / CONNECTIONS;
        assert!(
            each <= BYTES_PER_CONNECTION_MAX,
            "{each} bytes for {:.60}",
            half
        );
    }
}
