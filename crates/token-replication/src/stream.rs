//! The stream that is the log: made, or checked.

use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, Info, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{Context, ErrorCode};
use async_nats::{Client, jetstream};

use crate::error::StartError;
use crate::key::hex;
use crate::message::{COMPLETE, Keys, Message, STREAM};
use crate::plan::Found;

/// What the metadata of the stream says.
const EPOCH: &str = "usher-epoch";
const PRIOR: &str = "usher-prior-epoch";
const FEED: &str = "usher-feed-key";
const CLUSTER: &str = "usher-cluster-key";
/// The prior epoch of a cluster that is new.
const NONE: &str = "none";

/// What goes wrong with a log: for good until somebody acts, or for now.
#[derive(Debug)]
pub(crate) enum Fault {
    Lasting(StartError),
    Passing(String),
}

impl From<StartError> for Fault {
    fn from(error: StartError) -> Self {
        Self::Lasting(error)
    }
}

pub(crate) fn passing(error: impl core::fmt::Display) -> Fault {
    Fault::Passing(error.to_string())
}

/// A log that is open.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) stream: Stream<()>,
    pub(crate) epoch: String,
    /// Whether whoever made it had no earlier one.
    pub(crate) is_first: bool,
}

/// The server must know lives of single messages.
pub(crate) fn check_version(client: &Client) -> Result<(), StartError> {
    let version = client.server_info().version;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let new_enough = matches!(
        (parts.next().flatten(), parts.next().flatten()),
        (Some(major), Some(minor)) if (major, minor) >= (2, 11)
    );
    new_enough
        .then_some(())
        .ok_or(StartError::Version { version })
}

/// Warns when the server keeps what it acknowledged in memory for a while: only
/// a client of the system account can ask.
pub(crate) async fn warn_of_lazy_sync(client: &Client) {
    const ASK: &str = "$SYS.REQ.SERVER.PING.VARZ";
    let asked = client.request(ASK, Vec::new().into());
    let answer = tokio::time::timeout(core::time::Duration::from_secs(1), asked).await;
    let answer: Option<serde_json::Value> = answer
        .ok()
        .and_then(Result::ok)
        .and_then(|answer| serde_json::from_slice(&answer.payload).ok());
    let always = answer.as_ref().and_then(|answer| {
        answer
            .pointer("/data/jetstream/config/sync_always")?
            .as_bool()
    });
    if always == Some(true) {
        return;
    }
    let state = if answer.is_some() {
        "the NATS server does not sync every message to its disk"
    } else {
        "whether the NATS server syncs every message to its disk could not be checked"
    };
    tracing::warn!(
        "{state}: after a power cut it may forget what it acknowledged until nodes publish it \
         again; set `sync_interval: always` in `jetstream {{ }}` of every server"
    );
}

/// Opens the stream; makes it when there is none and this node may. `prior` is
/// the log that this node had before.
pub(crate) async fn open(
    context: &Context,
    keys: &Keys,
    prior: Option<&str>,
    replicas: usize,
) -> Result<Log, Fault> {
    let info = match context.get_stream(STREAM).await {
        Ok(stream) => stream.cached_info().clone(),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(cause)
                if cause.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                create(context, keys, prior, replicas).await?
            }
            GetStreamErrorKind::JetStream(_)
            | GetStreamErrorKind::EmptyName
            | GetStreamErrorKind::Request
            | GetStreamErrorKind::InvalidStreamName => return Err(passing(error)),
        },
    };
    let stream = context.get_stream_no_info(STREAM).await.map_err(passing)?;
    check(&info.config, keys)?;
    if info.config.num_replicas < 3 {
        tracing::warn!(
            replicas = info.config.num_replicas,
            "the log has fewer than 3 replicas: when a NATS server is lost for good, revocations \
             that no node has are lost with it; use 3 servers and `nats stream edit usher \
             --replicas 3`"
        );
    }
    Ok(Log {
        epoch: epoch(&info),
        is_first: info
            .config
            .metadata
            .get(PRIOR)
            .is_some_and(|prior| prior == NONE),
        stream,
    })
}

/// An epoch is this stream, made then: one that is made anew from the same
/// settings is another.
fn epoch(info: &Info) -> String {
    let named = info.config.metadata.get(EPOCH).map_or("", String::as_str);
    let made = info.created.unix_timestamp_nanos();
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("{named} {made}").as_bytes());
    hex(digest.as_ref(), 8)
}

async fn create(
    context: &Context,
    keys: &Keys,
    prior: Option<&str>,
    replicas: usize,
) -> Result<Info, Fault> {
    let Some(cluster) = &keys.cluster else {
        return Err(passing(
            "there is no log yet, and a node that only verifies makes none",
        ));
    };
    let mut random = [0; 8];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random)
        .map_err(|_| StartError::NoRandomness)?;
    let metadata = [
        (EPOCH, hex(&random, 8)),
        (PRIOR, prior.unwrap_or(NONE).to_owned()),
        (FEED, keys.feed.fingerprint()),
        (CLUSTER, cluster.fingerprint()),
    ];
    let metadata = metadata.map(|(name, value)| (name.to_owned(), value));
    let mut config = Config {
        name: STREAM.to_owned(),
        description: Some("revocations and keysets of Usher; never purge".to_owned()),
        subjects: vec![format!("{STREAM}.>")],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        num_replicas: replicas,
        max_messages: -1,
        max_bytes: -1,
        max_messages_per_subject: -1,
        max_consumers: -1,
        deny_delete: true,
        deny_purge: true,
        allow_message_ttl: true,
        metadata: metadata.into_iter().collect(),
        ..Config::default()
    };
    let made = loop {
        match context.create_stream(config.clone()).await {
            Ok(stream) => break stream,
            Err(error) => match error.kind() {
                // One server alone keeps one copy.
                CreateStreamErrorKind::JetStream(cause)
                    if cause.error_code() == ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED
                        && config.num_replicas > 1 =>
                {
                    config.num_replicas = 1;
                }
                CreateStreamErrorKind::JetStream(_)
                | CreateStreamErrorKind::EmptyStreamName
                | CreateStreamErrorKind::InvalidStreamName
                | CreateStreamErrorKind::DomainAndExternalSet
                | CreateStreamErrorKind::JetStreamUnavailable
                | CreateStreamErrorKind::TimedOut
                | CreateStreamErrorKind::Response
                | CreateStreamErrorKind::NotFound
                | CreateStreamErrorKind::ResponseParse => return Err(passing(error)),
            },
        }
    };
    tracing::info!(
        replicas = config.num_replicas,
        "the log was made: a new epoch"
    );
    Ok(made.cached_info().clone())
}

/// Whether the stream keeps what it must, and is of this cluster.
fn check(config: &Config, keys: &Keys) -> Result<(), StartError> {
    let stream = || STREAM.to_owned();
    let wrong = |what: &str, remedy: &str| {
        Err(StartError::Stream {
            stream: stream(),
            what: what.to_owned(),
            remedy: remedy.to_owned(),
        })
    };
    let says = |name: &str| config.metadata.get(name).map(String::as_str);
    let Some(feed) = says(FEED) else {
        return wrong(
            "was not made by Usher",
            "give Usher a NATS account of its own, or delete the stream if nobody needs it",
        );
    };
    if feed != keys.feed.fingerprint() {
        return Err(StartError::OtherKey {
            stream: stream(),
            key: "feed",
        });
    }
    if let Some(cluster) = &keys.cluster
        && says(CLUSTER) != Some(cluster.fingerprint().as_str())
    {
        return Err(StartError::OtherKey {
            stream: stream(),
            key: "cluster",
        });
    }
    if config.storage != StorageType::File {
        return wrong("is kept in memory", "delete it; Usher makes one on disk");
    }
    let forgets = !config.max_age.is_zero()
        || config.max_messages > 0
        || config.max_bytes > 0
        || config.max_messages_per_subject > 0
        || config.retention != RetentionPolicy::Limits;
    if forgets {
        return wrong(
            "drops messages by age, number or size, and revocations with them",
            "take the limits away: nats stream edit usher --max-age=0 --max-msgs=-1 \
             --max-bytes=-1 --max-msgs-per-subject=-1",
        );
    }
    if !config.allow_message_ttl {
        return wrong(
            "does not let messages expire",
            "set it: nats stream edit usher --allow-msg-ttl",
        );
    }
    Ok(())
}

impl Log {
    /// What is found in the log, for a node that is at `sequence`.
    pub(crate) async fn look(&self, keys: &Keys, sequence: u64) -> Result<Found, Fault> {
        let info = self.stream.get_info().await.map_err(passing)?;
        check(&info.config, keys)?;
        let mut found = Found {
            epoch: epoch(&info),
            last: info.state.last_sequence,
            anchor: None,
            complete: self.is_complete(keys).await?,
        };
        if sequence > 0 && sequence <= found.last {
            found.anchor = match self.stream.get_raw_message(sequence).await {
                Ok(message) => Some(anchor(&message.payload)),
                Err(error) if is_absent(&error.kind()) => None,
                Err(error) => return Err(passing(error)),
            };
        }
        Ok(found)
    }

    async fn is_complete(&self, keys: &Keys) -> Result<bool, Fault> {
        match self.stream.get_last_raw_message_by_subject(COMPLETE).await {
            Ok(message) => Ok(matches!(
                keys.open(COMPLETE, &message.payload),
                Some(Message::Complete(epoch)) if epoch == self.epoch
            )),
            Err(error) if is_absent(&error.kind()) => Ok(false),
            Err(error) => Err(passing(error)),
        }
    }
}

fn is_absent(kind: &jetstream::stream::RawMessageErrorKind) -> bool {
    use jetstream::stream::RawMessageErrorKind as Kind;
    match kind {
        Kind::NoMessageFound => true,
        Kind::JetStream(cause) => cause.error_code() == ErrorCode::NO_MESSAGE_FOUND,
        Kind::InvalidSubject | Kind::Other => false,
    }
}

/// Names a message by its content, which is sealed with random bytes.
pub(crate) fn anchor(payload: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, payload);
    hex(digest.as_ref(), 16)
}
