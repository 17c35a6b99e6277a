//! `/v1/admin-keys`: the keys of the internal API.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;
use token_core::UnixSeconds;
use token_store::{AccessKey, AccessKeyChange, Role};

use crate::error::{ApiError, ErrorCode, json};
use crate::fields::Fields;
use crate::service::{Service, store_error};

/// A key as it is shown: never the key.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    role: &'static str,
    created_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotated_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    expired: bool,
    /// Until when the key before it is good, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    overlaps_until: Option<u64>,
}

impl<'a> Shown<'a> {
    fn of(key: &'a AccessKey, now: UnixSeconds) -> Self {
        Self {
            name: &key.name,
            role: key.role.name(),
            created_at: key.created_at,
            rotated_at: key.rotated_at,
            expires_at: key.expires_at,
            expired: key.is_expired(now),
            overlaps_until: key.overlaps_until(now),
        }
    }
}

#[derive(Serialize)]
struct Made<'a> {
    admin_key: Shown<'a>,
    /// Shown once.
    key: &'a str,
}

pub(super) fn list(service: &Service) -> Response<Bytes> {
    #[derive(Serialize)]
    struct List<'a> {
        admin_keys: Vec<Shown<'a>>,
    }
    let (keys, now) = (service.store().access_keys(), service.now());
    let admin_keys = keys.iter().map(|key| Shown::of(key, now)).collect();
    json(StatusCode::OK, &List { admin_keys })
}

pub(super) async fn create(service: &Service, body: &[u8]) -> Result<Response<Bytes>, ApiError> {
    let mut fields = Fields::parse(body)?;
    let name = fields.required_text("name")?;
    let role = Role::named(&fields.required_text("role")?).ok_or_else(|| {
        ErrorCode::InvalidRequest
            .because("`role` is `admin`, `issuer`, `verifier` or `auditor`")
            .at("role")
    })?;
    let change = AccessKeyChange::Create {
        name,
        role,
        expires_at: fields.seconds("expires_at")?,
    };
    fields.finish()?;
    made(service, change, StatusCode::CREATED).await
}

pub(super) async fn rotate(
    service: &Service,
    name: &str,
    body: &[u8],
) -> Result<Response<Bytes>, ApiError> {
    let mut fields = Fields::parse(body)?;
    let overlap = fields.seconds("overlap_seconds")?;
    fields.finish()?;
    let change = AccessKeyChange::Rotate {
        name: name.to_owned(),
        overlap_seconds: overlap.map_or(0, |seconds| seconds.0),
    };
    made(service, change, StatusCode::OK).await
}

async fn made(
    service: &Service,
    change: AccessKeyChange,
    status: StatusCode,
) -> Result<Response<Bytes>, ApiError> {
    let changed = service.change_access_key(change).await;
    let changed = changed.map_err(|error| store_error(&error))?;
    let key = changed.key.as_ref();
    let answer = Made {
        admin_key: Shown::of(&changed.access_key, service.now()),
        key: key.map_or("", |key| key.expose()),
    };
    Ok(json(status, &answer))
}

pub(super) async fn remove(service: &Service, name: &str) -> Result<Response<Bytes>, ApiError> {
    #[derive(Serialize)]
    struct Removed<'a> {
        removed: &'a str,
    }
    let change = AccessKeyChange::Remove {
        name: name.to_owned(),
    };
    let changed = service.change_access_key(change).await;
    changed.map_err(|error| store_error(&error))?;
    Ok(json(StatusCode::OK, &Removed { removed: name }))
}

/// The key of a role by its old route: made, or replaced at once.
pub(super) async fn renew(service: &Service, role: Role) -> Result<Response<Bytes>, ApiError> {
    let changed = service
        .change_access_key(AccessKeyChange::Renew { role })
        .await;
    let changed = changed.map_err(|error| store_error(&error))?;
    let key = changed.key.as_ref().map_or("", |key| key.expose());
    let field = format!("{}_key", role.name());
    Ok(json(StatusCode::OK, &serde_json::json!({ field: key })))
}
