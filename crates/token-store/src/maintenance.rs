//! What is done to the data directory of a stopped server.

use std::path::Path;

use crate::directory::{Directory, OpenOptions, Rewritten};
use crate::error::OpenError;
use crate::master_key::{MasterKey, Seal};
use crate::progress::Progress;

/// Writes the database anew, as small as it can be.
///
/// # Errors
///
/// [`OpenError`] as [`crate::Store::open`], and when the disk fails; then the
/// old database stands.
pub fn compact(
    directory: &Path,
    options: &OpenOptions,
    progress: &mut Progress<'_>,
) -> Result<Rewritten, OpenError> {
    let (opened, database) = Directory::open(directory, options)?;
    let seal = Seal(options.master_key.clone());
    opened.rewrite(database, &seal, progress)
}

/// Seals the secrets under `new`: for the first time when `options` has no
/// master key, else in place of that one. The database is written anew, so no
/// page of it holds what it held before, and copies that a migration kept are
/// removed. Blocks that the disk has freed are beyond its reach.
///
/// # Errors
///
/// [`OpenError`] as [`crate::Store::open`], and when the disk fails; then the
/// old database stands, under the old key.
pub fn rekey(
    directory: &Path,
    options: &OpenOptions,
    new: MasterKey,
    progress: &mut Progress<'_>,
) -> Result<Rewritten, OpenError> {
    let (opened, database) = Directory::open(directory, options)?;
    let rewritten = opened.rewrite(database, &Seal(Some(new)), progress)?;
    opened.forget_old_formats()?;
    Ok(rewritten)
}
