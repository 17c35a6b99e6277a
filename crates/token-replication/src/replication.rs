//! The handle: what a server asks of replication.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use token_core::UnixSeconds;
use token_store::{Clock, LogEntry, Store};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::error::{NotPublished, StartError};
use crate::freshness::Instant;
use crate::key::{ClusterKey, FeedKey, hex};
use crate::message::Keys;
use crate::publish::{ACK_WITHIN, Publisher};
use crate::session::{self, Session};
use crate::stream::Fault;

/// How long the first connection may take before the node starts without one.
const FIRST_CONNECTION: Duration = Duration::from_secs(5);

/// How to reach the log.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever starts it fills every field"
)]
pub struct Options {
    /// URLs of the servers, separated by commas; user name and password, or a
    /// token, may stand in them. `tls://` wants TLS.
    pub url: String,
    /// Certificate authorities for `tls://`, a PEM file; `None` for those of the
    /// system.
    pub ca_file: Option<PathBuf>,
    /// Seals deny entries, rules and beacons.
    pub feed_key: FeedKey,
    /// Seals keysets. A node without one only verifies: it publishes nothing
    /// but beacons.
    pub cluster_key: Option<ClusterKey>,
    /// How many copies the log keeps, if this node makes it and the servers are
    /// a cluster: 1 to 5.
    pub replicas: usize,
    /// Marks the log complete once, though this node knows of nothing that was
    /// in an earlier one: an operator says that there was none.
    pub seed_epoch: bool,
}

/// The store of this node, kept in step with those of others.
///
/// Clones are one; the last one to go ends it.
#[derive(Clone, Debug)]
pub struct Replication {
    inner: Arc<Running>,
}

#[derive(Debug)]
struct Running {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the session tells and the handle asks.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) options: Options,
    /// Which run of which node.
    pub(crate) run: String,
    pub(crate) publisher: ArcSwapOption<Publisher>,
    pub(crate) wake: Notify,
    pub(crate) caught_up: AtomicBool,
    /// When the last beacon that came back was sent: milliseconds of the
    /// monotonic clock, and seconds of the wall clock.
    pub(crate) sent_monotonic: AtomicU64,
    pub(crate) sent_wall: AtomicU64,
    pub(crate) applied: ArcSwapOption<(Arc<str>, u64)>,
    /// Whether whoever made the log had no earlier one.
    pub(crate) is_first: AtomicBool,
    /// What ids of messages are made with; see [`Publisher`].
    salt: Mutex<String>,
    pub(crate) counts: Counts,
}

/// What is counted since the start.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) applied: AtomicU64,
    pub(crate) published: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) conflicts: AtomicU64,
    pub(crate) anew: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64, by: usize) {
    let by = u64::try_from(by).unwrap_or(u64::MAX);
    counter.fetch_add(by, Ordering::Relaxed);
}

/// How replication stands, for people and their monitors.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Whether there is a connection and the log is open.
    pub connected: bool,
    /// Whether everything was applied once since the start.
    pub caught_up: bool,
    /// How old the deny list may be; `None` before it was caught up.
    pub age: Option<Duration>,
    /// Entries of others that were applied.
    pub applied: u64,
    /// Entries that were published again because the log did not show them.
    pub published: u64,
    /// Messages that no key of this cluster sealed.
    pub refused: u64,
    /// Changes of keysets that are lost because two nodes made one at a time.
    pub conflicts: u64,
    /// How often the log was read from its beginning.
    pub anew: u64,
}

impl Shared {
    pub(crate) fn now(&self) -> Instant {
        Instant {
            monotonic: self.clock.monotonic(),
            wall: self.clock.now(),
        }
    }

    /// What ids of messages in this epoch are made with.
    pub(crate) fn salt(&self, epoch: &str) -> String {
        let salt = self.salt.lock().unwrap_or_else(PoisonError::into_inner);
        if salt.starts_with(epoch) {
            salt.clone()
        } else {
            epoch.to_owned()
        }
    }

    /// The log has lost messages, or is new: then nodes that publish the same
    /// share their ids.
    pub(crate) fn take_salt(&self, epoch: &str, is_new: bool) {
        let salt = if is_new {
            epoch.to_owned()
        } else {
            let times = self.counts.anew.load(Ordering::Relaxed);
            format!("{epoch} {} {times}", self.run)
        };
        *self.salt.lock().unwrap_or_else(PoisonError::into_inner) = salt;
    }

    pub(crate) fn is_first(&self) -> bool {
        self.is_first.load(Ordering::Acquire)
    }

    /// A beacon came back.
    pub(crate) fn heard(&self, sent: Instant) {
        let millis = u64::try_from(sent.monotonic.as_millis()).unwrap_or(u64::MAX);
        self.sent_monotonic.store(millis, Ordering::Release);
        self.sent_wall.store(sent.wall.0, Ordering::Release);
    }
}

impl Replication {
    /// Connects, and begins to follow the log. When no server answers within
    /// 5 s it goes on trying, and the node is not caught up until then.
    ///
    /// # Errors
    ///
    /// [`StartError`] when somebody must act before this can work: other keys,
    /// an old server, a stream that forgets.
    pub async fn start(
        store: Store,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Self, StartError> {
        let mut random = [0; 8];
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random)
            .map_err(|_| StartError::NoRandomness)?;
        let keys = Keys {
            feed: options.feed_key.clone(),
            cluster: options.cluster_key.clone(),
        };
        let shared = Arc::new(Shared {
            store,
            clock,
            keys: Arc::new(keys),
            options,
            run: hex(&random, 8),
            publisher: ArcSwapOption::empty(),
            wake: Notify::new(),
            caught_up: AtomicBool::new(false),
            sent_monotonic: AtomicU64::new(0),
            sent_wall: AtomicU64::new(0),
            applied: ArcSwapOption::empty(),
            is_first: AtomicBool::new(false),
            salt: Mutex::default(),
            counts: Counts::default(),
        });
        let first = timeout(FIRST_CONNECTION, Session::open(&shared)).await;
        let first = match first {
            Ok(Ok(session)) => Some(session),
            Ok(Err(Fault::Lasting(error))) => return Err(error),
            Ok(Err(Fault::Passing(reason))) => {
                tracing::error!(reason, "the log cannot be reached; trying on");
                None
            }
            Err(_) => {
                tracing::error!("the log does not answer; trying on");
                None
            }
        };
        let task = tokio::spawn(session::follow(Arc::clone(&shared), first));
        Ok(Self {
            inner: Arc::new(Running { shared, task }),
        })
    }

    /// Publishes what was just revoked here. When it returns, the log has it:
    /// the answer is a sequence that other nodes may be asked to have reached.
    ///
    /// # Errors
    ///
    /// [`NotPublished`] after 2 s at most. The entries are in the store, wait
    /// there, and are published as soon as the log takes them.
    pub async fn publish(&self, entries: &[LogEntry]) -> Result<String, NotPublished> {
        let shared = &self.inner.shared;
        let publisher = shared.publisher.load_full();
        let publisher = publisher.ok_or(NotPublished::NotConnected)?;
        let published = publisher.entries(entries, shared.clock.now());
        match timeout(ACK_WITHIN, published).await {
            Ok(Ok((epoch, number))) => Ok(format!("{epoch}.{number}")),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(NotPublished::NotInTime),
        }
    }

    /// Something waits in the store: publish it now and not in a second.
    pub fn wake(&self) {
        self.inner.shared.wake.notify_one();
    }

    /// Whether this node may revoke and change keysets.
    #[must_use]
    pub fn may_publish(&self) -> bool {
        self.inner.shared.keys.cluster.is_some()
    }

    /// Whether everything that the log showed was applied once since the start.
    /// Before, the deny list is as old as the last run.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        self.inner.shared.caught_up.load(Ordering::Acquire)
    }

    /// How old the deny list may be: the time since this node sent the last
    /// beacon that came back to it in the order of the log. `None` before it
    /// was caught up.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let shared = &self.inner.shared;
        if !self.is_caught_up() {
            return None;
        }
        let sent = Instant {
            monotonic: Duration::from_millis(shared.sent_monotonic.load(Ordering::Acquire)),
            wall: UnixSeconds(shared.sent_wall.load(Ordering::Acquire)),
        };
        Some(sent.age(shared.now()))
    }

    /// How far this node has applied the log, as `epoch.number`; `None` before
    /// it read any of it.
    #[must_use]
    pub fn sequence(&self) -> Option<String> {
        let applied = self.inner.shared.applied.load();
        applied
            .as_ref()
            .map(|applied| format!("{}.{}", applied.0, applied.1))
    }

    /// Whether this node has applied the log up to `sequence`, as
    /// [`Replication::publish`] and [`Replication::sequence`] name it. False for
    /// one of another epoch.
    #[must_use]
    pub fn has_reached(&self, sequence: &str) -> bool {
        let Some((epoch, number)) = sequence.rsplit_once('.') else {
            return false;
        };
        let applied = self.inner.shared.applied.load();
        applied.as_ref().is_some_and(|applied| {
            *applied.0 == *epoch && number.parse().is_ok_and(|number: u64| number <= applied.1)
        })
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        let counts = &self.inner.shared.counts;
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Status {
            connected: self.inner.shared.publisher.load().is_some(),
            caught_up: self.is_caught_up(),
            age: self.age(),
            applied: of(&counts.applied),
            published: of(&counts.published),
            refused: of(&counts.refused),
            conflicts: of(&counts.conflicts),
            anew: of(&counts.anew),
        }
    }
}
