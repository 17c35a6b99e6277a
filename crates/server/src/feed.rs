//! The feed of revocations: what was committed lately is kept once for all
//! readers, and each reads it at its own pace.
//!
//! A reader has no queue of its own. Who is slower than what is kept is told to
//! begin anew; who takes nothing for [`PATIENCE`] is cut off.

use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use token_store::{Notice, Revoked, Store};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

/// Most revocations that are kept for readers; about 16 MB. Who is further
/// behind gets everything that is revoked.
const KEPT_MAX: usize = 65_536;

/// Most revocations in one event.
const PER_EVENT_MAX: usize = 500;

/// Most snapshots that are read at a time: each holds a thread.
const SNAPSHOTS_MAX: usize = 4;

/// How often a reader hears something, so that it knows that it hears all.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long a reader may take nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a stream lasts; then the reader asks again, and its key is looked
/// at again.
const LASTS: Duration = Duration::from_secs(3_600);

/// Events on the way to one reader.
const ON_THE_WAY: usize = 4;

/// The feed of one store.
#[derive(Debug)]
pub(crate) struct Feed {
    epoch: String,
    kept: Mutex<Kept>,
    /// The last commit; `None` once the feed is closed.
    newest: watch::Sender<Option<u64>>,
    snapshots: Semaphore,
}

/// A commit that revoked something.
type Commit = (u64, Arc<[Revoked]>);

#[derive(Debug)]
struct Kept {
    commits: VecDeque<Commit>,
    revocations: usize,
    /// Everything after this commit is kept.
    since: u64,
}

impl Feed {
    /// The feed of `store`; from now on it hears every commit.
    pub(crate) fn of(store: &Store, epoch: String) -> Arc<Self> {
        let now = store.sequence();
        let feed = Arc::new(Self {
            epoch,
            kept: Mutex::new(Kept {
                commits: VecDeque::new(),
                revocations: 0,
                since: now,
            }),
            newest: watch::Sender::new(Some(now)),
            snapshots: Semaphore::new(SNAPSHOTS_MAX),
        });
        let hears = Arc::clone(&feed);
        store.observe(move |notice| hears.hear(notice));
        feed
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, notice: &Notice) {
        let mut kept = self.kept();
        if notice.anew {
            kept.commits.clear();
            kept.revocations = 0;
            kept.since = notice.sequence;
        } else if !notice.revoked.is_empty() {
            kept.revocations = kept.revocations.saturating_add(notice.revoked.len());
            let revoked = Arc::from(notice.revoked.as_slice());
            kept.commits.push_back((notice.sequence, revoked));
            while kept.revocations > KEPT_MAX {
                let Some((sequence, dropped)) = kept.commits.pop_front() else {
                    break;
                };
                kept.revocations = kept.revocations.saturating_sub(dropped.len());
                kept.since = sequence;
            }
        }
        drop(kept);
        self.newest.send_if_modified(|newest| {
            let is_open = newest.is_some();
            *newest = newest.map(|_| notice.sequence);
            is_open
        });
    }

    /// Ends every stream.
    pub(crate) fn close(&self) {
        self.newest.send_replace(None);
    }

    /// The stream of somebody who has heard everything up to `after`.
    pub(crate) fn stream(self: &Arc<Self>, store: &Store, after: Option<&str>) -> Events {
        let (events, on_the_way) = mpsc::channel(ON_THE_WAY);
        let reader = Reader {
            feed: Arc::clone(self),
            store: store.clone(),
            events,
            at: after.and_then(|after| self.number(after)),
        };
        drop(tokio::spawn(async move {
            // At the deadline, too, the reader asks again.
            drop(timeout(LASTS, reader.run()).await);
        }));
        Events(on_the_way)
    }

    /// The commit of a sequence of ours.
    fn number(&self, sequence: &str) -> Option<u64> {
        let (epoch, number) = sequence.rsplit_once('.')?;
        let number = number.parse().ok()?;
        let newest = (*self.newest.borrow())?;
        (epoch == self.epoch && number <= newest).then_some(number)
    }

    /// The first commit after `at` that revoked something; `Err` when it may be
    /// gone.
    fn next(&self, at: u64) -> Result<Option<Commit>, Gone> {
        let kept = self.kept();
        if at < kept.since {
            return Err(Gone);
        }
        let next = kept
            .commits
            .partition_point(|(sequence, _)| *sequence <= at);
        Ok(kept.commits.get(next).cloned())
    }
}

struct Gone;

/// The reader went away, or takes nothing, or the feed is closed.
struct Ended;

struct Reader {
    feed: Arc<Feed>,
    store: Store,
    events: mpsc::Sender<Bytes>,
    /// What it has heard; `None` before its snapshot.
    at: Option<u64>,
}

impl Reader {
    async fn run(mut self) -> Result<Infallible, Ended> {
        let mut newest = self.feed.newest.subscribe();
        let begun = Instant::now();
        let mut due = begun;
        loop {
            // Before what is kept is looked at: what comes later is a change.
            let as_of = begun.elapsed();
            let seen = (*newest.borrow_and_update()).ok_or(Ended)?;
            while let Some((sequence, revoked)) = self.next(&mut due).await? {
                self.tell(sequence, &revoked).await?;
                self.at = Some(sequence);
            }
            // Commits that revoked nothing are heard, too.
            self.at = self.at.max(Some(seen));
            if Instant::now() >= due {
                let id = self.at.map(|at| self.sequence(at));
                // Who knows when it asked knows by this how old what it heard is.
                let data = format!(r#"{{"after_ms":{}}}"#, as_of.as_millis());
                self.send(event("heartbeat", id.as_deref(), &data)).await?;
                due = Instant::now().checked_add(HEARTBEAT).ok_or(Ended)?;
            }
            // When the time is over, the loop finds that a heartbeat is due.
            if let Ok(changed) = timeout_at(due, newest.changed()).await {
                changed.map_err(|_| Ended)?;
            }
        }
    }

    async fn next(&mut self, due: &mut Instant) -> Result<Option<Commit>, Ended> {
        let next = self.at.map(|at| self.feed.next(at));
        match next {
            Some(Ok(next)) => Ok(next),
            None | Some(Err(Gone)) => {
                self.snapshot().await?;
                // It says how far the snapshot goes.
                *due = Instant::now();
                let at = self.at.ok_or(Ended)?;
                // One that was slower than its snapshot begins again later.
                self.feed.next(at).map_err(|Gone| Ended)
            }
        }
    }

    async fn tell(&self, sequence: u64, revoked: &[Revoked]) -> Result<(), Ended> {
        let mut parts = revoked.chunks(PER_EVENT_MAX).peekable();
        while let Some(part) = parts.next() {
            // The id comes with the last part: half a commit is not heard.
            let id = parts.peek().is_none().then(|| self.sequence(sequence));
            self.send(revocations(part, id.as_deref())).await?;
        }
        Ok(())
    }

    async fn send(&self, event: Bytes) -> Result<(), Ended> {
        let sent = timeout(PATIENCE, self.events.send(event)).await;
        sent.map_err(|_| Ended)?.map_err(|_| Ended)
    }

    /// Everything that is revoked, from one state of the disk.
    async fn snapshot(&mut self) -> Result<(), Ended> {
        let _one_of_few = self.feed.snapshots.acquire().await.map_err(|_| Ended)?;
        let store = self.store.clone();
        let (part, mut parts) = mpsc::channel(1);
        let reading = tokio::task::spawn_blocking(move || {
            let mut gathered = Vec::new();
            let mut at = 0;
            let reset = event("reset", None, "{}");
            let begun = part.blocking_send(reset).is_ok();
            let read = store.each_revoked(
                &mut |revoked| {
                    gathered.push(revoked);
                    if gathered.len() < PER_EVENT_MAX {
                        return begun;
                    }
                    let full = revocations(&core::mem::take(&mut gathered), None);
                    part.blocking_send(full).is_ok()
                },
                &mut |sequence| at = sequence,
            );
            if !gathered.is_empty() {
                let _gone = part.blocking_send(revocations(&gathered, None));
            }
            read.map(|()| at)
        });
        while let Some(event) = parts.recv().await {
            self.send(event).await?;
        }
        let read = reading.await.map_err(|_| Ended)?;
        let at = read.map_err(|error| {
            tracing::warn!(%error, "a feed broke off: the deny list cannot be read");
            Ended
        })?;
        self.at = Some(at);
        Ok(())
    }

    fn sequence(&self, number: u64) -> String {
        format!("{}.{number}", self.feed.epoch)
    }
}

fn revocations(revoked: &[Revoked], id: Option<&str>) -> Bytes {
    let data = serde_json::to_string(revoked).unwrap_or_default();
    event("revocations", id, &data)
}

/// One event, as the HTML standard frames it (9.2.6). The data is one line.
fn event(name: &str, id: Option<&str>, data: &str) -> Bytes {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    Bytes::from(format!("{id}event: {name}\ndata: {data}\n\n"))
}

/// The events on the way to one reader, as a body.
#[derive(Debug)]
pub(crate) struct Events(mpsc::Receiver<Bytes>);

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let event = self.0.poll_recv(context);
        event.map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

#[cfg(test)]
mod tests {
    use core::future::poll_fn;

    use token_store::OpenOptions;

    use super::*;
    use crate::SystemClock;

    /// A stream of a store in which nothing happens, and what it hears until it
    /// ends: how much, and after how long.
    async fn heard(reads: bool) -> (usize, Duration) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), OpenOptions::new(SystemClock::new())).unwrap();
        let feed = Feed::of(&store, "epoch".to_owned());
        let begun = Instant::now();
        let mut events = feed.stream(&store, None);
        if !reads {
            while !events.0.is_closed() {
                tokio::time::sleep(Duration::from_secs(1)).await;
                assert!(begun.elapsed() < LASTS, "it is held for good");
            }
        }
        let mut count: usize = 0;
        while poll_fn(|context| Pin::new(&mut events).poll_frame(context))
            .await
            .is_some()
        {
            count = count.saturating_add(1);
        }
        (count, begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_cut_off() {
        let (count, after) = heard(false).await;
        assert_eq!(count, ON_THE_WAY);
        assert!(after < Duration::from_secs(60), "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_after_an_hour() {
        let (count, after) = heard(true).await;
        assert!(count > 700, "it hears a heartbeat every five seconds");
        assert!((LASTS..LASTS + HEARTBEAT).contains(&after), "{after:?}");
    }
}
