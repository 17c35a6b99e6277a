//! Browsers of other origins (Fetch standard, CORS).
//!
//! Any origin may ask: a token is in the query, never in a cookie, so there is
//! no ambient authority to borrow. Credentials are therefore never allowed and
//! no origin is ever reflected.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use token_policy::{ClassifyError, classify};

use crate::rules::Rules;

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
            // A page's SDK compresses what it publishes by POST.
            "Origin, X-Requested-With, Content-Type, Content-Encoding, Accept, If-Match, \
             If-None-Match",
        ),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "*"),
    ];
    for (name, value) in rows {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Answers `OPTIONS`: a preflight of a client operation or of a rule, or 405.
pub(super) fn options(head: &Parts, rules: &Rules) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let target = head
        .uri
        .path_and_query()
        .map_or("", |target| target.as_str());
    let asked = head.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD);
    let asked = asked.and_then(|method| method.to_str().ok());
    let asked = asked.filter(|_| head.headers.contains_key(header::ORIGIN));
    match asked {
        Some(method) if operations(target).any(|known| known == method) => {
            allow(response.headers_mut());
        }
        Some(method) if rules.knows(method, target) => {
            allow_rules(response.headers_mut(), &rules.methods(target));
        }
        _ => {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            allowed(&mut response, &methods(rules, target));
            return response;
        }
    }
    *response.status_mut() = StatusCode::NO_CONTENT;
    let hour = HeaderValue::from_static("3600");
    response
        .headers_mut()
        .insert(header::ACCESS_CONTROL_MAX_AGE, hour);
    response
}

/// The same for the API of a rule file. It may have headers of its own, so a
/// page may send any; the star does not stand for `Authorization`.
fn allow_rules(headers: &mut HeaderMap, methods: &[&str]) {
    allow(headers);
    let any = HeaderValue::from_static("*, Authorization");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, any);
    if let Ok(methods) = HeaderValue::from_str(&methods.join(", ")) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
}

/// The methods that a row of the table has for this target.
pub(super) fn operations(target: &str) -> impl Iterator<Item = &'static Method> {
    METHODS
        .iter()
        .filter(move |method| is_operation(method, target))
}

/// The methods that there are for this target at all.
pub(super) fn methods<'r>(rules: &'r Rules, target: &str) -> Vec<&'r str> {
    let mut methods = rules.methods(target);
    for method in operations(target) {
        methods.push(method.as_str());
    }
    methods
}

/// Says which methods would do.
pub(super) fn allowed(response: &mut Response<Bytes>, methods: &[&str]) {
    if let Ok(allow) = HeaderValue::from_str(&methods.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
}

fn is_operation(method: &Method, target: &str) -> bool {
    let classified = classify(method.as_str(), target, None);
    matches!(classified, Ok(_) | Err(ClassifyError::BodyRequired))
}
