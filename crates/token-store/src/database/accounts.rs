//! Accounts and what is in them.

use std::collections::BTreeMap;

use redb::{ReadTransaction, ReadableTable, TableError, WriteTransaction};

use super::{ACCOUNTS, Failed};
use crate::account::{Account, AccountEntry};
use crate::master_key::Seal;

type Accounts = redb::ReadOnlyTable<(u64, &'static str), &'static [u8]>;

/// A table that a store of the same format may not have yet.
pub(super) fn open_accounts(transaction: &ReadTransaction) -> Result<Option<Accounts>, Failed> {
    match transaction.open_table(ACCOUNTS) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The accounts of a table. The inner error says what is not as we wrote it.
pub(super) fn read_accounts(
    table: &impl ReadableTable<(u64, &'static str), &'static [u8]>,
    seal: &Seal,
) -> Result<Result<Vec<Account>, String>, Failed> {
    let mut of_account: BTreeMap<u64, BTreeMap<String, AccountEntry>> = BTreeMap::new();
    for held in table.iter()? {
        let (key, entry) = held?;
        let (account, name) = key.value();
        match read_entry(account, entry.value()).and_then(|entry| entry.open(seal, account)) {
            Ok(entry) => {
                let entries = of_account.entry(account).or_default();
                entries.insert(name.to_owned(), entry);
            }
            Err(reason) => return Ok(Err(reason)),
        }
    }
    let accounts = of_account.into_iter();
    Ok(accounts
        .map(|(id, entries)| Account::from_entries(id, entries))
        .collect())
}

/// An entry as it is held.
pub(super) fn read_entry(account: u64, entry: &[u8]) -> Result<AccountEntry, String> {
    serde_json::from_slice(entry).map_err(|_| format!("account {account} cannot be read"))
}

/// The accounts, as this transaction has them.
pub(crate) fn accounts(
    transaction: &WriteTransaction,
    seal: &Seal,
) -> Result<Vec<Account>, Failed> {
    read_accounts(&transaction.open_table(ACCOUNTS)?, seal)?.map_err(Failed::Corrupted)
}

pub(crate) fn write_entry(
    transaction: &WriteTransaction,
    seal: &Seal,
    account: u64,
    name: &str,
    entry: AccountEntry,
) -> Result<(), Failed> {
    let failed = |reason: String| Failed::Io(std::io::Error::other(reason));
    let entry = entry
        .close(seal, account)
        .map_err(|_| failed("a secret cannot be sealed".to_owned()))?;
    let json = serde_json::to_vec(&entry)
        .map(zeroize::Zeroizing::new)
        .map_err(|error| failed(error.to_string()))?;
    transaction
        .open_table(ACCOUNTS)?
        .insert((account, name), json.as_slice())?;
    Ok(())
}

/// Writes what is another in `after` than in `before`, or there in one only.
pub(crate) fn write_account(
    transaction: &WriteTransaction,
    seal: &Seal,
    before: Option<&Account>,
    after: Option<&Account>,
) -> Result<(), Failed> {
    let Some(id) = before.or(after).map(|account| account.id) else {
        return Ok(());
    };
    let before = before.map(Account::entries).unwrap_or_default();
    let after = after.map(Account::entries).unwrap_or_default();
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        let mut table = transaction.open_table(ACCOUNTS)?;
        table.remove((id, name.as_str()))?;
    }
    for (name, entry) in after {
        if before.get(&name) != Some(&entry) {
            write_entry(transaction, seal, id, &name, entry)?;
        }
    }
    Ok(())
}
