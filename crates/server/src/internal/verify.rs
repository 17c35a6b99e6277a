//! `POST /v1/verify`: is this a token of ours, and still good?

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;
use token_core::{ResourceKind, VerifiedClaims};
use token_policy::{Reason, in_force};

use crate::error::{ApiError, ErrorCode, json};
use crate::fields::Fields;
use crate::service::Service;

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
    subscribe_key: &'a str,
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
    let token = keysets
        .iter()
        .find_map(|keyset| service.verify(&text, keyset).ok());
    let Some(token) = token else {
        let answer = Answer {
            status: "invalid",
            reason: explained(Reason::InvalidToken),
            token: None,
        };
        return Ok(json(StatusCode::OK, &answer));
    };
    let (status, reason) = standing(service, &*token);
    let answer = Answer {
        status,
        reason,
        token: Some(summary(&*token)),
    };
    Ok(json(StatusCode::OK, &answer))
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

fn summary<T: VerifiedClaims>(token: &T) -> Summary<'_> {
    let count = |kind: fn(&T, ResourceKind) -> usize| {
        ResourceKind::ALL
            .into_iter()
            .map(|of| kind(token, of))
            .fold(0_usize, usize::saturating_add)
    };
    Summary {
        subscribe_key: token.scope(),
        token_id: token.id().to_string(),
        issued_at: token.issued_at().0,
        expires_at: token.expires_at().0,
        uuid: token.uuid(),
        names: count(|token, kind| token.names(kind).count()),
        patterns: count(|token, kind| token.patterns(kind).count()),
    }
}
