//! What is written: an event, who caused it, and what it was about.

use core::net::IpAddr;

use serde::Serialize;
use serde_json::{Map, Value};
use token_core::UnixSeconds;

/// Everything that is written. docs/audit.md says what each line holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    ServerStarted,
    ConfigurationReloaded,
    TokenGranted,
    TokenRevoked,
    UuidRevoked,
    KeysetRevoked,
    KeysetCreated,
    KeysetChanged,
    KeysetRotated,
    KeysetDeleted,
    AccountCreated,
    AccountChanged,
    AccountDeleted,
    BackupMade,
    StoreExported,
    StoreImported,
    StoreRestored,
    StoreCompacted,
    StoreRekeyed,
    KeyCreated,
    KeyRotated,
    KeyRemoved,
    KeyUsed,
    /// Sampled.
    CredentialRefused,
    /// Sampled.
    Denied,
    /// Entries could not be written.
    EntriesLost,
    /// The last line was half written.
    LogRepaired,
    /// Entries that were written are not there.
    LogTruncated,
}

/// Who caused something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum By {
    /// The server itself, or its configuration.
    Server,
    /// Whoever has the data directory.
    DataDirectory,
    /// A key of the internal API.
    Key { name: String, role: &'static str },
    /// The secret key of the keyset.
    SecretKey,
    /// An API key of the account.
    ApiKey,
    /// An API token of the project.
    ApiToken,
    /// Whoever is refused.
    Client,
    /// A trusted peer without a key.
    Peer,
}

/// Who caused something, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Actor {
    pub(crate) by: By,
    pub(crate) peer: Option<IpAddr>,
}

tokio::task_local! {
    static ACTOR: Actor;
}

impl Actor {
    pub(crate) const fn new(by: By, peer: Option<IpAddr>) -> Self {
        Self { by, peer }
    }

    /// Runs `work`: everything that it changes is written down as done by this
    /// actor. Around the whole of a request, so that no route can forget it.
    pub(crate) async fn acts<F: Future>(self, work: F) -> F::Output {
        ACTOR.scope(self, work).await
    }

    /// The address of whoever acts here.
    pub(crate) fn current_peer() -> Option<IpAddr> {
        Self::current().peer
    }

    /// Who acts here: the server itself where no request is answered.
    fn current() -> Self {
        let nobody = || Self::new(By::Server, None);
        ACTOR.try_with(Self::clone).unwrap_or_else(|_| nobody())
    }
}

/// One line that is to be, without its place in the chain.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    pub(super) at: u64,
    pub(super) event: Event,
    by: By,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keyset: Option<String>,
    #[serde(flatten)]
    details: Map<String, Value>,
}

impl Entry {
    /// Something that whoever acts here did now.
    pub(crate) fn new(event: Event, at: UnixSeconds) -> Self {
        let Actor { by, peer } = Actor::current();
        Self {
            at: at.0,
            event,
            by,
            peer,
            keyset: None,
            details: Map::new(),
        }
    }

    /// The same, by somebody else.
    pub(crate) fn by(self, Actor { by, peer }: Actor) -> Self {
        Self { by, peer, ..self }
    }

    /// The keyset that it is about.
    pub(crate) fn keyset(mut self, subscribe_key: &str) -> Self {
        self.keyset = Some(subscribe_key.to_owned());
        self
    }

    /// A detail. Ids and names, never a token or a key.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Whether it may be left out when there is no room.
    pub(super) const fn is_sample(&self) -> bool {
        matches!(
            self.event,
            Event::CredentialRefused | Event::Denied | Event::KeyUsed
        )
    }

    /// The line, without its end.
    pub(super) fn line(&self, seq: u64, prev: &str) -> Vec<u8> {
        #[derive(Serialize)]
        struct Line<'a> {
            seq: u64,
            #[serde(flatten)]
            entry: &'a Entry,
            prev: &'a str,
        }
        let entry = self;
        // Text and numbers always serialize.
        serde_json::to_vec(&Line { seq, entry, prev }).unwrap_or_default()
    }
}
