//! Reading the configuration: the file, then the environment over it.

use core::time::Duration;
use std::fmt;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::Deserialize;

use super::{Config, DeclaredKeyset, upstream};

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
    /// A variable has no usable value.
    Variable {
        /// Its name.
        name: String,
        /// What it must be.
        expected: &'static str,
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
                write!(f, "the variable {name} must be {expected}")
            }
            Self::Keyset { name, cause } => write!(f, "the keyset `{name}`: {cause}"),
        }
    }
}

impl core::error::Error for ConfigError {}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data_dir: Option<PathBuf>,
    listen: Option<core::net::SocketAddr>,
    internal_listen: Option<core::net::SocketAddr>,
    internal_allow_remote: Option<bool>,
    internal_hosts: Option<Vec<String>>,
    trusted_peers: Option<Vec<String>>,
    cache_seconds: Option<u64>,
    upstream: Option<String>,
    #[serde(default)]
    limits: FileLimits,
    #[serde(default)]
    keyset: Vec<FileKeyset>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLimits {
    connections: Option<usize>,
    first_byte_seconds: Option<u64>,
    head_seconds: Option<u64>,
    body_seconds: Option<u64>,
    write_seconds: Option<u64>,
    shutdown_seconds: Option<u64>,
    streams: Option<u32>,
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
    /// [`ConfigError`], with the file and line or the variable. A key that is
    /// not known is an error.
    pub fn load(
        file: Option<&Path>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let mut read = match file {
            Some(path) => read_file(path)?,
            None => File::default(),
        };
        read.overlay(&environment)?;
        read.into_config(&environment)
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

fn read_text(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
        path: path.to_owned(),
        cause: error.to_string(),
    })
}

fn read_file(path: &Path) -> Result<File, ConfigError> {
    let text = read_text(path)?;
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count().saturating_add(1));
        let message = error.message();
        // These name keys; other messages may quote a value.
        let names_a_key = ["unknown field", "missing field", "duplicate"]
            .iter()
            .any(|start| message.starts_with(start));
        let cause = if names_a_key {
            message.to_owned()
        } else {
            "the value or the syntax is not what belongs here".to_owned()
        };
        ConfigError::File {
            path: path.to_owned(),
            line,
            cause,
        }
    })
}

/// The value of a variable as a `T`.
fn variable<T: core::str::FromStr>(
    environment: &impl Fn(&str) -> Option<String>,
    name: &str,
    expected: &'static str,
    value: &mut Option<T>,
) -> Result<(), ConfigError> {
    if let Some(text) = environment(name) {
        let parsed = text.trim().parse().map_err(|_| ConfigError::Variable {
            name: name.to_owned(),
            expected,
        })?;
        *value = Some(parsed);
    }
    Ok(())
}

fn list(text: &str) -> Vec<String> {
    let items = text.split(',').map(str::trim);
    items
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

const ADDRESS: &str = "an address with a port, such as 127.0.0.1:8080";
const NUMBER: &str = "a whole number";
/// How long a revocation may go unseen behind a cache, in seconds.
const CACHE_SECONDS_MAX: u64 = 10;

impl File {
    fn overlay(&mut self, env: &impl Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
        variable(env, "USHER_DATA_DIR", "a path", &mut self.data_dir)?;
        variable(env, "USHER_LISTEN", ADDRESS, &mut self.listen)?;
        variable(
            env,
            "USHER_INTERNAL_LISTEN",
            ADDRESS,
            &mut self.internal_listen,
        )?;
        variable(
            env,
            "USHER_INTERNAL_ALLOW_REMOTE",
            "true or false",
            &mut self.internal_allow_remote,
        )?;
        if let Some(text) = env("USHER_INTERNAL_HOSTS") {
            self.internal_hosts = Some(list(&text));
        }
        if let Some(text) = env("USHER_TRUSTED_PEERS") {
            self.trusted_peers = Some(list(&text));
        }
        variable(env, "USHER_CACHE_SECONDS", NUMBER, &mut self.cache_seconds)?;
        variable(
            env,
            "USHER_UPSTREAM",
            upstream::EXPECTED,
            &mut self.upstream,
        )?;
        let limits = &mut self.limits;
        variable(
            env,
            "USHER_LIMITS_CONNECTIONS",
            NUMBER,
            &mut limits.connections,
        )?;
        variable(env, "USHER_LIMITS_STREAMS", NUMBER, &mut limits.streams)?;
        let seconds = [
            (
                "USHER_LIMITS_FIRST_BYTE_SECONDS",
                &mut limits.first_byte_seconds,
            ),
            ("USHER_LIMITS_HEAD_SECONDS", &mut limits.head_seconds),
            ("USHER_LIMITS_BODY_SECONDS", &mut limits.body_seconds),
            ("USHER_LIMITS_WRITE_SECONDS", &mut limits.write_seconds),
            (
                "USHER_LIMITS_SHUTDOWN_SECONDS",
                &mut limits.shutdown_seconds,
            ),
        ];
        for (name, value) in seconds {
            variable(env, name, NUMBER, value)?;
        }
        Ok(())
    }

    fn into_config(
        self,
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        let limits = &mut config.limits;
        let read = &self.limits;
        limits.connections = read.connections.unwrap_or(limits.connections);
        limits.streams = read.streams.unwrap_or(limits.streams);
        let seconds = |value: Option<u64>, default| value.map_or(default, Duration::from_secs);
        limits.first_byte = seconds(read.first_byte_seconds, limits.first_byte);
        limits.head = seconds(read.head_seconds, limits.head);
        limits.body = seconds(read.body_seconds, limits.body);
        limits.write = seconds(read.write_seconds, limits.write);
        limits.shutdown = seconds(read.shutdown_seconds, limits.shutdown);
        config.data_dir = self.data_dir.unwrap_or(config.data_dir);
        config.listen = self.listen.unwrap_or(config.listen);
        config.internal_listen = self.internal_listen.unwrap_or(config.internal_listen);
        config.internal_allow_remote = self.internal_allow_remote.unwrap_or(false);
        config.internal_hosts = self.internal_hosts.unwrap_or_default();
        if let Some(peers) = self.trusted_peers {
            config.trusted_peers = peers
                .iter()
                .map(|peer| network(peer))
                .collect::<Result<_, _>>()?;
        }
        config.cache_seconds = self.cache_seconds.unwrap_or(0);
        if config.cache_seconds > CACHE_SECONDS_MAX {
            return Err(ConfigError::Variable {
                name: "cache_seconds".to_owned(),
                expected: "a whole number, at most 10",
            });
        }
        if let Some(upstream) = self.upstream {
            let parsed = upstream.parse().map_err(|_| ConfigError::Variable {
                name: "upstream".to_owned(),
                expected: upstream::EXPECTED,
            })?;
            config.upstream = Some(parsed);
        }
        let keysets = self
            .keyset
            .into_iter()
            .map(|keyset| keyset.declare(environment));
        config.keysets = keysets.collect::<Result<_, _>>()?;
        Ok(config)
    }
}

/// A network, or a single address.
fn network(text: &str) -> Result<IpNet, ConfigError> {
    let single = || text.parse::<core::net::IpAddr>().ok().map(IpNet::from);
    text.parse()
        .ok()
        .or_else(single)
        .ok_or_else(|| ConfigError::Variable {
            name: "trusted_peers".to_owned(),
            expected: "a list of addresses or networks, such as 10.0.0.0/8",
        })
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
            (Some(path), None) => read_text(path)?.trim().to_owned(),
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
        Ok(DeclaredKeyset {
            name: self.name,
            subscribe_key: self.subscribe_key,
            publish_key: self.publish_key,
            secret_key,
            settings,
        })
    }
}
