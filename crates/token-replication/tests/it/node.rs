//! A node: a store in a directory of its own, and replication.

use core::time::Duration;
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use token_core::{Revocations as _, TokenId, TokenKind, UnixSeconds};
use token_replication::{ClusterKey, FeedKey, NotPublished, Options, Replication, StartError};
use token_store::{
    Clock, Keyset, KeysetChange, LogEntry, NewKeyset, OpenOptions, Outcome, Revocation, Standing,
    Store, Subject,
};

use crate::nats::PATIENCE;

pub(crate) const KEYSET: &str = "sub-demo";
const KIND: TokenKind = TokenKind::AccessManager;

#[derive(Debug)]
struct System(Instant);

impl Clock for System {
    fn now(&self) -> UnixSeconds {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        UnixSeconds(since.unwrap().as_secs())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

pub(crate) fn options(url: &str) -> Options {
    Options {
        url: url.to_owned(),
        ca_file: None,
        feed_key: FeedKey::from_hex(&"1f".repeat(32)).unwrap(),
        cluster_key: Some(ClusterKey::from_hex(&"2e".repeat(32)).unwrap()),
        replicas: 3,
        seed_epoch: false,
    }
}

pub(crate) struct Node {
    pub(crate) store: Store,
    pub(crate) replication: Replication,
    pub(crate) dir: tempfile::TempDir,
}

impl Node {
    pub(crate) async fn start(url: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::start_in(dir, options(url)).await.unwrap()
    }

    /// One that has caught up.
    pub(crate) async fn ready(url: &str) -> Self {
        let node = Self::start(url).await;
        node.caught_up().await;
        node
    }

    pub(crate) async fn start_in(
        dir: tempfile::TempDir,
        options: Options,
    ) -> Result<Self, StartError> {
        let (store, clock) = open(dir.path());
        let replication = Replication::start(store.clone(), clock, options).await?;
        Ok(Self {
            store,
            replication,
            dir,
        })
    }

    /// Ends it; its directory stays.
    pub(crate) async fn stop(self) -> tempfile::TempDir {
        let Self {
            store,
            replication,
            dir,
        } = self;
        drop((replication, store));
        // The task lets go of the store a moment later.
        eventually("the store is closed", || {
            let clock = Arc::new(System(Instant::now()));
            let options = OpenOptions {
                clock,
                wrap_backend: None,
                master_key: None,
            };
            Store::open(dir.path(), options).is_ok()
        })
        .await;
        dir
    }

    pub(crate) async fn caught_up(&self) {
        eventually("caught up", || self.replication.is_caught_up()).await;
    }

    pub(crate) fn make_keyset(&self) -> Arc<Keyset> {
        let new = NewKeyset {
            name: "demo".to_owned(),
            subscribe_key: Some(KEYSET.to_owned()),
            ..NewKeyset::default()
        };
        let made = self.store.change_keyset(KeysetChange::Create(new)).unwrap();
        self.replication.wake();
        made
    }

    /// Revokes token `n`: durable here, and then acknowledged by the log or not.
    pub(crate) async fn revoke(&self, n: u64) -> Result<String, NotPublished> {
        let revocation = Revocation::Token {
            kind: KIND,
            scope: KEYSET.to_owned(),
            id: id(n),
            issued_at: None,
            expires_at: UnixSeconds(self.now() + 3_600),
        };
        self.publish(revocation).await
    }

    pub(crate) async fn revoke_uuid(&self, uuid: &str) -> Result<String, NotPublished> {
        let revocation = Revocation::Uuid {
            kind: KIND,
            scope: KEYSET.to_owned(),
            uuid: uuid.to_owned(),
            until: None,
        };
        self.publish(revocation).await
    }

    async fn publish(&self, revocation: Revocation) -> Result<String, NotPublished> {
        let (store, asked) = (self.store.clone(), revocation.clone());
        let made = tokio::task::spawn_blocking(move || store.revoke(vec![asked]));
        let held = match made.await.unwrap().unwrap()[0] {
            Outcome::Revoked { until } | Outcome::Already { until } => until,
            Outcome::Expired => None,
        };
        let entry = LogEntry::of_revocation(&revocation, held).unwrap();
        self.replication.publish(&[entry]).await
    }

    pub(crate) fn denies(&self, n: u64) -> bool {
        self.standing(n, None) != Standing::Good
    }

    pub(crate) fn denies_uuid(&self, uuid: &str) -> bool {
        self.standing(u64::MAX, Some(uuid)) != Standing::Good
    }

    fn standing(&self, n: u64, uuid: Option<&str>) -> Standing {
        self.store.standing(&Subject {
            kind: KIND,
            scope: KEYSET,
            id: id(n),
            ancestors: &[],
            uuid,
            issued_at: UnixSeconds(self.now() - 60),
            expires_at: UnixSeconds::MAX,
        })
    }

    pub(crate) fn now(&self) -> u64 {
        System(Instant::now()).now().0
    }
}

pub(crate) fn open(dir: &Path) -> (Store, Arc<dyn Clock>) {
    let clock: Arc<dyn Clock> = Arc::new(System(Instant::now()));
    let options = OpenOptions {
        clock: Arc::clone(&clock),
        wrap_backend: None,
        master_key: None,
    };
    (Store::open(dir, options).unwrap(), clock)
}

fn id(n: u64) -> TokenId {
    let mut bytes = [0x5A; 16];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    TokenId(bytes)
}

/// Waits until something is true; returns how long that took.
pub(crate) async fn eventually(what: &str, is_true: impl Fn() -> bool) -> Duration {
    within(PATIENCE, what, is_true).await
}

pub(crate) async fn within(patience: Duration, what: &str, is_true: impl Fn() -> bool) -> Duration {
    let since = Instant::now();
    while !is_true() {
        assert!(since.elapsed() < patience, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    since.elapsed()
}
