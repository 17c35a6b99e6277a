//! `POST /v1/verify`: is this a token of ours, and still good?

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;
use token_core::{ResourceKind, TokenKind, VerifiedClaims};
use token_policy::{Reason, in_force};

use crate::error::{ApiError, ErrorCode, json};
use crate::fields::Fields;
use crate::keyset::Prepared;
use crate::service::{AnyToken, Service, is_jws};

#[derive(Serialize)]
struct Answer<'a> {
    status: &'static str,
    reason: Explained,
    #[serde(flatten)]
    token: Option<Summary<'a>>,
}

#[derive(Serialize)]
struct Explained {
    code: &'static str,
    message: String,
}

#[derive(Serialize)]
struct Summary<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscribe_key: Option<String>,
    /// The project or the account of a JWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    token_id: String,
    issued_at: u64,
    expires_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<&'a str>,
    names: usize,
    patterns: usize,
}

pub(super) fn verify(service: &Service, body: &[u8]) -> Result<Response<Bytes>, ApiError> {
    let mut fields = Fields::parse(body)?;
    let text = fields.required_text("token")?;
    let subscribe_key = fields.text("subscribe_key")?;
    fields.finish()?;
    let keysets = match subscribe_key {
        Some(key) => vec![service.keyset(&key).ok_or_else(|| {
            ErrorCode::UnknownKeyset
                .because("no keyset has this subscribe key")
                .at("subscribe_key")
        })?],
        None => service.keysets(),
    };
    let Some((token, subscribe_key)) = find(service, &text, &keysets) else {
        let answer = Answer {
            status: "invalid",
            reason: explained(Reason::InvalidToken),
            token: None,
        };
        return Ok(json(StatusCode::OK, &answer));
    };
    let (status, reason) = standing(service, &token);
    let answer = Answer {
        status,
        reason,
        token: Some(summary(&token, subscribe_key)),
    };
    Ok(json(StatusCode::OK, &answer))
}

/// The token, and the keyset that it is of.
fn find(
    service: &Service,
    text: &str,
    keysets: &[Arc<Prepared>],
) -> Option<(AnyToken, Option<String>)> {
    let name = |keyset: &Arc<Prepared>| keyset.subscribe_key().to_owned();
    if !is_jws(text) {
        return keysets.iter().find_map(|keyset| {
            let token = service.verify(text, keyset).ok()?;
            Some((AnyToken::AccessManager(token), Some(name(keyset))))
        });
    }
    let token = service.verify_jws(text)?;
    let mut keysets = keysets.iter();
    let owner = keysets.find(|keyset| keyset.has_project(token.scope()));
    // One of a project of another keyset is none of those that are asked about.
    if owner.is_none() && token.kind() == TokenKind::Crt {
        return None;
    }
    Some((AnyToken::Jws(Arc::new(token)), owner.map(name)))
}

fn explained(reason: Reason) -> Explained {
    Explained {
        code: reason.code(),
        message: reason.to_string(),
    }
}

fn standing(service: &Service, token: &impl VerifiedClaims) -> (&'static str, Explained) {
    let Err(reason) = in_force(token, service.now(), &service.deny_list_of(token.scope())) else {
        let message = "the token is valid".to_owned();
        let code = "ok";
        return ("valid", Explained { code, message });
    };
    let status = if matches!(reason, Reason::NotYetValid { .. }) {
        "not_yet_valid"
    } else if matches!(reason, Reason::Expired { .. }) {
        "expired"
    } else {
        "revoked"
    };
    (status, explained(reason))
}

fn summary(token: &AnyToken, subscribe_key: Option<String>) -> Summary<'_> {
    let count = |kind: fn(&AnyToken, ResourceKind) -> usize| {
        ResourceKind::ALL
            .into_iter()
            .map(|of| kind(token, of))
            .fold(0_usize, usize::saturating_add)
    };
    Summary {
        kind: token.kind().name(),
        subscribe_key,
        scope: (token.kind() != TokenKind::AccessManager).then(|| token.scope()),
        token_id: token.id().to_string(),
        issued_at: token.issued_at().0,
        expires_at: token.expires_at().0,
        uuid: token.uuid(),
        names: count(|token, kind| token.names(kind).count()),
        patterns: count(|token, kind| token.patterns(kind).count()),
    }
}
