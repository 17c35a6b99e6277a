//! Forgetting what cannot matter any more, without trusting one clock.

use core::time::Duration;

use redb::WriteTransaction;
use token_core::limits::ISSUED_AHEAD_SECONDS_MAX;
use token_core::{TokenKind, UnixSeconds};

use crate::account::Account;
use crate::database::{self, Failed, PrunedEntry, Review, TableKey};
use crate::keyset::Keyset;
use token_deny_list::Clock;

/// How long both clocks must have agreed before anything is forgotten.
const AGREEMENT: Duration = Duration::from_secs(3_600);

/// How far the clocks may drift apart and still agree, in seconds.
const DRIFT_SECONDS_MAX: u64 = 2;

/// Most entries of one commit.
const ENTRIES_PER_COMMIT_MAX: usize = 10_000;

/// What pruning did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// Tokens that left the deny list.
    pub tokens: usize,
    /// Rules that were dropped.
    pub rules: usize,
}

/// Watches whether the wall clock walks beside the monotonic one.
#[derive(Debug)]
pub(crate) struct ClockWatch {
    wall: UnixSeconds,
    monotonic: Duration,
}

impl ClockWatch {
    pub(crate) fn new(clock: &dyn Clock) -> Self {
        Self {
            wall: clock.now(),
            monotonic: clock.monotonic(),
        }
    }

    /// Whether both clocks have agreed for an hour. A step starts it anew.
    pub(crate) fn agreed(&mut self, clock: &dyn Clock) -> bool {
        let now = Self::new(clock);
        let since = now.monotonic.saturating_sub(self.monotonic);
        let expected = self.wall.saturating_add(since.as_secs());
        if now.wall.0.abs_diff(expected.0) > DRIFT_SECONDS_MAX {
            *self = now;
            return false;
        }
        since >= AGREEMENT
    }
}

/// What memory must forget, after the commit.
#[derive(Debug, Default)]
pub(crate) struct Forgotten {
    pub(crate) tokens: Vec<(TokenKind, String, token_core::TokenId)>,
    pub(crate) rules: Vec<(TokenKind, String, Option<String>)>,
    pub(crate) horizons: Vec<(TokenKind, String, u64, u64)>,
}

/// Takes expired tokens off the deny list and raises the horizon of the keys
/// that may have signed them, in one transaction; then does the same for rules
/// whose tokens have all expired.
pub(crate) fn prune(
    transaction: &WriteTransaction,
    signers: &[Signers],
    now: UnixSeconds,
) -> Result<Forgotten, Failed> {
    let mut forgotten = Forgotten::default();
    for entry in database::take_expired(transaction, now, ENTRIES_PER_COMMIT_MAX)? {
        let Some(scope) = TableKey::of_scope(entry.kind, &entry.scope) else {
            continue;
        };
        for from in signing_periods(signers, &entry) {
            let horizon = database::raise_horizon(transaction, &scope, from, entry.expires_at.0)?;
            forgotten
                .horizons
                .push((entry.kind, entry.scope.clone(), from, horizon));
        }
        forgotten.tokens.push((entry.kind, entry.scope, entry.id));
    }
    for review in database::take_reviews(transaction, now, ENTRIES_PER_COMMIT_MAX)? {
        review_rule(transaction, signers, now, review, &mut forgotten)?;
    }
    Ok(forgotten)
}

/// The signing keys of one scope, and how long its tokens live.
#[derive(Debug)]
pub(crate) struct Signers {
    kind: TokenKind,
    scope: String,
    starts: Vec<u64>,
    longest_life_seconds: u64,
}

impl Signers {
    /// Those of a keyset and its projects.
    pub(crate) fn of_keyset(keyset: &Keyset) -> impl Iterator<Item = Self> + '_ {
        keyset.scopes().map(|(kind, scope)| Self {
            kind,
            scope: scope.to_owned(),
            starts: keyset.signing_starts(),
            longest_life_seconds: keyset.longest_life_seconds(),
        })
    }
}

impl From<&Account> for Signers {
    fn from(account: &Account) -> Self {
        Self {
            kind: TokenKind::Oem,
            scope: account.scope(),
            starts: account.signing_starts(),
            longest_life_seconds: Account::longest_life_seconds(),
        }
    }
}

/// The starts of the signing keys that may have signed a token: the one of its
/// time of issue, or all when that is unknown. A scope of which no keys are
/// known has one from the start.
fn signing_periods(signers: &[Signers], entry: &PrunedEntry) -> Vec<u64> {
    let Some(signers) = signers_of(signers, entry.kind, &entry.scope) else {
        return vec![0];
    };
    let starts = signers.starts.iter().copied();
    match entry.issued_at {
        None => starts.collect(),
        Some(at) => starts
            .filter(|from| *from <= at.0)
            .max()
            .into_iter()
            .collect(),
    }
}

fn signers_of<'a>(signers: &'a [Signers], kind: TokenKind, scope: &str) -> Option<&'a Signers> {
    let is_it = |signers: &&Signers| signers.kind == kind && signers.scope == scope;
    signers.iter().find(is_it)
}

/// A rule is dropped only when every token that it covers is at or below the
/// horizon of every key that may have signed one. Once they have all expired,
/// the horizons are raised so far: whatever the clock says later, none of them
/// comes back. Else it is reviewed again when they will have.
fn review_rule(
    transaction: &WriteTransaction,
    signers: &[Signers],
    now: UnixSeconds,
    review: Review,
    forgotten: &mut Forgotten,
) -> Result<(), Failed> {
    let Review {
        key,
        kind,
        scope,
        uuid,
        until,
    } = review;
    let Some(signers) = signers_of(signers, kind, &scope) else {
        if kind == TokenKind::AccessManager && database::is_deleted(transaction, &scope)? {
            // No key is left that verifies one of its tokens.
            database::drop_rule(transaction, &key)?;
            forgotten.rules.push((kind, scope, uuid));
            return Ok(());
        }
        // How long its tokens live is not known here.
        return database::review_at(transaction, &key, UnixSeconds::MAX);
    };
    let last = until
        .saturating_add(signers.longest_life_seconds)
        .saturating_add(ISSUED_AHEAD_SECONDS_MAX);
    if last > now {
        return database::review_at(transaction, &key, last);
    }
    let Some(scope_key) = TableKey::of_scope(kind, &scope) else {
        return Ok(());
    };
    for from in signers.starts.iter().filter(|from| **from <= until.0) {
        let horizon = database::raise_horizon(transaction, &scope_key, *from, last.0)?;
        forgotten
            .horizons
            .push((kind, scope.clone(), *from, horizon));
    }
    database::drop_rule(transaction, &key)?;
    forgotten.rules.push((kind, scope, uuid));
    Ok(())
}
