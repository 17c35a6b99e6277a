//! Horizons: the largest expiry that was pruned, by signing key.

use redb::{ReadableTable as _, WriteTransaction};

use super::key::TableKey;
use super::{Failed, HORIZONS};

/// Raises a horizon and returns what holds then.
pub(crate) fn raise_horizon(
    transaction: &WriteTransaction,
    scope: &TableKey,
    from: u64,
    horizon: u64,
) -> Result<u64, Failed> {
    let mut table = transaction.open_table(HORIZONS)?;
    let held = table
        .get((scope.bytes(), from))?
        .map_or(0, |held| held.value());
    let raised = held.max(horizon);
    table.insert((scope.bytes(), from), raised)?;
    Ok(raised)
}

/// Drops the horizons of signing keys that are no more: no token of theirs
/// verifies.
pub(crate) fn keep_horizons(
    transaction: &WriteTransaction,
    scope: &TableKey,
    starts: &[u64],
) -> Result<(), Failed> {
    transaction
        .open_table(HORIZONS)?
        .retain_in((scope.bytes(), 0)..=(scope.bytes(), u64::MAX), |key, _| {
            starts.contains(&key.1)
        })?;
    Ok(())
}
