//! A real nginx in front of the gateway.

use core::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::world::{LONG, Peer};

pub(crate) struct Nginx(PathBuf);

pub(crate) struct Running {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

impl Nginx {
    /// The nginx of this machine, if there is one.
    pub(crate) fn find() -> Option<Self> {
        let places = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"];
        let found = places.iter().map(PathBuf::from).find(|path| path.exists());
        found.map(Self)
    }

    /// nginx on a free port, passing everything to `gateway` over connections
    /// that are kept.
    pub(crate) async fn start(&self, gateway: SocketAddr) -> Running {
        let dir = tempfile::tempdir().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let root = dir.path().display();
        let config = format!(
            "daemon off; worker_processes 1; pid {root}/pid; error_log {root}/error.log;
             events {{ worker_connections 256; }}
             http {{
               access_log off;
               client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;
               fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
               upstream gateway {{ server {gateway}; keepalive 4; }}
               server {{
                 listen {address};
                 client_header_timeout 2s; client_body_timeout 2s;
                 location / {{
                   proxy_pass http://gateway; proxy_http_version 1.1;
                   proxy_set_header Connection \"\"; proxy_request_buffering off;
                 }}
               }}
             }}"
        );
        let file = dir.path().join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        let child = Command::new(&self.0)
            .arg("-p")
            .arg(dir.path())
            .arg("-c")
            .arg(&file)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let running = Running {
            child,
            address,
            _dir: dir,
        };
        let up = async {
            while TcpStream::connect(address).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LONG, up).await.expect("nginx listens");
        running
    }
}

impl Running {
    pub(crate) async fn connect(&self) -> Peer {
        Peer(TcpStream::connect(self.address).await.unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // nginx ends its worker on SIGTERM only; a SIGKILL would leave it.
        let id = self.child.id().to_string();
        drop(Command::new("kill").args(["-TERM", &id]).status());
        drop(self.child.wait());
    }
}
