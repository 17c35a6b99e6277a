//! The messages of the log: subjects, and what is sealed under each.

use serde::{Deserialize, Serialize};
use token_core::UnixSeconds;
use token_store::{LogEntry, LogKey};

use crate::key::{ClusterKey, FeedKey};

/// The stream, and the first part of every subject.
pub(crate) const STREAM: &str = "usher";
const DENY: &str = "usher.deny.";
const KEYSET: &str = "usher.keyset.";
const BEACON: &str = "usher.beacon.";
pub(crate) const COMPLETE: &str = "usher.complete";

/// How long a beacon stays. A node that was away for longer reads the log from
/// its beginning.
pub(crate) const BEACON_LIFE: core::time::Duration = core::time::Duration::from_secs(3_600);

/// How long an entry stays after its token has expired, in seconds: clocks
/// differ, and too long costs only room.
const AFTER_EXPIRY_SECONDS: u64 = 86_400;

/// Both keys; a node that only verifies has no cluster key.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) feed: FeedKey,
    pub(crate) cluster: Option<ClusterKey>,
}

/// A message that was read.
pub(crate) enum Message {
    Entry(LogEntry),
    Beacon(Beacon),
    /// The log of this epoch holds what every node had.
    Complete(String),
    /// Sealed with a key that this node does not have to have.
    NotForUs,
}

/// A node hears its own beacon, so it has heard everything before it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Beacon {
    /// Which run of which node.
    pub(crate) run: String,
    pub(crate) number: u64,
}

/// A message to publish.
pub(crate) struct Outgoing {
    pub(crate) subject: String,
    pub(crate) payload: Vec<u8>,
    /// By which the log drops it when it came a moment ago.
    pub(crate) id: Option<String>,
    /// `None` stays for good.
    pub(crate) life: Option<core::time::Duration>,
}

impl Keys {
    /// The subject of an entry: one for each keyset, named by the feed key.
    fn subject(&self, key: &LogKey) -> String {
        match key {
            LogKey::Scope { kind, scope } => {
                let name = self
                    .feed
                    .name(&[kind.name().as_bytes(), b" ", scope.as_bytes()]);
                format!("{DENY}{name}")
            }
            LogKey::Keyset { subscribe_key } => {
                format!(
                    "{KEYSET}{}",
                    self.feed.name(&[b"keyset ", subscribe_key.as_bytes()])
                )
            }
        }
    }

    /// An entry as the log carries it. `None` without the key for it, or
    /// without random bytes.
    pub(crate) fn entry(&self, entry: &LogEntry, salt: &str, now: UnixSeconds) -> Option<Outgoing> {
        let key = entry.key();
        let subject = self.subject(&key);
        let plain = entry.to_bytes();
        let payload = match key {
            LogKey::Scope { .. } => self.feed.seal(&subject, &plain),
            LogKey::Keyset { .. } => self.cluster.as_ref()?.seal(&subject, &plain),
        };
        let life = entry.expires_at().map(|expires_at| {
            let left = expires_at.0.saturating_sub(now.0);
            core::time::Duration::from_secs(left.saturating_add(AFTER_EXPIRY_SECONDS))
        });
        let id = self.feed.name(&[b"id ", salt.as_bytes(), b" ", &plain]);
        Some(Outgoing {
            subject,
            payload: payload?,
            id: Some(id),
            life,
        })
    }

    pub(crate) fn beacon(&self, node: &str, beacon: &Beacon) -> Option<Outgoing> {
        let subject = format!("{BEACON}{node}");
        let plain = serde_json::to_vec(beacon).ok()?;
        let payload = self.feed.seal(&subject, &plain)?;
        Some(Outgoing {
            subject,
            payload,
            id: None,
            life: Some(BEACON_LIFE),
        })
    }

    pub(crate) fn complete(&self, epoch: &str) -> Option<Outgoing> {
        let payload = self.feed.seal(COMPLETE, epoch.as_bytes())?;
        Some(Outgoing {
            subject: COMPLETE.to_owned(),
            payload,
            id: None,
            life: None,
        })
    }

    /// The message under a subject; `None` when it is none of ours.
    pub(crate) fn open(&self, subject: &str, payload: &[u8]) -> Option<Message> {
        if subject.starts_with(KEYSET) {
            let Some(cluster) = &self.cluster else {
                return Some(Message::NotForUs);
            };
            let entry = LogEntry::from_bytes(&cluster.open(subject, payload)?)?;
            return self.belongs(subject, entry);
        }
        let plain = self.feed.open(subject, payload)?;
        if subject.starts_with(DENY) {
            self.belongs(subject, LogEntry::from_bytes(&plain)?)
        } else if subject.starts_with(BEACON) {
            serde_json::from_slice(&plain).ok().map(Message::Beacon)
        } else if subject == COMPLETE {
            String::from_utf8(plain.to_vec())
                .ok()
                .map(Message::Complete)
        } else {
            None
        }
    }

    /// An entry under the subject of another is nobody's: what is sealed with
    /// the feed key says nothing about a keyset.
    fn belongs(&self, subject: &str, entry: LogEntry) -> Option<Message> {
        (self.subject(&entry.key()) == subject).then_some(Message::Entry(entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(n: u8) -> Keys {
        let digits = format!("{n:02x}").repeat(31) + "01";
        Keys {
            feed: FeedKey::from_hex(&digits).unwrap(),
            cluster: Some(ClusterKey::from_hex(&digits.replace("01", "02")).unwrap()),
        }
    }

    const TOKEN: &[u8] = br#"{"token":{"kind":"access-manager","scope":"s","id":"00000000000000000000000000000001","expires_at":90}}"#;
    const KEYSET_GONE: &[u8] =
        br#"{"keyset":{"subscribe_key":"s","record":{"version":2,"keyset":null}}}"#;

    fn entry(bytes: &[u8]) -> LogEntry {
        LogEntry::from_bytes(bytes).unwrap()
    }

    #[test]
    fn what_is_sealed_comes_back() {
        let keys = keys(7);
        for bytes in [TOKEN, KEYSET_GONE] {
            let sent = keys.entry(&entry(bytes), "salt", UnixSeconds(80)).unwrap();
            let back = keys.open(&sent.subject, &sent.payload);
            assert!(matches!(back, Some(Message::Entry(back)) if *back.to_bytes() == *bytes));
            assert!(
                !sent.subject.contains(".s"),
                "the scope is not in the subject"
            );
        }
        let now = UnixSeconds(80);
        let life = |bytes| keys.entry(&entry(bytes), "", now).unwrap().life;
        assert_eq!(life(TOKEN).unwrap().as_secs(), 10 + AFTER_EXPIRY_SECONDS);
        assert_eq!(life(KEYSET_GONE), None, "keysets stay");
    }

    #[test]
    fn an_id_is_that_of_the_content() {
        let keys = keys(7);
        let id = |salt, bytes| keys.entry(&entry(bytes), salt, UnixSeconds(0)).unwrap().id;
        assert_eq!(id("a", TOKEN), id("a", TOKEN));
        assert_ne!(id("a", TOKEN), id("b", TOKEN));
        assert_ne!(id("a", TOKEN), id("a", KEYSET_GONE));
    }

    /// Who has the feed key alone reads no keyset and makes none.
    #[test]
    fn a_verifier_neither_reads_nor_makes_keysets() {
        let full = keys(7);
        let verifier = Keys {
            cluster: None,
            ..full.clone()
        };
        let sent = full.entry(&entry(KEYSET_GONE), "", UnixSeconds(0)).unwrap();
        let seen = verifier.open(&sent.subject, &sent.payload);
        assert!(matches!(seen, Some(Message::NotForUs)));
        assert!(
            verifier
                .entry(&entry(KEYSET_GONE), "", UnixSeconds(0))
                .is_none()
        );
        let forged = verifier.feed.seal(&sent.subject, KEYSET_GONE).unwrap();
        assert!(full.open(&sent.subject, &forged).is_none());
        // A keyset among the deny entries of its scope.
        let deny = full
            .entry(&entry(TOKEN), "", UnixSeconds(0))
            .unwrap()
            .subject;
        let forged = verifier.feed.seal(&deny, KEYSET_GONE).unwrap();
        assert!(full.open(&deny, &forged).is_none());
    }
}
