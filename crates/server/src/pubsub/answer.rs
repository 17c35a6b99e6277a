//! The bodies of the dialect (signalwire 4).

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use super::Fault;
use super::body::Invalid;
use crate::error::json;

/// Where the contract says what its codes mean; its clients show the link.
const CODES: &str = "https://signalwire.com/docs/apis/error-codes";

#[derive(Serialize)]
struct Success<'a> {
    token: &'a str,
}

pub(super) fn success(token: &str) -> Response<Bytes> {
    let mut response = json(StatusCode::OK, &Success { token });
    let never = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, never);
    response
}

#[derive(Serialize)]
struct Failure {
    error: &'static str,
}

#[derive(Serialize)]
struct Failures {
    errors: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    #[serde(rename = "type")]
    kind: &'static str,
    code: &'static str,
    message: &'static str,
    attribute: &'static str,
    url: &'static str,
}

impl From<&Invalid> for Item {
    fn from(invalid: &Invalid) -> Self {
        Self {
            kind: "validation_error",
            code: invalid.code,
            message: invalid.message,
            attribute: invalid.attribute,
            url: CODES,
        }
    }
}

pub(super) fn failure(fault: &Fault) -> Response<Bytes> {
    let (status, error) = match fault {
        Fault::Invalid(faults) => {
            let errors = faults.iter().map(Item::from).collect();
            return json(StatusCode::UNPROCESSABLE_ENTITY, &Failures { errors });
        }
        Fault::BadRequest => (StatusCode::BAD_REQUEST, "Bad Request"),
        Fault::Unauthorized => (StatusCode::UNAUTHORIZED, "Unauthorized"),
        Fault::TooManyAttempts(_) => (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"),
        Fault::NotFound => (StatusCode::NOT_FOUND, "Not Found"),
        Fault::Store => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
    };
    let mut response = json(status, &Failure { error });
    let headers = response.headers_mut();
    if let Fault::Unauthorized = fault {
        let realm = HeaderValue::from_static("Basic realm=\"usher\", charset=\"UTF-8\"");
        headers.insert(header::WWW_AUTHENTICATE, realm);
    }
    if let Fault::TooManyAttempts(attempts) = fault
        && let Ok(seconds) = HeaderValue::from_str(&attempts.retry_after.to_string())
    {
        headers.insert(header::RETRY_AFTER, seconds);
    }
    response
}
