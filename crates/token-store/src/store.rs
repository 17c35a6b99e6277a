//! The store: questions from memory, changes through the writer.

use std::path::Path;
use std::sync::{Arc, mpsc};

use token_core::limits::REVOCATIONS_PER_BATCH_MAX;
use token_core::{Revocations, Standing, Subject, TokenId, TokenKind, UnixSeconds};

use crate::access_key::{AccessKey, AccessKeyChange, ChangedAccessKey, Role};
use crate::account::{Account, AccountChange, AccountChanged, ApiKeyHash};
use crate::database::{self, Page, TableKey};
use crate::directory::{Directory, OpenOptions};
use crate::error::{OpenError, StoreError};
use crate::import::Imported;
use crate::keyset::{Keyset, KeysetChange};
use crate::master_key::Seal;
use crate::memory::Memory;
use crate::prune::Pruned;
use crate::revocation::{Listed, Listing, Outcome, Revocation};
use crate::secret;
use crate::writer::{Addition, Done, Job, Writer};

/// Keysets, deny list and rules. Clones share one store; the last one to go
/// closes it, after everything submitted was written.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// First, so that it is dropped first and still has its memory.
    writer: Writer,
    memory: Arc<Memory>,
}

impl Store {
    /// Opens the store in `directory`, and makes it if there is none.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when another process has it, or when anything about it is
    /// doubtful: a store never starts with less than it acknowledged.
    pub fn open(directory: &Path, options: OpenOptions) -> Result<Self, OpenError> {
        let (opened, database) = Directory::open(directory, &options)?;
        let memory = Arc::new(Memory::new(options.clock, Seal(options.master_key)));
        memory
            .load(&database)
            .map_err(|reason| opened.corrupt(reason))?;
        memory
            .learn_issued(&database)
            .map_err(|error| opened.failed(error))?;
        let database = Arc::new(database);
        memory.database.store(Some(Arc::clone(&database)));
        let writer = Writer::start(opened, database, Arc::clone(&memory)).map_err(|error| {
            OpenError::File {
                doing: "start the writer of",
                path: directory.to_owned(),
                reason: error.to_string(),
            }
        })?;
        Ok(Self {
            inner: Arc::new(Inner { writer, memory }),
        })
    }

    /// Every keyset, by subscribe key.
    #[must_use]
    pub fn keysets(&self) -> Vec<Arc<Keyset>> {
        self.inner.memory.keysets.load().values().cloned().collect()
    }

    /// The keyset with this subscribe key.
    #[must_use]
    pub fn keyset(&self, subscribe_key: &str) -> Option<Arc<Keyset>> {
        self.inner.memory.keysets.load().get(subscribe_key).cloned()
    }

    /// The instant up to which tokens of a scope, and of a uuid in it, are
    /// dead by a rule.
    #[must_use]
    pub fn rule(&self, kind: TokenKind, scope: &str, uuid: Option<&str>) -> Option<UnixSeconds> {
        self.inner.memory.deny_list.rule(kind, scope, uuid)
    }

    /// Notes that a token with this time is about to be issued. Call it before
    /// [`Store::rule`] is asked whether the token may be: then a rule made at
    /// the same time either covers the token or is seen.
    pub fn note_issued(&self, kind: TokenKind, scope: &str, issued_at: UnixSeconds) {
        self.inner
            .memory
            .deny_list
            .scope(kind, scope)
            .note_issued(issued_at);
    }

    /// How many single tokens are on the deny list.
    #[must_use]
    pub fn denied_tokens(&self) -> usize {
        self.inner.memory.deny_list.token_count()
    }

    /// Counts commits; grows with each.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.inner.memory.sequence()
    }

    /// The access key whose text is `key`, if it is good now. Takes as long
    /// whether there is one or none.
    #[must_use]
    pub fn access_key(&self, key: &str) -> Option<Arc<AccessKey>> {
        self.inner.memory.access_key(key)
    }

    /// Every access key, by name; those that have expired, too.
    #[must_use]
    pub fn access_keys(&self) -> Arc<Vec<Arc<AccessKey>>> {
        self.inner.memory.access_keys()
    }

    /// Whether there is an access key with this role, expired or not.
    #[must_use]
    pub fn has_access_key(&self, role: Role) -> bool {
        self.access_keys().iter().any(|key| key.role == role)
    }

    /// Revokes; `done` is called once, on the writer's thread, when it is on
    /// the disk or has failed. All or nothing.
    pub fn submit_revocations(
        &self,
        revocations: Vec<Revocation>,
        done: impl FnOnce(Result<Vec<Outcome>, StoreError>) + Send + 'static,
    ) {
        let items = revocations.len();
        if items > REVOCATIONS_PER_BATCH_MAX {
            return done(Err(StoreError::TooManyRevocations { items }));
        }
        self.inner
            .writer
            .submit(Job::Revoke(revocations, Box::new(done)));
    }

    /// Revokes, and waits until it is on the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; then nothing is acknowledged.
    pub fn revoke(&self, revocations: Vec<Revocation>) -> Result<Vec<Outcome>, StoreError> {
        wait(|done| self.submit_revocations(revocations, done))
    }

    /// Changes keysets; `done` is told the keyset as it is then, or, for a
    /// deletion, as it was.
    pub fn submit_keyset_change(
        &self,
        change: KeysetChange,
        done: impl FnOnce(Result<Arc<Keyset>, StoreError>) + Send + 'static,
    ) {
        self.inner
            .writer
            .submit(Job::Keyset(Box::new(change), Box::new(done)));
    }

    /// Changes keysets, and waits until it is on the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; then nothing is changed.
    pub fn change_keyset(&self, change: KeysetChange) -> Result<Arc<Keyset>, StoreError> {
        wait(|done| self.submit_keyset_change(change, done))
    }

    /// The keyset that has a project of this id.
    #[must_use]
    pub fn keyset_of_project(&self, project: &str) -> Option<Arc<Keyset>> {
        let keysets = self.inner.memory.keysets.load();
        let mut having = keysets.values();
        having
            .find(|keyset| keyset.project(project).is_some())
            .cloned()
    }

    /// Every account, by id.
    #[must_use]
    pub fn accounts(&self) -> Vec<Arc<Account>> {
        self.inner
            .memory
            .accounts
            .load()
            .values()
            .cloned()
            .collect()
    }

    /// The account of this id.
    #[must_use]
    pub fn account(&self, id: u64) -> Option<Arc<Account>> {
        self.inner.memory.accounts.load().get(&id).cloned()
    }

    /// The account that `key` is an API key of. Every key is compared.
    #[must_use]
    pub fn account_of_key(&self, key: &str) -> Option<Arc<Account>> {
        let presented = ApiKeyHash::of(key);
        let accounts = self.inner.memory.accounts.load();
        let mut found = None;
        for account in accounts.values() {
            if account.opens(&presented) {
                found = Some(Arc::clone(account));
            }
        }
        found
    }

    /// Changes accounts; `done` is told what came of it.
    pub fn submit_account_change(
        &self,
        change: AccountChange,
        done: impl FnOnce(Result<AccountChanged, StoreError>) + Send + 'static,
    ) {
        let job = Job::Account(Box::new(change), Box::new(done));
        self.inner.writer.submit(job);
    }

    /// Changes accounts, and waits until it is on the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; then nothing is changed.
    pub fn change_account(&self, change: AccountChange) -> Result<AccountChanged, StoreError> {
        wait(|done| self.submit_account_change(change, done))
    }

    /// Changes the access keys; `done` is told what came of it.
    pub fn submit_access_key(
        &self,
        change: AccessKeyChange,
        done: impl FnOnce(Result<ChangedAccessKey, StoreError>) + Send + 'static,
    ) {
        self.inner
            .writer
            .submit(Job::AccessKey(change, Box::new(done)));
    }

    /// Changes the access keys, and waits until it is on the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; then nothing is changed.
    pub fn change_access_key(
        &self,
        change: AccessKeyChange,
    ) -> Result<ChangedAccessKey, StoreError> {
        wait(|done| self.submit_access_key(change, done))
    }

    /// Forgets what has expired, if the clocks have agreed for an hour. Call
    /// it every minute or so.
    pub fn submit_prune(&self, done: impl FnOnce(Result<Pruned, StoreError>) + Send + 'static) {
        self.inner.writer.submit(Job::Prune(Box::new(done)));
    }

    /// Forgets what has expired, and waits until that is on the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; then nothing is forgotten.
    pub fn prune(&self) -> Result<Pruned, StoreError> {
        wait(|done| self.submit_prune(done))
    }

    pub(crate) fn add(&self, additions: Vec<Addition>) -> Result<Imported, StoreError> {
        wait(|done| self.inner.writer.submit(Job::Add(additions, done)))
    }

    pub(crate) fn submit(&self, job: Job) {
        self.inner.writer.submit(job);
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.inner.memory
    }

    pub(crate) fn seal(&self) -> &Seal {
        &self.inner.memory.seal
    }

    pub(crate) fn now(&self) -> UnixSeconds {
        self.inner.memory.clock.now()
    }

    pub(crate) fn held_database(&self) -> Option<Arc<redb::Database>> {
        self.inner.memory.database.load_full()
    }

    /// The revocations of a scope in a stable order, rules first, at most
    /// `limit` of them after the cursor. Reads the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the cursor is not one of ours or the disk fails.
    pub fn list_revocations(
        &self,
        kind: TokenKind,
        scope: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Listing, StoreError> {
        let unavailable = |reason: String| StoreError::Unavailable { reason };
        let database = self.trusted_database()?;
        let scope = TableKey::of_scope(kind, scope).ok_or(StoreError::TooLong)?;
        let (mut tokens, mut start) = after
            .map_or(Some((false, Vec::new())), parse_cursor)
            .ok_or(StoreError::Cursor)?;
        let mut listing = Listing::default();
        loop {
            let room = limit.saturating_sub(listing.items.len());
            let page = database::page(&database, &scope, tokens, &start, room)
                .map_err(|error| unavailable(error.to_string()))?;
            let last = add_page(&mut listing, &page);
            if listing.items.len() >= limit {
                listing.next = last.map(|last| cursor(tokens, &last));
                return Ok(listing);
            }
            if tokens {
                return Ok(listing);
            }
            (tokens, start) = (true, Vec::new());
        }
    }
}

/// Answers from memory: takes no lock, waits for nothing, allocates nothing.
impl Revocations for Store {
    fn standing(&self, subject: &Subject<'_>) -> Standing {
        self.inner.memory.deny_list.standing(subject)
    }
}

/// Adds what was found, and returns the last key.
fn add_page(listing: &mut Listing, page: &Page) -> Option<Vec<u8>> {
    match page {
        Page::Rules(rules) => {
            let items = rules.iter().filter_map(|(key, until)| {
                let until = UnixSeconds(*until);
                Some(match database::rule_of(key)? {
                    None => Listed::Keyset { until },
                    Some(uuid) => Listed::Uuid {
                        uuid: uuid.to_owned(),
                        until,
                    },
                })
            });
            listing.items.extend(items);
            rules.last().map(|(key, _)| key.clone())
        }
        Page::Tokens(tokens) => {
            let items = tokens.iter().filter_map(|(key, expires_at)| {
                let id = TokenId(key.as_slice().try_into().ok()?);
                Some(Listed::Token {
                    id,
                    expires_at: UnixSeconds(*expires_at),
                })
            });
            listing.items.extend(items);
            tokens.last().map(|(key, _)| key.clone())
        }
    }
}

fn cursor(tokens: bool, last: &[u8]) -> String {
    format!("{}{}", if tokens { 't' } else { 'r' }, *secret::hex(last))
}

fn parse_cursor(cursor: &str) -> Option<(bool, Vec<u8>)> {
    let (tokens, digits) = match cursor.split_at_checked(1)? {
        ("t", digits) => (true, digits),
        ("r", digits) => (false, digits),
        _ => return None,
    };
    Some((tokens, secret::bytes_from_hex(digits)?))
}

pub(crate) fn wait<T: Send + 'static>(submit: impl FnOnce(Done<T>)) -> Result<T, StoreError> {
    let (sender, receiver) = mpsc::channel();
    submit(Box::new(move |answer| drop(sender.send(answer))));
    receiver.recv().unwrap_or(Err(StoreError::Closed))
}
