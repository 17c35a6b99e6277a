//! Reading the configuration: the file, then the environment over it.

use core::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use core::str::FromStr;
use core::time::Duration;
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::Deserialize;
use token_replication::{ClusterKey, FeedKey};

use super::audit::FileAudit;
use super::cluster::{self, RevokeAck};
use super::tls::{self, CLIENT_CERTIFICATE, ClientCertificate};
use super::{Config, DeclaredKeyset, document, read_master_key, upstream};
use crate::conn::ConnectionLimits;

/// Why there is no configuration. Never quotes a value: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file cannot be read.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// The file is no configuration.
    File {
        /// Which.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        cause: String,
    },
    /// A key or a variable has no usable value.
    Variable {
        /// Its name.
        name: String,
        /// What it must be.
        expected: &'static str,
    },
    /// Keys that only mean something together.
    Together {
        /// Their names.
        names: String,
    },
    /// A keyset that cannot be used.
    Keyset {
        /// Its name.
        name: String,
        /// What is wrong.
        cause: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, cause } => {
                write!(f, "cannot read {}: {cause}", path.display())
            }
            Self::File { path, line, cause } => {
                write!(f, "{}, line {line}: {cause}", path.display())
            }
            Self::Variable { name, expected } => {
                write!(f, "`{name}` must be {expected}")
            }
            Self::Together { names } => write!(f, "{names} belong together: give both or none"),
            Self::Keyset { name, cause } => write!(f, "the keyset `{name}`: {cause}"),
        }
    }
}

impl core::error::Error for ConfigError {}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data_dir: Option<PathBuf>,
    master_key_file: Option<PathBuf>,
    listen: Option<core::net::SocketAddr>,
    issuer: Option<String>,
    internal_listen: Option<core::net::SocketAddr>,
    internal_allow_remote: Option<bool>,
    internal_hosts: Option<Vec<String>>,
    trusted_peers: Option<Vec<String>>,
    cache_seconds: Option<u64>,
    rules: Option<Vec<PathBuf>>,
    upstream: Option<String>,
    upstream_ca_file: Option<PathBuf>,
    upstream_timeout_seconds: Option<NonZeroU64>,
    upstream_hold_seconds: Option<NonZeroU64>,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    internal_tls_certificate: Option<PathBuf>,
    internal_tls_key: Option<PathBuf>,
    internal_client_ca: Option<PathBuf>,
    internal_client_certificate: Option<ClientCertificate>,
    failed_attempts_per_minute: Option<u32>,
    nats: Option<String>,
    nats_ca_file: Option<PathBuf>,
    nats_replicas: Option<usize>,
    cluster_key_file: Option<PathBuf>,
    feed_key_file: Option<PathBuf>,
    revoke_ack: Option<RevokeAck>,
    #[serde(default)]
    audit: FileAudit,
    #[serde(default)]
    limits: FileLimits,
    #[serde(default)]
    keyset: Vec<FileKeyset>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLimits {
    connections: Option<NonZeroUsize>,
    first_byte_seconds: Option<NonZeroU64>,
    handshake_seconds: Option<NonZeroU64>,
    head_seconds: Option<NonZeroU64>,
    body_seconds: Option<NonZeroU64>,
    write_seconds: Option<NonZeroU64>,
    shutdown_seconds: Option<NonZeroU64>,
    streams: Option<NonZeroU32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileKeyset {
    name: String,
    subscribe_key: String,
    publish_key: String,
    secret_key_file: Option<PathBuf>,
    secret_key_env: Option<String>,
    #[serde(default)]
    settings: toml::Table,
}

impl Config {
    /// The defaults, then the file, then the variables that `environment`
    /// knows: every key `a_b` of the file is `USHER_A_B`, the limits
    /// `USHER_LIMITS_..`; lists are separated by commas.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], with the file and line or the variable: the first of
    /// [`Config::check`]. A key that is not known is an error.
    pub fn load(
        file: Option<&Path>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let (config, errors) = read(file, &environment);
        match errors.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(config),
        }
    }

    /// [`Config::load`] with every mistake and not only the first.
    ///
    /// # Errors
    ///
    /// At least one [`ConfigError`]. While the file is not well-formed,
    /// nothing else is looked at.
    pub fn check(
        file: Option<&Path>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<ConfigError>> {
        let (config, errors) = read(file, &environment);
        if errors.is_empty() {
            Ok(config)
        } else {
            Err(errors)
        }
    }

    /// [`Config::load`] with the environment of this process.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn from_environment(file: Option<&Path>) -> Result<Self, ConfigError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place where configuration is read"
        )]
        Self::load(file, |name| std::env::var(name).ok())
    }
}

/// The configuration, which is good for something when there are no errors.
fn read(
    file: Option<&Path>,
    environment: &impl Fn(&str) -> Option<String>,
) -> (Config, Vec<ConfigError>) {
    let parse = |path: &Path| {
        let text = read_text(path).map_err(|error| vec![error])?;
        document::parse(path, &text)
    };
    let mut read: File = match file.map(parse) {
        Some(Ok(read)) => read,
        Some(Err(errors)) => return (Config::default(), errors),
        None => File::default(),
    };
    if let Some(path) = file {
        read.rules = read.rules.map(|paths| beside(path, paths));
    }
    let mut sources = Sources {
        environment,
        errors: Vec::new(),
    };
    read.overlay(&mut sources);
    let config = read.into_config(&mut sources);
    (config, sources.errors)
}

/// Rule files that a configuration file names stand beside it.
fn beside(config: &Path, paths: Vec<PathBuf>) -> Vec<PathBuf> {
    let folder = config.parent().unwrap_or_else(|| Path::new(""));
    paths.into_iter().map(|path| folder.join(path)).collect()
}

pub(super) fn read_text(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
        path: path.to_owned(),
        cause: error.to_string(),
    })
}

/// Where values come from, and what was wrong with some.
pub(super) struct Sources<'a, E> {
    environment: &'a E,
    errors: Vec<ConfigError>,
}

impl<E: Fn(&str) -> Option<String>> Sources<'_, E> {
    fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name)
    }

    /// Replaces `value` by that of a variable.
    pub(super) fn set<T: FromStr>(
        &mut self,
        name: &str,
        expected: &'static str,
        value: &mut Option<T>,
    ) {
        if let Some(text) = self.variable(name) {
            match text.trim().parse() {
                Ok(parsed) => *value = Some(parsed),
                Err(_) => self.wrong(name, expected),
            }
        }
    }

    fn set_list(&mut self, name: &str, value: &mut Option<Vec<String>>) {
        if let Some(text) = self.variable(name) {
            *value = Some(list(&text));
        }
    }

    fn wrong(&mut self, name: &str, expected: &'static str) {
        self.errors.push(ConfigError::Variable {
            name: name.to_owned(),
            expected,
        });
    }
}

fn list(text: &str) -> Vec<String> {
    let items = text.split(',').map(str::trim);
    items
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

const ADDRESS: &str = "an address with a port, such as 127.0.0.1:8080";
/// How long a revocation may go unseen behind a cache, in seconds.
const CACHE_SECONDS_MAX: u64 = 10;
const ISSUER: &str = "http:// or https:// with a host, such as https://access.example.com, without a slash at the end";
const CACHE_SECONDS: &str = "a whole number, at most 10";
pub(super) const COUNT: &str = "a whole number, at least 1";
pub(super) const NUMBER: &str = "a whole number";
const SWITCH: &str = "true or false";
const NETWORKS: &str = "a list of addresses or networks, such as 10.0.0.0/8";

impl File {
    fn overlay<E: Fn(&str) -> Option<String>>(&mut self, from: &mut Sources<'_, E>) {
        from.set("USHER_DATA_DIR", "a path", &mut self.data_dir);
        from.set("USHER_MASTER_KEY_FILE", "a path", &mut self.master_key_file);
        from.set("USHER_NATS", "URLs", &mut self.nats);
        from.set("USHER_NATS_CA_FILE", "a path", &mut self.nats_ca_file);
        from.set(
            "USHER_NATS_REPLICAS",
            cluster::REPLICAS,
            &mut self.nats_replicas,
        );
        let file = &mut self.cluster_key_file;
        from.set("USHER_CLUSTER_KEY_FILE", "a path", file);
        from.set("USHER_FEED_KEY_FILE", "a path", &mut self.feed_key_file);
        from.set(
            "USHER_REVOKE_ACK",
            cluster::REVOKE_ACK,
            &mut self.revoke_ack,
        );
        from.set("USHER_LISTEN", ADDRESS, &mut self.listen);
        from.set("USHER_ISSUER", ISSUER, &mut self.issuer);
        from.set("USHER_INTERNAL_LISTEN", ADDRESS, &mut self.internal_listen);
        from.set(
            "USHER_INTERNAL_ALLOW_REMOTE",
            SWITCH,
            &mut self.internal_allow_remote,
        );
        from.set_list("USHER_INTERNAL_HOSTS", &mut self.internal_hosts);
        from.set_list("USHER_TRUSTED_PEERS", &mut self.trusted_peers);
        from.set(
            "USHER_CACHE_SECONDS",
            CACHE_SECONDS,
            &mut self.cache_seconds,
        );
        if let Some(text) = (from.environment)("USHER_RULES") {
            self.rules = Some(list(&text).into_iter().map(PathBuf::from).collect());
        }
        from.set("USHER_UPSTREAM", upstream::EXPECTED, &mut self.upstream);
        let certificates = &mut self.upstream_ca_file;
        from.set("USHER_UPSTREAM_CA_FILE", "a path", certificates);
        let patience = &mut self.upstream_timeout_seconds;
        from.set("USHER_UPSTREAM_TIMEOUT_SECONDS", COUNT, patience);
        let hold = &mut self.upstream_hold_seconds;
        from.set("USHER_UPSTREAM_HOLD_SECONDS", COUNT, hold);
        let paths = [
            ("USHER_TLS_CERTIFICATE", &mut self.tls_certificate),
            ("USHER_TLS_KEY", &mut self.tls_key),
            (
                "USHER_INTERNAL_TLS_CERTIFICATE",
                &mut self.internal_tls_certificate,
            ),
            ("USHER_INTERNAL_TLS_KEY", &mut self.internal_tls_key),
            ("USHER_INTERNAL_CLIENT_CA", &mut self.internal_client_ca),
        ];
        for (name, value) in paths {
            from.set(name, "a path", value);
        }
        from.set(
            "USHER_INTERNAL_CLIENT_CERTIFICATE",
            CLIENT_CERTIFICATE,
            &mut self.internal_client_certificate,
        );
        from.set(
            "USHER_FAILED_ATTEMPTS_PER_MINUTE",
            NUMBER,
            &mut self.failed_attempts_per_minute,
        );
        self.audit.overlay(from);
        self.limits.overlay(from);
    }

    fn into_config<E: Fn(&str) -> Option<String>>(mut self, from: &mut Sources<'_, E>) -> Config {
        let mut config = Config::default();
        self.take_tls(&mut config, &mut from.errors);
        self.take_cluster(&mut config, from);
        self.limits.apply(&mut config.limits);
        self.audit.apply(&mut config.audit);
        if let Some(limit) = self.failed_attempts_per_minute {
            config.failed_attempts_per_minute = NonZeroU32::new(limit);
        }
        config.data_dir = self.data_dir.unwrap_or(config.data_dir);
        match read_master_key(self.master_key_file.as_deref(), from.environment) {
            Ok(master_key) => config.master_key = master_key,
            Err(error) => from.errors.push(error),
        }
        config.listen = self.listen.unwrap_or(config.listen);
        if let Some(issuer) = self.issuer {
            if !is_issuer(&issuer) {
                from.wrong("issuer", ISSUER);
            }
            config.issuer = Some(issuer);
        }
        config.internal_listen = self.internal_listen.unwrap_or(config.internal_listen);
        config.internal_allow_remote = self.internal_allow_remote.unwrap_or(false);
        config.internal_hosts = self.internal_hosts.unwrap_or_default();
        if let Some(peers) = self.trusted_peers {
            config.trusted_peers = Vec::with_capacity(peers.len());
            for peer in peers {
                match network(&peer) {
                    Some(network) => config.trusted_peers.push(network),
                    None => from.wrong("trusted_peers", NETWORKS),
                }
            }
        }
        config.cache_seconds = self.cache_seconds.unwrap_or(0);
        if config.cache_seconds > CACHE_SECONDS_MAX {
            from.wrong("cache_seconds", CACHE_SECONDS);
        }
        config.rules = self.rules.unwrap_or_default();
        if let Some(upstream) = self.upstream {
            match upstream.parse() {
                Ok(upstream) => config.upstream = Some(upstream),
                Err(_) => from.wrong("upstream", upstream::EXPECTED),
            }
        }
        config.upstream_ca_file = self.upstream_ca_file;
        if let Some(seconds) = self.upstream_timeout_seconds {
            config.upstream_timeout = Duration::from_secs(seconds.get());
        }
        if let Some(seconds) = self.upstream_hold_seconds {
            config.upstream_hold = Duration::from_secs(seconds.get());
        }
        for keyset in self.keyset {
            match keyset.declare(from.environment) {
                Ok(keyset) => config.keysets.push(keyset),
                Err(error) => from.errors.push(error),
            }
        }
        if let Err(error) = all_different(&config.keysets) {
            from.errors.push(error);
        }
        config
    }

    fn take_cluster<E: Fn(&str) -> Option<String>>(
        &mut self,
        config: &mut Config,
        from: &mut Sources<'_, E>,
    ) {
        let to = &mut config.cluster;
        to.nats = self.nats.take();
        to.nats_ca_file = self.nats_ca_file.take();
        to.revoke_ack = self.revoke_ack.unwrap_or(to.revoke_ack);
        to.nats_replicas = self.nats_replicas.unwrap_or(to.nats_replicas);
        if !(1..=5).contains(&to.nats_replicas) {
            from.wrong("nats_replicas", cluster::REPLICAS);
        }
        let names = ("USHER_CLUSTER_KEY", "cluster_key_file");
        let file = self.cluster_key_file.as_deref();
        match cluster::key(names, file, from.environment, ClusterKey::from_hex) {
            Ok(key) => to.cluster_key = key,
            Err(error) => from.errors.push(error),
        }
        let names = ("USHER_FEED_KEY", "feed_key_file");
        let file = self.feed_key_file.as_deref();
        match cluster::key(names, file, from.environment, FeedKey::from_hex) {
            Ok(key) => to.feed_key = key,
            Err(error) => from.errors.push(error),
        }
    }

    fn take_tls(&mut self, config: &mut Config, errors: &mut Vec<ConfigError>) {
        let names = ["tls_certificate", "tls_key"];
        match tls::pair(self.tls_certificate.take(), self.tls_key.take(), names) {
            Ok(files) => config.tls = files,
            Err(error) => errors.push(error),
        }
        let names = ["internal_tls_certificate", "internal_tls_key"];
        match tls::pair(
            self.internal_tls_certificate.take(),
            self.internal_tls_key.take(),
            names,
        ) {
            Ok(files) => config.internal_tls = files,
            Err(error) => errors.push(error),
        }
        let (authorities, required) = (
            self.internal_client_ca.take(),
            self.internal_client_certificate.take(),
        );
        if let Err(error) = tls::clients(&mut config.internal_tls, authorities, required) {
            errors.push(error);
        }
    }
}

impl FileLimits {
    fn overlay<E: Fn(&str) -> Option<String>>(&mut self, from: &mut Sources<'_, E>) {
        from.set("USHER_LIMITS_CONNECTIONS", COUNT, &mut self.connections);
        from.set("USHER_LIMITS_STREAMS", COUNT, &mut self.streams);
        let seconds = [
            (
                "USHER_LIMITS_FIRST_BYTE_SECONDS",
                &mut self.first_byte_seconds,
            ),
            (
                "USHER_LIMITS_HANDSHAKE_SECONDS",
                &mut self.handshake_seconds,
            ),
            ("USHER_LIMITS_HEAD_SECONDS", &mut self.head_seconds),
            ("USHER_LIMITS_BODY_SECONDS", &mut self.body_seconds),
            ("USHER_LIMITS_WRITE_SECONDS", &mut self.write_seconds),
            ("USHER_LIMITS_SHUTDOWN_SECONDS", &mut self.shutdown_seconds),
        ];
        for (name, value) in seconds {
            from.set(name, COUNT, value);
        }
    }

    fn apply(self, limits: &mut ConnectionLimits) {
        let Self {
            connections,
            first_byte_seconds,
            handshake_seconds,
            head_seconds,
            body_seconds,
            write_seconds,
            shutdown_seconds,
            streams,
        } = self;
        // A zero is no limit but a server that answers nobody.
        let count = |value: Option<NonZeroUsize>, default| value.map_or(default, NonZeroUsize::get);
        let seconds = |value: Option<NonZeroU64>, default| {
            value.map_or(default, |seconds| Duration::from_secs(seconds.get()))
        };
        limits.connections = count(connections, limits.connections);
        limits.streams = streams.map_or(limits.streams, NonZeroU32::get);
        limits.first_byte = seconds(first_byte_seconds, limits.first_byte);
        limits.handshake = seconds(handshake_seconds, limits.handshake);
        limits.head = seconds(head_seconds, limits.head);
        limits.body = seconds(body_seconds, limits.body);
        limits.write = seconds(write_seconds, limits.write);
        limits.shutdown = seconds(shutdown_seconds, limits.shutdown);
    }
}

/// Two declarations of one keyset would undo each other at every reload.
fn all_different(keysets: &[DeclaredKeyset]) -> Result<(), ConfigError> {
    let mut seen = HashSet::new();
    for keyset in keysets {
        if !seen.insert(&keyset.subscribe_key) {
            return Err(ConfigError::Keyset {
                name: keyset.name.clone(),
                cause: "another `[[keyset]]` has the same subscribe_key".to_owned(),
            });
        }
    }
    Ok(())
}

/// A URL without query, fragment, user and slash at the end (RFC 8414 section
/// 2): tokens name it byte for byte.
fn is_issuer(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else {
        return false;
    };
    let user = uri
        .authority()
        .is_none_or(|authority| authority.as_str().contains('@'));
    let scheme = uri.scheme_str();
    matches!(scheme, Some("http" | "https"))
        && !user
        && uri.query().is_none()
        && !text.contains('#')
        && !text.ends_with('/')
}

/// A network, or a single address.
fn network(text: &str) -> Option<IpNet> {
    let single = || text.parse::<core::net::IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(single)
}

impl FileKeyset {
    fn declare(
        self,
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Result<DeclaredKeyset, ConfigError> {
        let wrong = |cause: &str| ConfigError::Keyset {
            name: self.name.clone(),
            cause: cause.to_owned(),
        };
        let secret_key = match (&self.secret_key_file, &self.secret_key_env) {
            // As it stands: whoever else reads the file may not cut anything off.
            (Some(path), None) => read_text(path)?,
            (None, Some(name)) => environment(name)
                .ok_or_else(|| wrong("the variable of `secret_key_env` is not set"))?,
            _ => {
                return Err(wrong(
                    "give `secret_key_file` or `secret_key_env`, and not both",
                ));
            }
        };
        if secret_key.is_empty() {
            return Err(wrong("the secret key is empty"));
        }
        let mut settings = Vec::with_capacity(self.settings.len());
        for (name, value) in &self.settings {
            let text = match value {
                toml::Value::String(text) => text.clone(),
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(flag) => flag.to_string(),
                toml::Value::Float(_)
                | toml::Value::Datetime(_)
                | toml::Value::Array(_)
                | toml::Value::Table(_) => {
                    return Err(wrong("a setting is a string, a number, true or false"));
                }
            };
            settings.push((name.clone(), text));
        }
        let declared = DeclaredKeyset {
            name: self.name.clone(),
            subscribe_key: self.subscribe_key.clone(),
            publish_key: self.publish_key.clone(),
            secret_key,
            settings,
        };
        match declared.as_new().check() {
            Ok(()) => Ok(declared),
            Err(error) => Err(wrong(&error.to_string())),
        }
    }
}
