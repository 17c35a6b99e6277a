//! Forgetting what cannot matter any more, without trusting one clock.

use core::time::Duration;

use redb::WriteTransaction;
use token_core::limits::ISSUED_AHEAD_SECONDS_MAX;
use token_core::{TokenKind, UnixSeconds};

use crate::clock::Clock;
use crate::database::{self, Failed, PrunedEntry, Review, TableKey};
use crate::keyset::Keyset;

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
    keysets: &[Keyset],
    now: UnixSeconds,
) -> Result<Forgotten, Failed> {
    let mut forgotten = Forgotten::default();
    for entry in database::take_expired(transaction, now, ENTRIES_PER_COMMIT_MAX)? {
        let Some(scope) = TableKey::of_scope(entry.kind, &entry.scope) else {
            continue;
        };
        for from in signing_periods(keysets, &entry) {
            let horizon = database::raise_horizon(transaction, &scope, from, entry.expires_at.0)?;
            forgotten
                .horizons
                .push((entry.kind, entry.scope.clone(), from, horizon));
        }
        forgotten.tokens.push((entry.kind, entry.scope, entry.id));
    }
    for review in database::take_reviews(transaction, now, ENTRIES_PER_COMMIT_MAX)? {
        review_rule(transaction, keysets, now, review, &mut forgotten)?;
    }
    Ok(forgotten)
}

/// The starts of the signing keys that may have signed a token: the one of its
/// time of issue, or all when that is unknown. A scope without a keyset has
/// one key from the start.
fn signing_periods(keysets: &[Keyset], entry: &PrunedEntry) -> Vec<u64> {
    let Some(keyset) = keyset_of(keysets, entry.kind, &entry.scope) else {
        return vec![0];
    };
    let periods = keyset.signing_keys.iter().map(|key| key.from);
    match entry.issued_at {
        None => periods.map(|from| from.0).collect(),
        Some(at) => periods
            .filter(|from| *from <= at)
            .max()
            .map(|from| from.0)
            .into_iter()
            .collect(),
    }
}

fn keyset_of<'a>(keysets: &'a [Keyset], kind: TokenKind, scope: &str) -> Option<&'a Keyset> {
    let is_it = |keyset: &&Keyset| {
        kind == TokenKind::AccessManager && keyset.subscribe_key.as_str() == scope
    };
    keysets.iter().find(is_it)
}

/// A rule is dropped only when every token that it covers is at or below the
/// horizon of every key that may have signed one. Once they have all expired,
/// the horizons are raised so far: whatever the clock says later, none of them
/// comes back. Else it is reviewed again when they will have.
fn review_rule(
    transaction: &WriteTransaction,
    keysets: &[Keyset],
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
    let Some(keyset) = keyset_of(keysets, kind, &scope) else {
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
        .saturating_add(keyset.longest_life_seconds())
        .saturating_add(ISSUED_AHEAD_SECONDS_MAX);
    if last > now {
        return database::review_at(transaction, &key, last);
    }
    let Some(scope_key) = TableKey::of_scope(kind, &scope) else {
        return Ok(());
    };
    for signer in keyset.signing_keys.iter().filter(|key| key.from <= until) {
        let horizon = database::raise_horizon(transaction, &scope_key, signer.from.0, last.0)?;
        forgotten
            .horizons
            .push((kind, scope.clone(), signer.from.0, horizon));
    }
    database::drop_rule(transaction, &key)?;
    forgotten.rules.push((kind, scope, uuid));
    Ok(())
}
