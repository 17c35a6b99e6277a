//! The shared log, as this store knows it: what goes into it, what came out of
//! it, and what it has not shown yet. Nothing here knows a network.

use serde::{Deserialize, Serialize};
use token_core::{TokenKind, UnixSeconds};

use crate::database::{self, TableKey};
use crate::error::StoreError;
use crate::export::{Id, Kind};
use crate::record::Record;
use crate::revocation::Revocation;
use crate::store::{Store, wait};
use crate::writer::Job;

mod keysets;

pub(crate) use keysets::{Held, Verdict, verdict};

/// One change, as the log carries it (sealed: it holds secrets).
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogEntry(pub(crate) Entry);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Entry {
    Token {
        kind: Kind,
        scope: String,
        id: Id,
        #[serde(skip_serializing_if = "Option::is_none")]
        issued_at: Option<u64>,
        expires_at: u64,
    },
    Rule {
        kind: Kind,
        scope: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        uuid: Option<String>,
        until: u64,
        /// A node that issued later tokens made it so: nobody raises it again.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        raised: bool,
    },
    /// With its secrets in plain.
    Keyset {
        subscribe_key: String,
        record: Record,
    },
}

impl core::fmt::Debug for LogEntry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("LogEntry").field(&self.key()).finish()
    }
}

/// What an entry is about: entries of one key are merged into one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "whoever names entries meets each")]
pub enum LogKey {
    /// Deny entries and rules of a scope.
    Scope {
        /// The dialect.
        kind: TokenKind,
        /// Where ids are unique.
        scope: String,
    },
    /// A keyset, or what is left of one.
    Keyset {
        /// Its subscribe key.
        subscribe_key: String,
    },
}

impl LogEntry {
    /// The entry of a revocation that was just made. `held` is the instant of a
    /// rule that its outcome named.
    #[must_use]
    pub fn of_revocation(revocation: &Revocation, held: Option<UnixSeconds>) -> Option<Self> {
        let rule = |kind: TokenKind, scope: &str, uuid: Option<&str>| {
            Some(Entry::Rule {
                kind: Kind(kind),
                scope: scope.to_owned(),
                uuid: uuid.map(str::to_owned),
                until: held?.0,
                raised: false,
            })
        };
        let entry = match revocation {
            Revocation::Token {
                kind,
                scope,
                id,
                issued_at,
                expires_at,
            } => Some(Entry::Token {
                kind: Kind(*kind),
                scope: scope.clone(),
                id: Id(*id),
                issued_at: issued_at.map(|at| at.0),
                expires_at: expires_at.0,
            }),
            Revocation::Uuid {
                kind, scope, uuid, ..
            } => rule(*kind, scope, Some(uuid)),
            Revocation::Keyset { kind, scope, .. } => rule(*kind, scope, None),
        };
        entry.map(Self)
    }

    /// What it is about.
    #[must_use]
    pub fn key(&self) -> LogKey {
        match &self.0 {
            Entry::Token { kind, scope, .. } | Entry::Rule { kind, scope, .. } => LogKey::Scope {
                kind: kind.0,
                scope: scope.clone(),
            },
            Entry::Keyset { subscribe_key, .. } => LogKey::Keyset {
                subscribe_key: subscribe_key.clone(),
            },
        }
    }

    /// From when on nobody needs it; `None` when it is needed for good.
    #[must_use]
    pub const fn expires_at(&self) -> Option<UnixSeconds> {
        match &self.0 {
            Entry::Token { expires_at, .. } => Some(UnixSeconds(*expires_at)),
            Entry::Rule { .. } | Entry::Keyset { .. } => None,
        }
    }

    /// The bytes to seal. Equal entries have equal bytes.
    #[must_use]
    pub fn to_bytes(&self) -> zeroize::Zeroizing<Vec<u8>> {
        zeroize::Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }

    /// The entry of bytes that were sealed; `None` when they are none of ours.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Where a store is in a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "whoever reads a log fills it")]
pub struct LogPosition {
    /// Which log: every new one is an epoch.
    pub epoch: String,
    /// The last message of it that was applied.
    pub sequence: u64,
    /// Names that message by its content: a log that was rolled back has
    /// another one there, or none.
    pub anchor: String,
    /// Whether the log said that everybody's entries are in it.
    pub complete: bool,
    /// Whether the store had everything of an earlier log, or was in use without
    /// one, when it began with this one.
    pub survivor: bool,
}

/// What was read from the log, in its order.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "whoever reads a log fills it")]
pub struct Merge {
    /// The entries.
    pub entries: Vec<LogEntry>,
    /// Where the store is then.
    pub position: LogPosition,
}

/// What merging changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merged {
    /// Entries that were news.
    pub applied: usize,
    /// Keysets of which another node made another change with the same number.
    /// One of both is lost, the same on every node; somebody should look.
    pub conflicts: Vec<String>,
    /// Whether something is to be published now.
    pub unpublished: bool,
}

/// Something that the log has not shown yet.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unpublished {
    /// Where to go on listing.
    pub cursor: Vec<u8>,
    /// The entry.
    pub entry: LogEntry,
}

impl Store {
    /// Names this store: 32 hexadecimal digits, made with it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when the disk fails.
    pub fn id(&self) -> Result<String, StoreError> {
        let id = database::read_id(&*self.trusted_database()?).map_err(unavailable)?;
        Ok(id.unwrap_or_default())
    }

    /// Where the store is in the shared log; `None` before it had one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when the disk fails.
    pub fn log_position(&self) -> Result<Option<LogPosition>, StoreError> {
        database::read_log(&*self.trusted_database()?).map_err(unavailable)
    }

    /// Begins to read a log that is new, or anew: until the log has shown it,
    /// everything in this store counts as missing there. Waits until that is on
    /// the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; then nothing has changed.
    pub fn attach(&self, position: LogPosition) -> Result<(), StoreError> {
        wait(|done| self.submit(Job::Attach(position, done)))
    }

    /// Merges what the log showed, in its order; `done` is called once that is
    /// on the disk. Deny entries and rules only grow, keysets go by their
    /// version; so it matters neither how often nor in which order entries
    /// come, but for two changes of a keyset with one number: see [`Merged`].
    pub fn submit_merge(
        &self,
        merge: Merge,
        done: impl FnOnce(Result<Merged, StoreError>) + Send + 'static,
    ) {
        self.submit(Job::Merge(merge, Box::new(done)));
    }

    /// Merges, and waits until it is on the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; then nothing is merged.
    pub fn merge(&self, merge: Merge) -> Result<Merged, StoreError> {
        wait(|done| self.submit_merge(merge, done))
    }

    /// At most `limit` of what the log has not shown yet, after a cursor: rules
    /// and tokens first, keysets last. Reads the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when the disk fails.
    pub fn unpublished(&self, after: &[u8], limit: usize) -> Result<Vec<Unpublished>, StoreError> {
        let database = self.trusted_database()?;
        let found = database::waiting(&database, self.seal(), after, limit);
        let found = found.map_err(unavailable)?;
        Ok(found
            .into_iter()
            .map(|waiting| Unpublished {
                cursor: waiting.key,
                entry: LogEntry(waiting.entry),
            })
            .collect())
    }

    /// Whether the log has not shown a revocation yet. Reads the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when the disk fails.
    pub fn is_unpublished(&self, revocation: &Revocation) -> Result<bool, StoreError> {
        let database = self.trusted_database()?;
        let key = TableKey::of_revocation(revocation).ok_or(StoreError::TooLong)?;
        let is_token = matches!(revocation, Revocation::Token { .. });
        database::is_waiting(&database, &key, is_token).map_err(unavailable)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unavailable(error: database::Failed) -> StoreError {
    StoreError::Unavailable {
        reason: error.to_string(),
    }
}
