//! Real proxies on loopback, with the configurations of `docs/proxies` as they
//! stand, or others; only the ports are not theirs.

use core::net::SocketAddr;
use core::time::Duration;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::exchange::{Received, Sent, send};

/// A proxy that the documentation has a configuration for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    Nginx,
    Caddy,
    Traefik,
    Envoy,
}

/// The ports in the configurations: where clients come, Usher, the application.
/// That of the chat is its own.
const PORTS: [&str; 4] = ["8000", "8081", "9000", "8092"];

/// A file that a proxy reads: its name and its text.
pub(crate) type Configuration = (&'static str, String);

/// What the configuration of nginx is included in.
const NGINX_MAIN: &str = "daemon off; master_process off; pid nginx.pid; error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    include nginx.conf;
}
";

impl Proxy {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Traefik => "traefik",
            Self::Envoy => "envoy",
        }
    }

    /// The configuration in `docs/proxies`.
    pub(crate) fn documented(self) -> Vec<Configuration> {
        let files: &[(&str, &str)] = match self {
            Self::Nginx => &[(
                "nginx.conf",
                include_str!("../../../../../docs/proxies/nginx.conf"),
            )],
            Self::Caddy => &[(
                "Caddyfile",
                include_str!("../../../../../docs/proxies/Caddyfile"),
            )],
            Self::Traefik => &[
                (
                    "traefik.yaml",
                    include_str!("../../../../../docs/proxies/traefik.yaml"),
                ),
                (
                    "traefik-dynamic.yaml",
                    include_str!("../../../../../docs/proxies/traefik-dynamic.yaml"),
                ),
            ],
            Self::Envoy => &[(
                "envoy.yaml",
                include_str!("../../../../../docs/proxies/envoy.yaml"),
            )],
        };
        let owned = |(name, text): &(&'static str, &str)| (*name, (*text).to_owned());
        files.iter().map(owned).collect()
    }

    const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Nginx => &["-p", ".", "-c", "main.conf"],
            Self::Caddy => &["run", "--adapter", "caddyfile", "--config", "Caddyfile"],
            Self::Traefik => &["--configfile=traefik.yaml"],
            Self::Envoy => &[
                "-c",
                "envoy.yaml",
                "--disable-hot-restart",
                "--concurrency",
                "1",
            ],
        }
    }

    /// Starts it before `application`, with `usher` as the authorizer. Nothing
    /// when it is not installed.
    pub(crate) async fn start(
        self,
        configuration: &[Configuration],
        usher: SocketAddr,
        application: SocketAddr,
    ) -> Option<Running> {
        // The port is free until somebody else takes it first.
        for _ in 0..3 {
            let running = self.spawn(configuration, usher, application)?;
            if running.is_ready().await {
                return Some(running);
            }
        }
        panic!("{} does not start", self.name());
    }

    fn spawn(
        self,
        configuration: &[Configuration],
        usher: SocketAddr,
        application: SocketAddr,
    ) -> Option<Running> {
        let dir = tempfile::tempdir().unwrap();
        let address = free_address();
        let addresses = [address, usher, application, application];
        for (file, text) in configuration {
            let text = with_ports(text, addresses.map(|address| address.port()));
            fs::write(dir.path().join(file), text).unwrap();
        }
        fs::write(dir.path().join("main.conf"), NGINX_MAIN).unwrap();
        let variable = format!("USHER_{}", self.name().to_uppercase());
        let program = std::env::var_os(&variable).unwrap_or_else(|| self.name().into());
        let log = File::create(dir.path().join("log")).unwrap();
        let admin = dir.path().join("admin");
        let child = Command::new(program)
            .args(self.arguments())
            .current_dir(dir.path())
            .env("HOME", dir.path())
            .env("XDG_CONFIG_HOME", dir.path())
            .env("XDG_DATA_HOME", dir.path())
            .env("CADDY_ADMIN", format!("unix/{}", admin.display()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        match child {
            Ok(child) => Some(Running {
                address,
                child,
                dir,
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.skip(&variable);
                None
            }
            Err(error) => panic!("{}: {error}", self.name()),
        }
    }

    /// A skip is a failure where `CI` is set.
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    fn skip(self, variable: &str) {
        let name = self.name();
        assert!(
            std::env::var_os("CI").is_none(),
            "needs {name}: install it, or name the program in {variable}"
        );
        eprintln!("skipped: needs {name}");
    }
}

/// The configuration with other ports, and not a byte else.
fn with_ports(configuration: &str, ports: [u16; 4]) -> String {
    // In two steps: another port may hold the digits of one that is still to
    // be replaced.
    let mark = |at: usize| format!("\u{1}{at}\u{2}");
    let mut text = configuration.to_owned();
    for (at, port) in PORTS.iter().enumerate() {
        text = text.replace(port, &mark(at));
    }
    for (at, port) in ports.iter().enumerate() {
        text = text.replace(&mark(at), &port.to_string());
    }
    text
}

fn free_address() -> SocketAddr {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap()
}

/// A proxy that runs; it ends with this value.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    child: Child,
    dir: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Running {
    /// Waits until it asks Usher, which denies `/` as no operation.
    #[expect(clippy::print_stderr, reason = "why a proxy does not start")]
    async fn is_ready(&self) -> bool {
        let probe = Sent::get("/");
        let ready = async {
            let denied = |reply: Received| reply.status == 403;
            while !send(self.address, &probe).await.is_some_and(denied) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let is_ready = timeout(Duration::from_secs(30), ready).await.is_ok();
        if !is_ready {
            eprintln!("{}", self.log());
        }
        is_ready
    }

    /// What it wrote.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.dir.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
