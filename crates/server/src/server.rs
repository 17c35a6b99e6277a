//! The whole server: the store, the first keys, both listeners.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use token_store::{Clock, OpenError, Secret, StoreError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::interval;

use crate::access_manager;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::conn::{Handler, Listener, Refusal, RequestBody, ResponseBody};
use crate::error::ApiError;
use crate::internal::{self, Caller};
use crate::service::Service;

mod first;

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
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        cause: io::Error,
    },
    /// The internal API would be open to other machines without encryption.
    #[error(
        "the internal address {address} can be reached from other machines, and its keys and \
         tokens would travel unencrypted; use a loopback address, or set \
         `internal_allow_remote = true` behind something that encrypts"
    )]
    InternalReachable {
        /// The address.
        address: SocketAddr,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
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
        let address = config.internal_listen;
        if !address.ip().to_canonical().is_loopback() && !config.internal_allow_remote {
            return Err(StartError::InternalReachable { address });
        }
        let service = Service::configured(&config, clock)?;
        let first_start = first::prepare(&service, &config.keysets).await?;
        let public_socket = bind(config.listen).await?;
        let internal_socket = bind(config.internal_listen).await?;
        let listen = |address| move |cause| StartError::Listen { address, cause };
        let public = Arc::new(Public(service.clone()));
        let public =
            Listener::start(public_socket, public, config.limits).map_err(listen(config.listen))?;
        let internal = Arc::new(Internal(service.clone()));
        let internal = Listener::start(internal_socket, internal, config.limits)
            .map_err(listen(config.internal_listen))?;
        let pruning = tokio::spawn(prune(service.clone()));
        Ok(Self {
            service,
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

    /// Serves until the process is told to end (SIGTERM or ctrl-c), then shuts
    /// down.
    ///
    /// # Errors
    ///
    /// When the signals cannot be waited for.
    pub async fn run_until_signal(self) -> io::Result<()> {
        signal().await?;
        tracing::info!("shutting down");
        self.shutdown().await;
        Ok(())
    }

    /// Accepts nothing more, lets open requests finish, and cuts them off at
    /// the deadline.
    pub async fn shutdown(self) {
        self.pruning.abort();
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

async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|cause| StartError::Listen { address, cause })
}

#[cfg(unix)]
async fn signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signal() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

struct Public(Service);

impl Handler for Public {
    async fn respond(
        &self,
        _: SocketAddr,
        request: Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        self.0.serve_public(request).await
    }

    fn refuse(&self, refusal: Refusal) -> Response<Bytes> {
        access_manager::refused(refusal)
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
        let response = self.0.internal(Caller::Peer(peer.ip()), request).await;
        Ok(response.map(ResponseBody::from))
    }

    fn refuse(&self, refusal: Refusal) -> Response<Bytes> {
        ApiError::refused(refusal).response()
    }
}
