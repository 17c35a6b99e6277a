//! nginx with the configuration of this folder; only the ports are others.

use core::net::SocketAddr;
use core::time::Duration;
use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::Instant;

use tempfile::TempDir;

const MAIN: &str = "daemon off; master_process off; pid nginx.pid; error_log nginx.log;
events {}
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    include nginx.conf;
}
";

/// A running nginx; it ends with the test.
pub(crate) struct Nginx {
    process: Child,
    pub(crate) address: String,
    _directory: TempDir,
}

impl Nginx {
    /// `None` where there is no nginx, which is a failure where `CI` is set.
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    pub(crate) fn start(usher: SocketAddr, chat: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let address = free_address();
        let text = include_str!("../../nginx.conf")
            .replace("127.0.0.1:8000", &address)
            .replace("127.0.0.1:8081", &usher.to_string())
            .replace("127.0.0.1:8092", chat);
        fs::write(directory.path().join("nginx.conf"), text).unwrap();
        fs::write(directory.path().join("main.conf"), MAIN).unwrap();
        let program = std::env::var_os("USHER_NGINX").unwrap_or_else(|| "nginx".into());
        let started = Command::new(program)
            .args(["-p", ".", "-c", "main.conf"])
            .current_dir(directory.path())
            .spawn();
        let process = match started {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                assert!(std::env::var_os("CI").is_none(), "needs nginx");
                eprintln!("skipped: needs nginx");
                return None;
            }
            started => started.unwrap(),
        };
        let nginx = Self {
            process,
            address,
            _directory: directory,
        };
        nginx.wait();
        Some(nginx)
    }

    /// Until it listens.
    fn wait(&self) {
        let start = Instant::now();
        while TcpStream::connect(&self.address).is_err() {
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "no nginx came up"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Free until somebody takes it.
fn free_address() -> String {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().to_string()
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
