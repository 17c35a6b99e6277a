//! Whether the tables agree with each other.

use redb::{Database, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _};

use super::accounts::open_accounts;
use super::key::{rule_uuid, split};
use super::{DENY, DENY_BY_EXPIRY, Failed, HORIZONS, KEYSETS, RULE_REVIEWS, RULES};
use crate::progress::Progress;

/// How many entries the tables hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Single tokens on the deny list.
    pub tokens: u64,
    /// Rules for uuids and keysets.
    pub rules: u64,
    /// Horizons of signing keys.
    pub horizons: u64,
    /// Keysets, those that were deleted too.
    pub keysets: u64,
    /// Entries of accounts: each, its applications, keysets and customers.
    pub account_entries: u64,
}

pub(crate) fn counts(database: &Database) -> Result<Counts, Failed> {
    let transaction = database.begin_read()?;
    Ok(Counts {
        tokens: transaction.open_table(DENY)?.len()?,
        rules: transaction.open_table(RULES)?.len()?,
        horizons: transaction.open_table(HORIZONS)?.len()?,
        keysets: transaction.open_table(KEYSETS)?.len()?,
        account_entries: match open_accounts(&transaction)? {
            Some(accounts) => accounts.len()?,
            None => 0,
        },
    })
}

/// Reads every entry. The inner error says which two tables disagree, or what
/// is not an entry that we wrote.
pub(crate) fn check(
    database: &Database,
    progress: &mut Progress<'_>,
) -> Result<Result<(), &'static str>, Failed> {
    let transaction = database.begin_read()?;
    let by_expiry = transaction.open_table(DENY_BY_EXPIRY)?;
    let deny = transaction.open_table(DENY)?;
    for entry in deny.iter()? {
        let (key, value) = entry?;
        progress.step();
        if split(key.value()).is_none_or(|(_, _, id)| id.len() != 16) {
            return Ok(Err("an entry of the deny list has no scope and id"));
        }
        if by_expiry.get((value.value().0, key.value()))?.is_none() {
            return Ok(Err("an entry of the deny list would never be pruned"));
        }
    }
    if deny.len()? != by_expiry.len()? {
        return Ok(Err("the index of expiries has an entry too many"));
    }
    let rules = transaction.open_table(RULES)?;
    for entry in rules.iter()? {
        let (key, _) = entry?;
        progress.step();
        let parts = split(key.value()).and_then(|(_, _, rest)| rule_uuid(rest));
        if parts.is_none() {
            return Ok(Err("a rule has no scope"));
        }
    }
    let reviews = transaction.open_table(RULE_REVIEWS)?;
    for entry in reviews.iter()? {
        let (key, _) = entry?;
        progress.step();
        if rules.get(key.value().1)?.is_none() {
            return Ok(Err("a review has no rule"));
        }
    }
    if rules.len()? != reviews.len()? {
        return Ok(Err("a rule has no review, or two"));
    }
    Ok(Ok(()))
}
