//! Rules, and when each is to be looked at again.

use redb::{ReadableTable as _, WriteTransaction};
use token_core::{TokenKind, UnixSeconds};

use super::key::{TableKey, rule_uuid, split};
use super::{Failed, RULE_REVIEWS, RULES};

/// Adds a rule, to be reviewed from its instant on. `Some` is the instant of
/// one that covers it already.
pub(crate) fn add_rule(
    transaction: &WriteTransaction,
    key: &TableKey,
    until: UnixSeconds,
) -> Result<Option<UnixSeconds>, Failed> {
    let mut table = transaction.open_table(RULES)?;
    let held = table.get(key.bytes())?.map(|until| until.value());
    if let Some(held) = held.filter(|held| *held >= until.0) {
        return Ok(Some(UnixSeconds(held)));
    }
    table.insert(key.bytes(), until.0)?;
    // A rule that was there has its review, which then finds the later instant.
    if held.is_none() {
        review_at(transaction, key, until)?;
    }
    Ok(None)
}

/// Has a rule looked at again, once `at` is past.
pub(crate) fn review_at(
    transaction: &WriteTransaction,
    key: &TableKey,
    at: UnixSeconds,
) -> Result<(), Failed> {
    transaction
        .open_table(RULE_REVIEWS)?
        .insert((at.0, key.bytes()), ())?;
    Ok(())
}

/// Has every rule reviewed. For a database that knows no reviews yet.
pub(super) fn review_all(transaction: &WriteTransaction) -> Result<(), Failed> {
    let rules = transaction.open_table(RULES)?;
    let mut reviews = transaction.open_table(RULE_REVIEWS)?;
    for rule in rules.iter()? {
        let (key, until) = rule?;
        reviews.insert((until.value(), key.value()), ())?;
    }
    Ok(())
}

/// A rule to be looked at.
pub(crate) struct Review {
    pub(crate) key: TableKey,
    pub(crate) kind: TokenKind,
    pub(crate) scope: String,
    pub(crate) uuid: Option<String>,
    pub(crate) until: UnixSeconds,
}

/// Takes at most `limit` reviews that were due up to `now`. Whoever takes one
/// drops its rule or puts a later review in its place.
pub(crate) fn take_reviews(
    transaction: &WriteTransaction,
    now: UnixSeconds,
    limit: usize,
) -> Result<Vec<Review>, Failed> {
    let rules = transaction.open_table(RULES)?;
    let mut table = transaction.open_table(RULE_REVIEWS)?;
    let end = now.0.saturating_add(1);
    let due: Vec<(u64, Vec<u8>)> = table
        .range((0, [].as_slice())..(end, [].as_slice()))?
        .take(limit)
        .map(|entry| entry.map(|(key, _)| (key.value().0, key.value().1.to_vec())))
        .collect::<Result<_, _>>()?;
    let mut reviews = Vec::with_capacity(due.len());
    for (at, key) in due {
        table.remove((at, key.as_slice()))?;
        let until = rules.get(key.as_slice())?.map(|until| until.value());
        let parts = split(&key).and_then(|(kind, scope, rest)| {
            let uuid = rule_uuid(rest)?.map(str::to_owned);
            Some((kind, scope.to_owned(), uuid))
        });
        if let (Some(until), Some((kind, scope, uuid))) = (until, parts) {
            reviews.push(Review {
                key: TableKey::from_bytes(key),
                kind,
                scope,
                uuid,
                until: UnixSeconds(until),
            });
        }
    }
    Ok(reviews)
}

/// Drops a rule whose review was taken.
pub(crate) fn drop_rule(transaction: &WriteTransaction, key: &TableKey) -> Result<(), Failed> {
    transaction.open_table(RULES)?.remove(key.bytes())?;
    Ok(())
}
