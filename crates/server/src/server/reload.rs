//! Another configuration for a server that runs.

use core::fmt::Display;
use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{interval, sleep};

use super::{StartError, declared};
use crate::audit::Event;
use crate::config::Config;
use crate::service::{Live, Service};
use crate::tls::TlsFiles;

/// What a reload did not change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// The keys whose new value counts after a restart only.
    pub needs_restart: Vec<&'static str>,
}

/// Replaces the configuration of a server, one reload at a time.
#[derive(Debug)]
pub(super) struct Reloader {
    service: Service,
    /// What is in force.
    running: Mutex<Config>,
    /// Of the public listener, with the real port.
    listening: SocketAddr,
}

impl Reloader {
    pub(super) fn new(service: Service, running: Config, listening: SocketAddr) -> Self {
        Self {
            service,
            running: Mutex::new(running),
            listening,
        }
    }

    /// Puts `config` in force, or leaves everything as it is.
    pub(super) async fn reload(&self, mut config: Config) -> Result<Reloaded, StartError> {
        let mut running = self.running.lock().await;
        let needs_restart = keep_fixed(&mut config, &running);
        let (mut live, config) = live(config).await?;
        live.issuer = config.issuer_at(self.listening);
        if config.gateway_is_that_of(&running) {
            // Its open connections are worth keeping.
            live.gateway = self.service.gateway();
        }
        let changes = declared::plan(&self.service, &config.keysets)?;
        declared::apply(&self.service, changes).await?;
        self.service.set_live(live);
        *running = config;
        self.service.audit_event(Event::ConfigurationReloaded).await;
        Ok(Reloaded { needs_restart })
    }

    /// Reads the configuration by `load` and puts it in force. Says in the log
    /// what came of it.
    pub(super) async fn reload_from<E: Display + Send + 'static>(
        &self,
        file: Option<&Path>,
        load: impl FnOnce() -> Result<Config, E> + Send + 'static,
    ) {
        let outcome = match self.read(file, load).await {
            Ok(config) => self.reload(config).await.map_err(|e| e.to_string()),
            Err(error) => Err(error),
        };
        self.service.metrics().reloaded(outcome.is_ok());
        match outcome {
            Ok(Reloaded { needs_restart }) => {
                tracing::info!("configuration reloaded");
                if !needs_restart.is_empty() {
                    let keys = needs_restart.join(", ");
                    tracing::warn!(keys, "a restart is needed for what else has changed");
                }
            }
            Err(error) => {
                tracing::error!(
                    error,
                    "configuration not reloaded; the old one stays in force"
                );
            }
        }
    }

    /// Reads the TLS files of the configuration in force again, and nothing
    /// else.
    async fn refresh(&self) -> Result<(), StartError> {
        let running = self.running.lock().await;
        let config = running.clone();
        let made = spawn_blocking(move || Live::terms(&config)).await;
        let [public, internal] = made.unwrap_or(Err(StartError::Interrupted))?;
        let mut live = Live::clone(&self.service.live());
        (live.public, live.internal) = (public, internal);
        self.service.set_live(live);
        Ok(())
    }

    /// When the TLS files in force were last changed.
    async fn certificate_stamps(&self) -> Vec<Option<(SystemTime, u64)>> {
        let running = self.running.lock().await;
        let listeners = [running.tls.as_ref(), running.internal_tls.as_ref()];
        let files = listeners.into_iter().flatten().flat_map(TlsFiles::paths);
        files.map(|path| stamp(path).ok()).collect()
    }

    async fn read<E: Display + Send + 'static>(
        &self,
        file: Option<&Path>,
        load: impl FnOnce() -> Result<Config, E> + Send + 'static,
    ) -> Result<Config, String> {
        if let Some(file) = file {
            settled(file)
                .await
                .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        }
        match spawn_blocking(load).await {
            Ok(Ok(config)) => Ok(config),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("reading it failed".to_owned()),
        }
    }
}

/// What `config` says, read where waiting for a disk is allowed.
pub(super) async fn live(config: Config) -> Result<(Live, Config), StartError> {
    check_reachable(&config)?;
    let made = spawn_blocking(move || Live::new(&config).map(|live| (live, config))).await;
    made.unwrap_or(Err(StartError::Interrupted))
}

/// Refuses an internal API that others reach and read along.
pub(crate) fn check_reachable(config: &Config) -> Result<(), StartError> {
    let address = config.internal_listen;
    let guarded = config.internal_allow_remote || config.internal_tls.is_some();
    if address.ip().to_canonical().is_loopback() || guarded {
        Ok(())
    } else {
        Err(StartError::InternalReachable { address })
    }
}

/// Gives `config` the values that cannot change while the server runs, and
/// names those that it wanted otherwise.
fn keep_fixed(config: &mut Config, running: &Config) -> Vec<&'static str> {
    let mut kept = Vec::new();
    keep(
        &mut config.data_dir,
        &running.data_dir,
        "data_dir",
        &mut kept,
    );
    keep(
        &mut config.master_key,
        &running.master_key,
        "master_key_file",
        &mut kept,
    );
    keep(&mut config.cluster, &running.cluster, "nats", &mut kept);
    keep(&mut config.audit, &running.audit, "audit", &mut kept);
    keep(&mut config.listen, &running.listen, "listen", &mut kept);
    keep(
        &mut config.internal_listen,
        &running.internal_listen,
        "internal_listen",
        &mut kept,
    );
    kept
}

fn keep<T: Clone + PartialEq>(
    new: &mut T,
    running: &T,
    name: &'static str,
    kept: &mut Vec<&'static str>,
) {
    if new != running {
        new.clone_from(running);
        kept.push(name);
    }
}

/// How often TLS files are looked at.
const WATCH_EVERY: Duration = Duration::from_secs(2);

/// Puts renewed certificates in force, for new connections.
pub(super) async fn watch_certificates(reloader: Arc<Reloader>) {
    let mut known = reloader.certificate_stamps().await;
    let mut ticks = interval(WATCH_EVERY);
    loop {
        ticks.tick().await;
        let mut seen = reloader.certificate_stamps().await;
        if seen == known {
            continue;
        }
        // A certificate and its key are two files: wait for both.
        loop {
            sleep(SETTLED).await;
            let now = reloader.certificate_stamps().await;
            if now == seen {
                break;
            }
            seen = now;
        }
        known = seen;
        let refreshed = reloader.refresh().await;
        reloader.service.metrics().reloaded(refreshed.is_ok());
        match refreshed {
            Ok(()) => tracing::info!("TLS certificates reloaded"),
            Err(error) => tracing::error!(
                %error,
                "TLS certificates not reloaded; the old ones stay in force"
            ),
        }
    }
}

/// How long a file must have stood still before it is read.
const SETTLED: Duration = Duration::from_millis(200);

/// How often to look whether it still changes.
const LOOKS: usize = 25;

/// Waits until nobody writes to `file`, and refuses one that is empty: a file
/// that is half written may well be a good one of another meaning.
async fn settled(file: &Path) -> io::Result<()> {
    let mut before = stamp(file)?;
    for _ in 0..LOOKS {
        sleep(SETTLED).await;
        let now = stamp(file)?;
        if now == before {
            if now.1 == 0 {
                return Err(io::Error::other("it is empty"));
            }
            return Ok(());
        }
        before = now;
    }
    Err(io::Error::other("it is still being written"))
}

/// What changes when a file does.
fn stamp(file: &Path) -> io::Result<(SystemTime, u64)> {
    let metadata = std::fs::metadata(file)?;
    Ok((metadata.modified()?, metadata.len()))
}
