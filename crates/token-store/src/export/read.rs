//! From lines to entries; nothing of a file is used before all of it was read.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};
use zeroize::Zeroizing;

use super::line::{Head, Line, Secrets};
use super::{ExportError, VERSION};
use crate::master_key::Seal;
use crate::progress::Progress;
use crate::secret;

/// Longest line, in bytes. A keyset with its four keys has less than 4 KiB.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// An export that was read to its end: it is whole, and every line is one that
/// can be imported.
#[derive(Debug)]
pub struct ExportFile {
    path: PathBuf,
    head: Head,
    entries: u64,
}

impl ExportFile {
    /// Reads the whole file.
    ///
    /// # Errors
    ///
    /// [`ExportError`] with the line, when it is not whole, changed, or not
    /// one of ours.
    pub fn open(path: &Path, progress: &mut Progress<'_>) -> Result<Self, ExportError> {
        let mut lines = Lines::open(path)?;
        let mut entries: u64 = 0;
        while lines.next_entry()?.is_some() {
            entries = entries.saturating_add(1);
            progress.step();
        }
        Ok(Self {
            path: path.to_owned(),
            head: lines.head,
            entries,
        })
    }

    /// How many entries it has.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// The id of the store that it is of.
    #[must_use]
    pub fn store(&self) -> &str {
        &self.head.store
    }

    /// The last commit that is in it.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.head.sequence
    }

    /// When it was made, in seconds since 1970.
    #[must_use]
    pub const fn made_at(&self) -> u64 {
        self.head.made_at
    }

    /// Whether it has the secrets, plain or sealed.
    #[must_use]
    pub fn has_secrets(&self) -> bool {
        self.head.secrets != Secrets::None
    }

    /// The seal of its secrets, which `ours` opens.
    pub(crate) fn seal(&self, ours: &Seal) -> Result<Seal, ExportError> {
        match (&self.head.secrets, &self.head.sealed_by) {
            (Secrets::None | Secrets::Plain, _) => Ok(Seal::default()),
            (Secrets::Sealed, Some(needed)) if ours.id() == Some(needed) => Ok(ours.clone()),
            (Secrets::Sealed, needed) => Err(ExportError::Sealed {
                needed: needed.clone().unwrap_or_default(),
            }),
        }
    }

    pub(crate) fn lines(&self) -> Result<Lines, ExportError> {
        Lines::open(&self.path)
    }
}

/// The entries of a file, one after the other. The last is followed by nothing
/// only when the file is whole.
pub(crate) struct Lines {
    file: BufReader<File>,
    head: Head,
    digest: Context,
    entries: u64,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, ExportError> {
        let file = File::open(path).map_err(|error| unreadable(&error))?;
        let mut file = BufReader::with_capacity(256 * 1024, file);
        let line = read_line(&mut file, 1)?.ok_or(ExportError::Truncated { lines: 0 })?;
        let head = read_head(&line)?;
        let mut digest = Context::new(&SHA256);
        digest.update(&line);
        Ok(Self {
            file,
            head,
            digest,
            entries: 0,
        })
    }

    /// The next entry; `None` after the last, when everything matches.
    pub(crate) fn next_entry(&mut self) -> Result<Option<Line>, ExportError> {
        let number = self.entries.saturating_add(2);
        let lines = number.saturating_sub(1);
        let line = read_line(&mut self.file, number)?.ok_or(ExportError::Truncated { lines })?;
        let wrong = |what| ExportError::Line { line: number, what };
        let entry = serde_json::from_slice(&line).map_err(|_| wrong("not one that can be read"))?;
        if let Line::End { entries, sha256 } = entry {
            let digest = self.digest.clone().finish();
            if entries != self.entries || *secret::hex(digest.as_ref()) != sha256 {
                return Err(ExportError::Damaged);
            }
            return match read_line(&mut self.file, number.saturating_add(1))? {
                None => Ok(None),
                Some(_) => Err(wrong("the last, and more follows")),
            };
        }
        self.digest.update(&line);
        self.entries = self.entries.saturating_add(1);
        Ok(Some(entry))
    }
}

fn read_head(line: &[u8]) -> Result<Head, ExportError> {
    #[derive(serde::Deserialize)]
    struct Version {
        usher_export: u64,
    }
    let wrong = |_| ExportError::Line {
        line: 1,
        what: "not that of an export",
    };
    // Alone: a newer one may have other fields.
    let Version { usher_export } = serde_json::from_slice(line).map_err(wrong)?;
    if usher_export > VERSION {
        return Err(ExportError::Newer {
            found: usher_export,
        });
    }
    serde_json::from_slice(line).map_err(wrong)
}

/// The next line with its end; `None` at the end of the file. A last line
/// without its end is cut off.
fn read_line(
    file: &mut BufReader<File>,
    number: u64,
) -> Result<Option<Zeroizing<Vec<u8>>>, ExportError> {
    let mut line = Zeroizing::new(Vec::with_capacity(512));
    file.by_ref()
        .take(LINE_BYTES_MAX)
        .read_until(b'\n', &mut line)
        .map_err(|error| unreadable(&error))?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) if u64::try_from(line.len()) == Ok(LINE_BYTES_MAX) => Err(ExportError::Line {
            line: number,
            what: "too long",
        }),
        Some(_) => Err(ExportError::Truncated {
            lines: number.saturating_sub(1),
        }),
    }
}

fn unreadable(error: &std::io::Error) -> ExportError {
    ExportError::File {
        doing: "read",
        reason: error.to_string(),
    }
}
