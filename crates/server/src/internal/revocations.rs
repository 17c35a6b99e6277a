//! `/v1/keysets/{sub}/revocations`.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;
use token_core::limits::REVOCATIONS_PER_BATCH_MAX;
use token_core::{ResourceName, TokenId, TokenKind, UnixSeconds, VerifiedClaims as _};
use token_store::{Listed, Outcome, Revocation};

use crate::error::{ApiError, ErrorCode, json, json_text, text};
use crate::fields::Fields;
use crate::keyset::Prepared;
use crate::query::Query;
use crate::service::{AnyToken, Revoked, Service, is_jws};

/// What is revoked, as answers and listings show it.
#[derive(Serialize)]
struct Item {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
}

impl Item {
    fn token(id: TokenId, expires_at: UnixSeconds) -> Self {
        Self {
            kind: "token",
            id: Some(id.to_string()),
            uuid: None,
            expires_at: Some(expires_at.0),
            until: None,
        }
    }

    fn rule(uuid: Option<String>, until: Option<UnixSeconds>) -> Self {
        Self {
            kind: if uuid.is_some() { "uuid" } else { "keyset" },
            id: None,
            uuid,
            expires_at: None,
            until: until.map(|until| until.0),
        }
    }
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    item: Item,
    already_revoked: bool,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    expired: bool,
    /// Whether the log has it, so that every node knows or soon will. One node
    /// is every node.
    propagated: bool,
    /// What to ask of other nodes as `min_sequence`; null until propagated.
    sequence: Option<String>,
}

/// One revocation, or a batch in which each stands alone.
pub(super) async fn revoke(
    service: &Service,
    key: &str,
    body: &[u8],
) -> Result<Response<Bytes>, ApiError> {
    let keyset = service.known_keyset(key)?;
    let mut fields = Fields::parse(body)?;
    if !fields.has("revocations") {
        let wanted = read(service, &keyset, fields)?;
        let revoked = all(service, wanted.clone()).await?;
        let answer = answer(wanted, &mut revoked.outcomes.iter().copied(), &revoked);
        return Ok(json(status_of(&revoked), &answer));
    }
    let items = fields.items("revocations", REVOCATIONS_PER_BATCH_MAX)?;
    fields.finish()?;
    let read: Vec<Result<Vec<Revocation>, ApiError>> = items
        .into_iter()
        .map(|item| item.and_then(|item| read(service, &keyset, item)))
        .collect();
    let wanted: Vec<Revocation> = read.iter().flatten().flatten().cloned().collect();
    let revoked = all(service, wanted).await?;
    let mut outcomes = revoked.outcomes.iter().copied();
    let results: Vec<String> = read
        .into_iter()
        .map(|item| match item {
            Ok(wanted) => text(&answer(wanted, &mut outcomes, &revoked)),
            Err(error) => text(&error),
        })
        .collect();
    let body = format!("{{\"results\":[{}]}}", results.join(","));
    Ok(json_text(status_of(&revoked), body))
}

/// Revokes, as many at a time as the store takes.
async fn all(service: &Service, wanted: Vec<Revocation>) -> Result<Revoked, ApiError> {
    let mut parts = wanted.chunks(REVOCATIONS_PER_BATCH_MAX);
    let first = parts.next().unwrap_or_default().to_vec();
    let mut whole = service.revoke(first).await?;
    for part in parts {
        let revoked = service.revoke(part.to_vec()).await?;
        whole.outcomes.extend(revoked.outcomes);
        whole.propagated &= revoked.propagated;
        whole.is_done &= revoked.is_done;
        whole.sequence = whole.sequence.and(revoked.sequence);
    }
    Ok(whole)
}

/// Accepted is what is in force here, and not known to be elsewhere.
const fn status_of(revoked: &Revoked) -> StatusCode {
    if revoked.is_done {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    }
}

/// What one object of the body asks to revoke: of a uuid and of all, in the keyset
/// and in each of its projects.
fn read(
    service: &Service,
    keyset: &Prepared,
    mut fields: Fields,
) -> Result<Vec<Revocation>, ApiError> {
    let ways = ["token", "id", "uuid", "all"];
    if ways.iter().filter(|way| fields.has(way)).count() != 1 {
        return Err(ErrorCode::InvalidRequest
            .because("give exactly one of `token`, `id`, `uuid` and `all`"));
    }
    let project = project(keyset, &mut fields)?;
    let revocations = if let Some(text) = fields.text("token")? {
        vec![of_token(service, keyset, &text)?]
    } else if let Some(id) = fields.text("id")? {
        let id = id
            .parse()
            .map_err(|_| invalid("a token id is 32 hexadecimal digits", "id"))?;
        let stored = keyset.stored();
        let default = stored.map_or(UnixSeconds(u64::MAX), |stored| {
            stored.latest_expiry(service.now())
        });
        let own = || (TokenKind::AccessManager, keyset.subscribe_key().to_owned());
        let (kind, scope) = project.map_or_else(own, |id| (TokenKind::Crt, id));
        vec![Revocation::Token {
            kind,
            scope,
            id,
            issued_at: None,
            expires_at: fields.seconds("expires_at")?.unwrap_or(default),
        }]
    } else if let Some(uuid) = fields.text("uuid")? {
        ResourceName::check(&uuid).map_err(|cause| invalid(&cause.to_string(), "uuid"))?;
        let until = until(service, &mut fields)?;
        let rule = |(kind, scope)| Revocation::Uuid {
            kind,
            scope,
            uuid: uuid.clone(),
            until,
        };
        scopes(keyset, project).map(rule).collect()
    } else {
        if !fields.flag("all")? {
            return Err(invalid("`all` must be true", "all"));
        }
        let until = until(service, &mut fields)?;
        let rule = |(kind, scope)| Revocation::Keyset { kind, scope, until };
        scopes(keyset, project).map(rule).collect()
    };
    fields.finish()?;
    Ok(revocations)
}

/// A token of the keyset or of one of its projects.
fn of_token(service: &Service, keyset: &Prepared, text: &str) -> Result<Revocation, ApiError> {
    let invalid = |what: String| ErrorCode::InvalidToken.because(what).at("token");
    let token = if is_jws(text) {
        let token = service.verify_jws(text);
        let token = token.filter(|token| keyset.has_project(token.scope()));
        token
            .map(|token| AnyToken::Jws(Arc::new(token)))
            .ok_or_else(|| invalid("the token is not one of a project of this keyset".to_owned()))?
    } else {
        let token = service.verify(text, keyset);
        token
            .map(AnyToken::AccessManager)
            .map_err(|error| invalid(error.to_string()))?
    };
    Ok(Revocation::Token {
        kind: token.kind(),
        scope: token.scope().to_owned(),
        id: token.id(),
        issued_at: Some(token.issued_at()),
        expires_at: token.expires_at(),
    })
}

/// The one project that is meant, if one is named.
fn project(keyset: &Prepared, fields: &mut Fields) -> Result<Option<String>, ApiError> {
    let id = fields.text("project_id")?.map(|id| id.to_ascii_lowercase());
    if id.as_deref().is_some_and(|id| !keyset.has_project(id)) {
        return Err(invalid(
            "the keyset has no project of this id",
            "project_id",
        ));
    }
    Ok(id)
}

/// Whose tokens are meant: the project's, or everybody's.
fn scopes(keyset: &Prepared, project: Option<String>) -> impl Iterator<Item = (TokenKind, String)> {
    let own = (TokenKind::AccessManager, keyset.subscribe_key().to_owned());
    let own = project.is_none().then_some(own);
    let projects = match project {
        Some(project) => vec![project],
        None => keyset.projects().map(str::to_owned).collect(),
    };
    let projects = projects.into_iter();
    own.into_iter()
        .chain(projects.map(|id| (TokenKind::Crt, id)))
}

fn invalid(message: &str, at: &str) -> ApiError {
    ErrorCode::InvalidRequest.because(message).at(at)
}

/// An earlier instant than now; a later one would deny tokens not yet made.
fn until(service: &Service, fields: &mut Fields) -> Result<Option<UnixSeconds>, ApiError> {
    let until = fields.seconds("until")?;
    if until.is_some_and(|until| until > service.now()) {
        return Err(invalid("`until` must not be in the future", "until"));
    }
    Ok(until)
}

/// What came of one object of the body.
fn answer(
    wanted: Vec<Revocation>,
    outcomes: &mut impl Iterator<Item = Outcome>,
    revoked: &Revoked,
) -> Option<Answer> {
    let (mut already_revoked, mut expired, mut held) = (true, false, None);
    for outcome in outcomes.take(wanted.len()) {
        match outcome {
            Outcome::Revoked { until } => {
                already_revoked = false;
                held = held.max(until);
            }
            Outcome::Already { until } => held = held.max(until),
            Outcome::Expired => expired = true,
        }
    }
    let item = match wanted.into_iter().next()? {
        Revocation::Token { id, expires_at, .. } => Item::token(id, expires_at),
        Revocation::Uuid { uuid, .. } => Item::rule(Some(uuid), held),
        Revocation::Keyset { .. } => Item::rule(None, held),
    };
    Some(Answer {
        item,
        already_revoked: already_revoked && !expired,
        expired,
        propagated: revoked.propagated,
        sequence: revoked.sequence.clone(),
    })
}

/// Most revocations on a page, and how many there are when nothing is said.
const PAGE_MAX: usize = 1_000;
const PAGE: usize = 100;

pub(super) fn list(
    service: &Service,
    key: &str,
    query: Option<&str>,
) -> Result<Response<Bytes>, ApiError> {
    #[derive(Serialize)]
    struct List {
        revocations: Vec<Item>,
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }
    let keyset = service.known_keyset(key)?;
    let query = Query::parse(query.unwrap_or(""))
        .map_err(|error| ErrorCode::InvalidRequest.because(error.to_string()))?;
    let value = |name| {
        let value = query.get(name).map(core::str::from_utf8).transpose();
        value.map_err(|_| invalid("the parameter must be UTF-8", name))
    };
    let limit = match value("limit")? {
        None => PAGE,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=PAGE_MAX).contains(limit))
            .ok_or_else(|| invalid("`limit` must be 1 to 1000", "limit"))?,
    };
    let (kind, scope) = match value("project_id")? {
        None => (TokenKind::AccessManager, key),
        Some(id) if keyset.has_project(id) => (TokenKind::Crt, id),
        Some(_) => {
            return Err(invalid(
                "the keyset has no project of this id",
                "project_id",
            ));
        }
    };
    let listing = service.list_revocations((kind, scope), value("after")?, limit)?;
    let revocations = listing.items.into_iter().map(|listed| match listed {
        Listed::Token { id, expires_at } => Item::token(id, expires_at),
        Listed::Uuid { uuid, until } => Item::rule(Some(uuid), Some(until)),
        Listed::Keyset { until } => Item::rule(None, Some(until)),
    });
    let list = List {
        revocations: revocations.collect(),
        next: listing.next,
    };
    Ok(json(StatusCode::OK, &list))
}
