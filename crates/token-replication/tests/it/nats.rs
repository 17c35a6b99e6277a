//! Real NATS servers on loopback, one or a cluster, with their data in a
//! directory of the test.

use core::time::Duration;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// The program; a skip is a failure where `CI` is set.
const VARIABLE: &str = "USHER_NATS_SERVER";

/// How long anything may take to come true.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Nats {
    program: PathBuf,
    servers: Vec<Server>,
    /// In front of the address.
    user: &'static str,
    /// Who certifies the servers, if they want TLS.
    ca_file: Option<PathBuf>,
    dir: tempfile::TempDir,
}

#[derive(Debug)]
struct Server {
    port: u16,
    child: Option<Child>,
}

impl Drop for Nats {
    fn drop(&mut self) {
        for at in 0..self.servers.len() {
            self.kill(at);
        }
    }
}

impl Nats {
    /// Starts `count` servers; they answer when it returns. `None` without the
    /// program.
    pub(crate) async fn start(count: usize) -> Option<Self> {
        Self::start_with(count, "").await
    }

    /// One with this user: `usher`, whose password is `right`.
    pub(crate) async fn start_with(count: usize, more: &str) -> Option<Self> {
        let user = if more.is_empty() { "" } else { "usher:right@" };
        Self::start_configured(count, more, user, None).await
    }

    /// One that wants TLS.
    pub(crate) async fn start_tls(more: &str, ca_file: &Path) -> Option<Self> {
        Self::start_configured(1, more, "", Some(ca_file.to_owned())).await
    }

    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    async fn start_configured(
        count: usize,
        more: &str,
        user: &'static str,
        ca_file: Option<PathBuf>,
    ) -> Option<Self> {
        let Some(program) = std::env::var_os(VARIABLE).map(PathBuf::from) else {
            assert!(
                std::env::var_os("CI").is_none(),
                "needs nats-server: install it, and name the program in {VARIABLE}"
            );
            eprintln!("skipped: needs nats-server");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let ports = free_ports(count.saturating_mul(2));
        let (clients, routes) = ports.split_at(count);
        for (at, port) in clients.iter().enumerate() {
            let mut text = format!(
                "listen: 127.0.0.1:{port}\nserver_name: n{at}\n\
                 jetstream {{ store_dir: \"{}\", sync_interval: always }}\n{more}\n",
                dir.path().join(format!("data-{at}")).display()
            );
            if count > 1 {
                let urls: Vec<_> = routes
                    .iter()
                    .map(|port| format!("nats://127.0.0.1:{port}"))
                    .collect();
                text += &format!(
                    "cluster {{ name: test, listen: 127.0.0.1:{}, routes: [{}] }}\n",
                    routes[at],
                    urls.join(", ")
                );
            }
            std::fs::write(dir.path().join(format!("{at}.conf")), text).unwrap();
        }
        let servers = clients.iter().map(|port| Server {
            port: *port,
            child: None,
        });
        let mut nats = Self {
            program,
            servers: servers.collect(),
            user,
            ca_file,
            dir,
        };
        for at in 0..count {
            nats.launch(at);
        }
        nats.ready().await;
        Some(nats)
    }

    /// Starts one server, which may not answer yet.
    pub(crate) fn launch(&mut self, at: usize) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join(format!("{at}.log")))
            .unwrap();
        let child = Command::new(&self.program)
            .arg("--config")
            .arg(self.dir.path().join(format!("{at}.conf")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program of USHER_NATS_SERVER");
        self.servers[at].child = Some(child);
    }

    /// kill -9.
    pub(crate) fn kill(&mut self, at: usize) {
        if let Some(mut child) = self.servers[at].child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Waits until streams can be made.
    pub(crate) async fn ready(&self) {
        let since = Instant::now();
        loop {
            let connected = self
                .administrator()
                .connection_timeout(Duration::from_secs(1))
                .connect(&self.url())
                .await;
            if let Ok(client) = connected {
                let jetstream = async_nats::jetstream::new(client);
                let account = jetstream.query_account();
                let account = tokio::time::timeout(Duration::from_secs(1), account).await;
                if matches!(account, Ok(Ok(_))) {
                    return;
                }
            }
            assert!(since.elapsed() < PATIENCE, "nats-server does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn administrator(&self) -> async_nats::ConnectOptions {
        let options = match self
            .user
            .strip_suffix('@')
            .and_then(|user| user.split_once(':'))
        {
            Some((user, password)) => {
                async_nats::ConnectOptions::with_user_and_password(user.into(), password.into())
            }
            None => async_nats::ConnectOptions::new(),
        };
        match &self.ca_file {
            Some(path) => options
                .add_root_certificates(path.clone())
                .require_tls(true),
            None => options,
        }
    }

    /// Where the first that runs listens.
    pub(crate) fn url(&self) -> String {
        let running = self.servers.iter().find(|server| server.child.is_some());
        let port = running.unwrap_or(&self.servers[0]).port;
        format!("nats://{}127.0.0.1:{port}", self.user)
    }

    /// Where all listen.
    pub(crate) fn urls(&self) -> String {
        let urls = self.servers.iter();
        let urls = urls.map(|server| format!("nats://127.0.0.1:{}", server.port));
        urls.collect::<Vec<_>>().join(",")
    }

    pub(crate) fn port(&self) -> u16 {
        self.servers[0].port
    }

    pub(crate) async fn jetstream(&self) -> async_nats::jetstream::Context {
        let client = async_nats::connect(&self.url()).await.unwrap();
        async_nats::jetstream::new(client)
    }

    /// Which server leads the log.
    pub(crate) async fn leader(&self) -> usize {
        let stream = self.jetstream().await.get_stream("usher").await.unwrap();
        let leader = stream
            .cached_info()
            .cluster
            .clone()
            .unwrap()
            .leader
            .unwrap();
        leader.strip_prefix('n').unwrap().parse().unwrap()
    }

    /// The data of a server that does not run.
    pub(crate) fn data(&self, at: usize) -> PathBuf {
        assert!(self.servers[at].child.is_none());
        self.dir.path().join(format!("data-{at}"))
    }
}

/// Copies a directory with everything in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn free_ports(count: usize) -> Vec<u16> {
    let sockets: Vec<_> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let port = |socket: &TcpListener| socket.local_addr().unwrap().port();
    sockets.iter().map(port).collect()
}
