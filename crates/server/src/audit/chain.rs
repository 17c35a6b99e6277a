//! The chain: each line holds the SHA-256 of the line before it.

use core::fmt;
use core::str::FromStr;

use ring::digest::{SHA256, digest};
use serde::Deserialize;

/// The end of an audit log: the number of its last entry, and the SHA-256 of
/// that entry's line. Kept elsewhere, it shows whether the log was cut or
/// changed since. As text `SEQ:HASH`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a number and a hash")]
pub struct AuditHead {
    /// The number of the last entry, from 1; 0 when there is none.
    pub seq: u64,
    /// 64 lower-case hexadecimal digits; all 0 when there is no entry.
    pub hash: String,
}

impl AuditHead {
    /// The head once `line` (without its end) is entry `seq`.
    pub(super) fn of(seq: u64, line: &[u8]) -> Self {
        let hash = digest(&SHA256, line);
        let digits = hash.as_ref().iter().map(|byte| format!("{byte:02x}"));
        Self {
            seq,
            hash: digits.collect(),
        }
    }
}

impl Default for AuditHead {
    fn default() -> Self {
        Self {
            seq: 0,
            hash: "0".repeat(HASH_DIGITS),
        }
    }
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// The text is no head of an audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidAuditHead;

impl fmt::Display for InvalidAuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a head is a number, `:` and 64 hexadecimal digits, as `usher audit head` says")
    }
}

impl core::error::Error for InvalidAuditHead {}

impl FromStr for AuditHead {
    type Err = InvalidAuditHead;

    fn from_str(text: &str) -> Result<Self, InvalidAuditHead> {
        let (seq, hash) = text.trim().split_once(':').ok_or(InvalidAuditHead)?;
        let seq = seq.parse().map_err(|_| InvalidAuditHead)?;
        let is_hash = hash.len() == HASH_DIGITS && hash.bytes().all(|b| b.is_ascii_hexdigit());
        let hash = hash.to_ascii_lowercase();
        is_hash
            .then_some(Self { seq, hash })
            .ok_or(InvalidAuditHead)
    }
}

const HASH_DIGITS: usize = 64;

/// What of a line the chain is made of.
#[derive(Deserialize)]
pub(super) struct Link {
    pub(super) prev: String,
    pub(super) seq: u64,
    pub(super) at: u64,
}

/// Where a chain is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChainFault {
    /// A line is no entry.
    Unreadable {
        /// The entry that should be here.
        seq: u64,
    },
    /// Entries are missing, or stand twice.
    OutOfOrder {
        /// The entry that should be here.
        expected: u64,
        /// The one that is.
        found: u64,
    },
    /// The entry before this one is not the one that it was written after.
    Changed {
        /// This entry.
        seq: u64,
    },
    /// The log ends before an entry that it had.
    Truncated {
        /// The entry that it had.
        expected: u64,
        /// The last that is there.
        found: u64,
    },
    /// An entry is not the one that it was.
    Replaced {
        /// Which.
        seq: u64,
    },
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { seq } => write!(f, "what should be entry {seq} cannot be read"),
            Self::OutOfOrder { expected, found } => {
                write!(
                    f,
                    "after entry {} comes {found}",
                    expected.saturating_sub(1)
                )
            }
            Self::Changed { seq } => write!(
                f,
                "entry {} was changed after entry {seq} was written, or the other way round",
                seq.saturating_sub(1)
            ),
            Self::Truncated { expected, found } => write!(
                f,
                "the log ends with entry {found}, and entry {expected} was written"
            ),
            Self::Replaced { seq } => write!(f, "entry {seq} is not the one that was written"),
        }
    }
}

impl core::error::Error for ChainFault {}

/// Follows a log from its first line to its last.
#[derive(Clone, Debug, Default)]
pub struct AuditChain {
    /// The number of the first entry that was followed.
    first: Option<u64>,
    head: AuditHead,
    known: Option<AuditHead>,
    seen: bool,
}

impl AuditChain {
    /// A chain that must hold the entry of `known`, a head of an earlier time.
    #[must_use]
    pub fn with(known: Option<AuditHead>) -> Self {
        Self {
            known,
            ..Self::default()
        }
    }

    /// Takes the next line, without its end. The first may be of any number:
    /// older files may be kept elsewhere.
    ///
    /// # Errors
    ///
    /// [`ChainFault`]: up to this line the log is as it was written.
    pub fn follow(&mut self, line: &[u8]) -> Result<(), ChainFault> {
        let expected = self.head.seq.saturating_add(1);
        let Ok(link) = serde_json::from_slice::<Link>(line) else {
            return Err(ChainFault::Unreadable { seq: expected });
        };
        let seq = link.seq;
        let is_first = self.first.is_none();
        if seq != expected && !(is_first && seq > 0) {
            return Err(ChainFault::OutOfOrder {
                expected,
                found: seq,
            });
        }
        if link.prev != self.head.hash && !(is_first && seq > 1) {
            return Err(ChainFault::Changed { seq });
        }
        self.first.get_or_insert(seq);
        self.head = AuditHead::of(seq, line);
        if let Some(known) = self.known.as_ref().filter(|known| known.seq == seq) {
            self.seen = true;
            if *known != self.head {
                return Err(ChainFault::Replaced { seq });
            }
        }
        Ok(())
    }

    /// Whether the line that was followed last is entry `expected`, as the name
    /// of its file says.
    pub(super) const fn is_at(&self, expected: u64) -> Result<(), ChainFault> {
        let found = self.head.seq;
        if found == expected {
            Ok(())
        } else {
            Err(ChainFault::OutOfOrder { expected, found })
        }
    }

    /// The head, at the end of the log.
    ///
    /// # Errors
    ///
    /// [`ChainFault::Truncated`] when the entry of the known head is missing.
    pub fn finish(&self) -> Result<&AuditHead, ChainFault> {
        match &self.known {
            Some(known) if known.seq > 0 && !self.seen => Err(ChainFault::Truncated {
                expected: known.seq,
                found: self.head.seq,
            }),
            Some(_) | None => Ok(&self.head),
        }
    }

    /// The entry that was followed last.
    #[must_use]
    pub const fn followed(&self) -> &AuditHead {
        &self.head
    }

    /// The number of the first entry; `None` while there is none.
    #[must_use]
    pub const fn first(&self) -> Option<u64> {
        self.first
    }
}
