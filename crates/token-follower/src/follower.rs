//! A follower: what it knows, how old that is, and how tokens stand with it.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use token_core::{Revocations, Standing, Subject, UnixSeconds};
use token_deny_list::{Clock, SystemClock};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::lists::Lists;
use crate::session;
use crate::source::Source;

/// What a decision does when the deny list is old. One that was never whole is
/// denied in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "one or the other")]
pub enum OnStale {
    /// Goes on with what is known.
    Serve,
    /// Denies.
    Deny {
        /// How old the list may be.
        after: Duration,
    },
}

/// How a follower works.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "what a caller may choose")]
pub struct Options {
    /// For [`Follower`] as the deny list of a decision. Default: deny after 60 s.
    pub on_stale: OnStale,
    /// Most revoked tokens that are held in memory, some 50 bytes each. Beyond it
    /// the follower stops to follow, and is stale. Default 20,000,000.
    pub tokens_max: usize,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            on_stale: OnStale::Deny {
                after: Duration::from_secs(60),
            },
            tokens_max: 20_000_000,
            clock: Arc::new(SystemClock::new()),
        }
    }
}

/// Why nothing is followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no tokio runtime to run in.
    #[error("a follower is started within a tokio runtime, with its time and its io")]
    NoRuntime,
}

/// How a follower stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Whether it ever knew everything that is revoked.
    pub is_caught_up: bool,
    /// How old that knowledge is.
    pub age: Option<Duration>,
    /// Up to where, as the server counts.
    pub sequence: Option<String>,
    /// How many tokens are revoked.
    pub tokens: usize,
    /// Why it does not hear the server, while it does not.
    pub fault: Option<String>,
}

/// Follows the revocations of one server for as long as a clone of it is there.
/// Cheap to clone; the clones are one follower.
///
/// It is the deny list of a decision, with [`Options::on_stale`], and answers
/// from memory. Until it has caught up nothing stands well with it.
#[derive(Clone, Debug)]
pub struct Follower {
    shared: Arc<Shared>,
    _task: Arc<Task>,
}

#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What the task and the handles know.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) lists: Lists,
    heard: ArcSwapOption<Heard>,
    pub(crate) fault: ArcSwapOption<String>,
    is_caught_up: AtomicBool,
    /// Counts what may concern whoever waits.
    progress: watch::Sender<u64>,
    /// Counts rules for whole scopes.
    pub(crate) scope_rules: watch::Sender<u64>,
}

/// Up to where everything was heard, and when that was all there was, by both
/// clocks.
#[derive(Debug)]
struct Heard {
    sequence: String,
    monotonic: Duration,
    wall: UnixSeconds,
}

/// An instant by both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instants {
    monotonic: Duration,
    wall: UnixSeconds,
}

impl Follower {
    /// Begins to follow `source`.
    ///
    /// # Errors
    ///
    /// [`StartError`] outside of a tokio runtime.
    pub fn start(source: Source, options: Options) -> Result<Self, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let shared = Arc::new(Shared {
            options,
            lists: Lists::default(),
            heard: ArcSwapOption::empty(),
            fault: ArcSwapOption::empty(),
            is_caught_up: AtomicBool::new(false),
            progress: watch::Sender::new(0),
            scope_rules: watch::Sender::new(0),
        });
        let task = runtime.spawn(session::run(Arc::clone(&shared), source));
        Ok(Self {
            shared,
            _task: Arc::new(Task(task)),
        })
    }

    /// The deny list for one decision, with a staleness of its own.
    #[must_use]
    pub fn deny_list(&self, on_stale: OnStale) -> Followed<'_> {
        Followed {
            lists: &self.shared.lists,
            is_stale: self.is_stale(on_stale),
        }
    }

    /// Whether the deny list is too old to decide on.
    #[must_use]
    pub fn is_stale(&self, on_stale: OnStale) -> bool {
        match on_stale {
            _ if !self.is_caught_up() => true,
            OnStale::Serve => false,
            OnStale::Deny { after } => self.age().is_none_or(|age| age > after),
        }
    }

    /// Whether it knew, once since its start, everything that is revoked.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        self.shared.is_caught_up.load(Ordering::Acquire)
    }

    /// How old its knowledge is at most: by the larger of both clocks, since an
    /// instant at which it was all there was. `None` before it has any.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let heard = self.shared.heard.load();
        let heard = heard.as_ref()?;
        let at = Instants {
            monotonic: heard.monotonic,
            wall: heard.wall,
        };
        Some(self.shared.since(at))
    }

    /// Whether it has heard everything up to `sequence`, an id of the same feed.
    #[must_use]
    pub fn has_reached(&self, sequence: &str) -> bool {
        let heard = self.shared.heard.load();
        let (Some(heard), Some((epoch, number))) = (heard.as_ref(), sequence.rsplit_once('.'))
        else {
            return false;
        };
        let reached = |(own, up_to): (&str, &str)| {
            let numbers = (number.parse::<u64>(), up_to.parse::<u64>());
            own == epoch && matches!(numbers, (Ok(number), Ok(up_to)) if number <= up_to)
        };
        heard.sequence.rsplit_once('.').is_some_and(reached)
    }

    /// Waits until it has caught up.
    pub async fn caught_up(&self) {
        let mut progress = self.shared.progress.subscribe();
        while !self.is_caught_up() {
            if progress.changed().await.is_err() {
                return;
            }
        }
    }

    /// Counts the rules that revoked a whole scope: when it grows, signing keys
    /// were or will be replaced, and whoever keeps public keys gets them anew.
    #[must_use]
    pub fn scope_rules(&self) -> watch::Receiver<u64> {
        self.shared.scope_rules.subscribe()
    }

    /// How it stands, for people and for metrics.
    #[must_use]
    pub fn status(&self) -> Status {
        let heard = self.shared.heard.load();
        Status {
            is_caught_up: self.is_caught_up(),
            age: self.age(),
            sequence: heard.as_ref().map(|heard| heard.sequence.clone()),
            tokens: self.shared.lists.current().token_count(),
            fault: self.shared.fault.load().as_deref().cloned(),
        }
    }
}

impl Revocations for Follower {
    fn standing(&self, subject: &Subject<'_>) -> Standing {
        let on_stale = self.shared.options.on_stale;
        self.deny_list(on_stale).standing(subject)
    }
}

/// The deny list of a follower for one decision.
#[derive(Debug)]
pub struct Followed<'a> {
    lists: &'a Lists,
    is_stale: bool,
}

/// What is revoked stays revoked, however old the list is.
impl Revocations for Followed<'_> {
    fn standing(&self, subject: &Subject<'_>) -> Standing {
        let standing = self.lists.standing(subject);
        if standing == Standing::Good && self.is_stale {
            return Standing::Stale;
        }
        standing
    }
}

impl Shared {
    /// Now, by both clocks.
    pub(crate) fn now(&self) -> Instants {
        Instants {
            monotonic: self.options.clock.monotonic(),
            wall: self.options.clock.now(),
        }
    }

    /// How long ago `at` was: the longer of what the clocks say. A machine that
    /// slept knows it by the wall clock only.
    pub(crate) fn since(&self, at: Instants) -> Duration {
        let now = self.now();
        let by_wall = Duration::from_secs(now.wall.seconds_since(at.wall));
        now.monotonic.saturating_sub(at.monotonic).max(by_wall)
    }

    /// Up to where the last event went.
    pub(crate) fn sequence(&self) -> Option<String> {
        let heard = self.heard.load();
        heard.as_ref().map(|heard| heard.sequence.clone())
    }

    /// Everything up to `sequence` was heard; `at` it was all there was, where the
    /// server says so.
    pub(crate) fn hear(&self, sequence: String, at: Option<Instants>) {
        let held = self.heard.load_full();
        let held = held.map(|held| Instants {
            monotonic: held.monotonic,
            wall: held.wall,
        });
        let Some(at) = at.or(held) else { return };
        self.heard.store(Some(Arc::new(Heard {
            sequence,
            monotonic: at.monotonic,
            wall: at.wall,
        })));
        self.is_caught_up.store(true, Ordering::Release);
        self.progress
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Instants {
    /// So much later.
    pub(crate) const fn after(self, time: Duration) -> Self {
        Self {
            monotonic: self.monotonic.saturating_add(time),
            wall: self.wall.saturating_add(time.as_secs()),
        }
    }

    pub(crate) const fn monotonic(self) -> Duration {
        self.monotonic
    }
}
