//! The whole server: the store, the first keys, both listeners.

use core::fmt::Display;
use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use token_deny_list::SystemClock;
use token_store::{Clock, OpenError, Secret, StoreError};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::interval;

use crate::access_manager;
use crate::audit::Event;
use crate::client_address::{ClientAddress, client_address};
use crate::config::Config;
use crate::conn::{Handler, Listener, Refusal, RequestBody, ResponseBody};
use crate::error::ApiError;
use crate::internal::{self, Caller};
use crate::service::Service;
use crate::tls::TlsError;
use crate::trace::Trace;

mod declared;
mod first;
mod reload;
mod signals;

pub use reload::Reloaded;
pub(crate) use reload::check_reachable;
use reload::{Reloader, watch_certificates};
pub use signals::Signals;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The store does not take the first keys or a declared keyset.
    #[error("{what}: {cause}")]
    Prepare {
        /// What was to be made.
        what: String,
        /// Why it could not be.
        cause: StoreError,
    },
    /// A declared keyset is in the store with other keys.
    #[error(
        "the keyset `{name}` ({subscribe_key}) is in the store with another {fields}; declare \
         what the store has, or declare the keyset with another subscribe_key, or delete the \
         stored one with `usher keyset delete {subscribe_key}`"
    )]
    KeysetDiffers {
        /// Its name.
        name: String,
        /// Its subscribe key.
        subscribe_key: String,
        /// What differs, by name.
        fields: String,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        cause: io::Error,
    },
    /// A listener cannot prove itself.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// The internal API would be open to other machines without encryption.
    #[error(
        "the internal address {address} can be reached from other machines, and its keys and \
         tokens would travel unencrypted; use a loopback address, or set \
         `internal_tls_certificate` and `internal_tls_key`, or set \
         `internal_allow_remote = true` behind something that encrypts"
    )]
    InternalReachable {
        /// The address.
        address: SocketAddr,
    },
    /// A rule file cannot be used.
    #[error("the rules cannot be used:\n{cause}")]
    Rules {
        /// Everything that is wrong, a line for each.
        cause: String,
    },
    /// The log that nodes share cannot be used.
    #[error("the log: {0}")]
    Log(#[from] token_replication::StartError),
    /// There is a log and no key for it.
    #[error(
        "`nats` needs a feed key, and a cluster key unless this node only verifies; make each \
         with `openssl rand -hex 32`, and give all nodes the same: USHER_FEED_KEY and \
         USHER_CLUSTER_KEY, or feed_key_file and cluster_key_file"
    )]
    NoFeedKey,
    /// The upstream cannot be used.
    #[error("the upstream cannot be used: {cause}")]
    Upstream {
        /// Why.
        cause: String,
    },
    /// The audit log cannot be written, and nothing may go without it.
    #[error(
        "the audit log cannot be written: {cause}; make room, or set `on_failure = \"serve\"` \
         in [audit]"
    )]
    Audit {
        /// Why.
        cause: io::Error,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
    /// The process is ending.
    #[error("interrupted")]
    Interrupted,
}

/// What a server made at its very first start. Shown once: none of it can be
/// read back.
#[derive(Debug)]
#[non_exhaustive]
pub struct FirstStart {
    /// Opens the internal API.
    pub admin_key: Option<Secret>,
    /// The keyset that was made because there was none.
    pub keyset: Option<FirstKeyset>,
}

/// The keys of the first keyset.
#[derive(Debug)]
#[non_exhaustive]
pub struct FirstKeyset {
    /// Its name.
    pub name: String,
    /// The subscribe key.
    pub subscribe_key: String,
    /// The publish key.
    pub publish_key: String,
    /// The secret key.
    pub secret_key: Secret,
}

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    service: Service,
    reloader: Arc<Reloader>,
    watching: JoinHandle<()>,
    public: Listener,
    internal: Listener,
    first_start: Option<FirstStart>,
    pruning: JoinHandle<()>,
}

impl Server {
    /// Opens the store, makes what is missing, and listens on both addresses.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing is listened on then.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_at(config, SystemClock::new()).await
    }

    /// [`Server::start`] with clocks of your own.
    ///
    /// # Errors
    ///
    /// As [`Server::start`].
    pub async fn start_at(config: Config, clock: impl Clock) -> Result<Self, StartError> {
        let (live, config) = reload::live(config).await?;
        let service = Service::with_live(&config, Arc::new(clock), live)?;
        service.join(&config.cluster).await?;
        let is_one_of_many = config.cluster.nats.is_some();
        // Else two nodes would make one keyset, each with signing keys of its own.
        if config.keysets.is_empty() || service.catches_up().await {
            let changes = declared::plan(&service, &config.keysets)?;
            declared::apply(&service, changes).await?;
        } else {
            tracing::error!("declared keysets are not looked at: the log cannot be read yet");
        }
        let first_start = first::prepare(&service, is_one_of_many).await?;
        let public_socket = bind(config.listen).await?;
        let internal_socket = bind(config.internal_listen).await?;
        let listen = |address| move |cause| StartError::Listen { address, cause };
        let listening = public_socket.local_addr().map_err(listen(config.listen))?;
        service.issue_as(config.issuer_at(listening));
        let public = Arc::new(Public(service.clone()));
        let terms = service.clone();
        let terms = move || terms.live().public.clone();
        let counts = service.metrics().public.connections.clone();
        let public = Listener::on_terms(public_socket, public, terms, counts)
            .map_err(listen(config.listen))?;
        let internal = Arc::new(Internal(service.clone()));
        let terms = service.clone();
        let terms = move || terms.live().internal.clone();
        let counts = service.metrics().internal.connections.clone();
        let internal = Listener::on_terms(internal_socket, internal, terms, counts)
            .map_err(listen(config.internal_listen))?;
        service.audit_event(Event::ServerStarted).await;
        let pruning = tokio::spawn(prune(service.clone()));
        let reloader = Arc::new(Reloader::new(service.clone(), config, listening));
        let watching = tokio::spawn(watch_certificates(Arc::clone(&reloader)));
        Ok(Self {
            service,
            reloader,
            watching,
            public,
            internal,
            first_start,
            pruning,
        })
    }

    /// Where the dialects are served, with the real port.
    #[must_use]
    pub const fn public_address(&self) -> SocketAddr {
        self.public.address()
    }

    /// Where checks and administration are served, with the real port.
    #[must_use]
    pub const fn internal_address(&self) -> SocketAddr {
        self.internal.address()
    }

    /// Where the dialects are served, as a URL.
    #[must_use]
    pub fn public_url(&self) -> String {
        url(
            self.service.live().public.is_encrypted(),
            self.public_address(),
        )
    }

    /// Where checks and administration are served, as a URL.
    #[must_use]
    pub fn internal_url(&self) -> String {
        url(
            self.service.live().internal.is_encrypted(),
            self.internal_address(),
        )
    }

    /// The keys that were made at this start, if any were.
    #[must_use]
    pub const fn first_start(&self) -> Option<&FirstStart> {
        self.first_start.as_ref()
    }

    /// The service behind both listeners.
    #[must_use]
    pub const fn service(&self) -> &Service {
        &self.service
    }

    /// Serves until the process is told to end, then shuts down. At SIGHUP it
    /// reads the configuration anew by `load` and puts it in force as
    /// [`Server::reload`] does; one that cannot be is an error in the log.
    /// `file` is what `load` reads: nothing happens until nobody writes to it.
    pub async fn run<E: Display + Send + 'static>(
        self,
        mut signals: Signals,
        file: Option<&Path>,
        load: impl Fn() -> Result<Config, E> + Send + Sync + 'static,
    ) {
        let load = Arc::new(load);
        let (hangup, mut hung_up) = mpsc::channel(1);
        let ended = async {
            while signals.go_on().await {
                // One that waits already stands for this one, too.
                let _full = hangup.try_send(());
            }
        };
        let reloads = async {
            while hung_up.recv().await.is_some() {
                let load = Arc::clone(&load);
                self.reloader.reload_from(file, move || load()).await;
            }
        };
        tokio::select! {
            () = ended => {}
            () = reloads => {}
        }
        tracing::info!("shutting down");
        self.shutdown().await;
    }

    /// Puts another configuration in force: trusted peers, host names, upstream,
    /// limits and certificates of new connections, declared keysets. Keysets that are no longer
    /// declared stay. Requests see the old configuration or the new one, never
    /// a mixture.
    ///
    /// # Errors
    ///
    /// [`StartError`]; the old configuration is then in force as a whole,
    /// unless the store broke down between two declared keysets.
    pub async fn reload(&self, config: Config) -> Result<Reloaded, StartError> {
        self.reloader.reload(config).await
    }

    /// Accepts nothing more, lets open requests finish, and cuts them off at
    /// the deadline.
    pub async fn shutdown(self) {
        self.pruning.abort();
        self.watching.abort();
        self.service.feed().close();
        tokio::join!(self.public.shutdown(), self.internal.shutdown());
    }
}

/// How often the store is told to forget what has expired.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

async fn prune(service: Service) {
    let mut ticks = interval(PRUNE_EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = service.prune().await {
            tracing::warn!(%error, "expired revocations could not be forgotten");
        }
    }
}

fn url(encrypted: bool, address: SocketAddr) -> String {
    let scheme = if encrypted { "https" } else { "http" };
    format!("{scheme}://{address}")
}

async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|cause| StartError::Listen { address, cause })
}

struct Public(Service);

impl Handler for Public {
    async fn respond(
        &self,
        peer: SocketAddr,
        mut request: Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let live = self.0.live();
        let trusts = |hop| live.access.trusts(hop);
        let client = client_address(peer.ip(), request.headers(), trusts);
        drop(live);
        request.extensions_mut().insert(ClientAddress(client));
        let answer = self.0.serve_public(request).await;
        if let Ok(response) = &answer {
            self.0.metrics().public.answered(response.status());
        }
        answer
    }

    fn refuse(&self, refusal: Refusal) -> Response<Bytes> {
        let response = access_manager::refused(refusal);
        self.0.metrics().public.answered(response.status());
        response
    }

    fn trace(&self, peer: SocketAddr, head: &Parts) -> Option<Trace> {
        let trace = Trace::new(peer, head, |hop| self.0.live().access.trusts(hop));
        Some(trace.frequent(head.uri.path() == "/healthz"))
    }
}

struct Internal(Service);

impl Handler for Internal {
    async fn respond(
        &self,
        peer: SocketAddr,
        request: Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let (head, body) = request.into_parts();
        let body = body.read(internal::body_limit(head.uri.path())).await?;
        let request = Request::from_parts(head, body);
        let caller = Caller::Peer(peer.ip());
        let response = internal::serve(&self.0, caller, request).await;
        self.0.metrics().internal.answered(response.status());
        Ok(response)
    }

    fn refuse(&self, refusal: Refusal) -> Response<Bytes> {
        let response = ApiError::refused(refusal).response();
        self.0.metrics().internal.answered(response.status());
        response
    }

    fn trace(&self, peer: SocketAddr, head: &Parts) -> Option<Trace> {
        let trace = Trace::new(peer, head, |hop| self.0.live().access.trusts(hop));
        Some(trace.frequent(internal::is_frequent(head.uri.path())))
    }
}
