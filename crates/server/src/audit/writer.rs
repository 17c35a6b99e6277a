//! The thread that writes: what waits while it writes goes with the next write.

use core::sync::atomic::Ordering;
use core::time::Duration;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use tokio::sync::oneshot;

use super::chain::AuditHead;
use super::entry::{Actor, By, Entry, Event};
use super::files::{Files, Found};
use super::{AuditOptions, Shared};

/// Something to write.
pub(super) struct Message {
    pub(super) entries: Vec<Entry>,
    /// Told whether it was written.
    pub(super) done: Option<oneshot::Sender<bool>>,
}

/// Most entries that are kept while the disk takes none: about 10 MB.
const KEPT_MAX: usize = 20_000;

/// How long to wait before a disk that took nothing is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// Most messages that share a write.
const MESSAGES_PER_WRITE_MAX: usize = 4_096;

const SECONDS_PER_DAY: u64 = 86_400;

pub(super) struct Writer {
    files: Files,
    options: AuditOptions,
    shared: Arc<Shared>,
    /// None until it was found where the log ends.
    open: Option<Open>,
    kept: VecDeque<Entry>,
    /// Entries that found no room.
    lost: u64,
    /// The time of the last entry, for those of the log about itself.
    at: u64,
}

struct Open {
    head: AuditHead,
    file: Option<Current>,
}

struct Current {
    file: File,
    bytes: u64,
    day: u64,
}

impl Writer {
    pub(super) fn new(files: Files, options: AuditOptions, shared: Arc<Shared>) -> Self {
        Self {
            files,
            options,
            shared,
            open: None,
            kept: VecDeque::new(),
            lost: 0,
            at: 0,
        }
    }

    /// Finds where the log ends; what was wrong there is its next entry.
    pub(super) fn open(&mut self, at: u64) -> io::Result<()> {
        let Found {
            head,
            last,
            torn,
            noted,
        } = self.files.find()?;
        let mut found = Vec::new();
        let about_itself = |event| {
            let actor = Actor::new(By::Server, None);
            Entry::new(event, token_core::UnixSeconds(at)).by(actor)
        };
        if torn > 0 {
            tracing::warn!(bytes = torn, "the last line of the audit log was cut off");
            found.push(about_itself(Event::LogRepaired).with("bytes", torn));
        }
        if let Some(noted) = noted {
            tracing::error!(%noted, found = %head, "the audit log is not the one that was written");
            let entry = about_itself(Event::LogTruncated);
            found.push(
                entry
                    .with("noted", noted.to_string())
                    .with("found", head.to_string()),
            );
        }
        tracing::info!(%head, "audit log open");
        let file = last.map(|(file, bytes, at)| Current {
            file,
            bytes,
            day: day(at),
        });
        self.open = Some(Open { head, file });
        for entry in found.into_iter().rev() {
            self.kept.push_front(entry);
        }
        Ok(())
    }

    /// Writes one entry; it is on the disk when this returns.
    pub(super) fn write_now(&mut self, entry: Entry) -> io::Result<()> {
        self.open(entry.at)?;
        self.keep(entry);
        self.write()?;
        self.sync()
    }

    /// Writes until nobody has anything to say any more.
    pub(super) fn run(mut self, queue: &Receiver<Message>) {
        loop {
            let first = if self.kept.is_empty() && self.lost == 0 {
                queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                queue.recv_timeout(RETRY_EVERY)
            };
            let first = match first {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let more = queue.try_iter().take(MESSAGES_PER_WRITE_MAX);
            let messages: Vec<Message> = first.into_iter().chain(more).collect();
            self.take(messages);
        }
        if !self.kept.is_empty() {
            self.take(Vec::new());
        }
        if let Some(open) = &self.open {
            tracing::info!(head = %open.head, "audit log closed");
        }
    }

    fn take(&mut self, messages: Vec<Message>) {
        let mut waiting = Vec::new();
        for message in messages {
            waiting.extend(message.done);
            for entry in message.entries {
                self.at = entry.at;
                self.keep(entry);
            }
        }
        let written = self.write();
        self.note(&written);
        for done in waiting {
            // Whoever went away does not care.
            let _gone = done.send(written.is_ok());
        }
        if written.is_ok() {
            let synced = self.sync();
            self.note(&synced);
        } else {
            // A sample of what happened long ago helps nobody.
            self.kept.retain(|entry| !entry.is_sample());
        }
    }

    fn keep(&mut self, entry: Entry) {
        if self.kept.len() < KEPT_MAX {
            self.kept.push_back(entry);
        } else {
            self.lost = self.lost.saturating_add(1);
            self.shared.metrics.lost.inc();
        }
    }

    /// Writes everything that is kept, or nothing of what is left then.
    fn write(&mut self) -> io::Result<()> {
        if self.open.is_none() {
            self.open(self.at)?;
        }
        if self.lost > 0 {
            let actor = Actor::new(By::Server, None);
            let entry = Entry::new(Event::EntriesLost, token_core::UnixSeconds(self.at));
            let entry = entry.by(actor).with("entries", self.lost);
            self.lost = 0;
            self.kept.push_back(entry);
        }
        while !self.kept.is_empty() {
            self.write_some()?;
        }
        Ok(())
    }

    /// Writes what is kept and goes into one file.
    fn write_some(&mut self) -> io::Result<()> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let first = self.kept.front().map_or(0, |entry| day(entry.at));
        if open
            .file
            .as_ref()
            .is_none_or(|file| file.day != first || file.bytes >= self.options.file_bytes)
        {
            let file = self.files.begin(open.head.seq.saturating_add(1))?;
            if let Some(full) = open.file.replace(Current {
                file,
                bytes: 0,
                day: first,
            }) {
                drop(full.file.sync_data());
                tracing::info!(head = %open.head, "audit log goes on in another file");
                if let Some(keep) = self.options.keep_files {
                    self.files.keep(keep.get())?;
                }
            }
        }
        let Some(current) = &mut open.file else {
            return Ok(());
        };
        let mut text = Vec::new();
        let mut head = open.head.clone();
        let mut count: usize = 0;
        for entry in &self.kept {
            let long = u64::try_from(text.len()).unwrap_or(u64::MAX);
            let is_full = current.bytes.saturating_add(long) >= self.options.file_bytes;
            if count > 0 && (is_full || day(entry.at) != current.day) {
                break;
            }
            let line = entry.line(head.seq.saturating_add(1), &head.hash);
            head = AuditHead::of(head.seq.saturating_add(1), &line);
            text.extend_from_slice(&line);
            text.push(b'\n');
            count = count.saturating_add(1);
        }
        if let Err(error) = current.file.write_all_at(&text, current.bytes) {
            // Half a line may be there; where even this fails, it is cut off
            // when the log is opened again.
            drop(current.file.set_len(current.bytes));
            self.open = None;
            return Err(error);
        }
        current.bytes = current
            .bytes
            .saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
        open.head = head;
        self.kept.drain(..count);
        self.shared
            .metrics
            .written
            .inc_by(u64::try_from(count).unwrap_or(0));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        let head = open.head.clone();
        let current = open.file.as_ref();
        let synced = current.map_or(Ok(()), |current| current.file.sync_data());
        let noted = self.files.note_head(&head);
        synced.and(noted)
    }

    /// Says how it goes: in the log when that changes.
    pub(super) fn note(&self, written: &io::Result<()>) {
        let was = self.shared.failing.swap(written.is_err(), Ordering::AcqRel);
        self.shared.metrics.failing.set(i64::from(written.is_err()));
        match written {
            Err(error) if !was => {
                tracing::error!(%error, "the audit log cannot be written");
            }
            Ok(()) if was => tracing::info!("the audit log is written again"),
            Ok(()) | Err(_) => {}
        }
        if let Some(open) = &self.open {
            let seq = i64::try_from(open.head.seq).unwrap_or(i64::MAX);
            self.shared.metrics.sequence.set(seq);
            self.shared.head.store(Arc::new(open.head.clone()));
        }
    }
}

const fn day(at: u64) -> u64 {
    at / SECONDS_PER_DAY
}
