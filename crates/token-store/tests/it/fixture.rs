//! A clock that tests set, and stores in directories of their own.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::path::Path;
use std::sync::Arc;

use token_core::{Revocations as _, TokenId, TokenKind, UnixSeconds};
use token_store::{
    Clock, Keyset, KeysetChange, NewKeyset, OpenError, OpenOptions, Outcome, Revocation, Standing,
    Store, Subject,
};

/// When tests begin.
pub(crate) const START: u64 = 1_790_000_000;

/// Two clocks that only move when they are told to.
#[derive(Clone, Debug)]
pub(crate) struct TestClock(Arc<(AtomicU64, AtomicU64)>);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new((AtomicU64::new(START), AtomicU64::new(0))))
    }

    /// Both clocks walk.
    pub(crate) fn walk(&self, seconds: u64) {
        self.0.0.fetch_add(seconds, Ordering::SeqCst);
        self.0.1.fetch_add(seconds, Ordering::SeqCst);
    }

    /// The wall clock steps.
    pub(crate) fn step_to(&self, wall: u64) {
        self.0.0.store(wall, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixSeconds {
        UnixSeconds(self.0.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.1.load(Ordering::SeqCst))
    }
}

pub(crate) fn open(directory: &Path, clock: &TestClock) -> Result<Store, OpenError> {
    Store::open(directory, OpenOptions::new(clock.clone()))
}

pub(crate) const KEYSET: &str = "sub-demo";
pub(crate) const KIND: TokenKind = TokenKind::AccessManager;

/// Makes the keyset of the tests.
pub(crate) fn make_keyset(store: &Store) -> Arc<Keyset> {
    let new = NewKeyset {
        name: "demo".to_owned(),
        subscribe_key: Some(KEYSET.to_owned()),
        ..NewKeyset::default()
    };
    store.change_keyset(KeysetChange::Create(new)).unwrap()
}

/// A token id that is only `n`'s.
pub(crate) fn id(n: u64) -> TokenId {
    let mut bytes = [0x5A; 16];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    TokenId(bytes)
}

pub(crate) fn token(n: u64, expires_at: u64) -> Revocation {
    Revocation::Token {
        kind: KIND,
        scope: KEYSET.to_owned(),
        id: id(n),
        issued_at: Some(UnixSeconds(START)),
        expires_at: UnixSeconds(expires_at),
    }
}

pub(crate) fn of_uuid(uuid: &str, until: Option<u64>) -> Revocation {
    Revocation::Uuid {
        kind: KIND,
        scope: KEYSET.to_owned(),
        uuid: uuid.to_owned(),
        until: until.map(UnixSeconds),
    }
}

pub(crate) fn of_keyset(until: Option<u64>) -> Revocation {
    Revocation::Keyset {
        kind: KIND,
        scope: KEYSET.to_owned(),
        until: until.map(UnixSeconds),
    }
}

pub(crate) fn revoke(store: &Store, revocation: Revocation) -> Outcome {
    store.revoke(vec![revocation]).unwrap()[0]
}

/// How token `n`, issued at `issued_at` and bound to `uuid`, stands.
pub(crate) fn standing(store: &Store, n: u64, issued_at: u64, uuid: Option<&str>) -> Standing {
    standing_until(store, n, issued_at, u64::MAX, uuid)
}

pub(crate) fn standing_until(
    store: &Store,
    n: u64,
    issued_at: u64,
    expires_at: u64,
    uuid: Option<&str>,
) -> Standing {
    store.standing(&Subject {
        kind: KIND,
        scope: KEYSET,
        id: id(n),
        ancestors: &[],
        uuid,
        issued_at: UnixSeconds(issued_at),
        expires_at: UnixSeconds(expires_at),
    })
}
