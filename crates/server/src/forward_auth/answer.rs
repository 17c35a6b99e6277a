//! What a proxy is answered: 200, 401 or 403, and never anything else, which
//! some proxies turn into an error of their own.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use token_core::{TokenId, UnixSeconds, VerifiedClaims as _};
use token_policy::{Asked, Classified, Decision, Family, Reason};

use super::Flavour;
use crate::error::{ApiError, json, json_text};
use crate::service::AnyToken;

/// The stable code of the decision; `allowed` for an allow.
const REASON: HeaderName = HeaderName::from_static("x-usher-reason");
/// The operation, once it is known.
const OPERATION: HeaderName = HeaderName::from_static("x-usher-operation");
/// The rule of a rule file, in place of an operation.
const RULE: HeaderName = HeaderName::from_static("x-usher-rule");
/// The id of the token, once it is verified.
const TOKEN_ID: HeaderName = HeaderName::from_static("x-usher-token-id");
/// When that token expires, in seconds since 1970.
const EXPIRES_AT: HeaderName = HeaderName::from_static("x-usher-expires-at");

/// The body of an allow, which proxies drop.
const ALLOWED: &str = r#"{"decision":"allow"}"#;

/// What another token would mend.
const UNAUTHENTICATED: [&str; 5] = [
    "expired",
    "invalid_token",
    "not_yet_valid",
    "revoked",
    "token_required",
];

/// A decision, as far as a proxy is told.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) decision: Decision,
    pub(super) code: &'static str,
    /// Of a denial, for people.
    message: String,
    family: Option<Family>,
    /// The header that names what was asked for.
    asked: Option<(HeaderName, HeaderValue)>,
    pub(super) token: Option<(TokenId, UnixSeconds)>,
    /// The header of a rule file in which the upstream learns the uuid of the
    /// token, for the proxy to copy.
    uuid: Option<(HeaderName, HeaderValue)>,
}

#[derive(Serialize)]
struct Denial<'a> {
    decision: &'static str,
    reason: Explained<'a>,
}

#[derive(Serialize)]
struct Explained<'a> {
    code: &'static str,
    message: &'a str,
}

impl Verdict {
    pub(super) fn allow() -> Self {
        Self {
            decision: Decision::Allow,
            code: Reason::Allowed.code(),
            message: String::new(),
            family: None,
            asked: None,
            token: None,
            uuid: None,
        }
    }

    pub(super) fn deny(code: &'static str, message: String) -> Self {
        Self {
            decision: Decision::Deny,
            code,
            message,
            family: None,
            asked: None,
            token: None,
            uuid: None,
        }
    }

    pub(super) fn on(mut self, classified: &Classified<'_>) -> Self {
        self.family = Some(classified.family);
        self.asked = match classified.asked() {
            Asked::Operation(operation) => {
                Some((OPERATION, HeaderValue::from_static(operation.name())))
            }
            // A name that no header can hold is told to nobody.
            Asked::Rule { name, .. } => HeaderValue::from_str(name).ok().map(|name| (RULE, name)),
        };
        self
    }

    /// The operation or the rule.
    pub(super) fn asked_name(&self) -> Option<&str> {
        let (_, name) = self.asked.as_ref()?;
        name.to_str().ok()
    }

    pub(super) fn of(mut self, token: Option<&AnyToken>) -> Self {
        self.token = token.map(|token| (token.id(), token.expires_at()));
        self
    }

    /// With the uuid of the token, when the rules pass it on in `header`. It is
    /// sent in UTF-8 as it is.
    pub(super) fn passing(mut self, header: Option<&str>, uuid: Option<&str>) -> Self {
        let header = header.and_then(|name| name.parse().ok());
        let uuid = uuid.and_then(|uuid| HeaderValue::from_bytes(uuid.as_bytes()).ok());
        self.uuid = header
            .zip(uuid)
            .filter(|_| self.decision == Decision::Allow);
        self
    }

    /// How long an allow may be kept: never beyond its token. One of a rule is
    /// not kept at all, because its token may be in any header.
    pub(super) fn cache_seconds(&self, configured: u64, now: UnixSeconds) -> u64 {
        if self.decision == Decision::Deny || self.family == Some(Family::Http) {
            return 0;
        }
        let left = |(_, expires_at): (TokenId, UnixSeconds)| expires_at.0.saturating_sub(now.0);
        configured.min(self.token.map_or(configured, left))
    }

    /// 200, 401 or 403, the codes in headers.
    pub(super) fn response(&self, flavour: Flavour, cache_seconds: u64) -> Response<Bytes> {
        let mut response = match self.decision {
            Decision::Allow => json_text(StatusCode::OK, ALLOWED.to_owned()),
            // Neither yes nor no: another node may know.
            Decision::Deny if self.code == Reason::Behind.code() => {
                denial(StatusCode::SERVICE_UNAVAILABLE, self.code, &self.message)
            }
            Decision::Deny if self.is_unauthenticated() => unauthorized(self.code, &self.message),
            Decision::Deny => denial(StatusCode::FORBIDDEN, self.code, &self.message),
        };
        let headers = response.headers_mut();
        headers.insert(REASON, HeaderValue::from_static(self.code));
        if let Some((header, name)) = &self.asked {
            headers.insert(header, name.clone());
        }
        if let Some((header, uuid)) = &self.uuid {
            headers.insert(header, uuid.clone());
        }
        if let Some((id, expires_at)) = self.token {
            headers.insert(EXPIRES_AT, expires_at.0.into());
            if let Ok(id) = HeaderValue::from_bytes(&hexadecimal(id)) {
                headers.insert(TOKEN_ID, id);
            }
        }
        if cache_seconds > 0 {
            allow_caching(headers, flavour, cache_seconds);
        }
        response
    }

    /// Whether another token is what is missing, in an API that says so with
    /// 401: one of rules (RFC 9110 section 15.5.2), and DataSync (contract
    /// 10.4). The others answer 403 to whatever is wrong with a token (contract
    /// 6), and their SDKs understand nothing else.
    fn is_unauthenticated(&self) -> bool {
        match self.family {
            Some(Family::Http) => UNAUTHENTICATED.contains(&self.code),
            Some(Family::DataSync) => self.code == Reason::TokenRequired.code(),
            Some(
                Family::AccessManager
                | Family::Actions
                | Family::History
                | Family::ChannelRegistry
                | Family::Objects
                | Family::Push,
            )
            | None => false,
        }
    }
}

/// The 32 digits of an id, without a formatter: this is on the way of every
/// request.
fn hexadecimal(id: TokenId) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(id.0) {
        pair.copy_from_slice(&[digit(byte.wrapping_shr(4)), digit(byte & 15)]);
    }
    text
}

/// Every auth request of a flavour may have one and the same target, so an
/// answer says which headers it depends on.
fn allow_caching(headers: &mut HeaderMap, flavour: Flavour, seconds: u64) {
    if let Ok(value) = HeaderValue::try_from(format!("max-age={seconds}")) {
        headers.insert(header::CACHE_CONTROL, value);
    }
    for name in flavour.headers().into_iter().flatten() {
        headers.append(header::VARY, HeaderValue::from_static(name));
    }
}

/// 401 where the proxy must show a key, otherwise 403.
pub(super) fn refused(error: &ApiError) -> Response<Bytes> {
    match error.code.row() {
        (StatusCode::UNAUTHORIZED, code) => unauthorized(code, &error.message),
        (_, code) => denial(StatusCode::FORBIDDEN, code, &error.message),
    }
}

/// 401 with the challenge that belongs to it.
fn unauthorized(code: &'static str, message: &str) -> Response<Bytes> {
    let mut response = denial(StatusCode::UNAUTHORIZED, code, message);
    let challenge = HeaderValue::from_static("Bearer");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, challenge);
    response
}

fn denial(status: StatusCode, code: &'static str, message: &str) -> Response<Bytes> {
    let body = Denial {
        decision: Decision::Deny.name(),
        reason: Explained { code, message },
    };
    let mut response = json(status, &body);
    response
        .headers_mut()
        .insert(REASON, HeaderValue::from_static(code));
    response
}
