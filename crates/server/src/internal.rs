//! The internal listener: checks and administration.

mod access;
mod backup;
mod check;
mod grant;
mod keysets;
mod revocations;
mod verify;

use core::net::IpAddr;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde::Serialize;
use token_core::limits::{CHECK_BODY_BYTES_MAX, GRANT_BODY_BYTES_MAX};

use crate::error::{ApiError, ErrorCode, json};
use crate::forward_auth::{self, Flavour};
use crate::service::Service;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "access is decided on exactly these"
)]
pub enum Caller {
    /// This process, which holds the data directory and so needs no key.
    InProcess,
    /// Somebody on the network.
    Peer(IpAddr),
}

impl Caller {
    const fn peer(self) -> Option<IpAddr> {
        match self {
            Self::InProcess => None,
            Self::Peer(peer) => Some(peer),
        }
    }
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Open,
    Verifier,
    /// A verifier that cannot but send the `Host` of its own client. Its routes
    /// decide about what the request itself presents, and change nothing.
    Relay,
    Admin,
}

/// The routes; `'a` is the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route<'a> {
    Health,
    Ready,
    Metrics,
    Check,
    CheckBatch,
    ForwardAuth(Flavour),
    Verify,
    Keysets,
    Keyset(&'a str),
    Tokens(&'a str),
    Revocations(&'a str),
    Rotate(&'a str),
    AdminKeyRotate,
    VerifierKeyRotate,
    Backup,
    Unknown,
}

impl<'a> Route<'a> {
    fn find(path: &'a str) -> Self {
        // What decisions go through comes before any splitting.
        match path {
            "/v1/check" => return Self::Check,
            "/v1/check/batch" => return Self::CheckBatch,
            _ => {}
        }
        if let Some(flavour) = Flavour::of(path) {
            return Self::ForwardAuth(flavour);
        }
        match *path.split('/').collect::<Vec<_>>() {
            ["", "healthz"] => Self::Health,
            ["", "readyz"] => Self::Ready,
            ["", "metrics"] => Self::Metrics,
            ["", "v1", "verify"] => Self::Verify,
            ["", "v1", "keysets"] => Self::Keysets,
            ["", "v1", "keysets", key] => Self::Keyset(key),
            ["", "v1", "keysets", key, "tokens"] => Self::Tokens(key),
            ["", "v1", "keysets", key, "revocations"] => Self::Revocations(key),
            ["", "v1", "keysets", key, "rotate"] => Self::Rotate(key),
            ["", "v1", "admin-key", "rotate"] => Self::AdminKeyRotate,
            ["", "v1", "verifier-key", "rotate"] => Self::VerifierKeyRotate,
            ["", "v1", "backup"] => Self::Backup,
            _ => Self::Unknown,
        }
    }

    const fn class(self) -> Class {
        match self {
            Self::Health | Self::Ready => Class::Open,
            Self::ForwardAuth(Flavour::Envoy) => Class::Relay,
            Self::Check
            | Self::CheckBatch
            | Self::ForwardAuth(Flavour::Nginx | Flavour::Forwarded)
            | Self::Metrics
            | Self::Verify => Class::Verifier,
            Self::Keysets
            | Self::Keyset(_)
            | Self::Tokens(_)
            | Self::Revocations(_)
            | Self::Rotate(_)
            | Self::AdminKeyRotate
            | Self::VerifierKeyRotate
            | Self::Backup
            | Self::Unknown => Class::Admin,
        }
    }

    const fn methods(self) -> &'static [Method] {
        match self {
            Self::Health | Self::Ready | Self::Metrics => &[Method::GET],
            Self::Check
            | Self::CheckBatch
            | Self::Verify
            | Self::Tokens(_)
            | Self::Rotate(_)
            | Self::AdminKeyRotate
            | Self::VerifierKeyRotate
            | Self::Backup => &[Method::POST],
            Self::Keysets | Self::Revocations(_) => &[Method::GET, Method::POST],
            Self::Keyset(_) => &[Method::GET, Method::PATCH, Method::DELETE],
            // Whatever a proxy asks with is taken, and answered by itself.
            Self::ForwardAuth(_) | Self::Unknown => &[],
        }
    }
}

/// Largest body of a route, in bytes.
pub(crate) fn body_limit(path: &str) -> usize {
    match Route::find(path) {
        Route::Check | Route::CheckBatch | Route::Revocations(_) => CHECK_BODY_BYTES_MAX,
        Route::Health
        | Route::Ready
        | Route::Metrics
        | Route::ForwardAuth(_)
        | Route::Verify
        | Route::Keysets
        | Route::Keyset(_)
        | Route::Tokens(_)
        | Route::Rotate(_)
        | Route::AdminKeyRotate
        | Route::VerifierKeyRotate
        | Route::Backup
        | Route::Unknown => GRANT_BODY_BYTES_MAX,
    }
}

/// Answers a request on the internal listener.
pub(crate) async fn respond(
    service: &Service,
    caller: Caller,
    request: Request<Bytes>,
) -> Response<Bytes> {
    let route = Route::find(request.uri().path());
    if let Route::ForwardAuth(flavour) = route {
        return match access::check(service, caller, route.class(), &request) {
            Ok(()) => forward_auth::respond(service, caller.peer(), flavour, &request),
            Err(error) => forward_auth::refused(&error),
        };
    }
    match answer(service, caller, route, &request).await {
        Ok(response) => response,
        Err(error) => error.response(),
    }
}

async fn answer(
    service: &Service,
    caller: Caller,
    route: Route<'_>,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, ApiError> {
    access::check(service, caller, route.class(), request)?;
    if route == Route::Unknown {
        return Err(no_such_route());
    }
    if !route.methods().contains(request.method()) {
        return Ok(not_allowed(route));
    }
    if [Method::POST, Method::PATCH].contains(request.method()) {
        access::check_media_type(request)?;
    }
    let body = &**request.body();
    match route {
        Route::Health => Ok(status("ok")),
        Route::Ready => ready(service),
        Route::Metrics => Ok(metrics(service)),
        Route::Check => check::one(service, body),
        Route::CheckBatch => check::batch(service, body),
        Route::Verify => verify::verify(service, body),
        Route::Tokens(key) => {
            let answer = grant::grant(service, key, body);
            service.metrics().granted(answer.is_ok());
            answer
        }
        Route::Revocations(key) if request.method() == Method::GET => {
            revocations::list(service, key, request.uri().query())
        }
        Route::Revocations(key) => {
            let answer = revocations::revoke(service, key, body).await;
            service.metrics().revoked(answer.is_ok());
            answer
        }
        Route::Keysets if request.method() == Method::GET => Ok(keysets::list(service)),
        Route::Keysets => keysets::create(service, body).await,
        Route::Keyset(key) if request.method() == Method::GET => keysets::show(service, key),
        Route::Keyset(key) if request.method() == Method::DELETE => {
            keysets::delete(service, key).await
        }
        Route::Keyset(key) => keysets::change(service, key, body).await,
        Route::Rotate(key) => keysets::rotate(service, key, body).await,
        Route::AdminKeyRotate => keysets::rotate_admin_key(service).await,
        Route::VerifierKeyRotate => keysets::rotate_verifier_key(service).await,
        Route::Backup => backup::backup(service).await,
        Route::ForwardAuth(_) | Route::Unknown => Err(no_such_route()),
    }
}

fn no_such_route() -> ApiError {
    ErrorCode::NotFound.because("there is no such route")
}

fn not_allowed(route: Route<'_>) -> Response<Bytes> {
    let methods: Vec<&str> = route.methods().iter().map(Method::as_str).collect();
    let methods = methods.join(", ");
    let error = ErrorCode::MethodNotAllowed.because(format!("this route takes {methods}"));
    let mut response = error.response();
    if let Ok(allow) = HeaderValue::from_str(&methods) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

#[derive(Serialize)]
struct Status {
    status: &'static str,
}

/// `{"status": ..}`; also `/healthz` of the public listener.
pub(crate) fn status(status: &'static str) -> Response<Bytes> {
    json(StatusCode::OK, &Status { status })
}

/// The exposition format of Prometheus: `OpenMetrics` 1.0 as text.
fn metrics(service: &Service) -> Response<Bytes> {
    const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let mut response = Response::new(Bytes::from(service.metrics_text()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FORMAT));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn ready(service: &Service) -> Result<Response<Bytes>, ApiError> {
    // Without replication a node is caught up as soon as its store is open.
    if service.has_keysets() {
        Ok(status("ready"))
    } else {
        Err(ErrorCode::StoreUnavailable.because("there is no keyset; create one"))
    }
}
