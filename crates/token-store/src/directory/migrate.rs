//! From an older format to this one.

use std::fs;
use std::path::Path;

use redb::Database;

use super::files::{create_directory, file_error, open_own, sync_directory};
use super::{DATABASE, Directory, FORMAT, MARKER, Marker, SEQUENCE, corrupt, write_marker};
use crate::database;
use crate::error::OpenError;

impl Directory {
    /// Keeps the directory as it is in `format-N`, a data directory that the
    /// version before opens, and then says that this one is of our format. The
    /// tables follow, and until they have, [`Directory::finish_migration`] sees
    /// it: whenever this is cut off, the next start goes on.
    pub(super) fn begin_migration(&self, format: u64) -> Result<(), OpenError> {
        let kept = self.path.join(format!("format-{format}"));
        let unfinished = self.path.join(format!("format-{format}.new"));
        for old in [&unfinished, &kept] {
            remove_directory(old)?;
        }
        create_directory(&unfinished)?;
        for name in [DATABASE, SEQUENCE, MARKER] {
            copy(&self.path.join(name), &unfinished.join(name))?;
        }
        sync_directory(&unfinished)
            .and_then(|()| fs::rename(&unfinished, &kept))
            .and_then(|()| sync_directory(&self.path))
            .map_err(|error| file_error("write", &kept, &error))?;
        let id = self.id.clone();
        write_marker(&self.path, &Marker { format: FORMAT, id })
    }

    /// Brings the tables to our format if they are of an older one.
    pub(super) fn finish_migration(&self, database: &Database) -> Result<(), OpenError> {
        match database::read_format(database).map_err(|error| self.failed(error))? {
            Some(FORMAT) => Ok(()),
            Some(from @ 1..FORMAT) => {
                database::migrate(database, from).map_err(|error| self.failed(error))
            }
            Some(_) | None => Err(corrupt(
                &self.database_path(),
                "its tables are of another format than `usher.json` says",
            )),
        }
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), OpenError> {
    let mut copied = open_own(to, true)?;
    fs::File::open(from)
        .and_then(|mut file| std::io::copy(&mut file, &mut copied))
        .and_then(|_| copied.sync_all())
        .map_err(|error| file_error("copy", from, &error))
}

pub(super) fn remove_directory(path: &Path) -> Result<(), OpenError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(file_error("remove", path, &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
