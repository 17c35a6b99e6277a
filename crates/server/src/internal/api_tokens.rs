//! `/v1/keysets/{sub}/api-tokens`: what asks for PubSub and Chat tokens.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;
use token_store::{ApiTokenScope, KeysetChange, NewApiToken, Secret};

use crate::error::{ApiError, ErrorCode, json};
use crate::fields::Fields;
use crate::service::{Service, store_error};

/// An API token as it is shown: never the token.
#[derive(Serialize)]
struct Shown<'a> {
    project_id: &'a str,
    id: &'a str,
    scopes: Vec<ApiTokenScope>,
    created_at: u64,
}

#[derive(Serialize)]
struct Made<'a> {
    project_id: &'a str,
    id: &'a str,
    scopes: Vec<ApiTokenScope>,
    /// Shown once.
    token: &'a str,
}

pub(super) fn list(service: &Service, key: &str) -> Result<Response<Bytes>, ApiError> {
    #[derive(Serialize)]
    struct List<'a> {
        api_tokens: Vec<Shown<'a>>,
    }
    let keyset = service.stored_keyset(key)?;
    let api_tokens = keyset.projects.iter().flat_map(|project| {
        project.api_tokens.iter().map(|token| Shown {
            project_id: &project.id,
            id: &token.id,
            scopes: token.scopes.iter().copied().collect(),
            created_at: token.created_at.0,
        })
    });
    let api_tokens = api_tokens.collect();
    Ok(json(StatusCode::OK, &List { api_tokens }))
}

pub(super) async fn create(
    service: &Service,
    key: &str,
    body: &[u8],
) -> Result<Response<Bytes>, ApiError> {
    let mut fields = Fields::parse(body)?;
    let project = fields.text("project_id")?;
    let token = fields.text("token")?.map(Secret::new);
    let scopes = if fields.has("scopes") {
        fields.texts("scopes")?
    } else {
        Vec::new()
    };
    fields.finish()?;
    let scopes: Vec<ApiTokenScope> = scopes
        .iter()
        .map(|name| scope(name))
        .collect::<Result<_, _>>()?;
    let new = NewApiToken::new(project.as_deref(), token, scopes);
    let new = new.map_err(|error| store_error(&error))?;
    let change = KeysetChange::AddApiToken {
        subscribe_key: key.to_owned(),
        new: new.clone(),
    };
    let changed = service.change_keyset(change).await;
    changed.map_err(|error| store_error(&error))?;
    let made = Made {
        project_id: &new.project,
        id: &new.id,
        scopes: new.scopes.iter().copied().collect(),
        token: new.token.expose(),
    };
    Ok(json(StatusCode::CREATED, &made))
}

fn scope(name: &str) -> Result<ApiTokenScope, ApiError> {
    match name {
        "pubsub" => Ok(ApiTokenScope::PubSub),
        "chat" => Ok(ApiTokenScope::Chat),
        _ => Err(ErrorCode::InvalidRequest
            .because("a scope is `pubsub` or `chat`")
            .at("scopes")),
    }
}

pub(super) async fn remove(
    service: &Service,
    key: &str,
    (project, id): (&str, &str),
) -> Result<Response<Bytes>, ApiError> {
    #[derive(Serialize)]
    struct Removed<'a> {
        removed: &'a str,
    }
    let change = KeysetChange::RemoveApiToken {
        subscribe_key: key.to_owned(),
        project: project.to_owned(),
        id: id.to_owned(),
    };
    let changed = service.change_keyset(change).await;
    changed.map_err(|error| store_error(&error))?;
    Ok(json(StatusCode::OK, &Removed { removed: id }))
}
