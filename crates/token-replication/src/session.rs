//! Following the log: one session for each connection that holds, and another
//! after it.

use core::convert::Infallible;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::{self, Context, Message as Received};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, ServerAddr};
use futures_util::StreamExt as _;
use token_store::{LogPosition, Merge, OnStale};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::error::{NotPublished, StartError};
use crate::freshness::{Freshness, Instant};
use crate::message::{Beacon, Message};
use crate::plan::{Plan, Why, may_complete, plan};
use crate::publish::{ACK_WITHIN, Publisher};
use crate::replication::{Options, Shared, count};
use crate::stream::{self, Fault, Log, anchor, passing};

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(1);
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// How often the stream is looked at: is it still this one, and whole?
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often what the log did not show is published again.
const REPUBLISH_EVERY: Duration = Duration::from_secs(1);

/// A server that sends nothing for so long, not even a heartbeat, is gone.
const HEARTBEAT: Duration = Duration::from_millis(750);

/// How long one request for messages lasts.
const PULL: Duration = Duration::from_secs(10);

/// For how long the server keeps a consumer that nobody asks.
const CONSUMER_LIFE: Duration = Duration::from_secs(30);

/// The longest time between two beacons, and the shortest.
const BEACON_MAX: Duration = Duration::from_secs(1);
const BEACON_TICK: Duration = Duration::from_millis(250);

/// How often the position is kept when nothing else is written. A restart reads
/// so much again.
const KEEP_EVERY: Duration = Duration::from_secs(30);

/// Most messages that are merged in one commit.
const MESSAGES_AT_ONCE: usize = 1_024;

/// Follows the log for good.
pub(crate) async fn follow(shared: Arc<Shared>, first: Option<Session>) {
    let mut session = first;
    let mut pause = PAUSE_MIN;
    let mut client = None;
    loop {
        let fault = match session.take() {
            Some(session) => {
                client = Some(session.client.clone());
                let begun = shared.clock.monotonic();
                let Err(fault) = session.run(&shared).await;
                shared.publisher.store(None);
                if shared.clock.monotonic().saturating_sub(begun) > PAUSE_MAX {
                    pause = PAUSE_MIN;
                }
                fault
            }
            None => match Session::reopen(&shared, client.take()).await {
                Ok(opened) => {
                    session = Some(opened);
                    continue;
                }
                Err(fault) => fault,
            },
        };
        match fault {
            Fault::Lasting(error) => tracing::error!(%error, "the log cannot be followed"),
            Fault::Passing(reason) => tracing::warn!(reason, "the log is followed anew"),
        }
        sleep(pause).await;
        pause = pause.saturating_mul(2).min(PAUSE_MAX);
    }
}

/// A log that is open, and where to read on.
pub(crate) struct Session {
    client: Client,
    context: Context,
    log: Log,
    position: LogPosition,
}

impl Session {
    /// Connects and opens the log.
    pub(crate) async fn open(shared: &Arc<Shared>) -> Result<Self, Fault> {
        Self::reopen(shared, None).await
    }

    async fn reopen(shared: &Arc<Shared>, client: Option<Client>) -> Result<Self, Fault> {
        let client = match client {
            Some(client) => client,
            None => {
                let client = connect(&shared.options).await?;
                stream::check_version(&client)?;
                stream::warn_of_lazy_sync(&client).await;
                client
            }
        };
        let context = jetstream::ContextBuilder::new()
            .timeout(ACK_WITHIN)
            .ack_timeout(ACK_WITHIN)
            .build(client.clone());
        let held = shared.store.log_position().map_err(passing)?;
        let survivor = held.as_ref().map_or_else(
            || !shared.store.keysets().is_empty(),
            |held| held.complete || held.survivor,
        );
        let before = held.as_ref().map_or("no log", |held| held.epoch.as_str());
        let prior = survivor.then_some(before);
        let log = stream::open(&context, &shared.keys, prior, shared.options.replicas).await?;
        shared.is_first.store(log.is_first, Ordering::Release);
        let sequence = held.as_ref().map_or(0, |held| held.sequence);
        let found = log.look(&shared.keys, sequence).await?;
        let position = match (plan(held.as_ref(), &found), held) {
            (Plan::GoOn, Some(held)) => held,
            (Plan::GoOn, None) => anew(shared, &log.epoch, survivor, Why::First).await?,
            (Plan::Anew(why), _) => anew(shared, &log.epoch, survivor, why).await?,
        };
        Ok(Self {
            client,
            context,
            log,
            position,
        })
    }

    /// Reads the log and publishes into it, until something goes wrong.
    async fn run(self, shared: &Arc<Shared>) -> Result<Infallible, Fault> {
        let (keys, epoch) = (Arc::clone(&shared.keys), self.log.epoch.as_str());
        let publisher = Publisher::new(self.context, keys, epoch, &shared.salt(epoch));
        shared.publisher.store(Some(Arc::new(publisher.clone())));
        let messages = messages(&self.log, self.position.sequence).await?;
        let mut chunks = messages.ready_chunks(MESSAGES_AT_ONCE);
        let mut reader = Reader {
            shared: Arc::clone(shared),
            epoch: epoch.into(),
            kept: self.position.sequence,
            position: self.position,
            delivered: 0,
            freshness: Freshness::default(),
            heard: None,
        };
        let every = |period| {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let mut beacons = every(BEACON_TICK);
        let mut looks = every(LOOK_EVERY);
        let mut keeps = every(KEEP_EVERY);
        let mut republish = every(REPUBLISH_EVERY);
        let mut publishing = JoinSet::new();
        let mut sending = JoinSet::new();
        loop {
            tokio::select! {
                chunk = chunks.next() => {
                    reader.apply(chunk.ok_or_else(|| passing("the consumer ended"))?).await?;
                }
                _ = beacons.tick() => {
                    while sending.try_join_next().is_some() {}
                    if let Some(beacon) = reader.beacon() {
                        let publisher = publisher.clone();
                        sending.spawn(async move { publisher.send(beacon).await });
                    }
                }
                _ = looks.tick() => reader.look(&self.log).await?,
                _ = keeps.tick() => reader.keep().await?,
                () = shared.wake.notified() => republish.reset_immediately(),
                _ = republish.tick(), if publishing.is_empty() => {
                    publishing.spawn(catch_up_log(
                        Arc::clone(shared),
                        publisher.clone(),
                        reader.to_complete().then(|| epoch.to_owned()),
                    ));
                }
                Some(_) = publishing.join_next() => {}
            }
        }
    }
}

/// Publishes what the log did not show; then, if this node may, marks it
/// complete.
async fn catch_up_log(
    shared: Arc<Shared>,
    publisher: Publisher,
    complete: Option<String>,
) -> Result<(), NotPublished> {
    let now = shared.clock.now();
    let published = publisher.everything_missing(&shared.store, now).await?;
    count(&shared.counts.published, published);
    if let Some(mark) = complete.and_then(|epoch| shared.keys.complete(&epoch)) {
        publisher.send(mark).await?;
        tracing::info!("the log is marked complete");
    }
    Ok(())
}

/// Begins with the log from its start.
async fn anew(
    shared: &Arc<Shared>,
    epoch: &str,
    survivor: bool,
    why: Why,
) -> Result<LogPosition, Fault> {
    match why {
        Why::First => tracing::info!(epoch, "the log is read for the first time"),
        Why::NewLog => tracing::error!(epoch, "the log is another than before: a new epoch"),
        Why::RolledBack => tracing::error!("the log lost messages that were applied here"),
        Why::Purged => tracing::error!("the log was purged"),
        Why::AwayForLong => tracing::info!("this node was away for long"),
    }
    if why != Why::First {
        tracing::warn!("what this node has is published again where the log does not show it");
    }
    count(&shared.counts.anew, 1);
    shared.take_salt(epoch, matches!(why, Why::First | Why::NewLog));
    let position = LogPosition {
        epoch: epoch.to_owned(),
        sequence: 0,
        anchor: String::new(),
        complete: false,
        survivor,
    };
    let (store, at) = (shared.store.clone(), position.clone());
    tokio::task::spawn_blocking(move || store.attach(at))
        .await
        .map_err(passing)?
        .map_err(passing)?;
    Ok(position)
}

async fn messages(log: &Log, after: u64) -> Result<pull::Stream, Fault> {
    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence {
            start_sequence: after.saturating_add(1),
        },
        ack_policy: AckPolicy::None,
        inactive_threshold: CONSUMER_LIFE,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let consumer = log.stream.create_consumer(config).await.map_err(passing)?;
    consumer
        .stream()
        .max_messages_per_batch(MESSAGES_AT_ONCE)
        .expires(PULL)
        .heartbeat(HEARTBEAT)
        .messages()
        .await
        .map_err(passing)
}

/// What is read, in order.
struct Reader {
    shared: Arc<Shared>,
    epoch: Arc<str>,
    position: LogPosition,
    /// The position that is on the disk.
    kept: u64,
    /// The last message of the consumer.
    delivered: u64,
    freshness: Freshness,
    /// When the last beacon of this session that came back was sent.
    heard: Option<Instant>,
}

impl Reader {
    /// Applies messages; they are on the disk when it returns.
    async fn apply<E: core::fmt::Display>(
        &mut self,
        chunk: Vec<Result<Received, E>>,
    ) -> Result<(), Fault> {
        let mut entries = Vec::new();
        let mut heard = Vec::new();
        let mut position = self.position.clone();
        for received in chunk {
            let received = received.map_err(passing)?;
            let info = received.info().map_err(passing)?;
            // One that got lost on the way is asked for again.
            let expected = self.delivered.saturating_add(1);
            if info.consumer_sequence != expected {
                return Err(passing("a message of the log was lost on the way"));
            }
            self.delivered = expected;
            position.sequence = info.stream_sequence;
            position.anchor = anchor(&received.payload);
            match self.shared.keys.open(&received.subject, &received.payload) {
                Some(Message::Entries(some)) => entries.extend(some),
                Some(Message::Beacon(beacon)) if beacon.run == self.shared.run => {
                    heard.push(beacon.number);
                }
                Some(Message::Complete(epoch)) => position.complete |= *epoch == *self.epoch,
                Some(Message::Beacon(_) | Message::NotForUs) => {}
                None => {
                    count(&self.shared.counts.refused, 1);
                    let subject = received.subject.as_str();
                    tracing::error!(subject, "a message that no key of this cluster sealed");
                }
            }
        }
        if !entries.is_empty() || position.complete != self.position.complete {
            self.merge(entries, &position).await?;
        }
        self.position = position;
        let applied = (Arc::clone(&self.epoch), self.position.sequence);
        self.shared.applied.store(Some(Arc::new(applied)));
        for number in heard {
            self.heard = self.freshness.applied(number).or(self.heard);
        }
        self.note_heard();
        Ok(())
    }

    async fn merge(
        &mut self,
        entries: Vec<token_store::LogEntry>,
        position: &LogPosition,
    ) -> Result<(), Fault> {
        let (sender, receiver) = oneshot::channel();
        let position = position.clone();
        self.kept = position.sequence;
        self.shared
            .store
            .submit_merge(Merge { entries, position }, |merged| {
                drop(sender.send(merged));
            });
        let merged = receiver.await.map_err(passing)?.map_err(passing)?;
        count(&self.shared.counts.applied, merged.applied);
        count(&self.shared.counts.conflicts, merged.conflicts.len());
        for subscribe_key in merged.conflicts {
            tracing::error!(
                subscribe_key,
                "two nodes changed this keyset at a time, and one change is lost; look at it"
            );
        }
        if merged.unpublished {
            self.shared.wake.notify_one();
        }
        Ok(())
    }

    /// A beacon of this session came back: everything before it was applied.
    fn note_heard(&self) {
        let Some(sent) = self.heard else {
            return;
        };
        // Without entries of its own it knows only what the log shows, and that
        // is everything only once somebody said so.
        if self.position.complete || self.position.survivor {
            self.shared.heard(sent);
            if !self.shared.caught_up.swap(true, Ordering::AcqRel) {
                tracing::info!(epoch = &*self.epoch, "caught up with the log");
            }
        }
    }

    fn beacon(&mut self) -> Option<crate::message::Outgoing> {
        let now = self.shared.now();
        let last = self.freshness.last_sent();
        let due = last.is_none_or(|last| last.age(now) >= beacon_period(&self.shared));
        if !due {
            return None;
        }
        let run = self.shared.run.clone();
        let number = self.freshness.send(now);
        self.shared
            .keys
            .beacon(&run.clone(), &Beacon { run, number })
    }

    /// Whether this node should mark the log complete, once what it has is in.
    fn to_complete(&self) -> bool {
        let told_to = self.shared.options.seed_epoch;
        self.heard.is_some()
            && self.shared.keys.cluster.is_some()
            && may_complete(&self.position, self.shared.is_first(), told_to)
    }

    /// Looks at the stream: is it still this one, and whole?
    async fn look(&self, log: &Log) -> Result<(), Fault> {
        let found = log.look(&self.shared.keys, self.position.sequence).await?;
        if let Plan::Anew(why) = plan(Some(&self.position), &found) {
            // Now, and not after another look from an older place.
            let survivor = self.position.survivor || self.position.complete;
            anew(&self.shared, &found.epoch, survivor, why).await?;
            return Err(passing("the log is not what it was"));
        }
        Ok(())
    }

    /// Keeps the position, when nothing else was to be written for long.
    async fn keep(&mut self) -> Result<(), Fault> {
        if self.kept == self.position.sequence {
            return Ok(());
        }
        let position = self.position.clone();
        self.merge(Vec::new(), &position).await
    }
}

/// A second, or a quarter of the shortest bound after which a keyset denies.
fn beacon_period(shared: &Shared) -> Duration {
    let keysets = shared.store.keysets();
    let denying = keysets.iter().map(|keyset| &keyset.settings);
    let shortest = denying
        .filter(|settings| settings.on_stale == OnStale::Deny)
        .map(|settings| Duration::from_secs(settings.max_staleness))
        .min();
    let quarter = shortest.and_then(|shortest| shortest.checked_div(4));
    quarter.map_or(BEACON_MAX, |quarter| quarter.clamp(BEACON_TICK, BEACON_MAX))
}

/// The file, once it is clear that there are certificates in it: the client
/// takes an empty one and trusts nobody.
fn authorities(path: &Path) -> Result<PathBuf, StartError> {
    let wrong = |reason: String| StartError::Authorities {
        path: path.display().to_string(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    Ok(path.to_owned())
}

async fn connect(to: &Options) -> Result<Client, Fault> {
    let servers: Vec<ServerAddr> = to
        .url
        .split(',')
        .map(|url| url.trim().parse())
        .collect::<Result<_, _>>()
        .map_err(|_| StartError::Url)?;
    // The client itself does not look at them there.
    let named = servers.iter().find_map(|server| {
        let user = server.username()?.to_owned();
        Some((user, server.password().map(str::to_owned)))
    });
    let options = match named {
        None => ConnectOptions::new(),
        Some((user, Some(password))) => ConnectOptions::with_user_and_password(user, password),
        Some((token, None)) => ConnectOptions::with_token(token),
    };
    let options = match &to.ca_file {
        Some(path) => options.add_root_certificates(authorities(path)?),
        None => options,
    };
    let options = options
        .name("usher")
        .connection_timeout(ACK_WITHIN)
        .request_timeout(Some(ACK_WITHIN))
        .ping_interval(Duration::from_secs(1))
        .reconnect_delay_callback(|tries| {
            let doublings = u32::try_from(tries.min(8)).unwrap_or(8);
            let pause = PAUSE_MIN.saturating_mul(2_u32.saturating_pow(doublings));
            pause.min(PAUSE_MAX)
        })
        .event_callback(|event| async move {
            tracing::info!(%event, "connection to the log");
        });
    options
        .connect(servers)
        .await
        .map_err(|error| match error.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                StartError::Credentials.into()
            }
            ConnectErrorKind::ServerParse => StartError::Url.into(),
            ConnectErrorKind::Dns
            | ConnectErrorKind::TimedOut
            | ConnectErrorKind::Tls
            | ConnectErrorKind::Io
            | ConnectErrorKind::MaxReconnects => passing(error),
        })
}
