//! The store in memory: everything that is answered from.

use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use redb::Database;
use token_core::limits::REQUEST_SKEW_SECONDS_MAX;
use token_core::{TokenKind, UnixSeconds};
use token_deny_list::{Clock, DenyList};

use crate::access_key::{self, AccessKey};
use crate::account::Account;
use crate::database;
use crate::keyset::Keyset;
use crate::master_key::Seal;
use crate::notice::Observers;
use crate::writer::Effect;

/// For how long after it was killed and started the node assumes that it had
/// issued tokens ahead of its clock, in seconds.
const START_SECONDS: u64 = REQUEST_SKEW_SECONDS_MAX;

/// Everything that is answered from.
pub(crate) struct Memory {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) seal: Seal,
    pub(crate) deny_list: DenyList,
    pub(crate) keysets: ArcSwap<BTreeMap<String, Arc<Keyset>>>,
    /// None while the file is not trusted.
    pub(crate) database: ArcSwapOption<Database>,
    access_keys: ArcSwap<Vec<Arc<AccessKey>>>,
    pub(crate) accounts: ArcSwap<BTreeMap<u64, Arc<Account>>>,
    sequence: AtomicU64,
    pub(crate) observers: Observers,
    started: core::time::Duration,
    /// Whether the last process said what it had issued.
    closed_well: AtomicBool,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

impl Memory {
    pub(crate) fn new(clock: Arc<dyn Clock>, seal: Seal) -> Self {
        Self {
            started: clock.monotonic(),
            clock,
            seal,
            deny_list: DenyList::default(),
            keysets: ArcSwap::default(),
            database: ArcSwapOption::empty(),
            accounts: ArcSwap::default(),
            access_keys: ArcSwap::default(),
            sequence: AtomicU64::new(0),
            observers: Observers::default(),
            closed_well: AtomicBool::new(false),
        }
    }

    /// Learns what was issued before: from the last process, or by assuming
    /// the worst when it was killed.
    pub(crate) fn learn_issued(&self, database: &Database) -> Result<(), database::Failed> {
        let latest = database::take_latest_issued(database)?;
        self.closed_well.store(latest.is_some(), Ordering::Release);
        if latest.is_none() {
            self.deny_list.assume_issued_after_rules();
        }
        for (tag, scope, at) in latest.unwrap_or_default() {
            if let Some(kind) = database::kind_of(tag) {
                self.deny_list
                    .scope(kind, &scope)
                    .note_issued(UnixSeconds(at));
            }
        }
        Ok(())
    }

    /// Says for the next process what was issued.
    pub(crate) fn leave_issued(&self, database: &Database) -> Result<(), database::Failed> {
        let latest = self.deny_list.latest_issued().into_iter();
        let latest = latest.map(|(kind, scope, at)| (database::tag_of(kind), scope, at.0));
        database::write_latest_issued(database, &latest.collect())
    }

    /// Reads the database. The deny list only grows by it.
    pub(crate) fn load(&self, database: &Database) -> Result<(), String> {
        let contents = database::load(database, &self.deny_list, &self.seal)
            .map_err(|error| error.to_string())
            .and_then(|contents| contents)?;
        for keyset in &contents.keysets {
            self.set_signing_keys(keyset, &keyset.signing_starts());
        }
        for account in &contents.accounts {
            self.set_account_keys(account.id, &account.signing_starts());
        }
        let accounts = contents.accounts.into_iter();
        let accounts = accounts.map(|account| (account.id, Arc::new(account)));
        self.accounts.store(Arc::new(accounts.collect()));
        let keysets = contents.keysets.into_iter();
        let keysets = keysets.map(|keyset| (keyset.subscribe_key.to_string(), Arc::new(keyset)));
        self.keysets.store(Arc::new(keysets.collect()));
        self.set_access_keys(contents.access_keys);
        self.set_sequence(contents.sequence);
        Ok(())
    }

    /// The horizons of a keyset and its projects are those of its signing keys.
    fn set_signing_keys(&self, keyset: &Keyset, starts: &[u64]) {
        for (kind, scope) in keyset.scopes() {
            self.deny_list.scope(kind, scope).set_signing_keys(starts);
        }
    }

    fn set_account_keys(&self, account: u64, starts: &[u64]) {
        self.deny_list
            .scope(TokenKind::Oem, &account.to_string())
            .set_signing_keys(starts);
    }

    fn put_account(&self, account: &Arc<Account>) {
        self.set_account_keys(account.id, &account.signing_starts());
        self.accounts.rcu(|accounts| {
            let mut accounts = BTreeMap::clone(accounts);
            accounts.insert(account.id, Arc::clone(account));
            accounts
        });
    }

    fn remove_account(&self, account: u64) {
        self.accounts.rcu(|accounts| {
            let mut accounts = BTreeMap::clone(accounts);
            accounts.remove(&account);
            accounts
        });
        self.set_account_keys(account, &[]);
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::Acquire)
    }

    pub(crate) fn set_sequence(&self, sequence: u64) {
        self.sequence.store(sequence, Ordering::Release);
    }

    fn put_keyset(&self, keyset: &Arc<Keyset>) {
        self.set_signing_keys(keyset, &keyset.signing_starts());
        self.keysets.rcu(|keysets| {
            let mut keysets = BTreeMap::clone(keysets);
            keysets.insert(keyset.subscribe_key.to_string(), Arc::clone(keyset));
            keysets
        });
    }

    fn remove_keyset(&self, subscribe_key: &str) {
        let before = self.keysets.rcu(|keysets| {
            let mut keysets = BTreeMap::clone(keysets);
            keysets.remove(subscribe_key);
            keysets
        });
        if let Some(keyset) = before.get(subscribe_key) {
            self.set_signing_keys(keyset, &[]);
        }
    }

    /// The access key whose text is `key`. Every key is compared, so it takes as
    /// long whether there is one or none.
    pub(crate) fn access_key(&self, key: &str) -> Option<Arc<AccessKey>> {
        let (sha256, now) = (access_key::hash(key), self.clock.now());
        let keys = self.access_keys.load();
        let opened = |found: Option<_>, key: &Arc<AccessKey>| {
            let opens = key.opens(&sha256, now);
            found.or_else(|| opens.then(|| Arc::clone(key)))
        };
        keys.iter().fold(None, opened)
    }

    pub(crate) fn access_keys(&self) -> Arc<Vec<Arc<AccessKey>>> {
        self.access_keys.load_full()
    }

    fn set_access_keys(&self, keys: Vec<AccessKey>) {
        let keys = keys.into_iter().map(Arc::new).collect();
        self.access_keys.store(Arc::new(keys));
    }

    /// The instant of a rule made now: nothing that this node issued may be
    /// later, whatever a granter's clock said.
    pub(crate) fn rule_instant(&self, kind: TokenKind, scope: &str) -> UnixSeconds {
        let now = self.clock.now();
        now.max(self.latest_issued_or_assumed(kind, scope))
    }

    /// The latest `t` that this node issued, or may have before it was killed.
    pub(crate) fn latest_issued_or_assumed(&self, kind: TokenKind, scope: &str) -> UnixSeconds {
        let running = self.clock.monotonic().saturating_sub(self.started);
        let closed_well = self.closed_well.load(Ordering::Acquire);
        let latest = self.deny_list.scope(kind, scope).latest_issued();
        if !closed_well && running.as_secs() < START_SECONDS {
            let now = self.clock.now();
            return latest.max(now.saturating_add(REQUEST_SKEW_SECONDS_MAX));
        }
        latest
    }

    /// Makes the changes of a commit that holds.
    pub(crate) fn apply(&self, effect: Effect) {
        match effect {
            Effect::Deny {
                kind,
                scope,
                id,
                expires_at,
            } => {
                self.deny_list.scope(kind, &scope).deny(id, expires_at);
            }
            Effect::Rule {
                kind,
                scope,
                uuid,
                until,
                raised: _,
            } => {
                self.deny_list
                    .scope(kind, &scope)
                    .add_rule(uuid.as_deref(), until);
            }
            Effect::Keyset(keyset) => self.put_keyset(&keyset),
            Effect::NoKeyset(subscribe_key) => self.remove_keyset(&subscribe_key),
            Effect::AccessKeys(keys) => self.set_access_keys(keys),
            Effect::Account(account) => self.put_account(&account),
            Effect::NoAccount(account) => self.remove_account(account),
            Effect::Forget(forgotten) => {
                // Horizons first: at no instant is a token without either.
                for (kind, scope, from, horizon) in forgotten.horizons {
                    self.deny_list
                        .scope(kind, &scope)
                        .raise_horizon(from, horizon);
                }
                for (kind, scope, id) in forgotten.tokens {
                    self.deny_list.scope(kind, &scope).forget(id);
                }
                for (kind, scope, uuid) in forgotten.rules {
                    self.deny_list
                        .scope(kind, &scope)
                        .drop_rule(uuid.as_deref());
                }
            }
        }
    }
}
