//! What a proxy is answered: 200, 401 or 403, and never anything else, which
//! some proxies turn into an error of their own.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use token_codec::VerifiedToken;
use token_core::{TokenId, UnixSeconds, VerifiedClaims as _};
use token_policy::{Asked, Decision, Reason};

use super::Flavour;
use crate::error::{ApiError, json, json_text};

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

/// A decision, as far as a proxy is told.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) decision: Decision,
    pub(super) code: &'static str,
    /// Of a denial, for people.
    message: String,
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
            asked: None,
            token: None,
            uuid: None,
        }
    }

    pub(super) fn on(mut self, asked: Asked<'_>) -> Self {
        self.asked = match asked {
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

    pub(super) fn of(mut self, token: Option<&VerifiedToken<'_>>) -> Self {
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

    /// How long an allow may be kept: never beyond its token.
    pub(super) fn cache_seconds(&self, configured: u64, now: UnixSeconds) -> u64 {
        match (self.decision, self.token) {
            (Decision::Deny, _) => 0,
            (Decision::Allow, None) => configured,
            (Decision::Allow, Some((_, expires_at))) => {
                configured.min(expires_at.0.saturating_sub(now.0))
            }
        }
    }

    /// 200 or 403, the codes in headers.
    ///
    /// A missing or expired token is 403 too: that is what the API behind the
    /// proxy answers (contract section 6), and what its SDKs understand.
    pub(super) fn response(&self, flavour: Flavour, cache_seconds: u64) -> Response<Bytes> {
        let mut response = match self.decision {
            Decision::Allow => json_text(StatusCode::OK, ALLOWED.to_owned()),
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
            if let Ok(id) = HeaderValue::from_maybe_shared(Bytes::from(id.to_string())) {
                headers.insert(TOKEN_ID, id);
            }
        }
        if cache_seconds > 0 {
            allow_caching(headers, flavour, cache_seconds);
        }
        response
    }
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
    let (status, code) = error.code.row();
    if status != StatusCode::UNAUTHORIZED {
        return denial(StatusCode::FORBIDDEN, code, &error.message);
    }
    let mut response = denial(status, code, &error.message);
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
