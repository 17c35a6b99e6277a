//! Requests that are signed with the secret key (contract 1.1 to 1.4). They
//! may do everything in their keyset.

use http::StatusCode;
use http::request::Parts;
use token_core::limits::REQUEST_SKEW_SECONDS_MAX;
use token_policy::Classified;

use super::refused::Refused;
use crate::attempts::Credential;
use crate::audit::Actor;
use crate::query::Query;
use crate::service::Service;
use crate::signature::{Accept, SignedRequest, read_timestamp};

/// Whether the signature of a request is that of its keyset's secret key.
///
/// Form and timestamp come first, then the signature, then what depends on the
/// keyset: an unknown keyset and a wrong signature are one refusal.
pub(super) fn check(
    service: &Service,
    head: &Parts,
    classified: &Classified<'_>,
    body: &[u8],
) -> Result<(), Refused> {
    let bad = |message: &'static str| Refused::new(StatusCode::BAD_REQUEST, message);
    // One SDK sends `sort` once for each field of a listing (contract 1.3).
    let query = Query::parse_repeating(head.uri.query().unwrap_or(""), Some("sort"))
        .map_err(|error| Refused::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    let timestamp = query
        .get("timestamp")
        .ok_or_else(|| bad("`timestamp` is required beside `signature`"))?;
    let timestamp = read_timestamp(timestamp).ok_or_else(|| bad("Invalid Timestamp"))?;
    let now = service.now();
    let skew = now
        .seconds_since(timestamp)
        .max(timestamp.seconds_since(now));
    if skew > REQUEST_SKEW_SECONDS_MAX {
        return Err(bad("Invalid Timestamp"));
    }
    let keyset = classified.subscribe_key.and_then(|key| service.keyset(key));
    let keys = keyset
        .as_ref()
        .and_then(|keyset| keyset.signing_keys(now))
        .unwrap_or_else(|| service.nobody());
    let unsigned_bodies = keyset
        .as_ref()
        .is_some_and(|keyset| keyset.settings().accept_unsigned_publish_body);
    let accept = if unsigned_bodies {
        Accept::PublishToo
    } else {
        Accept::Strict
    };
    let signed = SignedRequest {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: &query,
        body,
    };
    let signature = query.get("signature").unwrap_or(b"");
    let matched = signed.verify(signature, &keys, accept);
    let (Ok(()), Some(keyset)) = (matched, keyset) else {
        return Err(
            match service.credential_refused(Credential::Signature, Actor::current_peer()) {
                Ok(()) => Refused::signature(),
                Err(limited) => Refused::too_many(limited),
            },
        );
    };
    if classified
        .publish_key
        .is_some_and(|key| key != keyset.publish_key())
    {
        return Err(Refused::publish_key());
    }
    if !keyset.settings().access_manager {
        return Err(Refused::access_manager_off());
    }
    Ok(())
}
