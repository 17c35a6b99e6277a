//! `/v1/keysets`.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;
use token_core::MetaValue;
use token_store::{Keyset, KeysetChange, NewKeyset, Rotation, Secret, Settings};

use crate::error::{ApiError, ErrorCode, json};
use crate::fields::Fields;
use crate::keyset::token_key;
use crate::service::{Service, store_error};

/// A keyset as it is shown: no secret.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    subscribe_key: &'a str,
    publish_key: &'a str,
    version: u64,
    created_at: u64,
    settings: &'a Settings,
    signing_keys: Vec<Period>,
}

#[derive(Serialize)]
struct Period {
    from: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    algorithm: &'static str,
    /// What tokens name the key by.
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    keyset: Shown<'a>,
    /// When the new signing key begins to sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    /// Up to when everything issued is dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    /// Shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_key: Option<&'a str>,
    /// Until when the secret key before it is good, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    overlaps_until: Option<u64>,
}

impl<'a> Answer<'a> {
    fn of(keyset: &'a Keyset) -> Self {
        Self {
            keyset: shown(keyset),
            from: None,
            until: None,
            secret_key: None,
            overlaps_until: None,
        }
    }

    fn rotated(service: &Service, keyset: &'a Keyset, rotation: Rotation) -> Self {
        let from = keyset.signing_keys.last().map(|key| key.from.0);
        let dead_until = from.map(|from| from.saturating_sub(1));
        let secret_key = Some(keyset.secret_key.expose());
        let previous = keyset.previous_secret_key(service.now());
        let answer = Self::of(keyset);
        match rotation {
            Rotation::Signing => Self { from, ..answer },
            Rotation::Emergency => Self {
                from,
                until: dead_until,
                ..answer
            },
            Rotation::Secret { .. } => Self {
                secret_key,
                overlaps_until: previous.map(|(_, until)| until.0),
                ..answer
            },
            Rotation::Incident => Self {
                from,
                until: dead_until,
                secret_key,
                ..answer
            },
        }
    }
}

fn shown(keyset: &Keyset) -> Shown<'_> {
    let periods = keyset.signing_keys.iter().map(|key| Period {
        from: key.from.0,
        until: key.until.map(|until| until.0),
        algorithm: key.algorithm.name(),
        kid: token_key(key, &keyset.subscribe_key).and_then(|key| key.id().map(str::to_owned)),
    });
    Shown {
        name: &keyset.name,
        subscribe_key: keyset.subscribe_key.as_str(),
        publish_key: keyset.publish_key.as_str(),
        version: keyset.version,
        created_at: keyset.created_at.0,
        settings: &keyset.settings,
        signing_keys: periods.collect(),
    }
}

async fn changed(service: &Service, change: KeysetChange) -> Result<Arc<Keyset>, ApiError> {
    let changed = service.change_keyset(change).await;
    changed.map_err(|error| store_error(&error))
}

pub(super) fn list(service: &Service) -> Response<Bytes> {
    #[derive(Serialize)]
    struct List<'a> {
        keysets: Vec<Shown<'a>>,
    }
    let keysets = service.store().keysets();
    let mut list = List {
        keysets: keysets.iter().map(|keyset| shown(keyset)).collect(),
    };
    list.keysets
        .sort_by(|a, b| (a.created_at, a.subscribe_key).cmp(&(b.created_at, b.subscribe_key)));
    json(StatusCode::OK, &list)
}

pub(super) fn show(service: &Service, key: &str) -> Result<Response<Bytes>, ApiError> {
    let keyset = service.stored_keyset(key)?;
    Ok(json(StatusCode::OK, &Answer::of(&keyset)))
}

pub(super) async fn create(service: &Service, body: &[u8]) -> Result<Response<Bytes>, ApiError> {
    let mut fields = Fields::parse(body)?;
    let new = NewKeyset {
        name: fields.required_text("name")?,
        subscribe_key: fields.text("subscribe_key")?,
        publish_key: fields.text("publish_key")?,
        secret_key: fields.text("secret_key")?.map(Secret::new),
        settings: settings(&mut fields)?,
    };
    fields.finish()?;
    let keyset = changed(service, KeysetChange::Create(new)).await?;
    let answer = Answer {
        secret_key: Some(keyset.secret_key.expose()),
        ..Answer::of(&keyset)
    };
    Ok(json(StatusCode::CREATED, &answer))
}

pub(super) async fn change(
    service: &Service,
    key: &str,
    body: &[u8],
) -> Result<Response<Bytes>, ApiError> {
    let mut fields = Fields::parse(body)?;
    if !fields.has("settings") {
        return Err(fields.missing("settings"));
    }
    let change = KeysetChange::Set {
        subscribe_key: key.to_owned(),
        settings: settings(&mut fields)?,
    };
    fields.finish()?;
    let keyset = changed(service, change).await?;
    Ok(json(StatusCode::OK, &Answer::of(&keyset)))
}

/// The object `settings` as names and values.
fn settings(fields: &mut Fields) -> Result<Vec<(String, serde_json::Value)>, ApiError> {
    let object = fields.object("settings")?.unwrap_or_default();
    let read = object.into_iter().map(|(name, value)| {
        let value = if let MetaValue::Bool(flag) = value {
            flag.into()
        } else if let MetaValue::Unsigned(number) = value {
            number.into()
        } else if let MetaValue::Text(text) = value {
            text.into()
        } else {
            return Err(ErrorCode::InvalidSetting
                .because("a setting is a string, a whole number, true or false")
                .at(format!("settings.{name}")));
        };
        Ok((name, value))
    });
    read.collect()
}

pub(super) async fn rotate(
    service: &Service,
    key: &str,
    body: &[u8],
) -> Result<Response<Bytes>, ApiError> {
    let mut fields = Fields::parse(body)?;
    let rotation = match fields.required_text("key")?.as_str() {
        "signing" => Rotation::Signing,
        "emergency" => Rotation::Emergency,
        "secret" => Rotation::Secret {
            overlap_seconds: fields.seconds("overlap_seconds")?.map_or(0, |s| s.0),
        },
        _ => {
            return Err(ErrorCode::InvalidRequest
                .because("`key` is `signing`, `emergency` or `secret`")
                .at("key"));
        }
    };
    fields.finish()?;
    let subscribe_key = key.to_owned();
    let change = KeysetChange::Rotate {
        subscribe_key,
        rotation,
    };
    let keyset = changed(service, change).await?;
    Ok(json(
        StatusCode::OK,
        &Answer::rotated(service, &keyset, rotation),
    ))
}

/// What a leak needs, in one step: signing key and secret key are renewed, and
/// nothing that was made with the old ones is good.
pub(super) async fn incident(service: &Service, key: &str) -> Result<Response<Bytes>, ApiError> {
    let rotation = Rotation::Incident;
    let change = KeysetChange::Rotate {
        subscribe_key: key.to_owned(),
        rotation,
    };
    let keyset = changed(service, change).await?;
    tracing::warn!(
        subscribe_key = key,
        "an incident: every key of the keyset is renewed"
    );
    Ok(json(
        StatusCode::OK,
        &Answer::rotated(service, &keyset, rotation),
    ))
}

pub(super) async fn delete(service: &Service, key: &str) -> Result<Response<Bytes>, ApiError> {
    #[derive(Serialize)]
    struct Deleted<'a> {
        deleted: &'a str,
    }
    let subscribe_key = key.to_owned();
    changed(service, KeysetChange::Delete { subscribe_key }).await?;
    Ok(json(StatusCode::OK, &Deleted { deleted: key }))
}
