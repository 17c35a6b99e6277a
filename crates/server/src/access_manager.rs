//! The Access Manager dialect: `/v3/pam` (contract 1 to 3, 9, 10).

mod envelope;
mod fault;
mod grant;
mod revoke;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use token_core::limits::REQUEST_SKEW_SECONDS_MAX;
use token_core::{UnixSeconds, check_request_uuid};

use crate::attempts::Credential;
use crate::audit::Actor;
use crate::conn::Refusal;
use crate::keyset::Prepared;
use crate::query::Query;
use crate::service::Service;
use crate::signature::{Accept, SignedRequest, read_timestamp};
use envelope::{Source, failure, flat};
use fault::Fault;

/// Headers by which some servers let the method be replaced.
pub(crate) const METHOD_OVERRIDES: [HeaderName; 3] = [
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-method-override"),
];

/// Whether a path is this dialect's.
pub(crate) fn serves(path: &str) -> bool {
    path.starts_with("/v3/pam/")
}

/// Answers a request on the public listener that is for this dialect.
pub(crate) async fn respond(service: &Service, request: Request<Bytes>) -> Response<Bytes> {
    let route = request.uri().path().strip_prefix("/v3/pam/");
    let Some(route) = route.filter(|_| service.has_keysets()) else {
        return flat(StatusCode::NOT_FOUND, "Not Found");
    };
    let (method, target) = match *route.split('/').collect::<Vec<_>>() {
        [subscribe_key, "grant"] => (Method::POST, Target::grant(subscribe_key)),
        [subscribe_key, "grant", token] => (Method::DELETE, Target::revoke(subscribe_key, token)),
        _ => return flat(StatusCode::NOT_FOUND, "Not Found"),
    };
    if request.method() != method {
        return not_allowed(&method);
    }
    if METHOD_OVERRIDES
        .iter()
        .any(|name| request.headers().contains_key(name))
    {
        return flat(StatusCode::BAD_REQUEST, "Method override is not supported");
    }
    match target.token {
        None => {
            let granted = grant::grant(service, &target, &request).await;
            service.metrics().granted(granted.is_ok());
            match granted {
                Ok(token) => envelope::success(Source::Grant, Some(&token)),
                Err(fault) => failure(Source::Grant, &fault),
            }
        }
        Some(token) => {
            let revoked = revoke::revoke(service, &target, token, &request).await;
            service.metrics().revoked(revoked.is_ok());
            match revoked {
                Ok(()) => envelope::success(Source::Revoke, None),
                Err(fault) => failure(Source::Revoke, &fault),
            }
        }
    }
}

/// What the listener refuses before it is routed.
pub(crate) fn refused(refusal: Refusal) -> Response<Bytes> {
    match refusal {
        Refusal::BodyTooLarge => envelope::too_large(),
        Refusal::BodyTimeout => flat(StatusCode::REQUEST_TIMEOUT, "Request Timeout"),
        Refusal::BodyBroken => flat(StatusCode::BAD_REQUEST, "Could Not Parse Request"),
        Refusal::TargetTooLong => flat(StatusCode::URI_TOO_LONG, "Request URI Too Long"),
        Refusal::HeadTooLarge => flat(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "Request Header Fields Too Large",
        ),
        Refusal::Panicked => flat(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
    }
}

fn not_allowed(method: &Method) -> Response<Bytes> {
    let mut response = flat(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    if let Ok(allow) = HeaderValue::from_str(method.as_str()) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// What a path names, as sent.
struct Target<'a> {
    subscribe_key: &'a str,
    token: Option<&'a str>,
}

impl<'a> Target<'a> {
    const fn grant(subscribe_key: &'a str) -> Self {
        Self {
            subscribe_key,
            token: None,
        }
    }

    const fn revoke(subscribe_key: &'a str, token: &'a str) -> Self {
        Self {
            subscribe_key,
            token: Some(token),
        }
    }
}

/// A request whose form, timestamp and signature are good.
struct Authenticated {
    keyset: std::sync::Arc<Prepared>,
    timestamp: UnixSeconds,
}

/// Form and timestamp, then the signature, then what depends on the keyset:
/// until the signature matched, nothing tells whether the keyset exists.
fn authenticate(
    service: &Service,
    target: &Target<'_>,
    request: &Request<Bytes>,
    body: &[u8],
) -> Result<Authenticated, Fault> {
    let query = Query::parse(request.uri().query().unwrap_or("")).map_err(Fault::Query)?;
    let (signature, timestamp) = match (query.get("signature"), query.get("timestamp")) {
        (Some(signature), Some(timestamp)) => (signature, timestamp),
        (None, Some(_)) => return Err(Fault::MissingParameters(&["signature"])),
        (Some(_), None) => return Err(Fault::MissingParameters(&["timestamp"])),
        (None, None) => return Err(Fault::MissingParameters(&["signature", "timestamp"])),
    };
    let timestamp = read_timestamp(timestamp).ok_or(Fault::TimestampNotSeconds)?;
    let now = service.now();
    let skew = now
        .seconds_since(timestamp)
        .max(timestamp.seconds_since(now));
    if skew > REQUEST_SKEW_SECONDS_MAX {
        return Err(Fault::TimestampSkew);
    }
    if let Some(uuid) = query.get("uuid").filter(|uuid| !uuid.is_empty()) {
        let uuid = core::str::from_utf8(uuid).map_err(|_| Fault::UuidNotUtf8)?;
        check_request_uuid(uuid).map_err(Fault::Uuid)?;
    }
    let signed = SignedRequest {
        method: request.method().as_str(),
        path: request.uri().path(),
        query: &query,
        body,
    };
    let keyset = service.keyset(target.subscribe_key);
    let keys = keyset
        .as_ref()
        .and_then(|keyset| keyset.signing_keys(now))
        .unwrap_or_else(|| service.nobody());
    let matched = signed.verify(signature, &keys, Accept::Strict);
    let (Ok(()), Some(keyset)) = (matched, keyset) else {
        service
            .credential_refused(Credential::Signature, Actor::current_peer())
            .map_err(Fault::TooManyAttempts)?;
        return Err(Fault::Signature);
    };
    if !keyset.settings().access_manager {
        return Err(Fault::AccessManagerOff);
    }
    Ok(Authenticated { keyset, timestamp })
}
