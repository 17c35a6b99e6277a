//! The keys of the internal API: names to records.

use redb::{ReadTransaction, ReadableTable, WriteTransaction};

use super::{ACCESS_KEYS, Failed, OLD_ACCESS_KEYS};
use crate::access_key::{AccessKey, Role};
use crate::secret;

/// What the table holds. The inner error says which record is not one that we
/// wrote.
pub(super) fn read_access_keys(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<Result<Vec<AccessKey>, String>, Failed> {
    let mut access_keys = Vec::new();
    for entry in table.iter()? {
        let (name, record) = entry?;
        let record = serde_json::from_slice(record.value()).ok();
        let is_sound = |key: &AccessKey| key.is_sound() && key.name == name.value();
        match record.filter(is_sound) {
            Some(access_key) => access_keys.push(access_key),
            None => return Ok(Err(format!("access key `{}` cannot be read", name.value()))),
        }
    }
    Ok(Ok(access_keys))
}

pub(super) fn access_keys_in(transaction: &ReadTransaction) -> Result<Vec<AccessKey>, Failed> {
    read_access_keys(&transaction.open_table(ACCESS_KEYS)?)?.map_err(Failed::Corrupted)
}

/// Every key, as this transaction has them.
pub(crate) fn access_keys(transaction: &WriteTransaction) -> Result<Vec<AccessKey>, Failed> {
    read_access_keys(&transaction.open_table(ACCESS_KEYS)?)?.map_err(Failed::Corrupted)
}

pub(crate) fn write_access_key(
    transaction: &WriteTransaction,
    access_key: &AccessKey,
) -> Result<(), Failed> {
    let json = serde_json::to_vec(access_key)
        .map_err(|error| Failed::Io(std::io::Error::other(error.to_string())))?;
    transaction
        .open_table(ACCESS_KEYS)?
        .insert(access_key.name.as_str(), json.as_slice())?;
    Ok(())
}

pub(crate) fn remove_access_key(transaction: &WriteTransaction, name: &str) -> Result<(), Failed> {
    transaction.open_table(ACCESS_KEYS)?.remove(name)?;
    Ok(())
}

/// From format 2, which had one key of two roles each.
pub(super) fn name_access_keys(transaction: &WriteTransaction) -> Result<(), Failed> {
    let mut found = Vec::new();
    {
        transaction.open_table(ACCESS_KEYS)?;
        let old = transaction.open_table(OLD_ACCESS_KEYS)?;
        for role in Role::ALL {
            let hash = old.get(role.name())?;
            let sha256 = hash.map(|hash| secret::hex(&hash.value()).to_string());
            found.extend(sha256.and_then(|hash| AccessKey::known(role, None, 0, None, hash)));
        }
    }
    for access_key in &found {
        write_access_key(transaction, access_key)?;
    }
    transaction.delete_table(OLD_ACCESS_KEYS)?;
    Ok(())
}
