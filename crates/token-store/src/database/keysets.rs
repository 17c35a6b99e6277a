//! The records of keysets, and the hashes of access keys.

use redb::{ReadableTable as _, WriteTransaction};

use super::{ACCESS_KEYS, Failed, KEYSETS};
use crate::access_key::AccessKeyKind;
use crate::keyset::{Keyset, Record};

pub(super) fn read_keysets(
    table: &impl redb::ReadableTable<&'static str, &'static [u8]>,
) -> Result<Result<Vec<Keyset>, String>, Failed> {
    let mut keysets = Vec::new();
    for record in table.iter()? {
        let (subscribe_key, record) = record?;
        let keyset = serde_json::from_slice::<Record>(record.value())
            .map_err(|_| format!("keyset `{}` cannot be read", subscribe_key.value()))
            .and_then(|record| record.into_keyset(subscribe_key.value()));
        match keyset {
            Ok(keyset) => keysets.extend(keyset),
            Err(reason) => return Ok(Err(reason)),
        }
    }
    Ok(Ok(keysets))
}

/// The keysets, as this transaction has them.
pub(crate) fn keysets(transaction: &WriteTransaction) -> Result<Vec<Keyset>, Failed> {
    read_keysets(&transaction.open_table(KEYSETS)?)?.map_err(Failed::Corrupted)
}

/// The record of a keyset, or of one that was.
pub(crate) fn read_record(
    transaction: &WriteTransaction,
    subscribe_key: &str,
) -> Result<Option<Record>, Failed> {
    let table = transaction.open_table(KEYSETS)?;
    table
        .get(subscribe_key)?
        .map(|record| serde_json::from_slice(record.value()))
        .transpose()
        .map_err(|_| Failed::Corrupted("the record of a keyset".to_owned()))
}

pub(crate) fn write_record(
    transaction: &WriteTransaction,
    subscribe_key: &str,
    record: &Record,
) -> Result<(), Failed> {
    let json = serde_json::to_vec(record)
        .map(zeroize::Zeroizing::new)
        .map_err(|error| Failed::Io(error.into()))?;
    transaction
        .open_table(KEYSETS)?
        .insert(subscribe_key, json.as_slice())?;
    Ok(())
}

pub(crate) fn write_access_key(
    transaction: &WriteTransaction,
    kind: AccessKeyKind,
    hash: [u8; 32],
) -> Result<(), Failed> {
    transaction
        .open_table(ACCESS_KEYS)?
        .insert(kind.name(), hash)?;
    Ok(())
}
