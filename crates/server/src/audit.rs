//! The audit log: who changed what, as lines that are chained by their hashes.
//!
//! Everything that changes a store goes through [`Service`](crate::Service),
//! and is written down there. One thread writes; a decision never waits for
//! it. `docs/audit.md` has the format.

mod chain;
mod entry;
mod files;
mod sample;
mod writer;

use core::num::NonZeroUsize;
use core::str::FromStr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use serde::Deserialize;
use serde_json::{Map, Value};
use token_core::UnixSeconds;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::metrics::AuditMetrics;
pub use chain::{AuditChain, AuditHead, ChainFault, InvalidAuditHead};
pub(crate) use entry::{Actor, By, Entry, Event};
use files::Files;
use sample::Sampler;
use writer::{Message, Writer};

/// How the audit log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditOptions {
    /// What happens while it cannot be written. Default: everything goes on.
    pub on_failure: OnAuditFailure,
    /// When a file is large enough for another to begin, in bytes. Default
    /// 64 MiB. Another begins at midnight (UTC), too.
    pub file_bytes: u64,
    /// How many files are kept. Default: all of them.
    pub keep_files: Option<NonZeroUsize>,
    /// How many denials are written in a second, and how many credentials that
    /// were refused. Default 10.
    pub denials_per_second: u64,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self {
            on_failure: OnAuditFailure::Serve,
            file_bytes: 64 * 1024 * 1024,
            keep_files: None,
            denials_per_second: 10,
        }
    }
}

/// What happens while the audit log cannot be written. Decisions go on always,
/// and so does whatever takes access away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the two that there are")]
pub enum OnAuditFailure {
    /// Everything goes on. What found no room in memory is counted, and the
    /// log says how much it was.
    Serve,
    /// What gives access is refused: grants, new keysets and keys, settings.
    Refuse,
}

/// What the text of an [`OnAuditFailure`] must be.
pub(crate) const ON_FAILURE: &str = "`serve` or `refuse`";

impl FromStr for OnAuditFailure {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "serve" => Ok(Self::Serve),
            "refuse" => Ok(Self::Refuse),
            _ => Err(()),
        }
    }
}

/// Most messages that wait to be written.
const QUEUE: usize = 16_384;

/// How long a change waits for its entry.
const PATIENCE: Duration = Duration::from_secs(2);

/// The audit log of a service.
#[derive(Debug)]
pub(crate) struct Audit {
    queue: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<()>>,
    files: Files,
    on_failure: OnAuditFailure,
    shared: Arc<Shared>,
    denials: Sampler,
    refused: Sampler,
}

/// What the writer tells.
#[derive(Debug, Default)]
struct Shared {
    failing: AtomicBool,
    head: ArcSwap<AuditHead>,
    metrics: AuditMetrics,
}

impl Audit {
    /// Opens the log of a data directory, and makes it if there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be written, and that is a reason to refuse.
    pub(crate) fn open(
        data_dir: &Path,
        options: AuditOptions,
        metrics: AuditMetrics,
        now: UnixSeconds,
    ) -> io::Result<Self> {
        let files = Files::of(data_dir);
        let shared = Arc::new(Shared {
            failing: AtomicBool::new(false),
            head: ArcSwap::default(),
            metrics,
        });
        let mut writer = Writer::new(files.clone(), options, Arc::clone(&shared));
        let opened = writer.open(now.0);
        writer.note(&opened);
        if options.on_failure == OnAuditFailure::Refuse {
            opened?;
        }
        let (queue, messages) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(&messages))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
            files,
            on_failure: options.on_failure,
            shared,
            denials: Sampler::new(options.denials_per_second),
            refused: Sampler::new(options.denials_per_second),
        })
    }

    /// Whether what gives access must be refused now.
    pub(crate) fn refuses(&self) -> bool {
        self.on_failure == OnAuditFailure::Refuse && self.shared.failing.load(Ordering::Acquire)
    }

    /// Writes what was changed; it is out of this process when this returns,
    /// or the log is failing.
    pub(crate) async fn changed(&self, entries: Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        let Some(queue) = self.queue.clone() else {
            return;
        };
        let (done, written) = oneshot::channel();
        let message = Message {
            entries,
            done: Some(done),
        };
        let sent = match queue.try_send(message) {
            // There is much to write: wait for room, on another thread.
            Err(TrySendError::Full(message)) => {
                let send = tokio::task::spawn_blocking(move || queue.send(message).is_ok());
                timeout(PATIENCE, send).await.is_ok()
            }
            Ok(()) | Err(TrySendError::Disconnected(_)) => true,
        };
        if !sent || timeout(PATIENCE, written).await.is_err() {
            tracing::warn!("the audit log is slow; a change did not wait for its entry");
        }
    }

    /// Writes without waiting. Whether there was room.
    pub(crate) fn note(&self, entry: Entry) -> bool {
        let message = Message {
            entries: vec![entry],
            done: None,
        };
        let queue = self.queue.as_ref();
        let sent = queue.is_some_and(|queue| queue.try_send(message).is_ok());
        if !sent {
            self.shared.metrics.lost.inc();
        }
        sent
    }

    /// Writes a denial, if it is one of the sample.
    pub(crate) fn denied(&self, now: UnixSeconds, entry: impl FnOnce() -> Entry) {
        self.sampled(&self.denials, now, entry);
    }

    /// Writes that a credential was refused, if it is one of the sample.
    pub(crate) fn credential_refused(&self, now: UnixSeconds, entry: impl FnOnce() -> Entry) {
        self.sampled(&self.refused, now, entry);
    }

    fn sampled(&self, sampler: &Sampler, now: UnixSeconds, entry: impl FnOnce() -> Entry) {
        if let Some(skipped) = sampler.take(now) {
            let mut entry = entry();
            if skipped > 0 {
                entry = entry.with("skipped", skipped);
            }
            if !self.note(entry) {
                sampler.skip();
            }
        }
    }

    /// The head, as far as it is written.
    pub(crate) fn head(&self) -> Arc<AuditHead> {
        self.shared.head.load_full()
    }

    /// Up to `limit` lines after entry `after`.
    pub(crate) fn page(&self, after: u64, limit: usize) -> io::Result<Vec<String>> {
        page(&self.files, after, limit)
    }
}

impl Drop for Audit {
    /// Lets the thread write what was submitted.
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn page(files: &Files, after: u64, limit: usize) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    if limit == 0 {
        return Ok(lines);
    }
    files.lines(after.saturating_add(1), &mut |_, line| {
        lines.push(String::from_utf8_lossy(line).into_owned());
        lines.len() < limit
    })?;
    Ok(lines)
}

/// What can be done to the store of a stopped server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreChange {
    /// Everything was written into a file.
    Exported,
    /// A file was added.
    Imported,
    /// The store was made from a backup.
    Restored,
    /// The database was written anew.
    Compacted,
    /// Its secrets were sealed under another master key.
    Rekeyed,
}

impl From<StoreChange> for Event {
    fn from(change: StoreChange) -> Self {
        match change {
            StoreChange::Exported => Self::StoreExported,
            StoreChange::Imported => Self::StoreImported,
            StoreChange::Restored => Self::StoreRestored,
            StoreChange::Compacted => Self::StoreCompacted,
            StoreChange::Rekeyed => Self::StoreRekeyed,
        }
    }
}

/// The audit log of a data directory, without its server.
#[derive(Clone, Debug)]
pub struct AuditLog {
    files: Files,
}

impl AuditLog {
    /// The log in `data_dir`; it need not be there.
    #[must_use]
    pub fn of(data_dir: &Path) -> Self {
        let files = Files::of(data_dir);
        Self { files }
    }

    /// Up to `limit` lines after entry `after`, as they stand.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn page(&self, after: u64, limit: usize) -> io::Result<Vec<String>> {
        page(&self.files, after, limit)
    }

    /// Writes down what was done to the store of a stopped server; it is on the
    /// disk when this returns. Hold the store meanwhile, so that no server starts
    /// and writes, too.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn store_changed(
        &self,
        change: StoreChange,
        at: UnixSeconds,
        details: Map<String, Value>,
    ) -> io::Result<()> {
        let actor = Actor::new(By::DataDirectory, None);
        let entry = Entry::new(change.into(), at).by(actor);
        let entry = details
            .into_iter()
            .fold(entry, |entry, (name, value)| entry.with(&name, value));
        let options = AuditOptions::default();
        Writer::new(self.files.clone(), options, Arc::default()).write_now(entry)
    }

    /// Follows the whole log: every entry is there and as it was written, up
    /// to the head that was noted beside it. `known` is a head of an earlier
    /// time, kept elsewhere.
    ///
    /// # Errors
    ///
    /// When a file cannot be read; inside, where the chain is broken.
    pub fn verify(&self, known: Option<AuditHead>) -> io::Result<Result<AuditChain, ChainFault>> {
        let chain = self.files.verify(AuditChain::with(known))?;
        Ok(chain.and_then(|chain| chain.finish().map(drop).map(|()| chain)))
    }
}
