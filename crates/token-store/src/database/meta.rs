//! What there is one of: the id, the count of commits, what was issued.

use redb::{
    Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, WriteTransaction,
};

use super::{Failed, META, begin};
use crate::directory::FORMAT;
use crate::log::LogPosition;
use crate::master_key::Seal;

const ID: &str = "id";
/// The format of the tables; not there in format 1.
const FORMAT_OF_TABLES: &str = "format";
const SEQUENCE: &str = "sequence";
/// The id of the master key that seals secrets; not there when none does.
const SEALED_BY: &str = "sealed_by";
/// The latest `t` issued by scope, as JSON; there while no process has it open.
const LATEST_ISSUED: &str = "latest_issued";
/// Where this store is in the shared log, as JSON; not there when it never had
/// one.
const LOG: &str = "log";

/// Gives a new database its id, its format and its master key.
pub(super) fn identify(
    transaction: &WriteTransaction,
    id: &str,
    seal: &Seal,
) -> Result<(), Failed> {
    transaction.open_table(META)?.insert(ID, id)?;
    write_sealed_by(transaction, seal)?;
    write_format(transaction)
}

pub(super) fn write_sealed_by(transaction: &WriteTransaction, seal: &Seal) -> Result<(), Failed> {
    let mut meta = transaction.open_table(META)?;
    match seal.id() {
        Some(id) => drop(meta.insert(SEALED_BY, id)?),
        None => drop(meta.remove(SEALED_BY)?),
    }
    Ok(())
}

/// The id of the master key that seals secrets.
pub(crate) fn read_sealed_by(database: &Database) -> Result<Option<String>, Failed> {
    let table = database.begin_read()?.open_table(META)?;
    Ok(table.get(SEALED_BY)?.map(|id| id.value().to_owned()))
}

pub(super) fn write_format(transaction: &WriteTransaction) -> Result<(), Failed> {
    transaction
        .open_table(META)?
        .insert(FORMAT_OF_TABLES, FORMAT.to_string().as_str())?;
    Ok(())
}

/// The format of the tables; `None` when it is no number.
pub(crate) fn read_format(database: &Database) -> Result<Option<u64>, Failed> {
    let table = database.begin_read()?.open_table(META)?;
    let format = table.get(FORMAT_OF_TABLES)?;
    Ok(format.map_or(Some(1), |format| format.value().parse().ok()))
}

pub(crate) fn read_id(database: &Database) -> Result<Option<String>, Failed> {
    id_in(&database.begin_read()?)
}

pub(super) fn id_in(transaction: &ReadTransaction) -> Result<Option<String>, Failed> {
    let table = transaction.open_table(META)?;
    Ok(table.get(ID)?.map(|id| id.value().to_owned()))
}

/// How many commits there were.
pub(crate) fn read_sequence(database: &Database) -> Result<u64, Failed> {
    sequence_in(&database.begin_read()?)
}

pub(super) fn sequence_in(transaction: &ReadTransaction) -> Result<u64, Failed> {
    let meta = transaction.open_table(META)?;
    Ok(meta
        .get(SEQUENCE)?
        .and_then(|sequence| sequence.value().parse().ok())
        .unwrap_or(0))
}

/// What the last process to close the store had issued, scope by scope; `None`
/// when it did not come to close it. It is gone from the database then: this
/// process may come to no good end either.
pub(crate) fn take_latest_issued(database: &Database) -> Result<Option<LatestIssued>, Failed> {
    let transaction = begin(database)?;
    let latest = {
        let mut meta = transaction.open_table(META)?;
        let record = meta.remove(LATEST_ISSUED)?;
        record.and_then(|record| serde_json::from_str(record.value()).ok())
    };
    transaction.commit()?;
    Ok(latest)
}

pub(crate) fn write_latest_issued(
    database: &Database,
    latest: &LatestIssued,
) -> Result<(), Failed> {
    let transaction = begin(database)?;
    let json = serde_json::to_string(latest).unwrap_or_default();
    transaction
        .open_table(META)?
        .insert(LATEST_ISSUED, json.as_str())?;
    transaction.commit()?;
    Ok(())
}

/// By the number of the dialect and the scope.
pub(crate) type LatestIssued = Vec<(u8, String, u64)>;

/// Counts a commit.
pub(crate) fn next_sequence(transaction: &WriteTransaction) -> Result<u64, Failed> {
    let mut meta = transaction.open_table(META)?;
    let last = meta
        .get(SEQUENCE)?
        .and_then(|sequence| sequence.value().parse::<u64>().ok());
    let next = last.unwrap_or(0).saturating_add(1);
    meta.insert(SEQUENCE, next.to_string().as_str())?;
    Ok(next)
}

/// Where this store is in the shared log.
pub(crate) fn read_log(database: &Database) -> Result<Option<LogPosition>, Failed> {
    let table = database.begin_read()?.open_table(META)?;
    let position = table.get(LOG)?;
    position
        .map(|position| serde_json::from_str(position.value()))
        .transpose()
        .map_err(|_| Failed::Corrupted("the position in the log cannot be read".to_owned()))
}

pub(crate) fn write_log(
    transaction: &WriteTransaction,
    position: &LogPosition,
) -> Result<(), Failed> {
    let json = serde_json::to_string(position).unwrap_or_default();
    transaction.open_table(META)?.insert(LOG, json.as_str())?;
    Ok(())
}
