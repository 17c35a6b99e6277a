//! The customer access token dialect: `POST /v2/oem/access-token` (oem 1, 2).

mod answer;
mod body;
mod issue;

use bytes::Bytes;
use http::{HeaderName, Method, Request, Response, StatusCode, header};
use token_store::Account;

use crate::attempts::{Credential, TooManyAttempts};
use crate::audit::Actor;
use crate::service::Service;
use answer::{failure, success};
use body::Wanted;

/// Where the dialect is.
const PATH: &str = "/v2/oem/access-token";

/// The header of the minor version (oem 1).
const VERSION: HeaderName = HeaderName::from_static("pubnub-version");

/// The versions of the operation (oem 1).
const VERSIONS: [&str; 1] = ["2026-02-09"];

/// Why there is no token.
#[derive(Debug)]
enum Fault {
    /// 400, with everything that is wrong.
    BadRequest(Vec<String>),
    Unauthorized,
    TooManyAttempts(TooManyAttempts),
    UnknownCustomer,
    ForeignApplication,
    NotFound,
    Store,
}

/// Whether a path is this dialect's.
pub(crate) fn serves(path: &str) -> bool {
    path.starts_with("/v2/oem/")
}

/// Answers a request on the public listener that is for this dialect.
pub(crate) fn respond(service: &Service, request: &Request<Bytes>) -> Response<Bytes> {
    let is_token = request.uri().path() == PATH && request.method() == Method::POST;
    // Until somebody may use it, there is no such dialect.
    if !is_token || service.store().accounts().is_empty() {
        return failure(&Fault::NotFound);
    }
    let answer = answer(service, request);
    service.metrics().granted(answer.is_ok());
    match answer {
        Ok(token) => success(StatusCode::OK, &token),
        Err(fault) => failure(&fault),
    }
}

/// Who asks comes first: to a stranger, nothing tells what there is.
fn answer(service: &Service, request: &Request<Bytes>) -> Result<String, Fault> {
    let account = authenticate(service, request)?;
    let version = check_version(request);
    let wanted = Wanted::read(request.body());
    let wanted = match (version, wanted) {
        (Ok(()), Ok(wanted)) => wanted,
        (version, wanted) => {
            let faults = version.err().into_iter();
            let faults = faults.chain(wanted.err().unwrap_or_default());
            return Err(Fault::BadRequest(faults.collect()));
        }
    };
    let (customer_id, _) = account
        .customer_called(&wanted.external_id)
        .ok_or(Fault::UnknownCustomer)?;
    if !account.serves(customer_id, wanted.app_id) {
        return Err(Fault::ForeignApplication);
    }
    service.check_audited().map_err(|_| Fault::Store)?;
    issue::issue(service, &account, customer_id, &wanted)
}

/// The account of the API key: the raw key, or `Bearer` and the key (oem 1).
fn authenticate(
    service: &Service,
    request: &Request<Bytes>,
) -> Result<std::sync::Arc<Account>, Fault> {
    let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        (None, _) | (Some(_), Some(_)) => None,
    };
    let Some(value) = value else {
        return Err(Fault::Unauthorized);
    };
    let key = match value.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
        _ => value,
    };
    service.store().account_of_key(key).ok_or_else(|| {
        let refused = service.credential_refused(Credential::Key, Actor::current_peer());
        refused.map_or_else(Fault::TooManyAttempts, |()| Fault::Unauthorized)
    })
}

fn check_version(request: &Request<Bytes>) -> Result<(), String> {
    let mut values = request.headers().get_all(VERSION).iter();
    let value = values.next().and_then(|value| value.to_str().ok());
    match (value, values.next()) {
        (Some(version), None) if VERSIONS.contains(&version) => Ok(()),
        _ => Err(format!(
            "PubNub-Version header must be one of: {}",
            VERSIONS.join(", ")
        )),
    }
}
