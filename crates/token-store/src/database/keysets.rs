//! The records of keysets.

use redb::{ReadableTable as _, WriteTransaction};

use super::{Failed, KEYSETS};
use crate::keyset::Keyset;
use crate::master_key::Seal;
use crate::record::Record;

pub(super) fn read_keysets(
    table: &impl redb::ReadableTable<&'static str, &'static [u8]>,
    seal: &Seal,
) -> Result<Result<Vec<Keyset>, String>, Failed> {
    let mut keysets = Vec::new();
    for record in table.iter()? {
        let (subscribe_key, record) = record?;
        let keyset = read_keyset_record(subscribe_key.value(), record.value(), seal)
            .and_then(|record| record.into_keyset(subscribe_key.value()));
        match keyset {
            Ok(keyset) => keysets.extend(keyset),
            Err(reason) => return Ok(Err(reason)),
        }
    }
    Ok(Ok(keysets))
}

/// The keysets, as this transaction has them.
pub(crate) fn keysets(transaction: &WriteTransaction, seal: &Seal) -> Result<Vec<Keyset>, Failed> {
    read_keysets(&transaction.open_table(KEYSETS)?, seal)?.map_err(Failed::Corrupted)
}

/// The record of a keyset, or of one that was.
pub(crate) fn read_record(
    transaction: &WriteTransaction,
    seal: &Seal,
    subscribe_key: &str,
) -> Result<Option<Record>, Failed> {
    let table = transaction.open_table(KEYSETS)?;
    let Some(record) = table.get(subscribe_key)? else {
        return Ok(None);
    };
    read_keyset_record(subscribe_key, record.value(), seal)
        .map(Some)
        .map_err(Failed::Corrupted)
}

/// The record that the table holds, with its secrets open.
pub(super) fn read_keyset_record(
    subscribe_key: &str,
    record: &[u8],
    seal: &Seal,
) -> Result<Record, String> {
    serde_json::from_slice::<Record>(record)
        .map_err(|_| format!("keyset `{subscribe_key}` cannot be read"))
        .and_then(|record| record.open(seal, subscribe_key))
}

/// Whether there was a keyset that is deleted.
pub(crate) fn is_deleted(
    transaction: &WriteTransaction,
    subscribe_key: &str,
) -> Result<bool, Failed> {
    let table = transaction.open_table(KEYSETS)?;
    let record = table.get(subscribe_key)?;
    let record = record.map(|record| serde_json::from_slice::<Record>(record.value()));
    Ok(matches!(record, Some(Ok(Record { keyset: None, .. }))))
}

pub(crate) fn write_record(
    transaction: &WriteTransaction,
    seal: &Seal,
    subscribe_key: &str,
    record: Record,
) -> Result<(), Failed> {
    let failed = |reason: String| Failed::Io(std::io::Error::other(reason));
    let record = record
        .close(seal, subscribe_key)
        .map_err(|_| failed("a secret cannot be sealed".to_owned()))?;
    let json = serde_json::to_vec(&record)
        .map(zeroize::Zeroizing::new)
        .map_err(|error| failed(error.to_string()))?;
    transaction
        .open_table(KEYSETS)?
        .insert(subscribe_key, json.as_slice())?;
    Ok(())
}
