//! The messages of the log: subjects, and what is sealed under each.

use serde::{Deserialize, Serialize};
use token_core::UnixSeconds;
use token_store::{LogEntry, LogKey};
use zeroize::Zeroizing;

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

/// Most bytes of entries in one message, some hundred of them. The log syncs each
/// message, which takes longer than anything in it; but what is merged at once is a
/// multiple of this.
const LINES_BYTES_MAX: usize = 16 * 1024;

/// Both keys; a node that only verifies has no cluster key.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) feed: FeedKey,
    pub(crate) cluster: Option<ClusterKey>,
}

/// A message that was read.
pub(crate) enum Message {
    /// One or more, of one scope or keyset.
    Entries(Vec<LogEntry>),
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

    /// Entries as the log carries them. `None` without the key for one, or
    /// without random bytes.
    pub(crate) fn entries(
        &self,
        entries: &[LogEntry],
        salt: &str,
        now: UnixSeconds,
    ) -> Option<Vec<Outgoing>> {
        let mut all: Vec<Lines> = Vec::new();
        for entry in entries {
            let lines = Lines::of(entry);
            match all.last_mut() {
                Some(last) if last.takes(&lines) => last.append(&lines),
                Some(_) | None => all.push(lines),
            }
        }
        let messages = all.iter().map(|lines| self.message(lines, salt, now));
        messages.collect()
    }

    fn message(&self, lines: &Lines, salt: &str, now: UnixSeconds) -> Option<Outgoing> {
        let subject = self.subject(&lines.key);
        let payload = match lines.key {
            LogKey::Scope { .. } => self.feed.seal(&subject, &lines.plain),
            LogKey::Keyset { .. } => self.cluster.as_ref()?.seal(&subject, &lines.plain),
        };
        let life = lines.expires_at.map(|expires_at| {
            let left = expires_at.0.saturating_sub(now.0);
            core::time::Duration::from_secs(left.saturating_add(AFTER_EXPIRY_SECONDS))
        });
        let id = self
            .feed
            .name(&[b"id ", salt.as_bytes(), b" ", &lines.plain]);
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
            return self.belongs(subject, &cluster.open(subject, payload)?);
        }
        let plain = self.feed.open(subject, payload)?;
        if subject.starts_with(DENY) {
            self.belongs(subject, &plain)
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
    fn belongs(&self, subject: &str, plain: &[u8]) -> Option<Message> {
        let entries = plain.split(|byte| *byte == b'\n').map(|line| {
            let entry = LogEntry::from_bytes(line)?;
            (self.subject(&entry.key()) == subject).then_some(entry)
        });
        entries.collect::<Option<_>>().map(Message::Entries)
    }
}

/// Entries that share a message, a line each.
struct Lines {
    key: LogKey,
    plain: Zeroizing<Vec<u8>>,
    /// When the last of them is needed no more; `None` if that is never.
    expires_at: Option<UnixSeconds>,
}

impl Lines {
    fn of(entry: &LogEntry) -> Self {
        Self {
            key: entry.key(),
            plain: entry.to_bytes(),
            expires_at: entry.expires_at(),
        }
    }

    /// Whether others go along: tokens of the same scope. What stays for good
    /// stays alone, so that it keeps nothing else in the log.
    fn takes(&self, others: &Self) -> bool {
        let bytes = self.plain.len().saturating_add(others.plain.len());
        self.key == others.key
            && self.expires_at.is_some()
            && others.expires_at.is_some()
            && bytes < LINES_BYTES_MAX
    }

    fn append(&mut self, others: &Self) {
        self.plain.push(b'\n');
        self.plain.extend_from_slice(&others.plain);
        self.expires_at = self.expires_at.max(others.expires_at);
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

    /// The one message of one entry.
    fn sent(keys: &Keys, bytes: &[u8], salt: &str, now: u64) -> Option<Outgoing> {
        let mut messages = keys.entries(&[entry(bytes)], salt, UnixSeconds(now))?;
        assert_eq!(messages.len(), 1);
        messages.pop()
    }

    #[test]
    fn what_is_sealed_comes_back() {
        let keys = keys(7);
        for bytes in [TOKEN, KEYSET_GONE] {
            let sent = sent(&keys, bytes, "salt", 80).unwrap();
            let back = keys.open(&sent.subject, &sent.payload);
            assert!(matches!(back, Some(Message::Entries(back)) if *back[0].to_bytes() == *bytes));
            assert!(
                !sent.subject.contains(".s"),
                "the scope is not in the subject"
            );
        }
        let life = |bytes| sent(&keys, bytes, "", 80).unwrap().life;
        assert_eq!(life(TOKEN).unwrap().as_secs(), 10 + AFTER_EXPIRY_SECONDS);
        assert_eq!(life(KEYSET_GONE), None, "keysets stay");
    }

    #[test]
    fn tokens_of_a_scope_share_messages() {
        let keys = keys(7);
        let text = core::str::from_utf8(TOKEN).unwrap();
        let other = text.replace("\"s\"", "\"other\"");
        let rule = r#"{"rule":{"kind":"access-manager","scope":"s","until":5}}"#;
        let token = |n: u64| text.replace(":90", &format!(":{}", 90 + n));
        let mut texts: Vec<String> = (0..400).map(token).collect();
        texts.extend([rule.to_owned(), rule.to_owned(), other, token(0)]);
        let entries: Vec<LogEntry> = texts.iter().map(|text| entry(text.as_bytes())).collect();
        let messages = keys.entries(&entries, "", UnixSeconds(80)).unwrap();
        // The tokens in three, then each rule, the other scope, and the rest.
        assert_eq!(messages.len(), 7);
        assert!(messages.iter().all(|one| one.payload.len() < 17 * 1024));
        assert_eq!(
            messages[2].life.unwrap().as_secs(),
            409 + AFTER_EXPIRY_SECONDS
        );
        let back = messages
            .iter()
            .flat_map(|one| match keys.open(&one.subject, &one.payload) {
                Some(Message::Entries(entries)) => entries,
                _ => panic!("it does not open"),
            });
        let back: Vec<_> = back.map(|entry| entry.to_bytes()).collect();
        assert!(
            back.iter()
                .map(|bytes| &**bytes)
                .eq(texts.iter().map(String::as_bytes))
        );
    }

    #[test]
    fn an_id_is_that_of_the_content() {
        let keys = keys(7);
        let id = |salt, bytes| sent(&keys, bytes, salt, 0).unwrap().id;
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
        let made = sent(&full, KEYSET_GONE, "", 0).unwrap();
        let seen = verifier.open(&made.subject, &made.payload);
        assert!(matches!(seen, Some(Message::NotForUs)));
        assert!(sent(&verifier, KEYSET_GONE, "", 0).is_none());
        let forged = verifier.feed.seal(&made.subject, KEYSET_GONE).unwrap();
        assert!(full.open(&made.subject, &forged).is_none());
        // A keyset among the deny entries of its scope.
        let deny = sent(&full, TOKEN, "", 0).unwrap().subject;
        let along = [TOKEN, KEYSET_GONE].join(&b'\n');
        for forged in [KEYSET_GONE, &along] {
            let forged = verifier.feed.seal(&deny, forged).unwrap();
            assert!(full.open(&deny, &forged).is_none());
        }
    }
}
