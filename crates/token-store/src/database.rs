//! The tables, and every read and write of them.

mod access_keys;
mod accounts;
mod check;
mod copy;
mod entries;
mod horizons;
mod key;
mod keysets;
mod load;
mod meta;
mod outbox;
mod page;
mod rules;
mod snapshot;

use redb::{Database, Durability, TableDefinition, WriteTransaction};

pub(crate) use access_keys::{access_keys, remove_access_key, write_access_key};
pub(crate) use accounts::{accounts, write_account};
pub use check::Counts;
pub(crate) use check::{check, counts};
pub(crate) use copy::copy_all;
pub(crate) use entries::{Denied, PrunedEntry, deny, take_expired};
pub(crate) use horizons::{keep_horizons, raise_horizon};
pub(crate) use key::{TableKey, kind_of, tag_of};
pub(crate) use keysets::{is_deleted, keysets, read_record, write_record};
pub(crate) use load::load;
pub(crate) use meta::{
    next_sequence, read_format, read_id, read_log, read_sealed_by, read_sequence,
    take_latest_issued, write_latest_issued, write_log,
};
pub(crate) use outbox::{
    add_everything, is_waiting, keyset_waits, note, rule_seen, seen, token_seen, waiting,
};
pub(crate) use page::{Page, page, rule_of};
pub(crate) use rules::{Review, add_rule, drop_rule, review_at, take_reviews};
pub(crate) use snapshot::{Entry, Snapshot};

use crate::master_key::Seal;

/// `(kind, scope, id)` to when the token expires and when it was issued.
const DENY: TableDefinition<'_, &[u8], (u64, u64)> = TableDefinition::new("deny");
/// The same by expiry, for pruning.
const DENY_BY_EXPIRY: TableDefinition<'_, (u64, &[u8]), ()> =
    TableDefinition::new("deny_by_expiry");
/// `(kind, scope, uuid?)` to the instant up to which tokens are dead.
const RULES: TableDefinition<'_, &[u8], u64> = TableDefinition::new("rules");
/// When to look at a rule again, and its key. Each rule has exactly one.
const RULE_REVIEWS: TableDefinition<'_, (u64, &[u8]), ()> = TableDefinition::new("rule_reviews");
/// Subscribe key to record (JSON).
const KEYSETS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("keysets");
/// Name of an access key to its record (JSON).
const ACCESS_KEYS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("named_access_keys");
/// Until format 2: role to the SHA-256 of its only key.
const OLD_ACCESS_KEYS: TableDefinition<'_, &str, [u8; 32]> = TableDefinition::new("access_keys");
/// `(kind, scope)` and start of a signing key's period to its horizon.
const HORIZONS: TableDefinition<'_, (&[u8], u64), u64> = TableDefinition::new("horizons");
/// Account and name of an entry to the entry (JSON).
const ACCOUNTS: TableDefinition<'_, (u64, &str), &[u8]> = TableDefinition::new("accounts");
/// What a shared log has not shown yet: a tag, and the key of its table.
const OUTBOX: TableDefinition<'_, &[u8], u8> = TableDefinition::new("outbox");
/// What there is one of.
const META: TableDefinition<'_, &str, &str> = TableDefinition::new("meta");

/// Any error of the database. Its details matter to people only.
pub(crate) type Failed = redb::Error;

/// A transaction whose commit is on the disk when it returns. With redb's
/// one-phase commit, damage to the last commit may roll it back unnoticed.
pub(crate) fn begin(database: &Database) -> Result<WriteTransaction, Failed> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

/// Makes every table, and gives the database its id.
pub(crate) fn create(database: &Database, id: &str, seal: &Seal) -> Result<(), Failed> {
    let transaction = begin(database)?;
    transaction.open_table(DENY)?;
    transaction.open_table(DENY_BY_EXPIRY)?;
    transaction.open_table(RULES)?;
    transaction.open_table(KEYSETS)?;
    transaction.open_table(ACCESS_KEYS)?;
    transaction.open_table(HORIZONS)?;
    transaction.open_table(RULE_REVIEWS)?;
    transaction.open_table(OUTBOX)?;
    transaction.open_table(ACCOUNTS)?;
    meta::identify(&transaction, id, seal)?;
    transaction.commit()?;
    Ok(())
}

/// Brings a database of an older format to that of this version, in one commit.
pub(crate) fn migrate(database: &Database, from: u64) -> Result<(), Failed> {
    let transaction = begin(database)?;
    if from < 2 {
        rules::review_all(&transaction)?;
    }
    // Of format 3 are tables that older versions would not keep in step.
    transaction.open_table(OUTBOX)?;
    access_keys::name_access_keys(&transaction)?;
    transaction.open_table(ACCOUNTS)?;
    meta::write_format(&transaction)?;
    transaction.commit()?;
    Ok(())
}
