//! Browsers of other origins (Fetch standard, CORS).
//!
//! Any origin may ask: a token is in the query, never in a cookie, so there is
//! no ambient authority to borrow. Credentials are therefore never allowed and
//! no origin is ever reflected.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use token_policy::{ClassifyError, classify};

/// The methods of client operations.
const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::PATCH,
    Method::PUT,
    Method::DELETE,
];

/// Marks an answer as readable by any origin.
pub(super) fn allow(headers: &mut HeaderMap) {
    let rows = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (
            header::ACCESS_CONTROL_ALLOW_METHODS,
            "GET, POST, PATCH, PUT, DELETE",
        ),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Origin, X-Requested-With, Content-Type, Accept, If-Match, If-None-Match",
        ),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "*"),
    ];
    for (name, value) in rows {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Answers `OPTIONS`: a preflight of a client operation, or 405.
pub(super) fn options(head: &Parts) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let asked = head.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD);
    let target = head
        .uri
        .path_and_query()
        .map_or("", |target| target.as_str());
    let method = asked.and_then(|method| METHODS.iter().find(|known| *method == known.as_str()));
    let is_preflight = head.headers.contains_key(header::ORIGIN)
        && method.is_some_and(|method| is_operation(method, target));
    if is_preflight {
        *response.status_mut() = StatusCode::NO_CONTENT;
        allow(response.headers_mut());
        let hour = HeaderValue::from_static("3600");
        response
            .headers_mut()
            .insert(header::ACCESS_CONTROL_MAX_AGE, hour);
    } else {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        let methods = operations(target).map(Method::as_str);
        allowed(&mut response, methods);
    }
    response
}

/// The methods that a row of the table has for this target.
pub(super) fn operations(target: &str) -> impl Iterator<Item = &'static Method> {
    METHODS
        .iter()
        .filter(move |method| is_operation(method, target))
}

/// Says which methods would do.
pub(super) fn allowed<'m>(response: &mut Response<Bytes>, methods: impl Iterator<Item = &'m str>) {
    let methods: Vec<&str> = methods.collect();
    if let Ok(allow) = HeaderValue::from_str(&methods.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
}

fn is_operation(method: &Method, target: &str) -> bool {
    let classified = classify(method.as_str(), target, None);
    matches!(classified, Ok(_) | Err(ClassifyError::BodyRequired))
}
