//! Everything that a request needs, in one value; no sockets.

mod access;
mod audited;
mod live;
mod nodes;
mod tokens;
mod writes;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use token_codec::{VerifiedToken, VerifyError};
use token_core::limits::{CRT_TEXT_BYTES_MAX, GRANT_BODY_BYTES_MAX};
use token_core::{Revocations as _, Standing, Subject, UnixSeconds, VerifiedClaims};
use token_policy::PatternCache;
use token_store::{Clock, Keyset, OpenOptions, Store};

use crate::attempts::Attempts;
use crate::audit::{Actor, Audit, By};
use crate::cache::{CACHE_BYTES, PATTERN_CACHE_BYTES, VerifiedTokens};
use crate::client_address::ClientAddress;
use crate::config::Config;
use crate::conn::{Refusal, RequestBody, ResponseBody};
use crate::error::{ApiError, ErrorCode};
use crate::feed::Feed;
use crate::gateway::{self, Gateway};
use crate::held::Held;
use crate::internal::{self, Caller};
use crate::jws_keys::IssuerKeys;
use crate::keyset::Prepared;
use crate::metrics::Metrics;
use crate::rules::Rules;
use crate::signature::SigningKeys;
use crate::{access_manager, oem, pubsub, server::StartError, well_known};

pub(crate) use live::Live;
pub(crate) use nodes::Revoked;
pub(crate) use tokens::{AnyToken, is_jws};
pub(crate) use writes::store_error;

/// The server without its sockets: it answers the requests of both listeners.
/// Cheap to clone; the clones are one server.
#[derive(Clone, Debug)]
pub struct Service {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Before the store: it ends while nobody else has the data directory.
    audit: Audit,
    attempts: Attempts,
    /// When the use of a key was written down last, by name.
    used: Mutex<HashMap<String, u64>>,
    held: Held,
    feed: Arc<Feed>,
    /// Before the store, too.
    nodes: OnceLock<nodes::Nodes>,
    /// Names the store in sequences of its own.
    epoch: String,
    store: Store,
    clock: Arc<dyn Clock>,
    live: ArcSwap<Live>,
    tokens: VerifiedTokens,
    metrics: Metrics,
    patterns: PatternCache,
    prepared: ArcSwap<HashMap<String, Arc<Prepared>>>,
    issuer_keys: ArcSwapOption<IssuerKeys>,
    nobody: String,
    backups: PathBuf,
}

impl Service {
    /// A service on the data directory `data_dir`, which is made when there is
    /// none, with the defaults of everything else and no trusted peers. It
    /// makes no keyset and no key.
    ///
    /// # Errors
    ///
    /// [`StartError`] when the store does not open.
    pub fn open(data_dir: &Path, clock: impl Clock) -> Result<Self, StartError> {
        let mut config = Config::default();
        data_dir.clone_into(&mut config.data_dir);
        config.trusted_peers.clear();
        Self::configured(&config, clock)
    }

    /// A service with everything of `config` that is not about sockets. It
    /// makes no keyset and no key.
    ///
    /// # Errors
    ///
    /// [`StartError`] when the store does not open.
    pub fn configured(config: &Config, clock: impl Clock) -> Result<Self, StartError> {
        Self::with_live(config, Arc::new(clock), Live::new(config)?)
    }

    pub(crate) fn with_live(
        config: &Config,
        clock: Arc<dyn Clock>,
        live: Live,
    ) -> Result<Self, StartError> {
        let options = OpenOptions {
            clock: Arc::clone(&clock),
            wrap_backend: None,
            master_key: config.master_key.clone(),
        };
        let store = Store::open(&config.data_dir, options).map_err(StartError::Store)?;
        let metrics = Metrics::new();
        let audit = Audit::open(
            &config.data_dir,
            config.audit,
            metrics.audit.clone(),
            clock.now(),
        )
        .map_err(|cause| StartError::Audit { cause })?;
        let held = Held::new(Arc::clone(&clock));
        let holders = held.clone();
        store.observe(move |notice| holders.wake(notice));
        let mut epoch = store.id().map_err(|cause| StartError::Prepare {
            what: "the store".to_owned(),
            cause,
        })?;
        epoch.truncate(16);
        let feed = Feed::of(&store, epoch.clone());
        let nobody = writes::random_text().ok_or(StartError::NoRandomness)?;
        Ok(Self {
            inner: Arc::new(Inner {
                nodes: OnceLock::new(),
                epoch,
                audit,
                attempts: Attempts::new(),
                used: Mutex::default(),
                held,
                feed,
                store,
                clock,
                live: ArcSwap::from_pointee(live),
                tokens: VerifiedTokens::new(CACHE_BYTES, metrics.cache.clone()),
                metrics,
                patterns: PatternCache::new(PATTERN_CACHE_BYTES),
                prepared: ArcSwap::default(),
                issuer_keys: ArcSwapOption::empty(),
                nobody,
                backups: config.data_dir.join("backups"),
            }),
        })
    }

    /// Answers a request as the public listener does. The answer is read to
    /// its end first.
    pub async fn public(&self, request: Request<Bytes>) -> Response<Bytes> {
        let answer = self.serve_public(request.map(RequestBody::from)).await;
        let response = match answer {
            Ok(response) => response,
            Err(refusal) => return access_manager::refused(refusal),
        };
        let (head, body) = response.into_parts();
        match body.collect().await {
            Ok(body) => Response::from_parts(head, body.to_bytes()),
            Err(_) => gateway::broken_off(),
        }
    }

    /// [`Service::public`] with bodies as they come.
    pub(crate) async fn serve_public(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let path = request.uri().path();
        let asks = [http::Method::GET, http::Method::HEAD].contains(request.method());
        if path == "/healthz" && asks {
            return Ok(internal::status("ok").map(ResponseBody::from));
        }
        let peer = request.extensions().get::<ClientAddress>();
        let peer = peer.map(|address| address.0);
        if request.method() == http::Method::GET
            && let Some(document) = well_known::document(self, path)
        {
            return Ok(document.map(ResponseBody::from));
        }
        if oem::serves(path) {
            let (head, body) = request.into_parts();
            let body = body.read(GRANT_BODY_BYTES_MAX).await?;
            let request = Request::from_parts(head, body);
            let account = Actor::new(By::ApiKey, peer);
            let response = account.acts(async { oem::respond(self, &request) }).await;
            return Ok(response.map(ResponseBody::from));
        }
        if pubsub::serves(path) {
            let (head, body) = request.into_parts();
            let body = body.read(CRT_TEXT_BYTES_MAX).await?;
            let request = Request::from_parts(head, body);
            let project = Actor::new(By::ApiToken, peer);
            let response = project
                .acts(async { pubsub::respond(self, &request) })
                .await;
            return Ok(response.map(ResponseBody::from));
        }
        if !access_manager::serves(path) {
            let client = Actor::new(By::Client, peer);
            return client.acts(gateway::respond(self, request)).await;
        }
        let (head, body) = request.into_parts();
        let body = body.read(GRANT_BODY_BYTES_MAX).await?;
        let request = Request::from_parts(head, body);
        // What it changes, whoever has the secret key changes.
        let signer = Actor::new(By::SecretKey, peer);
        let response = signer.acts(access_manager::respond(self, request)).await;
        Ok(response.map(ResponseBody::from))
    }

    /// Answers a request as the internal listener does.
    pub async fn internal(&self, caller: Caller, request: Request<Bytes>) -> Response<Bytes> {
        internal::respond(self, caller, request).await
    }

    /// What was revoked lately, for readers of the feed.
    pub(crate) fn feed(&self) -> &Arc<Feed> {
        &self.inner.feed
    }

    /// The answers that are held.
    pub(crate) fn held(&self) -> &Held {
        &self.inner.held
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Where backups go.
    pub(crate) fn backups(&self) -> &Path {
        &self.inner.backups
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// The exposition of everything that is counted.
    pub(crate) fn metrics_text(&self) -> String {
        self.inner.tokens.measure();
        let state = &self.metrics().state;
        let count = |count| i64::try_from(count).unwrap_or(i64::MAX);
        state.denied_tokens.set(count(self.store().denied_tokens()));
        state.held_answers.set(count(self.held().count()));
        state.keysets.set(count(self.store().keysets().len()));
        let commits = i64::try_from(self.store().sequence()).unwrap_or(i64::MAX);
        state.commits.set(commits);
        if let Some(nodes) = self.nodes_status() {
            let age = nodes.age.map_or(-1, |age| count_of(age.as_secs()));
            state.age.set(age);
            state.log_connected.set(i64::from(nodes.connected));
            state.log_conflicts.set(count_of(nodes.conflicts));
            state.log_refused.set(count_of(nodes.refused));
            state.log_read_anew.set(count_of(nodes.anew));
        }
        self.metrics().text()
    }

    /// Whether decisions are made on a deny list that is new enough, in every
    /// keyset.
    pub(crate) fn is_ready(&self) -> bool {
        let keysets = self.store().keysets();
        self.is_caught_up() && !keysets.iter().any(|keyset| self.is_stale(&keyset.settings))
    }

    /// The configuration of this moment. Within one request, ask once.
    pub(crate) fn live(&self) -> Guard<Arc<Live>> {
        self.inner.live.load()
    }

    /// Replaces the configuration, for whoever asks from now on.
    pub(crate) fn set_live(&self, live: Live) {
        self.inner.live.store(Arc::new(live));
    }

    /// From now on issues under this name.
    pub(crate) fn issue_as(&self, issuer: String) {
        let mut live = Live::clone(&self.live());
        live.issuer = issuer;
        self.set_live(live);
    }

    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.live().rules)
    }

    pub(crate) fn gateway(&self) -> Arc<Gateway> {
        Arc::clone(&self.live().gateway)
    }

    pub(crate) fn now(&self) -> UnixSeconds {
        self.inner.clock.now()
    }

    pub(crate) fn has_keysets(&self) -> bool {
        !self.inner.store.keysets().is_empty()
    }

    /// The keyset with this subscribe key.
    pub(crate) fn keyset(&self, subscribe_key: &str) -> Option<Arc<Prepared>> {
        let stored = self.inner.store.keyset(subscribe_key)?;
        self.prepare(stored)
    }

    /// The keyset of an administrative route.
    pub(crate) fn known_keyset(&self, subscribe_key: &str) -> Result<Arc<Prepared>, ApiError> {
        self.keyset(subscribe_key).ok_or_else(unknown_keyset)
    }

    /// The same as the store has it.
    pub(crate) fn stored_keyset(&self, subscribe_key: &str) -> Result<Arc<Keyset>, ApiError> {
        let stored = self.store().keyset(subscribe_key);
        stored.ok_or_else(unknown_keyset)
    }

    /// Every keyset.
    pub(crate) fn keysets(&self) -> Vec<Arc<Prepared>> {
        let stored = self.inner.store.keysets();
        stored
            .iter()
            .filter_map(|keyset| self.prepare(Arc::clone(keyset)))
            .collect()
    }

    /// The keyset with its keys derived: kept until the store has another
    /// version of it.
    fn prepare(&self, stored: Arc<Keyset>) -> Option<Arc<Prepared>> {
        let known = self.inner.prepared.load();
        let name = stored.subscribe_key.as_str();
        if let Some(prepared) = known.get(name).filter(|known| known.is_of(&stored)) {
            return Some(Arc::clone(prepared));
        }
        let name = name.to_owned();
        let prepared = Arc::new(Prepared::new(stored)?);
        self.inner.prepared.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.insert(name.clone(), Arc::clone(&prepared));
            known
        });
        Some(prepared)
    }

    /// The keys that an unknown keyset is checked with: random, so nothing
    /// matches, and as much work as a known one.
    pub(crate) fn nobody(&self) -> SigningKeys<'_> {
        let nobody = self.inner.nobody.as_str();
        SigningKeys {
            subscribe_key: nobody,
            publish_key: nobody,
            secret_key: nobody,
            previous_secret_key: None,
        }
    }

    /// The token that `text` is in `keyset`, whatever its standing.
    pub(crate) fn verify(
        &self,
        text: &str,
        keyset: &Prepared,
    ) -> Result<Arc<VerifiedToken<'static>>, VerifyError> {
        self.inner.tokens.verify(text, keyset.ring())
    }

    /// The compiled patterns of all decisions.
    pub(crate) fn patterns(&self) -> &PatternCache {
        &self.inner.patterns
    }

    pub(crate) fn is_expired(&self, token: &impl VerifiedClaims) -> bool {
        self.now() >= token.expires_at()
    }

    /// How a verified token stands with the deny list and the rules.
    pub(crate) fn standing(&self, token: &impl VerifiedClaims) -> Standing {
        let ancestors: Vec<_> = token.ancestors().collect();
        let subject = Subject {
            kind: token.kind(),
            scope: token.scope(),
            id: token.id(),
            ancestors: &ancestors,
            uuid: token.revoked_as(),
            issued_at: token.issued_at(),
            expires_at: token.expires_at(),
        };
        self.deny_list_of(token.scope()).standing(&subject)
    }
}

fn unknown_keyset() -> ApiError {
    ErrorCode::UnknownKeyset
        .because("no keyset has this subscribe key")
        .at("subscribe_key")
}

fn count_of(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
