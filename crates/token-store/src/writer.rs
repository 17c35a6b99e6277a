//! The one thread that writes. What waits while it commits shares the next
//! commit.

use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use redb::{Database, WriteTransaction};
use token_core::limits::NAME_BYTES_MAX;
use token_core::{TokenId, TokenKind, UnixSeconds};

use crate::access_key::{AccessKeyKind, MadeAccessKey};
use crate::database::{self, Denied, Failed, TableKey};
use crate::directory::Directory;
use crate::error::StoreError;
use crate::keyset::{Keyset, KeysetChange, Record, Rotation};
use crate::prune::{self, ClockWatch, Forgotten, Pruned};
use crate::revocation::{Outcome, Revocation};
use crate::store::Memory;

/// Told once what came of a job.
pub(crate) type Done<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;

/// Most jobs that share a commit.
const JOBS_PER_COMMIT_MAX: usize = 1_024;

/// Most jobs that wait for a commit; of whole batches they take about 100 MB.
const JOBS_WAITING_MAX: usize = 1_024;

/// Something to write.
pub(crate) enum Job {
    Revoke(Vec<Revocation>, Done<Vec<Outcome>>),
    Keyset(Box<KeysetChange>, Done<Arc<Keyset>>),
    AccessKey(AccessKeyKind, Done<MadeAccessKey>),
    Prune(Done<Pruned>),
}

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
        let worker = Worker {
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

impl Job {
    fn fail(self, error: StoreError) {
        match self {
            Self::Revoke(_, done) => done(Err(error)),
            Self::Keyset(_, done) => done(Err(error)),
            Self::AccessKey(_, done) => done(Err(error)),
            Self::Prune(done) => done(Err(error)),
        }
    }
}

/// What changes in memory once the commit holds.
enum Effect {
    Deny {
        kind: TokenKind,
        scope: String,
        id: TokenId,
        expires_at: UnixSeconds,
    },
    Rule {
        kind: TokenKind,
        scope: String,
        uuid: Option<String>,
        until: UnixSeconds,
    },
    Keyset(Arc<Keyset>),
    NoKeyset(String),
    AccessKey(AccessKeyKind, [u8; 32]),
    Forget(Forgotten),
}

/// To be told after the commit: what it came to, or that it failed.
type Told = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

fn told<T: Send + 'static>(done: Done<T>, answer: Result<T, StoreError>) -> Told {
    Box::new(move |committed| done(committed.and(answer)))
}

struct Worker {
    directory: Directory,
    /// None after a commit failed, until the file was read again.
    database: Option<Arc<Database>>,
    memory: Arc<Memory>,
    watch: ClockWatch,
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
                effects.into_iter().for_each(|effect| self.apply(effect));
                // Last: whoever sees this number sees what it counts.
                self.memory.set_sequence(sequence);
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
        let database = self.directory.open_database().map_err(unavailable)?;
        self.memory.load(&database).map_err(unavailable)?;
        let database = Arc::new(database);
        self.memory.database.store(Some(Arc::clone(&database)));
        self.database = Some(Arc::clone(&database));
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
                self.perform(&transaction, job, &mut effects, waiting)?;
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
            Job::AccessKey(kind, done) => {
                let made = make_access_key(transaction, kind, effects);
                settle(made, done, waiting)
            }
            Job::Prune(done) => {
                let pruned = self.prune(transaction, effects);
                settle(pruned.map(Ok), done, waiting)
            }
        }
    }

    fn revoke(
        &self,
        transaction: &WriteTransaction,
        revocations: &[Revocation],
        effects: &mut Vec<Effect>,
    ) -> Result<Result<Vec<Outcome>, StoreError>, Failed> {
        let Some(keys) = revocations
            .iter()
            .map(table_key)
            .collect::<Option<Vec<_>>>()
        else {
            return Ok(Err(StoreError::TooLong));
        };
        let now = self.memory.clock.now();
        let mut outcomes = Vec::with_capacity(keys.len());
        for (revocation, key) in revocations.iter().zip(keys) {
            outcomes.push(match revocation {
                Revocation::Token { expires_at, .. } if *expires_at <= now => Outcome::Expired,
                Revocation::Token {
                    kind,
                    scope,
                    id,
                    issued_at,
                    expires_at,
                } => {
                    let denied = database::deny(transaction, &key, *expires_at, *issued_at)?;
                    let effect = Effect::Deny {
                        kind: *kind,
                        scope: scope.clone(),
                        id: *id,
                        expires_at: *expires_at,
                    };
                    match denied {
                        Denied::New => {
                            effects.push(effect);
                            Outcome::Revoked { until: None }
                        }
                        Denied::Extended => {
                            effects.push(effect);
                            Outcome::Already { until: None }
                        }
                        Denied::Already => Outcome::Already { until: None },
                    }
                }
                Revocation::Uuid {
                    kind,
                    scope,
                    uuid,
                    until,
                } => self.rule(transaction, &key, *kind, scope, Some(uuid), *until, effects)?,
                Revocation::Keyset { kind, scope, until } => {
                    self.rule(transaction, &key, *kind, scope, None, *until, effects)?
                }
            });
        }
        Ok(Ok(outcomes))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of a rule, and where it goes"
    )]
    fn rule(
        &self,
        transaction: &WriteTransaction,
        key: &TableKey,
        kind: TokenKind,
        scope: &str,
        uuid: Option<&str>,
        until: Option<UnixSeconds>,
        effects: &mut Vec<Effect>,
    ) -> Result<Outcome, Failed> {
        let latest = self.memory.rule_instant(kind, scope);
        let until = until.map_or(latest, |until| until.min(latest));
        if let Some(held) = database::add_rule(transaction, key, until)? {
            return Ok(Outcome::Already { until: Some(held) });
        }
        let (scope, uuid) = (scope.to_owned(), uuid.map(str::to_owned));
        effects.push(Effect::Rule {
            kind,
            scope,
            uuid,
            until,
        });
        Ok(Outcome::Revoked { until: Some(until) })
    }

    fn change_keyset(
        &self,
        transaction: &WriteTransaction,
        change: KeysetChange,
        effects: &mut Vec<Effect>,
    ) -> Result<Result<Arc<Keyset>, StoreError>, Failed> {
        let now = self.memory.clock.now();
        let subscribe_key = match change {
            KeysetChange::Create(new) => return create_keyset(transaction, new, now, effects),
            KeysetChange::Set {
                ref subscribe_key, ..
            }
            | KeysetChange::Rotate {
                ref subscribe_key, ..
            }
            | KeysetChange::Delete { ref subscribe_key } => subscribe_key.clone(),
        };
        let record = database::read_record(transaction, &subscribe_key)?;
        let keyset = record.and_then(|record| record.into_keyset(&subscribe_key).ok().flatten());
        let Some(mut keyset) = keyset else {
            return Ok(Err(StoreError::UnknownKeyset { subscribe_key }));
        };
        keyset.version = keyset.version.saturating_add(1);
        let changed = match change {
            KeysetChange::Create(_) => Ok(()),
            KeysetChange::Set { settings, .. } => keyset.set(&settings),
            KeysetChange::Rotate {
                rotation: Rotation::Secret,
                ..
            } => keyset.rotate_secret_key(),
            KeysetChange::Rotate {
                rotation: Rotation::Signing,
                ..
            } => keyset.rotate_signing_key(now),
            KeysetChange::Rotate {
                rotation: Rotation::Emergency,
                ..
            } => {
                let until = self.kill_everything(transaction, &subscribe_key, effects)?;
                keyset.rotate_in_emergency(until)
            }
            KeysetChange::Delete { .. } => {
                let tombstone = Record {
                    version: keyset.version,
                    keyset: None,
                };
                database::write_record(transaction, &subscribe_key, &tombstone)?;
                keep_horizons(transaction, &subscribe_key, &[])?;
                effects.push(Effect::NoKeyset(subscribe_key));
                return Ok(Ok(Arc::new(keyset)));
            }
        };
        if let Err(error) = changed {
            return Ok(Err(error));
        }
        Ok(Ok(keep_keyset(transaction, keyset, effects)?))
    }

    /// A rule for every token of a keyset issued so far; returns its instant.
    fn kill_everything(
        &self,
        transaction: &WriteTransaction,
        subscribe_key: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<UnixSeconds, Failed> {
        let kind = TokenKind::AccessManager;
        let Some(scope) = TableKey::of_scope(kind, subscribe_key) else {
            return Ok(self.memory.clock.now());
        };
        let key = scope.with_rule(None);
        let outcome = self.rule(transaction, &key, kind, subscribe_key, None, None, effects)?;
        Ok(match outcome {
            Outcome::Revoked { until } | Outcome::Already { until } => until,
            Outcome::Expired => None,
        }
        .unwrap_or_else(|| self.memory.clock.now()))
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
        let keysets = database::keysets(transaction)?;
        let forgotten = prune::prune(transaction, &keysets, self.memory.clock.now())?;
        let pruned = Pruned {
            tokens: forgotten.tokens.len(),
            rules: forgotten.rules.len(),
        };
        effects.push(Effect::Forget(forgotten));
        Ok(pruned)
    }

    fn apply(&self, effect: Effect) {
        let memory = &self.memory;
        match effect {
            Effect::Deny {
                kind,
                scope,
                id,
                expires_at,
            } => {
                memory.deny_list.scope(kind, &scope).deny(id, expires_at);
            }
            Effect::Rule {
                kind,
                scope,
                uuid,
                until,
            } => {
                memory
                    .deny_list
                    .scope(kind, &scope)
                    .add_rule(uuid.as_deref(), until);
            }
            Effect::Keyset(keyset) => memory.put_keyset(&keyset),
            Effect::NoKeyset(subscribe_key) => memory.remove_keyset(&subscribe_key),
            Effect::AccessKey(kind, hash) => memory.put_access_key(kind, hash),
            Effect::Forget(forgotten) => {
                // Horizons first: at no instant is a token without either.
                for (kind, scope, from, horizon) in forgotten.horizons {
                    memory
                        .deny_list
                        .scope(kind, &scope)
                        .raise_horizon(from, horizon);
                }
                for (kind, scope, id) in forgotten.tokens {
                    memory.deny_list.scope(kind, &scope).forget(id);
                }
                for (kind, scope, uuid) in forgotten.rules {
                    memory
                        .deny_list
                        .scope(kind, &scope)
                        .drop_rule(uuid.as_deref());
                }
            }
        }
    }
}

/// Has `done` told after the commit; a failure of the disk is passed on, and
/// told like every other.
fn settle<T: Send + 'static>(
    answer: Result<Result<T, StoreError>, Failed>,
    done: Done<T>,
    waiting: &mut Vec<Told>,
) -> Result<(), Failed> {
    match answer {
        Ok(answer) => {
            waiting.push(told(done, answer));
            Ok(())
        }
        Err(failed) => {
            waiting.push(told(done, Err(StoreError::Closed)));
            Err(failed)
        }
    }
}

fn unavailable(error: impl core::fmt::Display) -> StoreError {
    StoreError::Unavailable {
        reason: error.to_string(),
    }
}

fn table_key(revocation: &Revocation) -> Option<TableKey> {
    match revocation {
        Revocation::Token {
            kind, scope, id, ..
        } => TableKey::of_scope(*kind, scope).map(|key| key.with_token(*id)),
        Revocation::Uuid {
            kind, scope, uuid, ..
        } => TableKey::of_scope(*kind, scope)
            .filter(|_| uuid.len() <= NAME_BYTES_MAX)
            .map(|key| key.with_rule(Some(uuid))),
        Revocation::Keyset { kind, scope, .. } => {
            TableKey::of_scope(*kind, scope).map(|key| key.with_rule(None))
        }
    }
}

fn create_keyset(
    transaction: &WriteTransaction,
    new: crate::keyset::NewKeyset,
    now: UnixSeconds,
    effects: &mut Vec<Effect>,
) -> Result<Result<Arc<Keyset>, StoreError>, Failed> {
    let mut keyset = match new.make(1, now) {
        Ok(keyset) => keyset,
        Err(error) => return Ok(Err(error)),
    };
    let subscribe_key = keyset.subscribe_key.as_str();
    match database::read_record(transaction, subscribe_key)? {
        Some(Record {
            keyset: Some(_), ..
        }) => {
            let subscribe_key = subscribe_key.to_owned();
            return Ok(Err(StoreError::KeysetExists { subscribe_key }));
        }
        Some(Record {
            version,
            keyset: None,
        }) => keyset.version = version.saturating_add(1),
        None => {}
    }
    Ok(Ok(keep_keyset(transaction, keyset, effects)?))
}

fn keep_keyset(
    transaction: &WriteTransaction,
    keyset: Keyset,
    effects: &mut Vec<Effect>,
) -> Result<Arc<Keyset>, Failed> {
    let subscribe_key = keyset.subscribe_key.as_str();
    database::write_record(transaction, subscribe_key, &Record::from(&keyset))?;
    keep_horizons(transaction, subscribe_key, &keyset.signing_starts())?;
    let keyset = Arc::new(keyset);
    effects.push(Effect::Keyset(Arc::clone(&keyset)));
    Ok(keyset)
}

/// Horizons are those of the signing keys that there are.
fn keep_horizons(
    transaction: &WriteTransaction,
    subscribe_key: &str,
    starts: &[u64],
) -> Result<(), Failed> {
    TableKey::of_scope(TokenKind::AccessManager, subscribe_key).map_or(Ok(()), |scope| {
        database::keep_horizons(transaction, &scope, starts)
    })
}

fn make_access_key(
    transaction: &WriteTransaction,
    kind: AccessKeyKind,
    effects: &mut Vec<Effect>,
) -> Result<Result<MadeAccessKey, StoreError>, Failed> {
    let (made, hash) = match kind.make() {
        Ok(made) => made,
        Err(error) => return Ok(Err(error)),
    };
    database::write_access_key(transaction, kind, hash)?;
    effects.push(Effect::AccessKey(kind, hash));
    Ok(Ok(made))
}
