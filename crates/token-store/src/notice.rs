//! What a commit changed, for whoever must hear of it at once.

use core::fmt;
use std::sync::Arc;

use serde::Serialize;
use token_core::{TokenId, TokenKind, UnixSeconds};

use crate::database::{self, Entry};
use crate::error::StoreError;
use crate::export::{Id, Kind};
use crate::store::Store;
use crate::writer::Effect;

/// Something that is revoked. As JSON it is a line of an export (docs/store.md):
/// `{"token": {"kind", "scope", "id", "expires_at"}}`,
/// `{"rule": {"kind", "scope", "uuid"?, "until"}}` or
/// `{"horizon": {"kind", "scope", "from", "until"}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever enforces must meet each")]
pub enum Revoked {
    /// A token.
    Token {
        /// The dialect.
        kind: TokenKind,
        /// Where the id is unique.
        scope: String,
        /// Its id.
        id: TokenId,
        /// When it expires.
        expires_at: UnixSeconds,
    },
    /// Every token of a scope, or of a uuid in it, that was issued up to an
    /// instant.
    Rule {
        /// The dialect.
        kind: TokenKind,
        /// The scope.
        scope: String,
        /// The uuid; `None` for the whole scope.
        uuid: Option<String>,
        /// The instant.
        until: UnixSeconds,
    },
    /// Every token of a signing key that expires up to an instant: what was
    /// revoked of them is forgotten. In a [list of everything](Store::each_revoked)
    /// only: whoever heard of the revocations needs no horizon.
    Horizon {
        /// The dialect.
        kind: TokenKind,
        /// The scope.
        scope: String,
        /// The first instant of the key's period.
        from: UnixSeconds,
        /// The instant.
        until: UnixSeconds,
    },
}

/// A commit that holds and is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notice {
    /// Its number: [`Store::sequence`] is it by now.
    pub sequence: u64,
    /// What it revoked; often nothing.
    pub revoked: Vec<Revoked>,
    /// The store was read again after a failure of the disk: more may be revoked
    /// than any notice said, and whoever keeps track begins anew.
    pub anew: bool,
}

pub(crate) type Observer = Arc<dyn Fn(&Notice) + Send + Sync>;

impl Store {
    /// Has `observer` called after every commit: once it is in force, before
    /// whoever asked for it is told, on the thread that writes. It must be quick
    /// and wait for nothing. It stays until the store is closed, so it must not
    /// hold the store.
    pub fn observe(&self, observer: impl Fn(&Notice) + Send + Sync + 'static) {
        let observer: Observer = Arc::new(observer);
        self.memory().observers.add(&observer);
    }

    /// Shows everything that is revoked to `visit`, until it returns false:
    /// horizons first, then rules. Reads one state of the disk while others go on writing, and
    /// returns the number of its last commit.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when the disk fails.
    pub fn each_revoked(
        &self,
        visit: &mut dyn FnMut(Revoked) -> bool,
        begin: &mut dyn FnMut(u64),
    ) -> Result<(), StoreError> {
        let unavailable = |error: database::Failed| StoreError::Unavailable {
            reason: error.to_string(),
        };
        let database = self.trusted_database()?;
        let snapshot = database::Snapshot::take(&database).map_err(unavailable)?;
        let (_, sequence) = snapshot.identity().map_err(unavailable)?;
        begin(sequence);
        snapshot
            .deny_list(&mut |entry| revoked_by(&entry).is_none_or(&mut *visit))
            .map(drop)
            .map_err(unavailable)
    }
}

fn revoked_by(entry: &Entry<'_>) -> Option<Revoked> {
    match *entry {
        Entry::Rule {
            kind,
            scope,
            uuid,
            until,
        } => Some(Revoked::Rule {
            kind,
            scope: scope.to_owned(),
            uuid: uuid.map(str::to_owned),
            until: UnixSeconds(until),
        }),
        Entry::Token {
            kind,
            scope,
            id,
            expires_at,
            ..
        } => Some(Revoked::Token {
            kind,
            scope: scope.to_owned(),
            id,
            expires_at: UnixSeconds(expires_at),
        }),
        Entry::Horizon {
            kind,
            scope,
            from,
            until,
        } => Some(Revoked::Horizon {
            kind,
            scope: scope.to_owned(),
            from: UnixSeconds(from),
            until: UnixSeconds(until),
        }),
        Entry::AccessKey(_) | Entry::Account { .. } | Entry::Keyset { .. } => None,
    }
}

impl Revoked {
    fn by(effect: &Effect) -> Option<Self> {
        match effect {
            Effect::Deny {
                kind,
                scope,
                id,
                expires_at,
            } => Some(Self::Token {
                kind: *kind,
                scope: scope.clone(),
                id: *id,
                expires_at: *expires_at,
            }),
            Effect::Rule {
                kind,
                scope,
                uuid,
                until,
                ..
            } => Some(Self::Rule {
                kind: *kind,
                scope: scope.clone(),
                uuid: uuid.clone(),
                until: *until,
            }),
            Effect::Keyset(_)
            | Effect::NoKeyset(_)
            | Effect::AccessKeys(_)
            | Effect::Account(_)
            | Effect::NoAccount(_)
            | Effect::Forget(_) => None,
        }
    }
}

impl Notice {
    /// What these effects of a commit are for observers.
    pub(crate) fn of(effects: &[Effect], sequence: u64) -> Self {
        Self {
            sequence,
            revoked: effects.iter().filter_map(Revoked::by).collect(),
            anew: false,
        }
    }

    pub(crate) const fn anew(sequence: u64) -> Self {
        Self {
            sequence,
            revoked: Vec::new(),
            anew: true,
        }
    }
}

/// Those who hear of every commit.
#[derive(Default)]
pub(crate) struct Observers(arc_swap::ArcSwap<Vec<Observer>>);

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observers").finish_non_exhaustive()
    }
}

impl Observers {
    fn add(&self, observer: &Observer) {
        self.0.rcu(|observers| {
            let mut observers = Vec::clone(observers);
            observers.push(Arc::clone(observer));
            observers
        });
    }

    pub(crate) fn tell(&self, notice: &Notice) {
        for observer in self.0.load().iter() {
            // One that panics costs nobody else the writer.
            let tell = core::panic::AssertUnwindSafe(|| observer(notice));
            drop(std::panic::catch_unwind(tell));
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    Token {
        kind: Kind,
        scope: &'a str,
        id: Id,
        expires_at: u64,
    },
    Rule {
        kind: Kind,
        scope: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        uuid: Option<&'a str>,
        until: u64,
    },
    Horizon {
        kind: Kind,
        scope: &'a str,
        from: u64,
        until: u64,
    },
}

impl Serialize for Revoked {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let line = match self {
            Self::Token {
                kind,
                scope,
                id,
                expires_at,
            } => Line::Token {
                kind: Kind(*kind),
                scope,
                id: Id(*id),
                expires_at: expires_at.0,
            },
            Self::Rule {
                kind,
                scope,
                uuid,
                until,
            } => Line::Rule {
                kind: Kind(*kind),
                scope,
                uuid: uuid.as_deref(),
                until: until.0,
            },
            Self::Horizon {
                kind,
                scope,
                from,
                until,
            } => Line::Horizon {
                kind: Kind(*kind),
                scope,
                from: from.0,
                until: until.0,
            },
        };
        line.serialize(serializer)
    }
}
