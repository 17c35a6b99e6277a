//! Backups of a store that runs, and the check of one.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::Database;

use crate::database::{self, Counts};
use crate::error::StoreError;
use crate::export::{self, ExportError, ExportFile, ExportSecrets, Exported};
use crate::progress::Progress;
use crate::secret;
use crate::store::Store;

/// A backup that was written and read back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// The file.
    pub path: PathBuf,
    /// What is in it.
    pub exported: Exported,
}

/// What a check found in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// How many entries there are.
    pub counts: Counts,
    /// The last commit.
    pub sequence: u64,
    /// The id of the master key; `None` when the secrets are in plain.
    pub sealed_by: Option<String>,
}

impl Store {
    /// Writes one state of the store as lines (`docs/store.md`), while others
    /// go on reading and writing.
    ///
    /// # Errors
    ///
    /// [`ExportError`] when it cannot be read or written; what was written so
    /// far has no last line and is refused by every import.
    pub fn export(
        &self,
        out: &mut dyn Write,
        secrets: ExportSecrets,
        progress: &mut Progress<'_>,
    ) -> Result<Exported, ExportError> {
        let database = self.trusted_database()?;
        let now = self.now();
        export::write(&database, self.seal(), now, secrets, out, progress)
    }

    /// Writes an export with secrets into a new file in `directory`, which is
    /// made if need be, and reads it back. The file is private (0600), on the
    /// disk, and has its name only when it is whole.
    ///
    /// # Errors
    ///
    /// [`ExportError`]; then there is no backup.
    pub fn backup(
        &self,
        directory: &Path,
        progress: &mut Progress<'_>,
    ) -> Result<Backup, ExportError> {
        let failed = |error: std::io::Error| ExportError::File {
            doing: "write",
            reason: error.to_string(),
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failed)?;
        let mut random = [0; 8];
        secret::random_bytes(&mut random)
            .map_err(|_| failed(std::io::Error::other("the system gives no random bytes")))?;
        let part = directory.join(format!("{}.part", *secret::hex(&random)));
        let written = self.write_backup(&part, progress);
        let backup = written.and_then(|exported| {
            let name = format!("usher-{}-{}.jsonl", self.now(), exported.sequence);
            let path = directory.join(name);
            fs::rename(&part, &path)
                .and_then(|()| File::open(directory)?.sync_all())
                .map_err(failed)?;
            Ok(Backup { path, exported })
        });
        if backup.is_err() {
            drop(fs::remove_file(&part));
        }
        backup
    }

    fn write_backup(
        &self,
        path: &Path,
        progress: &mut Progress<'_>,
    ) -> Result<Exported, ExportError> {
        let failed = |error: std::io::Error| ExportError::File {
            doing: "write",
            reason: error.to_string(),
        };
        let file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        let mut out = BufWriter::with_capacity(256 * 1024, file);
        let exported = self.export(&mut out, ExportSecrets::Include, progress)?;
        out.get_ref().sync_all().map_err(failed)?;
        drop(out);
        let read = ExportFile::open(path, &mut Progress::new(&mut |_| {}))?;
        if read.entries() != exported.entries {
            return Err(ExportError::Damaged);
        }
        Ok(exported)
    }

    /// Reads every entry on the disk, and compares the tables with each other.
    /// (Checksums were compared when the store was opened.)
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when the disk fails, and
    /// [`StoreError::Inconsistent`] when the tables do not agree.
    pub fn check(&self, progress: &mut Progress<'_>) -> Result<Checked, StoreError> {
        let unavailable = |error: database::Failed| StoreError::Unavailable {
            reason: error.to_string(),
        };
        let database = self.trusted_database()?;
        database::check(&database, progress)
            .map_err(unavailable)?
            .map_err(|what| StoreError::Inconsistent { what })?;
        Ok(Checked {
            counts: database::counts(&database).map_err(unavailable)?,
            sequence: database::read_sequence(&database).map_err(unavailable)?,
            sealed_by: self.seal().id().map(str::to_owned),
        })
    }

    /// The database, unless a write failed and it was not read again yet.
    pub(crate) fn trusted_database(&self) -> Result<Arc<Database>, StoreError> {
        self.held_database().ok_or_else(|| StoreError::Unavailable {
            reason: "the last write failed".to_owned(),
        })
    }
}
