//! Whom the internal listener knows without a key.

use core::net::IpAddr;

use ipnet::IpNet;

/// Trusted peers and host names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    trusted_peers: Vec<IpNet>,
    hosts: Vec<String>,
}

impl Access {
    pub(crate) fn new(trusted_peers: Vec<IpNet>, hosts: Vec<String>) -> Self {
        Self {
            trusted_peers,
            hosts,
        }
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
