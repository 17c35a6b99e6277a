//! Failed attempts, limited by who makes them.
//!
//! Every attempt is looked at, and only one that failed is counted: a good
//! credential is taken always, so nobody can lock out somebody else. What is
//! limited is how often a stranger is told no.

use core::net::{IpAddr, Ipv6Addr};
use core::num::NonZeroU32;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use token_core::UnixSeconds;

/// What was presented and is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// The signature of a request.
    Signature,
    /// An id and a secret by Basic.
    Basic,
    /// A key of the internal API.
    Key,
}

impl Credential {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Basic => "basic",
            Self::Key => "key",
        }
    }
}

/// A peer failed too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyAttempts {
    /// When it may fail again, in seconds.
    pub(crate) retry_after: u64,
}

/// Most peers that are remembered: about 8 MB. Further ones share one count.
const PEERS_MAX: usize = 65_536;

/// How many may fail in a minute; a quiet minute gives all of them back.
#[derive(Debug)]
pub(crate) struct Attempts {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    peers: HashMap<IpAddr, Window>,
    /// When those whose window is over were last looked for.
    swept: UnixSeconds,
}

/// The failures of one peer since a window began.
#[derive(Clone, Copy, Debug)]
struct Window {
    since: u64,
    failed: u32,
}

const WINDOW_SECONDS: u64 = 60;

impl Attempts {
    pub(crate) fn new() -> Self {
        Self {
            known: Mutex::default(),
        }
    }

    /// Counts a failure of `peer`, of which `limit` are allowed in a minute.
    pub(crate) fn failed(
        &self,
        peer: IpAddr,
        limit: NonZeroU32,
        now: UnixSeconds,
    ) -> Result<(), TooManyAttempts> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { peers, swept } = &mut *known;
        let mut peer = network(peer);
        if peers.len() >= PEERS_MAX && !peers.contains_key(&peer) {
            // Once a second: it looks at every one, and strangers bring it about.
            if core::mem::replace(swept, now) != now {
                peers.retain(|_, window| window.is_open(now));
            }
            if peers.len() >= PEERS_MAX {
                peer = EVERYBODY_ELSE;
            }
        }
        let fresh = Window {
            since: now.0,
            failed: 0,
        };
        let window = peers.entry(peer).or_insert(fresh);
        if !window.is_open(now) {
            *window = fresh;
        }
        window.failed = window.failed.saturating_add(1);
        if window.failed <= limit.get() {
            return Ok(());
        }
        let end = window.since.saturating_add(WINDOW_SECONDS);
        Err(TooManyAttempts {
            retry_after: end.saturating_sub(now.0).max(1),
        })
    }
}

impl Window {
    /// Also not when the clock was set back.
    fn is_open(&self, now: UnixSeconds) -> bool {
        let age = now.0.checked_sub(self.since);
        age.is_some_and(|age| age < WINDOW_SECONDS)
    }
}

/// Who counts as one: an IPv4 address, or the 64 bits of an IPv6 address that a
/// site is given.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

const EVERYBODY_ELSE: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

    fn failed(attempts: &Attempts, peer: &str, now: u64) -> Result<(), TooManyAttempts> {
        attempts.failed(peer.parse().unwrap(), LIMIT, UnixSeconds(now))
    }

    #[test]
    fn a_peer_may_fail_so_often_in_a_minute() {
        let attempts = Attempts::new();
        for peer in ["192.0.2.1", "192.0.2.2", "::ffff:192.0.2.3"] {
            assert_eq!(failed(&attempts, peer, 100), Ok(()));
            assert_eq!(failed(&attempts, peer, 110), Ok(()));
            let refused = Err(TooManyAttempts { retry_after: 40 });
            assert_eq!(failed(&attempts, peer, 120), refused);
            assert_eq!(failed(&attempts, peer, 160), Ok(()));
        }
        // The same peer, as an address of IPv4.
        assert_eq!(failed(&attempts, "192.0.2.3", 160), Ok(()));
        assert!(failed(&attempts, "192.0.2.3", 160).is_err());
        // A clock that is set back forgets.
        assert_eq!(failed(&attempts, "192.0.2.3", 10), Ok(()));
    }

    #[test]
    fn a_site_of_ipv6_is_one_peer() {
        let attempts = Attempts::new();
        for host in ["2001:db8:0:1::1", "2001:db8:0:1::2"] {
            assert_eq!(failed(&attempts, host, 100), Ok(()));
        }
        assert!(failed(&attempts, "2001:db8:0:1:ffff::3", 100).is_err());
        assert_eq!(failed(&attempts, "2001:db8:0:2::1", 100), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_strangers_beyond_it_share_a_count() {
        let attempts = Attempts::new();
        for n in 0..u32::try_from(PEERS_MAX).unwrap() {
            let peer = IpAddr::V4(core::net::Ipv4Addr::from_bits(n));
            assert_eq!(attempts.failed(peer, LIMIT, UnixSeconds(100)), Ok(()));
        }
        let others = ["203.0.113.1", "203.0.113.2", "203.0.113.3"];
        let refused = others.map(|peer| failed(&attempts, peer, 100).is_err());
        assert_eq!(refused, [false, false, true]);
        assert!(attempts.known.lock().unwrap().peers.len() <= PEERS_MAX + 1);
        // After a minute there is room again.
        assert_eq!(failed(&attempts, "203.0.113.3", 160), Ok(()));
        assert_eq!(attempts.known.lock().unwrap().peers.len(), 1);
    }
}
