//! From a request to the permission to pass it on.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, Method, Response, StatusCode, Version, header};
use hyper::body::Body as _;
use token_core::VerifiedClaims as _;
use token_policy::{Asked, Classified, ClassifyError, Decision, Family, Operation, Reason};

use super::cors;
use super::refused::Refused;
use super::{DECISION_BODY_BYTES_MAX, root};
use crate::access_manager::METHOD_OVERRIDES;
use crate::conn::{Refusal, RequestBody};
use crate::judge::{Asking, Presented, judge};
use crate::metrics::{INVALID_SIGNATURE, Via};
use crate::service::{AnyToken, Service};
use crate::trace;

/// Why a request goes no further.
pub(super) enum Stop {
    /// This is the answer.
    Answer(Response<Bytes>),
    /// The listener's answer, and the end of the connection.
    Refusal(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

/// A request that may be carried out.
pub(super) struct Admitted {
    /// The operation; `None` for a rule of a rule file.
    pub(super) operation: Option<Operation>,
    pub(super) family: Family,
    /// What it was authorised with; `None` for the secret key and for what
    /// needs nothing.
    pub(super) token: Option<AnyToken>,
    /// The header in which the upstream learns the uuid of the token.
    pub(super) uuid_header: Option<HeaderName>,
    /// Whether the connection is to be upgraded.
    pub(super) upgrades: bool,
    /// The very bytes that were received, read or not.
    pub(super) body: RequestBody,
}

/// Decides on a request.
pub(super) async fn admit(
    service: &Service,
    head: &Parts,
    body: RequestBody,
) -> Result<Admitted, Stop> {
    let target = head
        .uri
        .path_and_query()
        .map_or("", |target| target.as_str());
    let stop = |family: Family| {
        move |refused: Refused| Stop::Answer(refused.response(family, service.now()))
    };
    check_form(head).map_err(|refused| {
        decided(service, Decision::Deny, Reason::InvalidRequest.code(), None);
        stop(family_of(service, target))(refused)
    })?;
    let method = head.method.as_str();
    let rules = service.rules();
    let classify = |body| rules.classify(method, target, &head.headers, body);
    let (classified, body) = match classify(None) {
        Err(ClassifyError::BodyRequired) => {
            check_encoding(head).map_err(|refused| {
                decided(service, Decision::Deny, Reason::InvalidRequest.code(), None);
                stop(family_of(service, target))(refused)
            })?;
            let read = body.read(DECISION_BODY_BYTES_MAX).await?;
            let classified = classify(Some(&read));
            (classified, RequestBody::from(read))
        }
        classified => (classified, body),
    };
    let classified = classified.map_err(|error| unclassified(service, target, &error))?;
    let family = classified.family;
    let upgrades = check_upgrade(head, &classified, &body).map_err(|refused| {
        let code = Reason::InvalidRequest.code();
        decided(service, Decision::Deny, code, Some(&classified));
        stop(family)(refused)
    })?;
    let mut body = body;
    if family != Family::Http && [Method::GET, Method::DELETE].contains(&head.method) {
        // No such operation has a body, and none is passed on.
        body.discard(0).await?;
        body = RequestBody::from(Bytes::new());
    }
    let token = if is_signed(&classified) {
        check_one_credential(&classified).map_err(|refused| {
            let code = Reason::AmbiguousRequest.code();
            decided(service, Decision::Deny, code, Some(&classified));
            stop(family)(refused)
        })?;
        let gateway = service.gateway();
        let room = gateway.room_for(&body).map_err(stop(family))?;
        let signed = body.read(super::FORWARD_BODY_BYTES_MAX).await?;
        authorise_root(service, head, &classified, &signed).map_err(stop(family))?;
        drop(room);
        body = RequestBody::from(signed);
        None
    } else {
        with_token(service, &classified)
            .await
            .map_err(stop(family))?
    };
    Ok(Admitted {
        operation: operation(&classified),
        family,
        token,
        uuid_header: classified.uuid_header.and_then(|name| name.parse().ok()),
        upgrades,
        body,
    })
}

/// A signature, checked and counted as a decision.
fn authorise_root(
    service: &Service,
    head: &Parts,
    classified: &Classified<'_>,
    signed: &[u8],
) -> Result<(), Refused> {
    let root = root::check(service, head, classified, signed);
    let (decision, code) = match &root {
        Ok(()) => (Decision::Allow, Reason::Allowed.code()),
        Err(_) => (Decision::Deny, INVALID_SIGNATURE),
    };
    decided(service, decision, code, Some(classified));
    root
}

/// Counts a decision, and notes it in the record of the request.
fn decided(
    service: &Service,
    decision: Decision,
    code: &'static str,
    classified: Option<&Classified<'_>>,
) {
    service.decided(Via::Gateway, decision, code, || None);
    let asked = classified.map(|classified| classified.asked().name());
    trace::decided(code, asked, None);
}

fn operation(classified: &Classified<'_>) -> Option<Operation> {
    match classified.asked() {
        Asked::Operation(operation) => Some(operation),
        Asked::Rule { .. } => None,
    }
}

/// A request with a signature is judged by it alone. `time` names no keyset
/// whose key could have signed it, and needs nothing.
fn is_signed(classified: &Classified<'_>) -> bool {
    classified.signature.is_some() && operation(classified) != Some(Operation::Time)
}

/// Contract 10.4: the one place where a signature does not win.
fn check_one_credential(classified: &Classified<'_>) -> Result<(), Refused> {
    if classified.family == Family::DataSync && classified.token.is_some() {
        return Err(Refused::two_credentials());
    }
    Ok(())
}

/// What the table cannot see: the form of the request around its line.
fn check_form(head: &Parts) -> Result<(), Refused> {
    let bad = |message: &'static str| Err(Refused::new(StatusCode::BAD_REQUEST, message));
    if head.version < Version::HTTP_2 && head.uri.authority().is_some() {
        return bad("the request target must begin with `/`");
    }
    let headers = &head.headers;
    if METHOD_OVERRIDES
        .iter()
        .any(|name| headers.contains_key(name))
    {
        return bad("Method override is not supported");
    }
    if head.uri.path().starts_with("/v2/auth/") {
        return bad("Access Manager v2 is not served; grant a token with POST \
             /v3/pam/{subscribe key}/grant");
    }
    Ok(())
}

/// Whether the connection is to become a WebSocket (RFC 6455 section 4.1). A
/// rule must name it, and nothing else is ever upgraded to: with `h2c` the
/// upstream would take requests that nobody decided on.
fn check_upgrade(
    head: &Parts,
    classified: &Classified<'_>,
    body: &RequestBody,
) -> Result<bool, Refused> {
    let mut asked = head.headers.get_all(header::UPGRADE).iter();
    let Some(protocol) = asked.next() else {
        return Ok(false);
    };
    let is_websocket = protocol.as_bytes().eq_ignore_ascii_case(b"websocket")
        && asked.next().is_none()
        && head.method == Method::GET
        && head.version == Version::HTTP_11
        && body.is_end_stream();
    if classified.upgrade && is_websocket {
        return Ok(true);
    }
    let message = "Upgrade is not supported";
    Err(Refused::new(StatusCode::BAD_REQUEST, message))
}

/// A body that a decision is read from is read as it is.
fn check_encoding(head: &Parts) -> Result<(), Refused> {
    if head.headers.contains_key(header::CONTENT_ENCODING) {
        let message = "a body that a decision is read from must not be encoded";
        return Err(Refused::new(StatusCode::BAD_REQUEST, message));
    }
    Ok(())
}

fn unclassified(service: &Service, target: &str, error: &ClassifyError) -> Stop {
    let code = error.reason().code();
    decided(service, Decision::Deny, code, None);
    let refused = Refused::unclassified(error);
    if matches!(error, ClassifyError::UnknownOperation) {
        let rules = service.rules();
        let methods = cors::methods(&rules, target);
        if !methods.is_empty() {
            let refused = Refused::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
            let mut response = refused.response(family_of(service, target), service.now());
            cors::allowed(&mut response, &methods);
            return Stop::Answer(response);
        }
    }
    Stop::Answer(refused.response(family_of(service, target), service.now()))
}

/// The family of a target that no row is for.
fn family_of(service: &Service, target: &str) -> Family {
    let rows = [
        ("/v1/datasync/", Family::DataSync),
        ("/v2/objects/", Family::Objects),
        ("/v1/message-actions/", Family::Actions),
    ];
    let row = rows.iter().find(|(start, _)| target.starts_with(start));
    let is_ours = !service.rules().are_there() || cors::operations(target).next().is_some();
    let otherwise = if is_ours {
        Family::AccessManager
    } else {
        Family::Http
    };
    row.map_or(otherwise, |(_, family)| *family)
}

async fn with_token(
    service: &Service,
    classified: &Classified<'_>,
) -> Result<Option<AnyToken>, Refused> {
    let asking = Asking::of(classified);
    let presented = Presented::of(service, &asking).await;
    let judged = presented.as_ref().map(|presented| {
        let (asked, targets) = (classified.asked(), classified.targets());
        judge(service, presented, asking, asked, targets)
    });
    let (decision, code) = match &judged {
        Ok(judged) => (judged.response.decision, judged.response.reason.code()),
        Err(undecided) => (Decision::Deny, undecided.code()),
    };
    let verified = presented.as_ref().ok();
    let verified = verified.and_then(|presented| presented.token.as_ref());
    let token_id = verified.map(|token| token.id());
    service.decided(Via::Gateway, decision, code, || Some(token_id?.to_string()));
    trace::decided(code, Some(classified.asked().name()), token_id);
    let judged = judged.map_err(|undecided| Refused::undecided(*undecided))?;
    if judged.response.is_allowed() {
        return Ok(verified.cloned());
    }
    if classified.family == Family::DataSync && judged.response.reason == Reason::TokenRequired {
        return Err(Refused::unauthenticated());
    }
    Err(Refused::denied(&judged))
}
