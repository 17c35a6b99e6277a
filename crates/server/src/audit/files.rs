//! The files of the log: named by their first entry, read in order.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::chain::{AuditChain, AuditHead, ChainFault, Link};

/// Where the log is inside a data directory.
pub(super) const DIRECTORY: &str = "audit";

/// The head, beside the files: see [`Files::note_head`].
const HEAD: &str = "head";

/// Longest line, in bytes; what is written has far less.
const LINE_BYTES_MAX: u64 = 256 * 1024;

/// How a log was found at the start.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) head: AuditHead,
    /// The file to go on with, its length, and when its last entry was made.
    pub(super) last: Option<(File, u64, u64)>,
    /// Bytes of a last line that was half written, and are gone now.
    pub(super) torn: u64,
    /// The head that was noted, when it is not the one that was found.
    pub(super) noted: Option<AuditHead>,
}

/// The directory of a log.
#[derive(Clone, Debug)]
pub(super) struct Files {
    directory: PathBuf,
}

impl Files {
    pub(super) fn of(data_dir: &Path) -> Self {
        Self {
            directory: data_dir.join(DIRECTORY),
        }
    }

    /// The number of the first entry and the path of each file, in order.
    fn list(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            if !entry.file_type()?.is_file() {
                continue;
            }
            let path = entry.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let first = name
                .and_then(|name| name.strip_prefix("audit-")?.strip_suffix(".jsonl"))
                .and_then(|digits| digits.parse().ok());
            files.extend(first.map(|first| (first, path)));
        }
        files.sort();
        Ok(files)
    }

    /// Makes the directory, and finds where the log ends.
    pub(super) fn find(&self) -> io::Result<Found> {
        match DirBuilder::new().mode(0o700).create(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut found = Found::default();
        for (_, path) in self.list()?.into_iter().rev() {
            let mut file = own().open(&path)?;
            let (line, whole, length) = last_line(&mut file)?;
            if whole < length {
                file.set_len(whole)?;
                found.torn = found.torn.saturating_add(length.saturating_sub(whole));
            }
            let Some(line) = line else {
                // It was made and nothing was written to it.
                drop(file);
                fs::remove_file(&path)?;
                continue;
            };
            let link: Link = serde_json::from_slice(&line).map_err(|_| {
                io::Error::other(format!(
                    "the last line of {} is no entry; move the directory away to begin a new log",
                    path.display()
                ))
            })?;
            found.head = AuditHead::of(link.seq, &line);
            found.last = Some((file, whole, link.at));
            break;
        }
        let noted = self.noted_head();
        found.noted = noted.filter(|noted| {
            noted.seq > found.head.seq || (noted.seq == found.head.seq && *noted != found.head)
        });
        Ok(found)
    }

    /// A new file whose first entry is `first`.
    pub(super) fn begin(&self, first: u64) -> io::Result<File> {
        let path = self.directory.join(format!("audit-{first:020}.jsonl"));
        let file = own().create(true).truncate(false).open(path)?;
        File::open(&self.directory).and_then(|directory| directory.sync_all())?;
        Ok(file)
    }

    /// Deletes the oldest files but `keep`.
    pub(super) fn keep(&self, keep: usize) -> io::Result<()> {
        let files = self.list()?;
        let surplus = files.len().saturating_sub(keep);
        for (_, path) in files.into_iter().take(surplus) {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// Notes the head beside the log, so that the next start sees whether the
    /// log was cut. It is not synced and proves nothing to whoever can write
    /// here: a head that is kept elsewhere does.
    pub(super) fn note_head(&self, head: &AuditHead) -> io::Result<()> {
        let text = format!("{:020}:{}\n", head.seq, head.hash);
        own()
            .create(true)
            .truncate(false)
            .open(self.directory.join(HEAD))?
            .write_all_at(text.as_bytes(), 0)
    }

    fn noted_head(&self) -> Option<AuditHead> {
        let text = fs::read_to_string(self.directory.join(HEAD)).ok()?;
        text.parse().ok()
    }

    /// Shows every whole line from entry `from` on to `visit`, until it is
    /// false, with the number that it should have. A line without its end is just being written.
    pub(super) fn lines(
        &self,
        from: u64,
        visit: &mut dyn FnMut(u64, &[u8]) -> bool,
    ) -> io::Result<()> {
        let files = self.list()?;
        let later = files.iter().skip(1).map(|(first, _)| *first);
        let ends: Vec<u64> = later.chain([u64::MAX]).collect();
        for ((first, path), end) in files.iter().zip(ends) {
            if end <= from {
                continue;
            }
            let mut seq = *first;
            let mut file = BufReader::new(File::open(path)?);
            let mut line = Vec::new();
            loop {
                line.clear();
                (&mut file)
                    .take(LINE_BYTES_MAX)
                    .read_until(b'\n', &mut line)?;
                let Some((b'\n', whole)) = line.split_last() else {
                    break;
                };
                if seq >= from && !visit(seq, whole) {
                    return Ok(());
                }
                seq = seq.saturating_add(1);
            }
        }
        Ok(())
    }

    /// Follows the whole log.
    pub(super) fn verify(
        &self,
        mut chain: AuditChain,
    ) -> io::Result<Result<AuditChain, ChainFault>> {
        // Before the lines: they may grow meanwhile.
        let noted = self.noted_head();
        let mut of_noted = AuditChain::with(noted);
        let mut fault = None;
        self.lines(0, &mut |seq, line| {
            let followed = chain
                .follow(line)
                .and_then(|()| of_noted.follow(line))
                .and_then(|()| chain.is_at(seq));
            fault = followed.err();
            fault.is_none()
        })?;
        let ended = || of_noted.finish().map(drop);
        let ends = fault.map_or(Ok(()), Err).and_then(|()| ended());
        Ok(ends.map(|()| chain))
    }
}

fn own() -> fs::OpenOptions {
    let mut options = File::options();
    options.read(true).write(true).mode(0o600);
    options
}

/// The last whole line of a file, up to where its lines are whole, and how
/// long it is.
fn last_line(file: &mut File) -> io::Result<(Option<Vec<u8>>, u64, u64)> {
    let length = file.metadata()?.len();
    let start = length.saturating_sub(LINE_BYTES_MAX.saturating_mul(2));
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let Some(end) = tail.iter().rposition(|byte| *byte == b'\n') else {
        return if start == 0 {
            Ok((None, 0, length))
        } else {
            Err(io::Error::other(
                "the end of the audit log is no text of ours",
            ))
        };
    };
    let (lines, _) = tail.split_at(end);
    let line = lines
        .rsplit(|byte| *byte == b'\n')
        .next()
        .map(<[u8]>::to_vec);
    let end = u64::try_from(end).unwrap_or(u64::MAX);
    Ok((line, start.saturating_add(end).saturating_add(1), length))
}
