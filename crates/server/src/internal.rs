//! The internal listener: checks and administration.

mod access;
mod access_keys;
mod accounts;
mod api_tokens;
mod audit;
mod backup;
mod check;
mod feed;
mod grant;
mod keysets;
mod oauth;
mod public_keys;
mod revocations;
mod verify;

pub(crate) use access::is_json;
use core::net::IpAddr;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde::Serialize;
use token_core::limits::{CHECK_BODY_BYTES_MAX, GRANT_BODY_BYTES_MAX};
use token_store::Role;

use crate::conn::ResponseBody;
use crate::error::{ApiError, ErrorCode, json};
use crate::forward_auth::{self, Flavour};
use crate::service::Service;
use accounts::Place;

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

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Open,
    Verifier,
    /// A verifier that cannot but send the `Host` of its own client. Its routes
    /// decide about what the request itself presents, and change nothing.
    Relay,
    Issuer,
    Auditor,
    /// Whoever administers, issues or audits: it shows names and no secret.
    Reader,
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
    Incident(&'a str),
    ApiTokens(&'a str),
    /// The keyset, the project and the id.
    ApiToken(&'a str, &'a str, &'a str),
    AdminKeyRotate,
    VerifierKeyRotate,
    AccessKeys,
    AccessKey(&'a str),
    AccessKeyRotate(&'a str),
    Audit,
    AuditHead,
    Backup,
    Feed,
    Accounts(Place<'a>),
    Introspect,
    Revoke,
    PublicKeys,
    PublicKeysOf(&'a str),
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
            ["", "v1", "public-keys"] => Self::PublicKeys,
            ["", "v1", "keysets", key, "public-keys"] => Self::PublicKeysOf(key),
            ["", "v1", "keysets", key, "tokens"] => Self::Tokens(key),
            ["", "v1", "keysets", key, "revocations"] => Self::Revocations(key),
            ["", "v1", "keysets", key, "rotate"] => Self::Rotate(key),
            ["", "v1", "keysets", key, "incident"] => Self::Incident(key),
            ["", "v1", "keysets", key, "api-tokens"] => Self::ApiTokens(key),
            ["", "v1", "keysets", key, "api-tokens", project, id] => {
                Self::ApiToken(key, project, id)
            }
            ["", "v1", "admin-keys"] => Self::AccessKeys,
            ["", "v1", "admin-keys", name] => Self::AccessKey(name),
            ["", "v1", "admin-keys", name, "rotate"] => Self::AccessKeyRotate(name),
            ["", "v1", "audit"] => Self::Audit,
            ["", "v1", "audit", "head"] => Self::AuditHead,
            ["", "v1", "admin-key", "rotate"] => Self::AdminKeyRotate,
            ["", "v1", "verifier-key", "rotate"] => Self::VerifierKeyRotate,
            ["", "v1", "revocations", "feed"] => Self::Feed,
            ["", "v1", "backup"] => Self::Backup,
            ["", "v1", "introspect"] => Self::Introspect,
            ["", "v1", "revoke"] => Self::Revoke,
            ["", "v1", "accounts", ref rest @ ..] => {
                Place::find(rest).map_or(Self::Unknown, Self::Accounts)
            }
            _ => Self::Unknown,
        }
    }

    fn class(self, method: &Method) -> Class {
        match self {
            Self::Keysets | Self::Keyset(_) if method == Method::GET => Class::Reader,
            Self::AccessKeys if method == Method::GET => Class::Auditor,
            Self::Tokens(_) => Class::Issuer,
            Self::Audit | Self::AuditHead => Class::Auditor,
            Self::Health | Self::Ready => Class::Open,
            Self::ForwardAuth(Flavour::Envoy) => Class::Relay,
            Self::Check
            | Self::CheckBatch
            | Self::ForwardAuth(Flavour::Nginx | Flavour::Forwarded)
            | Self::Feed
            | Self::Metrics
            | Self::Introspect
            | Self::PublicKeys
            | Self::PublicKeysOf(_)
            | Self::Verify => Class::Verifier,
            Self::Keysets
            | Self::Keyset(_)
            | Self::Revocations(_)
            | Self::Rotate(_)
            | Self::Incident(_)
            | Self::ApiTokens(_)
            | Self::ApiToken(..)
            | Self::AdminKeyRotate
            | Self::VerifierKeyRotate
            | Self::AccessKeys
            | Self::AccessKey(_)
            | Self::AccessKeyRotate(_)
            | Self::Backup
            | Self::Accounts(_)
            | Self::Revoke
            | Self::Unknown => Class::Admin,
        }
    }

    /// Whether it gives somebody access, or more of it.
    fn gives_access(self, method: &Method) -> bool {
        match self {
            Self::Tokens(_) => true,
            Self::Keysets | Self::AccessKeys | Self::Accounts(_) | Self::ApiTokens(_) => {
                method == Method::POST
            }
            Self::Keyset(_) => method == Method::PATCH,
            Self::Health
            | Self::Ready
            | Self::Metrics
            | Self::Check
            | Self::CheckBatch
            | Self::ForwardAuth(_)
            | Self::Verify
            | Self::Revocations(_)
            | Self::Rotate(_)
            | Self::Incident(_)
            | Self::ApiToken(..)
            | Self::AdminKeyRotate
            | Self::VerifierKeyRotate
            | Self::AccessKey(_)
            | Self::AccessKeyRotate(_)
            | Self::Audit
            | Self::AuditHead
            | Self::Backup
            | Self::Feed
            | Self::Introspect
            | Self::Revoke
            | Self::PublicKeys
            | Self::PublicKeysOf(_)
            | Self::Unknown => false,
        }
    }

    const fn methods(self) -> &'static [Method] {
        match self {
            Self::Health | Self::Ready => &[Method::GET, Method::HEAD],
            Self::Metrics
            | Self::Audit
            | Self::AuditHead
            | Self::PublicKeys
            | Self::PublicKeysOf(_)
            | Self::Feed => &[Method::GET],
            Self::AccessKey(_) | Self::ApiToken(..) => &[Method::DELETE],
            Self::Check
            | Self::CheckBatch
            | Self::Verify
            | Self::Tokens(_)
            | Self::Rotate(_)
            | Self::Incident(_)
            | Self::AccessKeyRotate(_)
            | Self::AdminKeyRotate
            | Self::VerifierKeyRotate
            | Self::Introspect
            | Self::Revoke
            | Self::Backup => &[Method::POST],
            Self::Accounts(place) => place.methods(),
            Self::Keysets | Self::AccessKeys | Self::ApiTokens(_) | Self::Revocations(_) => {
                &[Method::GET, Method::POST]
            }
            Self::Keyset(_) => &[Method::GET, Method::PATCH, Method::DELETE],
            // Whatever a proxy asks with is taken, and answered by itself.
            Self::ForwardAuth(_) | Self::Unknown => &[],
        }
    }
}

/// Whether a path is one that proxies, verifiers and monitors ask all the time.
pub(crate) fn is_frequent(path: &str) -> bool {
    let class = Route::find(path).class(&Method::GET);
    matches!(class, Class::Open | Class::Verifier | Class::Relay)
}

/// Largest body of a route, in bytes.
pub(crate) fn body_limit(path: &str) -> usize {
    match Route::find(path) {
        Route::Check
        | Route::CheckBatch
        | Route::Revocations(_)
        | Route::Verify
        | Route::Introspect
        | Route::Revoke => CHECK_BODY_BYTES_MAX,
        Route::Health
        | Route::Ready
        | Route::Metrics
        | Route::ForwardAuth(_)
        | Route::Keysets
        | Route::Keyset(_)
        | Route::Tokens(_)
        | Route::Rotate(_)
        | Route::Incident(_)
        | Route::ApiTokens(_)
        | Route::ApiToken(..)
        | Route::AdminKeyRotate
        | Route::VerifierKeyRotate
        | Route::AccessKeys
        | Route::AccessKey(_)
        | Route::AccessKeyRotate(_)
        | Route::Audit
        | Route::AuditHead
        | Route::Backup
        | Route::Feed
        | Route::Accounts(_)
        | Route::PublicKeys
        | Route::PublicKeysOf(_)
        | Route::Unknown => GRANT_BODY_BYTES_MAX,
    }
}

/// Answers a request on the internal listener; the feed as it comes.
pub(crate) async fn serve(
    service: &Service,
    caller: Caller,
    request: Request<Bytes>,
) -> Response<ResponseBody> {
    if request.uri().path() == feed::PATH && request.method() == Method::GET {
        return feed::respond(service, caller, &request)
            .unwrap_or_else(|error| error.response().map(ResponseBody::from));
    }
    respond(service, caller, request)
        .await
        .map(ResponseBody::from)
}

/// Answers a request on the internal listener.
pub(crate) async fn respond(
    service: &Service,
    caller: Caller,
    request: Request<Bytes>,
) -> Response<Bytes> {
    let route = Route::find(request.uri().path());
    let class = route.class(request.method());
    let checked = access::check(service, caller, class, &request);
    if let Route::ForwardAuth(flavour) = route {
        return match checked {
            Ok(_) => forward_auth::respond(service, flavour, &request).await,
            Err(error) => forward_auth::refused(&error),
        };
    }
    let answered = match checked {
        Err(error) => Err(error),
        // A decision changes nothing that would be written down.
        Ok(_) if class == Class::Verifier => answer(service, route, &request).await,
        Ok(actor) => actor.acts(answer(service, route, &request)).await,
    };
    answered.unwrap_or_else(|error| error.response())
}

async fn answer(
    service: &Service,
    route: Route<'_>,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, ApiError> {
    if route == Route::Unknown {
        return Err(no_such_route());
    }
    if !route.methods().contains(request.method()) {
        return Ok(not_allowed(route));
    }
    let is_form = matches!(route, Route::Introspect | Route::Revoke);
    if !is_form && [Method::POST, Method::PATCH].contains(request.method()) {
        access::check_media_type(request)?;
    }
    if route.gives_access(request.method()) {
        service.check_audited()?;
    }
    let body = &**request.body();
    match route {
        Route::Health => Ok(status("ok")),
        Route::Ready => ready(service),
        Route::Metrics => Ok(metrics(service)),
        Route::Check => check::one(service, body).await,
        Route::CheckBatch => check::batch(service, body).await,
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
        Route::Incident(key) => keysets::incident(service, key).await,
        Route::ApiTokens(key) if request.method() == Method::GET => api_tokens::list(service, key),
        Route::ApiTokens(key) => api_tokens::create(service, key, body).await,
        Route::ApiToken(key, project, id) => api_tokens::remove(service, key, (project, id)).await,
        Route::AdminKeyRotate => access_keys::renew(service, Role::Admin).await,
        Route::VerifierKeyRotate => access_keys::renew(service, Role::Verifier).await,
        Route::AccessKeys if request.method() == Method::GET => Ok(access_keys::list(service)),
        Route::AccessKeys => access_keys::create(service, body).await,
        Route::AccessKey(name) => access_keys::remove(service, name).await,
        Route::AccessKeyRotate(name) => access_keys::rotate(service, name, body).await,
        Route::Audit => audit::page(service, request.uri().query()).await,
        Route::AuditHead => Ok(audit::head(service)),
        Route::Backup => backup::backup(service).await,
        Route::Feed => Err(ErrorCode::NotFound
            .because("the feed is a stream: it is served on the internal listener only")),
        Route::Accounts(place) => accounts::respond(service, place, request.method(), body).await,
        Route::PublicKeys => Ok(public_keys::all(service)),
        Route::PublicKeysOf(key) => public_keys::one(service, key),
        Route::Introspect => oauth::introspect(service, request),
        Route::Revoke => {
            let answer = oauth::revoke(service, request).await;
            service.metrics().revoked(answer.is_ok());
            answer
        }
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
    // A node alone has caught up as soon as its store is open.
    if !service.is_ready() {
        return Err(ErrorCode::StoreUnavailable.because(
            "the deny list is not up to date: this node does not know what the others revoked",
        ));
    }
    if service.has_keysets() {
        Ok(status("ready"))
    } else {
        Err(ErrorCode::StoreUnavailable.because("there is no keyset; create one"))
    }
}
