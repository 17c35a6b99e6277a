//! The documents that whoever verifies JWS tokens starts from: public keys
//! (RFC 7517) and the issuer (RFC 8414).

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use token_codec::{Jwk, TokenJwk};

use crate::error::json;
use crate::public_keys::public_keys;
use crate::service::Service;

/// For how long the documents may be kept: a signing key is announced longer
/// ahead than this.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=60");

#[derive(Serialize)]
struct KeySet<'a> {
    keys: &'a [Jwk],
}

/// The keys of Access Manager tokens, a set for each keyset: they sign nothing
/// else, and no two keysets share one.
#[derive(Serialize)]
struct KeysetKeys {
    keys: Vec<TokenJwk>,
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
    let mut response = match path.strip_prefix("/.well-known/")? {
        "jwks.json" => {
            let keys = service.issuer_keys()?;
            let keys = Some(keys.public()).filter(|keys| !keys.is_empty())?;
            json(StatusCode::OK, &KeySet { keys })
        }
        "oauth-authorization-server" => metadata(service)?,
        other => keyset_keys(service, other)?,
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, CACHE);
    // Browsers may read what everybody may.
    let anybody = HeaderValue::from_static("*");
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, anybody);
    Some(response)
}

fn metadata(service: &Service) -> Option<Response<Bytes>> {
    if service.issuer_keys()?.public().is_empty() {
        return None;
    }
    let live = service.live();
    let document = Metadata {
        issuer: &live.issuer,
        jwks_uri: format!("{}/.well-known/jwks.json", live.issuer),
        response_types_supported: [],
        grant_types_supported: [],
    };
    Some(json(StatusCode::OK, &document))
}

/// `access-manager/{subscribe key}/jwks.json`. A keyset without such keys is one
/// that nobody knows.
fn keyset_keys(service: &Service, path: &str) -> Option<Response<Bytes>> {
    let of_keyset = path.strip_prefix("access-manager/")?;
    let subscribe_key = of_keyset.strip_suffix("/jwks.json")?;
    let keys = public_keys(&*service.keyset(subscribe_key)?);
    (!keys.is_empty()).then(|| json(StatusCode::OK, &KeysetKeys { keys }))
}
