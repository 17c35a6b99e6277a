//! What is written, what it changes in memory, and who is told.

use std::sync::Arc;

use token_core::{TokenId, TokenKind, UnixSeconds};

use super::add::Addition;
use crate::access_key::{AccessKey, AccessKeyChange, ChangedAccessKey};
use crate::account::{Account, AccountChange, AccountChanged};
use crate::database::Failed;
use crate::error::StoreError;
use crate::import::Imported;
use crate::keyset::{Keyset, KeysetChange};
use crate::log::{LogPosition, Merge, Merged};
use crate::prune::{Forgotten, Pruned};
use crate::revocation::{Outcome, Revocation};

/// Told once what came of a job.
pub(crate) type Done<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;

/// Something to write.
pub(crate) enum Job {
    Revoke(Vec<Revocation>, Done<Vec<Outcome>>),
    Keyset(Box<KeysetChange>, Done<Arc<Keyset>>),
    AccessKey(AccessKeyChange, Done<ChangedAccessKey>),
    Account(Box<AccountChange>, Done<AccountChanged>),
    Add(Vec<Addition>, Done<Imported>),
    Prune(Done<Pruned>),
    Attach(LogPosition, Done<()>),
    Merge(Merge, Done<Merged>),
}

impl Job {
    pub(super) fn fail(self, error: StoreError) {
        match self {
            Self::Revoke(_, done) => done(Err(error)),
            Self::Keyset(_, done) => done(Err(error)),
            Self::Account(_, done) => done(Err(error)),
            Self::AccessKey(_, done) => done(Err(error)),
            Self::Add(_, done) => done(Err(error)),
            Self::Prune(done) => done(Err(error)),
            Self::Attach(_, done) => done(Err(error)),
            Self::Merge(_, done) => done(Err(error)),
        }
    }
}

/// What changes in memory once the commit holds.
pub(crate) enum Effect {
    Deny {
        kind: TokenKind,
        scope: String,
        id: TokenId,
        expires_at: UnixSeconds,
    },
    Rule {
        kind: TokenKind,
        scope: String,
        uuid: Option<String>,
        until: UnixSeconds,
        /// By this node, above what another node's rule said.
        raised: bool,
    },
    Keyset(Arc<Keyset>),
    NoKeyset(String),
    /// All of them.
    AccessKeys(Vec<AccessKey>),
    Account(Arc<Account>),
    NoAccount(u64),
    Forget(Forgotten),
}

/// To be told after the commit: what it came to, or that it failed.
pub(super) type Told = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

fn told<T: Send + 'static>(done: Done<T>, answer: Result<T, StoreError>) -> Told {
    Box::new(move |committed| done(committed.and(answer)))
}

/// Has `done` told after the commit; a failure of the disk is passed on, and
/// told like every other.
pub(super) fn settle<T: Send + 'static>(
    answer: Result<Result<T, StoreError>, Failed>,
    done: Done<T>,
    waiting: &mut Vec<Told>,
) -> Result<(), Failed> {
    match answer {
        Ok(answer) => {
            waiting.push(told(done, answer));
            Ok(())
        }
        Err(failed) => {
            waiting.push(told(done, Err(StoreError::Closed)));
            Err(failed)
        }
    }
}
