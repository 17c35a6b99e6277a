//! `POST /v3/pam/{sub}/grant`.

use bytes::Bytes;
use http::{HeaderMap, Request, header};

use super::fault::Fault;
use super::{Target, authenticate};
use crate::grant_body::{BodyFault, BodyRules, GrantBody, parse_object};
use crate::issue::{NotIssued, issue};
use crate::service::Service;

/// The token that a signed request asks for. Its time of issue is the
/// timestamp of the request, so the same request always makes the same token.
pub(super) async fn grant(
    service: &Service,
    target: &Target<'_>,
    request: &Request<Bytes>,
) -> Result<String, Fault> {
    let authenticated = authenticate(service, target, request, request.body())?;
    let keyset = &*authenticated.keyset;
    service.check_audited().map_err(|_| Fault::Store)?;
    check_headers(request.headers())?;
    let object = parse_object(request.body()).map_err(|fault| Fault::Body(vec![fault]))?;
    let rules = BodyRules {
        permission_names: false,
        ..keyset.body_rules()
    };
    let body = GrantBody::read(&object, rules).map_err(Fault::Body)?;
    issue(service, keyset, body, authenticated.timestamp)
        .map(|issued| issued.text)
        .map_err(|cause| match cause {
            NotIssued::Encode(error) => Fault::Body(vec![BodyFault::Encode(error)]),
            NotIssued::BornExpired => Fault::BornExpired,
            NotIssued::Covered { until } => Fault::SignedBeforeRevocation { until },
            NotIssued::NoKey | NotIssued::Stale => Fault::Store,
        })
}

fn check_headers(headers: &HeaderMap) -> Result<(), Fault> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let content_type = types.next().and_then(|value| value.to_str().ok());
    let media = content_type.map(|text| text.split(';').next().unwrap_or("").trim());
    let is_json = media.is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    if !is_json || types.next().is_some() {
        return Err(Fault::ContentType);
    }
    let encodings = headers.get_all(header::CONTENT_ENCODING);
    let plain = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if encodings.iter().all(plain) {
        Ok(())
    } else {
        Err(Fault::ContentEncoding)
    }
}
