//! How the internal listener treats whom.

use core::net::IpAddr;
use core::num::NonZeroU32;

use ipnet::IpNet;

/// Trusted peers, host names, and how long they may keep an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    trusted_peers: Vec<IpNet>,
    hosts: Vec<String>,
    cache_seconds: u64,
    failed_attempts: Option<NonZeroU32>,
}

impl Access {
    pub(crate) fn new(trusted_peers: Vec<IpNet>, hosts: Vec<String>) -> Self {
        Self {
            trusted_peers,
            hosts,
            cache_seconds: 0,
            failed_attempts: None,
        }
    }

    /// The same, and a proxy may keep an allow for so long.
    pub(crate) fn caching(self, cache_seconds: u64) -> Self {
        Self {
            cache_seconds,
            ..self
        }
    }

    /// The same, and a peer may fail so often in a minute.
    pub(crate) fn limiting(self, failed_attempts: Option<NonZeroU32>) -> Self {
        Self {
            failed_attempts,
            ..self
        }
    }

    pub(crate) const fn failed_attempts(&self) -> Option<NonZeroU32> {
        self.failed_attempts
    }

    pub(crate) const fn cache_seconds(&self) -> u64 {
        self.cache_seconds
    }

    /// Whether `peer` may ask for checks without a key. An IPv4 address inside
    /// an IPv6 one is that IPv4 address.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_peers.iter().any(|net| net.contains(&peer))
    }

    /// Whether `name` is a configured host name.
    pub(crate) fn is_host(&self, name: &str) -> bool {
        self.hosts
            .iter()
            .any(|host| host.eq_ignore_ascii_case(name))
    }
}
