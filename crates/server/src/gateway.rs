//! The gateway: every client operation is decided, then passed on.
//!
//! Classified, judged, and only then answered by the upstream. What no row of
//! the table knows, what can be read in two ways and what is not authorised
//! never gets there.

mod admit;
mod cors;
mod hold;
mod proxy;
mod refused;
mod root;
mod sandbox;

use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Body as _;
use token_policy::Family;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::config::{Config, Upstream};
use crate::conn::{Refusal, RequestBody, ResponseBody};
use crate::metrics::Via;
use crate::server::StartError;
use crate::service::Service;
use admit::{Stop, admit};
use proxy::Proxy;
use refused::Refused;

/// Largest body that is passed on, in bytes: the largest message of the real
/// service (contract 5).
pub(crate) const FORWARD_BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Largest body that a decision is read from, in bytes. A list of 1,000 names
/// of usual length with their fields is well below it.
pub(crate) const DECISION_BODY_BYTES_MAX: usize = 256 * 1024;

/// What the gateway needs beside the service.
#[derive(Debug)]
pub(crate) struct Gateway {
    behind: Behind,
    /// One for each large body that is in memory until its signature is known.
    large_bodies: Semaphore,
}

/// Most large bodies in memory at one time: 64 MiB of them.
const LARGE_BODIES_MAX: usize = 32;

/// What stands behind the gateway.
#[derive(Debug)]
enum Behind {
    /// Nothing: what is authorised is 501.
    Nothing,
    Sandbox,
    Proxy(Box<Proxy>),
}

impl Gateway {
    /// The gateway of a configuration.
    ///
    /// # Errors
    ///
    /// [`StartError::Upstream`] when its upstream cannot be used.
    pub(crate) fn new(config: &Config) -> Result<Self, StartError> {
        let behind = match &config.upstream {
            None => Behind::Nothing,
            Some(Upstream::Sandbox) => Behind::Sandbox,
            Some(Upstream::Url(url)) => {
                let certificates = config.upstream_ca_file.as_deref();
                let (patience, hold) = (config.upstream_timeout, config.upstream_hold);
                Behind::Proxy(Box::new(Proxy::new(url, certificates, patience, hold)?))
            }
        };
        Ok(Self {
            behind,
            large_bodies: Semaphore::new(LARGE_BODIES_MAX),
        })
    }

    /// Room to read a body of a signed request, before it is known whether the
    /// signature is good. Small bodies need none.
    fn room_for(&self, body: &RequestBody) -> Result<Option<SemaphorePermit<'_>>, Refused> {
        let small = u64::try_from(DECISION_BODY_BYTES_MAX).unwrap_or(u64::MAX);
        if body.size_hint().upper().is_some_and(|most| most <= small) {
            return Ok(None);
        }
        self.large_bodies.try_acquire().map(Some).map_err(|_| {
            let message = "Too many large signed requests at one time; try again";
            Refused::new(StatusCode::SERVICE_UNAVAILABLE, message)
        })
    }
}

/// Answers a request for a client operation, or for nothing.
pub(crate) async fn respond(
    service: &Service,
    request: Request<RequestBody>,
) -> Result<Response<ResponseBody>, Refusal> {
    match answer(service, request).await {
        Ok(response) => Ok(response),
        Err(Stop::Answer(response)) => Ok(response.map(ResponseBody::from)),
        Err(Stop::Refusal(refusal)) => Err(refusal),
    }
}

async fn answer(
    service: &Service,
    request: Request<RequestBody>,
) -> Result<Response<ResponseBody>, Stop> {
    let (head, body) = request.into_parts();
    let target = head
        .uri
        .path_and_query()
        .map_or("", |target| target.as_str());
    let is_options = head.method == http::Method::OPTIONS;
    let rules = service.rules();
    if is_options && !rules.knows(head.method.as_str(), target) {
        return Err(Stop::Answer(cors::options(&head, &rules)));
    }
    let body = body.at_most(FORWARD_BODY_BYTES_MAX)?;
    let gateway = service.gateway();
    let sandboxed = matches!(gateway.behind, Behind::Sandbox);
    if sandboxed && let Some(response) = sandbox::storage(&head) {
        body.discard(FORWARD_BODY_BYTES_MAX).await?;
        return Ok(response.map(ResponseBody::from));
    }
    let begun = Instant::now();
    let admitted = admit(service, &head, body).await;
    service.metrics().took(Via::Gateway, begun);
    let admitted = admitted?;
    match &gateway.behind {
        Behind::Nothing => {
            let refused = Refused::new(StatusCode::NOT_IMPLEMENTED, "No upstream is configured");
            Err(Stop::Answer(
                refused.response(admitted.family, service.now()),
            ))
        }
        Behind::Sandbox => sandbox::answer(service, &head, admitted).await,
        Behind::Proxy(proxy) => proxy::answer(service, proxy, head, admitted).await,
    }
}

/// The answer in place of one that broke off.
pub(crate) fn broken_off() -> Response<Bytes> {
    let refused = Refused::new(StatusCode::BAD_GATEWAY, "Bad Gateway");
    refused.response(Family::AccessManager, token_core::UnixSeconds(0))
}
