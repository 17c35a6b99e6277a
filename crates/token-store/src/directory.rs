//! The data directory: a marker, a database, and the rule that a database
//! that once existed is never made anew.

use core::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError};

use crate::database::{self, Failed};
use crate::error::OpenError;
use crate::master_key::{MasterKey, Seal};
use crate::secret;
use token_deny_list::Clock;

mod files;
mod marker;
mod migrate;
mod rewrite;

use files::{Lock, create_directory, file_error, is_there, lock, open_own, sync_directory};
pub use rewrite::Rewritten;

use marker::{Marker, read_marker, write_marker};

/// The format that this version writes. 1 knew no reviews of rules, 2 no shared
/// log and no names of access keys.
pub const FORMAT: u64 = 3;

const MARKER: &str = "usher.json";
/// Held locked by the process that has the directory.
const LOCK: &str = "usher.lock";
/// The sequence of the last acknowledged commit. See [`Directory::note_sequence`].
const SEQUENCE: &str = "usher.sequence";
const DATABASE: &str = "usher.redb";
/// A database whose directory has no marker yet.
const UNFINISHED: &str = "usher.redb.new";

/// Page cache of the database, in bytes. Decisions never read pages.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

/// Opens the database file over another backend, for tests of faults.
pub type WrapBackend =
    Arc<dyn Fn(&mut Builder, File) -> Result<Database, DatabaseError> + Send + Sync>;

/// How to open a store.
#[derive(Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an opener fills every field, knowingly"
)]
pub struct OpenOptions {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Another backend, for tests of faults.
    pub wrap_backend: Option<WrapBackend>,
    /// Seals the secrets: a store is made with it, and opens with no other.
    pub master_key: Option<MasterKey>,
}

impl OpenOptions {
    /// Options with a clock and nothing else.
    #[must_use]
    pub fn new(clock: impl Clock) -> Self {
        Self {
            clock: Arc::new(clock),
            wrap_backend: None,
            master_key: None,
        }
    }
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOptions")
            .field("clock", &self.clock)
            .field("master_key", &self.master_key)
            .finish_non_exhaustive()
    }
}

/// A directory whose database was opened at least once.
pub(crate) struct Directory {
    path: PathBuf,
    id: String,
    sequence: File,
    wrap_backend: Option<WrapBackend>,
    seal: Seal,
    /// Last, so that everything else is closed before it is given back.
    _lock: Lock,
}

impl Directory {
    /// Makes the directory if there is nothing, and opens what there is.
    pub(crate) fn open(path: &Path, options: &OpenOptions) -> Result<(Self, Database), OpenError> {
        create_directory(path)?;
        let lock = lock(path)?;
        let seal = Seal(options.master_key.clone());
        let marker_path = path.join(MARKER);
        let marker = match fs::read(&marker_path) {
            Ok(bytes) => read_marker(&marker_path, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(path, &seal)?,
            Err(error) => return Err(file_error("read", &marker_path, &error)),
        };
        let directory = Self {
            path: path.to_owned(),
            id: marker.id,
            sequence: open_own(&path.join(SEQUENCE), false)?,
            _lock: lock,
            wrap_backend: options.wrap_backend.clone(),
            seal,
        };
        directory.finish_creation()?;
        directory.forget_rewrite()?;
        if marker.format < FORMAT {
            // What is refused stays as it is.
            drop(directory.open_database()?);
            directory.begin_migration(marker.format)?;
        }
        let database = directory.open_database()?;
        directory.finish_migration(&database)?;
        Ok((directory, database))
    }

    fn database_path(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// A crash between the marker and the last step of the creation leaves the
    /// database under its first name; nothing was acknowledged until then.
    fn finish_creation(&self) -> Result<(), OpenError> {
        let (unfinished, database) = (self.path.join(UNFINISHED), self.database_path());
        if !is_there(&database)? && is_there(&unfinished)? {
            fs::rename(&unfinished, &database)
                .map_err(|error| file_error("rename", &unfinished, &error))?;
        }
        // Always: a process may have been killed before it came to this.
        sync_directory(&self.path).map_err(|error| file_error("sync", &self.path, &error))
    }

    /// Opens the database again after a write or sync of it failed. The system
    /// may then call pages clean that never reached the disk; they are let go,
    /// so that what is read now is what the disk has.
    pub(crate) fn reopen_database(&self) -> Result<Database, OpenError> {
        // Advice: where it is not taken, the checksums still are compared.
        if let Ok(file) = File::open(self.database_path()) {
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        }
        self.open_database()
    }

    /// Opens the database, never makes it, and checks every page of it.
    pub(crate) fn open_database(&self) -> Result<Database, OpenError> {
        let path = self.database_path();
        let file = File::options()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|error| {
                if error.kind() == io::ErrorKind::NotFound {
                    OpenError::NoDatabase { path: path.clone() }
                } else {
                    file_error("open", &path, &error)
                }
            })?;
        let length = file
            .metadata()
            .map_err(|error| file_error("read", &path, &error))?
            .len();
        if length == 0 {
            return Err(corrupt(&path, "the file is empty"));
        }
        let mut builder = builder();
        let opened = match &self.wrap_backend {
            Some(wrap) => wrap(&mut builder, file),
            None => FileBackend::new(file).and_then(|backend| builder.create_with_backend(backend)),
        };
        let mut database = opened.map_err(|error| {
            if matches!(error, DatabaseError::DatabaseAlreadyOpen) {
                OpenError::InUse { path: path.clone() }
            } else {
                failed(&path, error)
            }
        })?;
        // redb checks when it opens, and repairs. Asked once more it reads the
        // file anew: a disk that answers otherwise now is not trusted.
        match database.check_integrity() {
            Ok(true) => {}
            Ok(false) => return Err(corrupt(&path, "a checksum does not match")),
            Err(error) => return Err(failed(&path, error)),
        }
        match database::read_id(&database) {
            Ok(Some(id)) if id == self.id => {}
            Ok(Some(_)) => return Err(OpenError::Foreign { path }),
            Ok(None) => return Err(corrupt(&path, "it has no id")),
            Err(error) => return Err(failed(&path, error)),
        }
        self.check_master_key(&database)?;
        self.check_sequence(&database)?;
        Ok(database)
    }

    /// Data that is sealed needs its key, and data that is not takes none: else
    /// a plain database put in place of a sealed one would be believed.
    fn check_master_key(&self, database: &Database) -> Result<(), OpenError> {
        let path = self.database_path();
        let sealed_by = database::read_sealed_by(database).map_err(|error| failed(&path, error))?;
        match (sealed_by, self.seal.id()) {
            (None, None) => Ok(()),
            (Some(needed), Some(given)) if needed == given => Ok(()),
            (Some(needed), None) => Err(OpenError::Sealed { path, needed }),
            (Some(needed), Some(given)) => Err(OpenError::WrongMasterKey {
                path,
                needed,
                given: given.to_owned(),
            }),
            (None, Some(_)) => Err(OpenError::NotSealed { path }),
        }
    }

    /// Notes beside the database how far it is, before anybody is told. One
    /// flipped bit in the database's header makes the commit before the last
    /// one the current one, all checksums in order; so does an older copy of
    /// the file. Then this number is ahead, and the database is refused.
    ///
    /// It is not synced: after a power cut it may be behind, which says
    /// nothing. So a failure to write it changes nothing either.
    pub(crate) fn note_sequence(&self, sequence: u64) {
        let text = format!("{sequence:020}{:020}", !sequence);
        drop(self.sequence.write_all_at(text.as_bytes(), 0));
    }

    fn check_sequence(&self, database: &Database) -> Result<(), OpenError> {
        let path = self.database_path();
        let found = database::read_sequence(database).map_err(|error| failed(&path, error))?;
        match self.noted_sequence() {
            Some(noted) if noted > found => Err(OpenError::RolledBack { path, found, noted }),
            Some(_) | None => Ok(()),
        }
    }

    /// The sequence that was acknowledged. A number that a power cut tore says
    /// nothing.
    fn noted_sequence(&self) -> Option<u64> {
        let mut noted = [0; 40];
        self.sequence.read_exact_at(&mut noted, 0).ok()?;
        let (number, check) = core::str::from_utf8(&noted).ok()?.split_at_checked(20)?;
        let (number, check): (u64, u64) = (number.parse().ok()?, check.parse().ok()?);
        (number == !check).then_some(number)
    }

    /// What to call an error of the database.
    pub(crate) fn failed(&self, error: Failed) -> OpenError {
        failed(&self.database_path(), error)
    }

    /// What to call damage that is found while the database is read.
    pub(crate) fn corrupt(&self, reason: impl fmt::Display) -> OpenError {
        corrupt(&self.database_path(), reason)
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    // Without it redb trusts a file that was closed in order, and may panic.
    builder.set_check_integrity_on_open(true);
    builder
}

/// Makes the directory, the database under its first name, then the marker.
fn create(path: &Path, seal: &Seal) -> Result<Marker, OpenError> {
    if is_there(&path.join(DATABASE))? {
        return Err(OpenError::NoMarker {
            path: path.to_owned(),
        });
    }
    let mut raw = [0; 16];
    secret::random_bytes(&mut raw).map_err(|_| OpenError::File {
        doing: "get random bytes for",
        path: path.to_owned(),
        reason: "the system gives none".to_owned(),
    })?;
    let id = secret::hex(&raw).to_string();
    // Whoever took marker and database away starts anew.
    open_own(&path.join(SEQUENCE), true)?;
    create_database(&path.join(UNFINISHED), &id, seal)?;
    let marker = Marker { format: FORMAT, id };
    write_marker(path, &marker)?;
    Ok(marker)
}

fn create_database(path: &Path, id: &str, seal: &Seal) -> Result<(), OpenError> {
    let file = open_own(path, true)?;
    let database = FileBackend::new(file)
        .and_then(|backend| builder().create_with_backend(backend))
        .map_err(|error| database_error(path, error))?;
    database::create(&database, id, seal).map_err(|error| database_error(path, error))
}

fn database_error(path: &Path, error: impl fmt::Display) -> OpenError {
    OpenError::File {
        doing: "create",
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

/// A disk that fails or is full is not damage: whoever restores a backup for it
/// loses what was revoked since.
fn failed(path: &Path, error: impl Into<Failed>) -> OpenError {
    let error = error.into();
    if let Failed::Io(error) = &error
        && !matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData
        )
    {
        return file_error("use", path, error);
    }
    corrupt(path, error)
}

fn corrupt(path: &Path, reason: impl fmt::Display) -> OpenError {
    OpenError::Corrupt {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
