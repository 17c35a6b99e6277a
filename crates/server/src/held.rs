//! Who holds an answer open for which token, so that a revocation wakes exactly
//! those that it is about, and expiry those whose time has come.

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use token_core::{TokenId, TokenKind, UnixSeconds, VerifiedClaims};
use token_store::{Clock, Notice, Revoked};
use tokio::sync::Notify;
use tokio::time::sleep;

/// How often the one timer of all held answers compares the clock with the
/// earliest expiry, so the most by which an answer outlives its token. A timer
/// per answer would not notice that the clock was set.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Every answer that is held. Clones are one.
#[derive(Clone)]
pub(crate) struct Held {
    index: Arc<Mutex<Index>>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Index {
    next: u64,
    by: HashMap<Key, HashMap<u64, Waiter>>,
    by_expiry: BTreeMap<(UnixSeconds, u64), Arc<Notify>>,
    is_timed: bool,
}

/// What a revocation can name of a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// The token or one that it was narrowed from. Of another scope with the
    /// same id is woken in vain.
    Token(TokenId),
    Uuid(TokenKind, Arc<str>, Arc<str>),
    Scope(TokenKind, Arc<str>),
}

#[derive(Debug)]
struct Waiter {
    issued_at: UnixSeconds,
    notify: Arc<Notify>,
}

/// One held answer; it is forgotten when this is dropped.
pub(crate) struct Hold {
    held: Held,
    number: u64,
    keys: Vec<Key>,
    expires_at: UnixSeconds,
    notify: Arc<Notify>,
}

impl Hold {
    /// Waits until its token may have expired or been revoked; what happened
    /// since it was made counts. It may be woken for nothing.
    pub(crate) async fn woken(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut index = self.held.index();
        for key in &self.keys {
            if let Some(waiters) = index.by.get_mut(key) {
                waiters.remove(&self.number);
                if waiters.is_empty() {
                    index.by.remove(key);
                }
            }
        }
        index.by_expiry.remove(&(self.expires_at, self.number));
    }
}

impl Held {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            index: Arc::default(),
            clock,
        }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds an answer for `token` from now on: ask how the token stands after
    /// this, then wait.
    pub(crate) fn hold(&self, token: &impl VerifiedClaims) -> Hold {
        let (kind, scope) = (token.kind(), Arc::<str>::from(token.scope()));
        let mut keys = vec![Key::Token(token.id())];
        keys.extend(token.ancestors().map(Key::Token));
        let uuid = token.revoked_as().map(Arc::from);
        keys.extend(uuid.map(|uuid| Key::Uuid(kind, Arc::clone(&scope), uuid)));
        keys.push(Key::Scope(kind, scope));
        let (issued_at, expires_at) = (token.issued_at(), token.expires_at());
        let notify = Arc::new(Notify::new());
        let mut index = self.index();
        let number = index.next;
        index.next = number.wrapping_add(1);
        for key in &keys {
            let waiter = Waiter {
                issued_at,
                notify: Arc::clone(&notify),
            };
            let waiters = index.by.entry(key.clone()).or_default();
            waiters.insert(number, waiter);
        }
        let timed = Arc::clone(&notify);
        index.by_expiry.insert((expires_at, number), timed);
        if !core::mem::replace(&mut index.is_timed, true) {
            drop(tokio::spawn(self.clone().wake_expired()));
        }
        drop(index);
        Hold {
            held: self.clone(),
            number,
            keys,
            expires_at,
            notify,
        }
    }

    /// How many answers are held.
    pub(crate) fn count(&self) -> usize {
        self.index().by_expiry.len()
    }

    /// Wakes whom a commit is about.
    pub(crate) fn wake(&self, notice: &Notice) {
        if notice.revoked.is_empty() && !notice.anew {
            return;
        }
        let index = self.index();
        if notice.anew {
            index.by_expiry.values().for_each(|held| held.notify_one());
        }
        for revoked in &notice.revoked {
            let (key, until) = match revoked {
                Revoked::Token { id, .. } => (Key::Token(*id), UnixSeconds(u64::MAX)),
                Revoked::Rule {
                    kind,
                    scope,
                    uuid: Some(uuid),
                    until,
                } => (
                    Key::Uuid(*kind, scope.as_str().into(), uuid.as_str().into()),
                    *until,
                ),
                Revoked::Rule {
                    kind,
                    scope,
                    uuid: None,
                    until,
                } => (Key::Scope(*kind, scope.as_str().into()), *until),
                // What is below one has expired.
                Revoked::Horizon { .. } => continue,
            };
            let waiters = index.by.get(&key).into_iter().flat_map(HashMap::values);
            for waiter in waiters.filter(|waiter| waiter.issued_at <= until) {
                waiter.notify.notify_one();
            }
        }
    }

    /// Runs for as long as anything is held.
    async fn wake_expired(self) {
        let mut timed = Timed(Some(self.clone()));
        loop {
            sleep(LOOK_EVERY).await;
            let now = self.clock.now();
            let mut index = self.index();
            if index.by_expiry.is_empty() {
                index.is_timed = false;
                timed.0 = None;
                return;
            }
            let due = index.by_expiry.range(..=(now, u64::MAX));
            due.for_each(|(_, held)| held.notify_one());
        }
    }
}

/// A timer that ended with its runtime is started again by the next hold.
struct Timed(Option<Held>);

impl Drop for Timed {
    fn drop(&mut self) {
        if let Some(held) = &self.0 {
            held.index().is_timed = false;
        }
    }
}
