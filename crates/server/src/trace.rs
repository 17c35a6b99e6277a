//! A request in the log: its id and client in every record, and one record of
//! how it was answered.

use core::fmt;
use core::hash::BuildHasher as _;
use core::net::{IpAddr, SocketAddr};
use core::sync::atomic::{AtomicU64, Ordering};
use std::borrow::Cow;
use std::hash::RandomState;
use std::sync::LazyLock;
use std::time::Instant;

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response};
use token_core::TokenId;
use tracing::field::{Empty, display};
use tracing::{Span, error_span};

use crate::client_address::client_address;

/// Where a request id is taken from and given back.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is taken from a proxy, in bytes.
const ID_BYTES_MAX: usize = 64;

/// Longest path in a record, in bytes, and longest segment of one: shorter than
/// any token.
const PATH_BYTES_MAX: usize = 256;
const SEGMENT_BYTES_MAX: usize = 64;

/// One request, from its head to its answer.
pub struct Trace {
    begun: Instant,
    span: Span,
    id: HeaderValue,
    method: Method,
    path: String,
    /// Asked so often, and by machines that keep logs themselves, that good
    /// answers are for whoever looks closer.
    is_frequent: bool,
}

impl Trace {
    /// A request of `peer`. What it says about itself and its client is
    /// believed as far as `trusts` says.
    pub(crate) fn new(peer: SocketAddr, head: &Parts, trusts: impl Fn(IpAddr) -> bool) -> Self {
        let said = head.headers.get(REQUEST_ID).filter(|id| is_id(id));
        let id = said
            .filter(|_| trusts(peer.ip()))
            .cloned()
            .unwrap_or_else(new_id);
        let client = client_address(peer.ip(), &head.headers, trusts);
        // Of the level of the gravest record, so that it is there for all.
        let span = error_span!(
            "request",
            request_id = id.to_str().unwrap_or_default(),
            client = %client,
            asked = Empty,
            token_id = Empty,
            reason = Empty,
        );
        let path = if span.is_disabled() {
            String::new()
        } else {
            shown(head.uri.path())
        };
        Self {
            begun: Instant::now(),
            span,
            id,
            method: head.method.clone(),
            path,
            is_frequent: false,
        }
    }

    pub(crate) const fn frequent(mut self, is_frequent: bool) -> Self {
        self.is_frequent = is_frequent;
        self
    }

    /// What every record of the request is written in.
    pub(crate) const fn span(&self) -> &Span {
        &self.span
    }

    /// Writes the record of the answer, and tells the client the id.
    pub(crate) fn answered<B>(self, response: &mut Response<B>) {
        let status = response.status().as_u16();
        let method = self.method.as_str();
        let path = &*self.path;
        let duration_us = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.span.in_scope(|| {
            if self.is_frequent && status < 400 {
                tracing::debug!(method, path, status, duration_us, "answered");
            } else {
                tracing::info!(method, path, status, duration_us, "answered");
            }
        });
        response.headers_mut().insert(REQUEST_ID, self.id);
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("id", &self.id).finish()
    }
}

/// Notes in the record of the request what was decided. `code` is that of the
/// reason, `asked` the operation or the rule.
pub(crate) fn decided(code: &str, asked: Option<&str>, token: Option<TokenId>) {
    let span = Span::current();
    if span.is_disabled() {
        return;
    }
    if let Some(asked) = asked {
        span.record("asked", asked);
    }
    if let Some(token) = token {
        span.record("token_id", display(token));
    }
    span.record("reason", code);
}

fn is_id(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    let is_known = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    (1..=ID_BYTES_MAX).contains(&bytes.len()) && bytes.iter().all(is_known)
}

/// 16 hex digits, the next of a sequence that is random for each process.
fn new_id() -> HeaderValue {
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let id = SEED.hash_one(NEXT.fetch_add(1, Ordering::Relaxed));
    HeaderValue::try_from(format!("{id:016x}")).unwrap_or(HeaderValue::from_static("-"))
}

/// A path without what may be a secret: the token of a revoke, a key that
/// stands where none belongs, and whatever is as long as a token.
fn shown(path: &str) -> String {
    let mut after_grant = false;
    let segments: Vec<Cow<'_, str>> = path
        .split('/')
        .map(|segment| {
            let hidden = core::mem::replace(&mut after_grant, segment == "grant");
            if hidden || is_key(segment) || segment.len() > SEGMENT_BYTES_MAX {
                return Cow::Borrowed("*");
            }
            // Nothing that ends a line or moves a cursor.
            let is_plain = segment.bytes().all(|byte| byte.is_ascii_graphic());
            if is_plain {
                Cow::Borrowed(segment)
            } else {
                Cow::Owned(segment.escape_default().to_string())
            }
        })
        .collect();
    let mut path = segments.join("/");
    if path.len() > PATH_BYTES_MAX {
        path.truncate(PATH_BYTES_MAX);
        path.push_str("..");
    }
    path
}

/// The beginnings of secret keys, signatures and keys of the internal API.
fn is_key(segment: &str) -> bool {
    let starts = |start: &str| {
        let beginning = segment.as_bytes().get(..start.len());
        beginning.is_some_and(|text| text.eq_ignore_ascii_case(start.as_bytes()))
    };
    starts("sec-") || starts("usher_") || starts("v2.")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attack H06.
    #[test]
    fn a_path_in_the_log_holds_no_secret() {
        let long = "q".repeat(65);
        let rows = [
            ("/", "/"),
            (
                "/v2/subscribe/sub-c/room-1,room-2/0",
                "/v2/subscribe/sub-c/room-1,room-2/0",
            ),
            ("/v3/pam/sub-c/grant", "/v3/pam/sub-c/grant"),
            ("/v3/pam/sub-c/grant/qEF2", "/v3/pam/sub-c/grant/*"),
            ("/v3/pam/sec-c-abc/grant", "/v3/pam/*/grant"),
            ("/x/Usher_admin_abc/v2.mac", "/x/*/*"),
            (&format!("/x/{long}/y"), "/x/*/y"),
            ("/x/\u{e9}", "/x/\\u{e9}"),
        ];
        for (path, logged) in rows {
            assert_eq!(shown(path), logged);
        }
        assert_eq!(shown(&"/ab".repeat(10_000)).len(), PATH_BYTES_MAX + 2);
    }

    #[test]
    fn an_id_of_a_proxy_is_short_and_plain_or_not_taken() {
        let rows = [
            ("7f3a-9c_1.b:2", true),
            ("", false),
            ("two words", false),
            ("a\"b", false),
            (&"a".repeat(64), true),
            (&"a".repeat(65), false),
        ];
        for (id, is_taken) in rows {
            assert_eq!(is_id(&HeaderValue::from_str(id).unwrap()), is_taken, "{id}");
        }
        assert_ne!(new_id(), new_id());
    }
}
