//! The bodies of the dialect, key order included (contract 2.4, 2.5, 3).

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use super::fault::Fault;
use crate::attempts::TooManyAttempts;

/// Which operation answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Grant,
    Revoke,
}

impl Source {
    const fn name(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Revoke => "revoke",
        }
    }

    const fn method(self) -> &'static str {
        match self {
            Self::Grant => "POST",
            Self::Revoke => "DELETE",
        }
    }
}

const SERVICE: &str = "Access Manager";
const BALANCER: &str = "Balancer";

#[derive(Serialize)]
struct Success<'a> {
    data: Data<'a>,
    service: &'static str,
    status: u16,
}

#[derive(Serialize)]
struct Data<'a> {
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

/// 200, with the token of a grant.
pub(super) fn success(source: Source, token: Option<&str>) -> Response<Bytes> {
    let body = Success {
        data: Data {
            message: "Success",
            token,
        },
        service: SERVICE,
        status: 200,
    };
    with_headers(json(StatusCode::OK, &body), source.method())
}

#[derive(Serialize)]
struct Failure<E> {
    error: E,
    service: &'static str,
    status: u16,
}

#[derive(Serialize)]
struct GrantError<'a> {
    message: &'static str,
    source: &'static str,
    details: Vec<GrantDetail<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GrantDetail<'a> {
    message: &'a str,
    location: &'a str,
    location_type: &'static str,
}

/// The same keys in the order that was recorded of a revoke.
#[derive(Serialize)]
struct RevokeError<'a> {
    details: Vec<RevokeDetail<'a>>,
    message: &'static str,
    source: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RevokeDetail<'a> {
    location: &'a str,
    location_type: &'static str,
    message: &'a str,
}

/// The error envelope.
pub(super) fn failure(source: Source, fault: &Fault) -> Response<Bytes> {
    let status = fault.status();
    let details = fault.details();
    let message = fault.message();
    let answer = match source {
        Source::Grant => {
            let details = details.iter().map(|detail| GrantDetail {
                message: &detail.message,
                location: &detail.location,
                location_type: detail.location_type,
            });
            let error = GrantError {
                message,
                source: source.name(),
                details: details.collect(),
            };
            envelope(status, error)
        }
        Source::Revoke => {
            let details = details.iter().map(|detail| RevokeDetail {
                location: &detail.location,
                location_type: detail.location_type,
                message: &detail.message,
            });
            let error = RevokeError {
                details: details.collect(),
                message,
                source: source.name(),
            };
            envelope(status, error)
        }
    };
    let mut answer = with_headers(answer, source.method());
    if let Fault::TooManyAttempts(TooManyAttempts { retry_after }) = fault {
        let headers = answer.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
    }
    answer
}

fn envelope(status: StatusCode, error: impl Serialize) -> Response<Bytes> {
    let body = Failure {
        error,
        service: SERVICE,
        status: status.as_u16(),
    };
    json(status, &body)
}

#[derive(Serialize)]
struct Flat {
    message: &'static str,
    error: bool,
    service: &'static str,
    status: u16,
}

/// The flat error of everything that is not about a grant or a revoke.
pub(super) fn flat(status: StatusCode, message: &'static str) -> Response<Bytes> {
    let balancer = [
        StatusCode::URI_TOO_LONG,
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    ];
    let service = if balancer.contains(&status) {
        BALANCER
    } else {
        SERVICE
    };
    let body = Flat {
        message,
        error: true,
        service,
        status: status.as_u16(),
    };
    with_headers(json(status, &body), "GET, POST, DELETE")
}

#[derive(Serialize)]
struct TooLarge {
    status: u16,
    error: bool,
    service: &'static str,
    message: &'static str,
}

/// 413 has a key order of its own.
pub(super) fn too_large() -> Response<Bytes> {
    let body = TooLarge {
        status: 413,
        error: true,
        service: BALANCER,
        message: "Request Entity Too Large.",
    };
    with_headers(
        json(StatusCode::PAYLOAD_TOO_LARGE, &body),
        "GET, POST, DELETE",
    )
}

fn json(status: StatusCode, body: &impl Serialize) -> Response<Bytes> {
    // Structs of text and numbers always serialize.
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response
}

fn with_headers(mut response: Response<Bytes>, methods: &'static str) -> Response<Bytes> {
    let headers = response.headers_mut();
    let rows = [
        (header::CONTENT_TYPE, "text/javascript; charset=UTF-8"),
        (header::CACHE_CONTROL, "no-cache, no-store, must-revalidate"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Origin, X-Requested-With, Content-Type, Accept",
        ),
    ];
    for (name, value) in rows {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
