//! Who may do what on the internal listener.

use core::net::IpAddr;

use bytes::Bytes;
use http::{Request, header};

use super::{Caller, Class};
use crate::error::{ApiError, ErrorCode};
use crate::service::Service;

/// The header of a verifier's key.
const VERIFIER_KEY: &str = "x-usher-verifier-key";

pub(super) fn check(
    service: &Service,
    caller: Caller,
    class: Class,
    request: &Request<Bytes>,
) -> Result<(), ApiError> {
    let Caller::Peer(peer) = caller else {
        return Ok(());
    };
    if class != Class::Relay {
        check_host(service, request)?;
    }
    let admin = || bearer(request).is_some_and(|key| service.is_admin_key(key));
    match class {
        Class::Open => Ok(()),
        Class::Verifier | Class::Relay
            if service.live().access.trusts(peer) || is_verifier(service, request) =>
        {
            Ok(())
        }
        Class::Verifier | Class::Relay | Class::Admin if admin() => Ok(()),
        Class::Verifier | Class::Relay => Err(ErrorCode::VerifierKeyRequired
            .because("this route needs a trusted peer or the header X-Usher-Verifier-Key")
            .at("X-Usher-Verifier-Key")),
        Class::Admin => Err(ErrorCode::AdminKeyRequired
            .because("this route needs the header `Authorization: Bearer` with the admin key")
            .at("Authorization")),
    }
}

/// The one bearer credential of a request.
fn bearer(request: &Request<Bytes>) -> Option<&str> {
    let value = only(request, header::AUTHORIZATION.as_str())?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn is_verifier(service: &Service, request: &Request<Bytes>) -> bool {
    only(request, VERIFIER_KEY).is_some_and(|key| service.is_verifier_key(key))
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

/// Anything a browser can send across origins without asking is refused.
pub(super) fn check_media_type(request: &Request<Bytes>) -> Result<(), ApiError> {
    let media = only(request, header::CONTENT_TYPE.as_str())
        .map(|value| value.split(';').next().unwrap_or("").trim());
    let encoded = request.headers().contains_key(header::CONTENT_ENCODING);
    if encoded || !media.is_some_and(|media| media.eq_ignore_ascii_case("application/json")) {
        return Err(ErrorCode::UnsupportedMediaType
            .because("the body must be `application/json` without a content encoding")
            .at("Content-Type"));
    }
    Ok(())
}
