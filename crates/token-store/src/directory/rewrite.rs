//! The database written anew: smaller, or under another master key, and in
//! both cases without the pages of the past.

use std::fs::{self, File};

use redb::Database;
use redb::backends::FileBackend;

use super::files::{file_error, open_own, sync_directory};
use super::{Directory, builder, corrupt, failed};
use crate::database;
use crate::error::OpenError;
use crate::master_key::Seal;
use crate::progress::Progress;

/// The new database, until it has the name of the old one.
const REWRITTEN: &str = "usher.redb.rewrite";

/// The size of the database file before and after, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rewritten {
    /// Before.
    pub bytes_before: u64,
    /// After.
    pub bytes_after: u64,
}

impl Directory {
    /// Copies `database` into a new file under `seal`, reads that back, and
    /// puts it in place of the old one in one step. A cut at any instant leaves
    /// one of the two whole.
    pub(crate) fn rewrite(
        &self,
        database: Database,
        seal: &Seal,
        progress: &mut Progress<'_>,
    ) -> Result<Rewritten, OpenError> {
        let (old, new) = (self.database_path(), self.path.join(REWRITTEN));
        let bytes_before = length(&old)?;
        let file = open_own(&new, true)?;
        let written = FileBackend::new(file)
            .and_then(|backend| builder().create_with_backend(backend))
            .map_err(|error| failed(&new, error))?;
        let seals = (&self.seal, seal);
        database::copy_all(&database, &written, seals, progress)
            .map_err(|error| failed(&new, error))?;
        drop(written);
        let expected = database::counts(&database).map_err(|error| failed(&old, error))?;
        self.read_back(expected)?;
        drop(database);
        fs::rename(&new, &old)
            .and_then(|()| sync_directory(&self.path))
            .map_err(|error| file_error("rename", &new, &error))?;
        Ok(Rewritten {
            bytes_before,
            bytes_after: length(&old)?,
        })
    }

    /// Reads the new file, checksums and all, before it is trusted.
    fn read_back(&self, expected: database::Counts) -> Result<(), OpenError> {
        let new = self.path.join(REWRITTEN);
        let file = open_own(&new, false)?;
        file.sync_all()
            .map_err(|error| file_error("sync", &new, &error))?;
        let mut database = FileBackend::new(file)
            .and_then(|backend| builder().create_with_backend(backend))
            .map_err(|error| failed(&new, error))?;
        let is_whole = database
            .check_integrity()
            .map_err(|error| failed(&new, error))?;
        let counts = database::counts(&database).map_err(|error| failed(&new, error))?;
        let sequence = database::read_sequence(&database).map_err(|error| failed(&new, error))?;
        drop(database);
        // Closing writes to it.
        File::open(&new)
            .and_then(|file| file.sync_all())
            .map_err(|error| file_error("sync", &new, &error))?;
        if !is_whole || counts != expected || sequence < self.noted_sequence().unwrap_or(0) {
            return Err(corrupt(&new, "it does not hold what was copied into it"));
        }
        Ok(())
    }

    /// Takes away what a rewrite that was cut off left.
    pub(super) fn forget_rewrite(&self) -> Result<(), OpenError> {
        let path = self.path.join(REWRITTEN);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(file_error("remove", &path, &error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Takes away the copies that migrations kept, which hold secrets in plain.
    pub(crate) fn forget_old_formats(&self) -> Result<(), OpenError> {
        for format in 1..super::FORMAT {
            super::migrate::remove_directory(&self.path.join(format!("format-{format}")))?;
        }
        Ok(())
    }
}

fn length(path: &std::path::Path) -> Result<u64, OpenError> {
    fs::metadata(path)
        .map(|metadata| metadata.len())
        .map_err(|error| file_error("read", path, &error))
}
