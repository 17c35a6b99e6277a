//! The one thread that writes. What waits while it commits shares the next
//! commit.

use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use redb::{Database, WriteTransaction};

use crate::database::{self, Failed};
use crate::directory::Directory;
use crate::error::StoreError;
use crate::log::LogPosition;
use crate::memory::Memory;
use crate::notice::Notice;
use crate::prune::{self, ClockWatch, Pruned, Signers};

mod access_keys;
mod accounts;
mod add;
mod job;
mod keysets;
mod merge;
mod revoke;

pub(crate) use add::Addition;
pub(crate) use job::{Done, Effect, Job};
use job::{Told, settle};

/// Most jobs that share a commit.
const JOBS_PER_COMMIT_MAX: usize = 1_024;

/// Most jobs that wait for a commit; of whole batches they take about 100 MB.
const JOBS_WAITING_MAX: usize = 1_024;

/// The handle of the thread.
#[derive(Debug)]
pub(crate) struct Writer {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(
        directory: Directory,
        database: Arc<Database>,
        memory: Arc<Memory>,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(JOBS_WAITING_MAX);
        let watch = ClockWatch::new(&*memory.clock);
        let has_log = database::read_log(&database).map_err(std::io::Error::other)?;
        let worker = Worker {
            has_log: has_log.is_some(),
            directory,
            database: Some(database),
            memory,
            watch,
        };
        let thread = std::thread::Builder::new()
            .name("token-store".to_owned())
            .spawn(move || worker.run(&queue))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    pub(crate) fn submit(&self, job: Job) {
        let Some(jobs) = &self.jobs else {
            return job.fail(StoreError::Closed);
        };
        match jobs.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(job)) => job.fail(unavailable("too many changes are waiting")),
            Err(TrySendError::Disconnected(job)) => job.fail(StoreError::Closed),
        }
    }
}

impl Drop for Writer {
    /// Lets the thread finish what was submitted.
    fn drop(&mut self) {
        drop(self.jobs.take());
        // A callback that held the last clone drops it on the thread itself.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            drop(thread.join());
        }
    }
}

struct Worker {
    directory: Directory,
    /// None after a commit failed, until the file was read again.
    database: Option<Arc<Database>>,
    memory: Arc<Memory>,
    watch: ClockWatch,
    /// Whether changes of ours are for a shared log, too: once there was one.
    has_log: bool,
}

impl Worker {
    fn run(mut self, queue: &Receiver<Job>) {
        while let Ok(first) = queue.recv() {
            let rest = queue.try_iter().take(JOBS_PER_COMMIT_MAX.saturating_sub(1));
            let jobs: Vec<Job> = core::iter::once(first).chain(rest).collect();
            self.write(jobs);
        }
        if let Some(database) = &self.database {
            // If this fails, the next process assumes the worst.
            drop(self.memory.leave_issued(database));
        }
    }

    fn write(&mut self, jobs: Vec<Job>) {
        let database = match self.usable_database() {
            Ok(database) => database,
            Err(error) => return jobs.into_iter().for_each(|job| job.fail(error.clone())),
        };
        let mut waiting: Vec<Told> = Vec::with_capacity(jobs.len());
        let committed = self.commit(&database, jobs, &mut waiting);
        let told = match committed {
            Ok((effects, sequence)) => {
                let memory = &self.memory;
                let notice = Notice::of(&effects, sequence);
                effects.into_iter().for_each(|effect| memory.apply(effect));
                // Last: whoever sees this number sees what it counts.
                memory.set_sequence(sequence);
                memory.observers.tell(&notice);
                Ok(())
            }
            Err(error) => {
                // What reached the disk is unknown until it is read again.
                self.database = None;
                self.memory.database.store(None);
                drop(database);
                Err(unavailable(error))
            }
        };
        for tell in waiting {
            // A callback that panics costs nobody else the writer.
            drop(catch_unwind(AssertUnwindSafe(|| tell(told.clone()))));
        }
    }

    /// The database, opened again and read again if the last commit failed.
    fn usable_database(&mut self) -> Result<Arc<Database>, StoreError> {
        if let Some(database) = &self.database {
            return Ok(Arc::clone(database));
        }
        let database = self.directory.reopen_database().map_err(unavailable)?;
        self.memory.load(&database).map_err(unavailable)?;
        let database = Arc::new(database);
        self.memory.database.store(Some(Arc::clone(&database)));
        self.database = Some(Arc::clone(&database));
        let anew = Notice::anew(self.memory.sequence());
        self.memory.observers.tell(&anew);
        Ok(database)
    }

    /// Does `jobs` in one transaction. Whoever waits for one is put into
    /// `waiting` before anything can fail.
    fn commit(
        &mut self,
        database: &Database,
        jobs: Vec<Job>,
        waiting: &mut Vec<Told>,
    ) -> Result<(Vec<Effect>, u64), Failed> {
        let mut jobs = jobs.into_iter();
        let mut effects = Vec::new();
        let mut work = || {
            let transaction = database::begin(database)?;
            for job in jobs.by_ref() {
                let before = effects.len();
                let is_ours = !matches!(job, Job::Merge(..));
                self.perform(&transaction, job, &mut effects, waiting)?;
                if is_ours && self.has_log {
                    let new = effects.get(before..).unwrap_or_default();
                    database::note(&transaction, new)?;
                }
            }
            let sequence = database::next_sequence(&transaction)?;
            transaction.commit()?;
            self.directory.note_sequence(sequence);
            Ok(sequence)
        };
        let result: Result<u64, Failed> = work();
        // Those that were not begun fail with the rest.
        for job in jobs {
            waiting.push(Box::new(|result| {
                if let Err(error) = result {
                    job.fail(error);
                }
            }));
        }
        result.map(|sequence| (effects, sequence))
    }

    fn perform(
        &mut self,
        transaction: &WriteTransaction,
        job: Job,
        effects: &mut Vec<Effect>,
        waiting: &mut Vec<Told>,
    ) -> Result<(), Failed> {
        match job {
            Job::Revoke(revocations, done) => {
                let outcomes = self.revoke(transaction, &revocations, effects);
                settle(outcomes, done, waiting)
            }
            Job::Keyset(change, done) => {
                let keyset = self.change_keyset(transaction, *change, effects);
                settle(keyset, done, waiting)
            }
            Job::Account(change, done) => {
                let changed = self.change_account(transaction, *change, effects);
                settle(changed, done, waiting)
            }
            Job::AccessKey(change, done) => {
                let now = self.memory.clock.now();
                let changed = access_keys::change_access_key(transaction, change, now, effects);
                settle(changed, done, waiting)
            }
            Job::Add(additions, done) => {
                let added = self.add(transaction, additions, effects);
                settle(added, done, waiting)
            }
            Job::Attach(position, done) => {
                let attached = attach(transaction, &position);
                self.has_log = self.has_log || attached.is_ok();
                settle(attached.map(Ok), done, waiting)
            }
            Job::Merge(merge, done) => {
                let merged = self.merge(transaction, merge, effects);
                settle(merged, done, waiting)
            }
            Job::Prune(done) => {
                let pruned = self.prune(transaction, effects);
                settle(pruned.map(Ok), done, waiting)
            }
        }
    }

    fn prune(
        &mut self,
        transaction: &WriteTransaction,
        effects: &mut Vec<Effect>,
    ) -> Result<Pruned, Failed> {
        if !self.watch.agreed(&*self.memory.clock) {
            return Ok(Pruned::default());
        }
        // Not those in memory: one may have changed in this very commit.
        let keysets = database::keysets(transaction, &self.memory.seal)?;
        let accounts = database::accounts(transaction, &self.memory.seal)?;
        let signers: Vec<Signers> = keysets
            .iter()
            .flat_map(Signers::of_keyset)
            .chain(accounts.iter().map(Signers::from))
            .collect();
        let forgotten = prune::prune(transaction, &signers, self.memory.clock.now())?;
        let pruned = Pruned {
            tokens: forgotten.tokens.len(),
            rules: forgotten.rules.len(),
        };
        effects.push(Effect::Forget(forgotten));
        Ok(pruned)
    }
}

/// Begins to read a log from `position`: what is held here counts as missing in
/// it until it was seen there.
fn attach(transaction: &WriteTransaction, position: &LogPosition) -> Result<(), Failed> {
    database::write_log(transaction, position)?;
    database::add_everything(transaction)
}

fn unavailable(error: impl core::fmt::Display) -> StoreError {
    StoreError::Unavailable {
        reason: error.to_string(),
    }
}
