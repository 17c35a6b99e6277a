//! Who may do what on the internal listener.

use core::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, header};
use token_store::{AccessKey, Role};

use super::{Caller, Class};
use crate::attempts::Credential;
use crate::audit::{Actor, By};
use crate::client_address::client_address;
use crate::error::{ApiError, ErrorCode};
use crate::service::Service;

/// The header of a verifier's key.
const VERIFIER_KEY: &str = "x-usher-verifier-key";

/// Whether a request may use a route of this class: then who makes it.
pub(super) fn check(
    service: &Service,
    caller: Caller,
    class: Class,
    request: &Request<Bytes>,
) -> Result<Actor, ApiError> {
    let Caller::Peer(peer) = caller else {
        return Ok(Actor::new(By::DataDirectory, None));
    };
    if class != Class::Relay {
        check_host(service, request)?;
    }
    let is_decision = matches!(class, Class::Verifier | Class::Relay);
    if class == Class::Open || (is_decision && service.live().access.trusts(peer)) {
        return Ok(Actor::new(By::Peer, Some(peer)));
    }
    let client = || {
        let live = service.live();
        client_address(peer, request.headers(), |hop| live.access.trusts(hop))
    };
    let presented = bearer(request);
    let verifier = only(request, VERIFIER_KEY).filter(|_| is_decision);
    let opens = |key: &str| service.store().access_key(key);
    let is_verifier = |key: &Arc<AccessKey>| key.role == Role::Verifier;
    let found = verifier.and_then(opens).filter(is_verifier);
    match found.or_else(|| presented.and_then(opens)) {
        Some(key) if admits(class, key.role) => {
            let name = key.name.clone();
            let role = key.role.name();
            let actor = Actor::new(By::Key { name, role }, Some(client()));
            service.key_used(&key, &actor);
            Ok(actor)
        }
        Some(key) => Err(ErrorCode::RoleInsufficient.because(format!(
            "the key `{}` has the role {}, which does not open this route",
            key.name,
            key.role.name()
        ))),
        None => {
            if presented.is_some() || verifier.is_some() {
                service.credential_refused(Credential::Key, Some(client()))?;
            }
            Err(missing(is_decision))
        }
    }
}

/// Whether a key of this role opens routes of this class.
const fn admits(class: Class, role: Role) -> bool {
    match role {
        Role::Admin => true,
        Role::Issuer => matches!(class, Class::Issuer | Class::Reader | Class::Open),
        Role::Auditor => matches!(class, Class::Auditor | Class::Reader | Class::Open),
        Role::Verifier => matches!(class, Class::Verifier | Class::Relay | Class::Open),
    }
}

fn missing(is_decision: bool) -> ApiError {
    if is_decision {
        ErrorCode::VerifierKeyRequired
            .because("this route needs a trusted peer or the header X-Usher-Verifier-Key")
            .at("X-Usher-Verifier-Key")
    } else {
        ErrorCode::AdminKeyRequired
            .because("this route needs the header `Authorization: Bearer` with the admin key")
            .at("Authorization")
    }
}

/// The one bearer credential of a request.
fn bearer(request: &Request<Bytes>) -> Option<&str> {
    let value = only(request, header::AUTHORIZATION.as_str())?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// The value of a header that is there exactly once.
fn only<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    let mut values = request.headers().get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// A name that somebody else's DNS points here must not make a browser talk to
/// us: `Host` is an IP address, `localhost` or a configured name.
fn check_host(service: &Service, request: &Request<Bytes>) -> Result<(), ApiError> {
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let hosts = request.headers().get_all(header::HOST).iter().count();
    let host = match (authority, hosts) {
        (Some(authority), 0 | 1) => Some(authority),
        (None, 1) => only(request, header::HOST.as_str()),
        _ => None,
    };
    let known = host
        .map(host_name)
        .is_some_and(|name| is_address(name) || service.live().access.is_host(name));
    if known {
        Ok(())
    } else {
        Err(ErrorCode::MisdirectedRequest
            .because("this host name is not served here; add it to `internal_hosts`")
            .at("Host"))
    }
}

/// `name` of `name:port` and `[address]:port`.
fn host_name(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(address, _)| address),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    }
}

fn is_address(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

/// The body of the RFCs on OAuth: a form.
pub(super) fn check_form(request: &Request<Bytes>) -> Result<(), ApiError> {
    if is_media_type(request, "application/x-www-form-urlencoded") {
        return Ok(());
    }
    Err(ErrorCode::UnsupportedMediaType
        .because("the body must be a form or JSON, without a content encoding")
        .at("Content-Type"))
}

/// Anything a browser can send across origins without asking is refused.
pub(super) fn check_media_type(request: &Request<Bytes>) -> Result<(), ApiError> {
    if is_json(request) {
        return Ok(());
    }
    Err(ErrorCode::UnsupportedMediaType
        .because("the body must be `application/json` without a content encoding")
        .at("Content-Type"))
}

/// Whether the body says that it is JSON.
pub(crate) fn is_json(request: &Request<Bytes>) -> bool {
    is_media_type(request, "application/json")
}

fn is_media_type(request: &Request<Bytes>, wanted: &str) -> bool {
    let media = only(request, header::CONTENT_TYPE.as_str())
        .map(|value| value.split(';').next().unwrap_or("").trim());
    let encoded = request.headers().contains_key(header::CONTENT_ENCODING);
    !encoded && media.is_some_and(|media| media.eq_ignore_ascii_case(wanted))
}
