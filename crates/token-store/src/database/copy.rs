//! Everything of one database in another, without what was left of the past.

use redb::{Database, Key, ReadTransaction, ReadableDatabase as _, ReadableTable as _};
use redb::{TableDefinition, Value, WriteTransaction};

use super::accounts::{open_accounts, read_entry, write_entry};
use super::keysets::{read_keyset_record, write_record};
use super::meta::write_sealed_by;
use super::{
    ACCESS_KEYS, ACCOUNTS, DENY, DENY_BY_EXPIRY, Failed, HORIZONS, KEYSETS, META, OUTBOX,
    RULE_REVIEWS, RULES, begin,
};
use crate::master_key::Seal;
use crate::progress::Progress;

/// Copies every table of `from` into the empty `to`, in one commit. Secrets are
/// opened by the first seal and closed by the second.
pub(crate) fn copy_all(
    from: &Database,
    to: &Database,
    (opens, closes): (&Seal, &Seal),
    progress: &mut Progress<'_>,
) -> Result<(), Failed> {
    let source = from.begin_read()?;
    let target = begin(to)?;
    copy_table(&source, &target, HORIZONS, progress)?;
    copy_table(&source, &target, RULES, progress)?;
    copy_table(&source, &target, RULE_REVIEWS, progress)?;
    copy_table(&source, &target, DENY, progress)?;
    copy_table(&source, &target, DENY_BY_EXPIRY, progress)?;
    copy_table(&source, &target, ACCESS_KEYS, progress)?;
    copy_table(&source, &target, OUTBOX, progress)?;
    copy_table(&source, &target, META, progress)?;
    target.open_table(KEYSETS)?;
    for entry in source.open_table(KEYSETS)?.iter()? {
        let (subscribe_key, record) = entry?;
        let record = read_keyset_record(subscribe_key.value(), record.value(), opens)
            .map_err(Failed::Corrupted)?;
        write_record(&target, closes, subscribe_key.value(), record)?;
        progress.step();
    }
    target.open_table(ACCOUNTS)?;
    if let Some(accounts) = open_accounts(&source)? {
        for held in accounts.iter()? {
            let (key, entry) = held?;
            let (account, name) = key.value();
            let entry = read_entry(account, entry.value())
                .and_then(|entry| entry.open(opens, account))
                .map_err(Failed::Corrupted)?;
            write_entry(&target, closes, account, name, entry)?;
            progress.step();
        }
    }
    write_sealed_by(&target, closes)?;
    target.commit()?;
    Ok(())
}

fn copy_table<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    table: TableDefinition<'_, K, V>,
    progress: &mut Progress<'_>,
) -> Result<(), Failed> {
    let mut target = to.open_table(table)?;
    for entry in from.open_table(table)?.iter()? {
        let (key, value) = entry?;
        target.insert(key.value(), value.value())?;
        progress.step();
    }
    Ok(())
}
