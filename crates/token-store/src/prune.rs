//! Forgetting what cannot matter any more, without trusting one clock.

use core::time::Duration;

use redb::WriteTransaction;
use token_core::limits::ISSUED_AHEAD_SECONDS_MAX;
use token_core::{TokenKind, UnixSeconds};

use crate::clock::Clock;
use crate::database::{self, Failed, PrunedEntry, TableKey};
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
/// that may have signed them, in one transaction; then drops the rules whose
/// tokens have all expired by their horizons.
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
    for keyset in keysets {
        drop_rules(transaction, keyset, &mut forgotten)?;
    }
    Ok(forgotten)
}

/// The starts of the signing keys that may have signed a token: the one of its
/// time of issue, or all when that is unknown. A scope without a keyset has
/// one key from the start.
fn signing_periods(keysets: &[Keyset], entry: &PrunedEntry) -> Vec<u64> {
    let keyset = keysets.iter().find(|keyset| {
        entry.kind == TokenKind::AccessManager && keyset.subscribe_key.as_str() == entry.scope
    });
    let Some(keyset) = keyset else { return vec![0] };
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

/// A rule is dropped only when every token that it covers has expired by the
/// horizon of every key that may have signed one: whatever the clock says
/// then, none of them comes back.
fn drop_rules(
    transaction: &WriteTransaction,
    keyset: &Keyset,
    forgotten: &mut Forgotten,
) -> Result<(), Failed> {
    let kind = TokenKind::AccessManager;
    let subscribe_key = keyset.subscribe_key.as_str();
    let Some(scope) = TableKey::of_scope(kind, subscribe_key) else {
        return Ok(());
    };
    for (uuid, until) in database::rules(transaction, &scope)? {
        let signers = keyset.signing_keys.iter().filter(|key| key.from.0 <= until);
        let mut horizon = u64::MAX;
        for key in signers {
            horizon = horizon.min(database::read_horizon(transaction, &scope, key.from.0)?);
        }
        let last = until
            .saturating_add(keyset.longest_life_seconds())
            .saturating_add(ISSUED_AHEAD_SECONDS_MAX);
        if last <= horizon && horizon != u64::MAX {
            database::drop_rule(transaction, &scope.clone().with_rule(uuid.as_deref()))?;
            forgotten.rules.push((kind, subscribe_key.to_owned(), uuid));
        }
    }
    Ok(())
}
