//! A store as lines of JSON: to look at, to back up, to move.
//!
//! The first line says what the file is, the last that it is whole; between
//! them is one entry a line, keysets last. `docs/store.md` shows each.

mod line;
mod read;
mod write;

use crate::error::StoreError;

pub(crate) use line::{Id, Kind, Line};
pub use read::ExportFile;
pub(crate) use write::write;

/// The format of the lines. 1 knew no names of access keys.
pub(crate) const VERSION: u64 = 2;

/// Whether secrets are in an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller chooses one")]
pub enum ExportSecrets {
    /// They are left out: keysets are named, and cannot be made from it.
    LeaveOut,
    /// They are in it as the database holds them: in plain, or sealed.
    Include,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// Entries: lines but the first and the last.
    pub entries: u64,
    /// Bytes.
    pub bytes: u64,
    /// The last commit that is in it.
    pub sequence: u64,
}

/// Why there is no export, or none that can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The file cannot be read or written.
    #[error("cannot {doing} the export: {reason}")]
    File {
        /// What was tried.
        doing: &'static str,
        /// What the system says.
        reason: String,
    },
    /// Not one of ours, or damaged.
    #[error("line {line} of the export is {what}")]
    Line {
        /// Which, from 1.
        line: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A newer version wrote it.
    #[error(
        "the export has version {found} and this version reads up to {VERSION}; use the version \
         that wrote it, or a newer one"
    )]
    Newer {
        /// What it says.
        found: u64,
    },
    /// Its end is missing.
    #[error("the export breaks off after line {lines}; take a whole one")]
    Truncated {
        /// Lines that are there.
        lines: u64,
    },
    /// Something in it was changed.
    #[error("the export is damaged: its last line does not match what is before it")]
    Damaged,
    /// Its secrets are sealed under a key that is not ours.
    #[error(
        "the secrets in the export are sealed under the master key {needed}; give that one, or \
         restore under it and then use `usher store rekey`"
    )]
    Sealed {
        /// The id of the key.
        needed: String,
    },
    /// It has no secrets.
    #[error("the export has no secrets, so no keyset can be made from it; export with --secrets")]
    NoSecrets,
    /// It would lose what is there.
    #[error("`{path}` is there already; restore into a new directory, or use `usher store import`")]
    NotEmpty {
        /// The directory.
        path: std::path::PathBuf,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store to restore into does not open.
    #[error(transparent)]
    Open(#[from] crate::error::OpenError),
}
