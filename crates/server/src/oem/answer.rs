//! The bodies of the dialect (oem 2): `message` is a list.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use super::Fault;
use crate::error::json;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Success<'a> {
    access_token: &'a str,
}

pub(super) fn success(status: StatusCode, token: &str) -> Response<Bytes> {
    json(
        status,
        &Success {
            access_token: token,
        },
    )
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'a> {
    status_code: u16,
    error: &'static str,
    message: Vec<&'a str>,
}

pub(super) fn failure(fault: &Fault) -> Response<Bytes> {
    let one = |status, error, message| (status, error, vec![message]);
    let (status, error, message) = match fault {
        Fault::BadRequest(faults) => (
            StatusCode::BAD_REQUEST,
            "BadRequest",
            faults.iter().map(String::as_str).collect(),
        ),
        Fault::Unauthorized => one(
            StatusCode::UNAUTHORIZED,
            "Unauthorized",
            "Authorization header must be an API key of an account",
        ),
        Fault::TooManyAttempts(_) => one(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequests",
            "too many attempts with a wrong API key",
        ),
        Fault::UnknownCustomer => one(
            StatusCode::NOT_FOUND,
            "NotFound",
            "the account has no customer with this externalId",
        ),
        Fault::ForeignApplication => one(
            StatusCode::FORBIDDEN,
            "Forbidden",
            "the customer has no keyset in the application of appId",
        ),
        Fault::NotFound => one(StatusCode::NOT_FOUND, "NotFound", "there is nothing here"),
        Fault::Store => one(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            "the token cannot be issued now; try again",
        ),
    };
    let body = Failure {
        status_code: status.as_u16(),
        error,
        message,
    };
    let mut response = json(status, &body);
    if let Fault::TooManyAttempts(attempts) = fault
        && let Ok(seconds) = HeaderValue::from_str(&attempts.retry_after.to_string())
    {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}
