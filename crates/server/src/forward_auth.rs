//! Forward-auth: a proxy asks about every request before it passes it on.
//!
//! There is one route per flavour of proxy, because each flavour overwrites
//! other headers, and only those that it overwrites can be believed. The proxy
//! is a trusted peer or holds the verifier key; the caller checks that.
//!
//! Nobody is root here: the secret key signs bodies, which no proxy shows.

mod answer;
mod original;

use std::time::Instant;

use bytes::Bytes;
use http::Request;
use token_core::VerifiedClaims as _;
use token_policy::{Decision, Reason, Response};

use crate::error::ApiError;
use crate::judge::{Asking, Presented, judge};
use crate::metrics::Via;
use crate::service::Service;
use crate::trace;

use answer::Verdict;
use original::Original;

pub(crate) use original::Flavour;

/// What the deny list must have reached, as a proxy knows from an answer to a
/// revocation.
const MIN_SEQUENCE: &str = "x-usher-min-sequence";

/// Answers the auth request of a trusted peer.
pub(crate) async fn respond(
    service: &Service,
    flavour: Flavour,
    request: &Request<Bytes>,
) -> http::Response<Bytes> {
    let begun = Instant::now();
    let verdict = decide(service, flavour, request).await;
    let metrics = service.metrics();
    service.decided(Via::ForwardAuth, verdict.decision, verdict.code, || {
        verdict.token.map(|(id, _)| id.to_string())
    });
    metrics.took(Via::ForwardAuth, begun);
    let token_id = verdict.token.map(|(id, _)| id);
    trace::decided(verdict.code, verdict.asked_name(), token_id);
    let cache_seconds = verdict.cache_seconds(service.live().access.cache_seconds(), service.now());
    verdict.response(flavour, cache_seconds)
}

/// The answer to an auth request that may not be made: of nobody trusted, or
/// for a host that is not ours. A proxy takes it for a denial.
pub(crate) fn refused(error: &ApiError) -> http::Response<Bytes> {
    answer::refused(error)
}

async fn decide(service: &Service, flavour: Flavour, request: &Request<Bytes>) -> Verdict {
    let original = match Original::read(flavour, request) {
        Ok(original) => original,
        Err(unreadable) => {
            return Verdict::deny(unreadable.reason().code(), unreadable.to_string());
        }
    };
    // The body is never at hand: operations that need it are denied.
    let headers = request.headers();
    let rules = service.rules();
    let classified = match rules.classify(original.method, original.target, headers, None) {
        Ok(classified) => classified,
        Err(error) => return Verdict::deny(error.reason().code(), error.to_string()),
    };
    if classified.signature.is_some() {
        let reason = Reason::SecretKeyRequired;
        return Verdict::deny(reason.code(), reason.to_string()).on(&classified);
    }
    let mut asking = Asking::of(&classified);
    // Of several the one that is not reached; what is no text is not, either.
    asking.min_sequence = headers
        .get_all(MIN_SEQUENCE)
        .iter()
        .map(|value| value.to_str().unwrap_or_default())
        .find(|sequence| !service.has_reached(sequence));
    let presented = match Presented::of(service, &asking).await {
        Ok(presented) => presented,
        Err(undecided) => {
            return Verdict::deny(undecided.code(), undecided.message()).on(&classified);
        }
    };
    let (asked, targets) = (classified.asked(), classified.targets());
    let judged = judge(service, &presented, asking, asked, targets);
    let Response {
        decision, reason, ..
    } = judged.response;
    let verdict = match decision {
        Decision::Allow => Verdict::allow(),
        Decision::Deny => Verdict::deny(reason.code(), reason.to_string()),
    };
    let token = presented.token.as_ref();
    let uuid = token.and_then(|token| token.uuid());
    verdict
        .on(&classified)
        .of(token)
        .passing(classified.uuid_header, uuid)
}
