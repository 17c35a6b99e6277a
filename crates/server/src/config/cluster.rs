//! Many nodes: the log that they share, and the keys that it is sealed with.

use core::str::FromStr;
use std::path::{Path, PathBuf};

use token_replication::{ClusterKey, FeedKey, InvalidKey};
use zeroize::Zeroizing;

use super::read::{ConfigError, read_text};

/// How this node shares revocations and keysets with others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cluster {
    /// URLs of the NATS servers, separated by commas. Default: none, the node is
    /// alone.
    pub nats: Option<String>,
    /// Certificate authorities for `tls://`, a PEM file. Default: those of the
    /// system.
    pub nats_ca_file: Option<PathBuf>,
    /// How many copies the log keeps, when this node makes it: 1 to 5. Default 3,
    /// and 1 on a server that is alone.
    pub nats_replicas: usize,
    /// Seals keysets in the log. A node without it only verifies.
    pub cluster_key: Option<ClusterKey>,
    /// Seals revocations in the log. Every node needs it.
    pub feed_key: Option<FeedKey>,
    /// When a revocation is done. Default: once the log has it.
    pub revoke_ack: RevokeAck,
    /// Says, once, that a new cluster has nothing to wait for.
    pub seed_epoch: bool,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            nats: None,
            nats_ca_file: None,
            nats_replicas: 3,
            cluster_key: None,
            feed_key: None,
            revoke_ack: RevokeAck::Log,
            seed_epoch: false,
        }
    }
}

/// When a revocation is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "one or the other")]
pub enum RevokeAck {
    /// When it is durable here and the log has it.
    Log,
    /// When it is durable here.
    Local,
}

impl FromStr for RevokeAck {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "log" => Ok(Self::Log),
            "local" => Ok(Self::Local),
            _ => Err(()),
        }
    }
}

pub(super) const REVOKE_ACK: &str = "`log` or `local`";
pub(super) const REPLICAS: &str = "1 to 5";
const KEY: &str = "64 random hexadecimal digits (openssl rand -hex 32)";

/// A key of a file, or of a variable; `None` when neither is given.
pub(super) fn key<T>(
    (variable, of_file): (&'static str, &'static str),
    file: Option<&Path>,
    environment: impl Fn(&str) -> Option<String>,
    parse: impl Fn(&str) -> Result<T, InvalidKey>,
) -> Result<Option<T>, ConfigError> {
    let wrong = |name: &str, expected| ConfigError::Variable {
        name: name.to_owned(),
        expected,
    };
    let (name, text) = match (file, environment(variable).map(Zeroizing::new)) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(wrong(
                variable,
                "left out when there is a file with the key",
            ));
        }
        (None, Some(text)) => (variable, text),
        (Some(path), None) => (of_file, Zeroizing::new(read_text(path)?)),
    };
    parse(&text).map(Some).map_err(|_| wrong(name, KEY))
}
