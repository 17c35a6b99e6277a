//! `usher.toml` and the `USHER_*` variables.

mod audit;
mod cluster;
mod document;
mod master_key;
mod read;
mod risks;
mod tls;
mod upstream;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::num::NonZeroU32;
use core::time::Duration;
use std::fmt;
use std::path::PathBuf;

use ipnet::IpNet;
use serde_json::Value;
use token_store::{MasterKey, NewKeyset, Secret};

use crate::audit::AuditOptions;
use crate::conn::ConnectionLimits;
use crate::tls::TlsFiles;

pub use cluster::{Cluster, RevokeAck};
pub use master_key::read_master_key;
pub use read::ConfigError;
pub use risks::Risk;
pub use upstream::{InvalidUpstream, Upstream};

/// Everything that a server is told at its start.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Where the store is. Default `usher-data`.
    pub data_dir: PathBuf,
    /// Seals the secrets of the data directory. Default: none, they are in
    /// plain.
    pub master_key: Option<MasterKey>,
    /// Where the dialects are served. Default 127.0.0.1:8080; port 0 takes a
    /// free one.
    pub listen: SocketAddr,
    /// Who issues, in the JWS tokens: the URL by which the public listener is
    /// reached. Default: `listen`, as a URL.
    pub issuer: Option<String>,
    /// Where checks and administration are served. Default 127.0.0.1:8081.
    pub internal_listen: SocketAddr,
    /// Whether `internal_listen` may be an address that other machines reach.
    pub internal_allow_remote: bool,
    /// Names that `Host` may have on the internal listener, beside IP
    /// addresses and `localhost`.
    pub internal_hosts: Vec<String>,
    /// Peers that may ask for checks without a key. Default: this machine.
    pub trusted_peers: Vec<IpNet>,
    /// How long a proxy may keep an allow of forward-auth, in seconds: at most
    /// 10. Default 0. A revocation takes so much longer to be seen.
    pub cache_seconds: u64,
    /// Rule files for HTTP APIs of one's own, asked where no operation is.
    pub rules: Vec<PathBuf>,
    /// Where authorised operations go. Default: nowhere, they are answered 501.
    pub upstream: Option<Upstream>,
    /// The certificates (PEM) that an `https` upstream is trusted by. Default:
    /// those that Mozilla publishes.
    pub upstream_ca_file: Option<PathBuf>,
    /// How long the upstream may take to the first byte of an answer. Default
    /// 60 s.
    pub upstream_timeout: Duration,
    /// The same for a subscribe. Default 330 s: clients wait 310 s at most,
    /// and the real service answers within 280 s.
    pub upstream_hold: Duration,
    /// What the public listener proves itself with. Default: no TLS.
    pub tls: Option<TlsFiles>,
    /// What the internal listener proves itself with. Default: no TLS.
    pub internal_tls: Option<TlsFiles>,
    /// How often a peer may present a wrong signature, Basic credential or key
    /// in a minute before it is told 429. Default 60; `None` for no limit.
    pub failed_attempts_per_minute: Option<NonZeroU32>,
    /// How the audit log is kept.
    pub audit: AuditOptions,
    /// The limits of both listeners.
    pub limits: ConnectionLimits,
    /// Other nodes.
    pub cluster: Cluster,
    /// Keysets that must exist.
    pub keysets: Vec<DeclaredKeyset>,
}

/// A keyset in the configuration. Its signing keys never are: they live in the
/// store only.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct DeclaredKeyset {
    /// What people call it.
    pub name: String,
    /// The subscribe key.
    pub subscribe_key: String,
    /// The publish key.
    pub publish_key: String,
    /// The secret key, read from the file or variable that the configuration
    /// names.
    pub secret_key: String,
    /// Settings by name, as text.
    pub settings: Vec<(String, String)>,
}

impl DeclaredKeyset {
    /// The keyset to make when there is none.
    pub(crate) fn as_new(&self) -> NewKeyset {
        NewKeyset {
            name: self.name.clone(),
            subscribe_key: Some(self.subscribe_key.clone()),
            publish_key: Some(self.publish_key.clone()),
            secret_key: Some(Secret::new(self.secret_key.clone())),
            settings: self.setting_values(),
        }
    }

    /// The settings as the store takes them.
    pub(crate) fn setting_values(&self) -> Vec<(String, Value)> {
        let values = self.settings.iter();
        values
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect()
    }
}

impl fmt::Debug for DeclaredKeyset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeclaredKeyset")
            .field("name", &self.name)
            .field("subscribe_key", &self.subscribe_key)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// A commented `usher.toml` with every key and its default.
    pub const DEFAULT_FILE: &str = include_str!("config/default.toml");

    /// The name of the issuer, for a public listener at `listening`: the address
    /// of the configuration may leave the port open.
    pub(crate) fn issuer_at(&self, listening: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let listening = || format!("{scheme}://{listening}");
        self.issuer.clone().unwrap_or_else(listening)
    }

    /// Whether both have the same upstream, with nothing read from a file that
    /// may have changed meanwhile.
    pub(crate) fn gateway_is_that_of(&self, other: &Self) -> bool {
        let keys = |config: &Self| (config.upstream_timeout, config.upstream_hold);
        self.upstream == other.upstream
            && keys(self) == keys(other)
            && self.upstream_ca_file.is_none()
            && other.upstream_ca_file.is_none()
    }
}

impl Default for Config {
    fn default() -> Self {
        let loopback = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self {
            data_dir: PathBuf::from("usher-data"),
            master_key: None,
            listen: loopback(8080),
            issuer: None,
            internal_listen: loopback(8081),
            internal_allow_remote: false,
            internal_hosts: Vec::new(),
            trusted_peers: loopback_peers(),
            cache_seconds: 0,
            rules: Vec::new(),
            upstream: None,
            upstream_ca_file: None,
            upstream_timeout: Duration::from_secs(60),
            upstream_hold: Duration::from_secs(330),
            tls: None,
            internal_tls: None,
            failed_attempts_per_minute: NonZeroU32::new(60),
            audit: AuditOptions::default(),
            limits: ConnectionLimits::default(),
            cluster: Cluster::default(),
            keysets: Vec::new(),
        }
    }
}

/// This machine: 127.0.0.0/8 and `::1`.
fn loopback_peers() -> Vec<IpNet> {
    [
        IpNet::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
        IpNet::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
    ]
    .into_iter()
    .flatten()
    .collect()
}
