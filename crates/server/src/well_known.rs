//! The documents that whoever verifies JWS tokens starts from: public keys
//! (RFC 7517) and the issuer (RFC 8414).

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use token_codec::Jwk;

use crate::error::json;
use crate::service::Service;

/// For how long the documents may be kept: a signing key is announced longer
/// ahead than this.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=60");

#[derive(Serialize)]
struct KeySet<'a> {
    keys: &'a [Jwk],
}

#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    jwks_uri: String,
    /// Required by RFC 8414 section 2; no token is got by a redirect.
    response_types_supported: [&'static str; 0],
    grant_types_supported: [&'static str; 0],
}

/// The document at `path`; `None` when there is none, or nobody issues.
pub(crate) fn document(service: &Service, path: &str) -> Option<Response<Bytes>> {
    let is_keys = match path {
        "/.well-known/jwks.json" => true,
        "/.well-known/oauth-authorization-server" => false,
        _ => return None,
    };
    let keys = service.issuer_keys()?;
    if keys.public().is_empty() {
        return None;
    }
    let mut response = if is_keys {
        let set = KeySet {
            keys: keys.public(),
        };
        json(StatusCode::OK, &set)
    } else {
        let live = service.live();
        let document = Metadata {
            issuer: &live.issuer,
            jwks_uri: format!("{}/.well-known/jwks.json", live.issuer),
            response_types_supported: [],
            grant_types_supported: [],
        };
        json(StatusCode::OK, &document)
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, CACHE);
    // Browsers may read what everybody may.
    let anybody = HeaderValue::from_static("*");
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, anybody);
    Some(response)
}
