//! What a server makes before it serves: declared keysets, the first keyset,
//! the first admin key.

use serde_json::Value;
use token_store::{AccessKeyKind, KeysetChange, NewKeyset, Secret, StoreError};

use super::{FirstKeyset, FirstStart, StartError};
use crate::config::DeclaredKeyset;
use crate::service::Service;

pub(super) async fn prepare(
    service: &Service,
    declared: &[DeclaredKeyset],
) -> Result<Option<FirstStart>, StartError> {
    for keyset in declared {
        let failed = |cause| StartError::Prepare {
            what: format!("the keyset `{}`", keyset.name),
            cause,
        };
        declare(service, keyset).await.map_err(failed)?;
    }
    let failed = |what: &str| {
        let what = what.to_owned();
        move |cause| StartError::Prepare { what, cause }
    };
    let keyset = if service.has_keysets() {
        None
    } else {
        Some(
            default_keyset(service)
                .await
                .map_err(failed("the first keyset"))?,
        )
    };
    let admin_key = if service.store().has_access_key(AccessKeyKind::Admin) {
        None
    } else {
        let key = service.make_access_key(AccessKeyKind::Admin).await;
        Some(key.map_err(failed("the admin key"))?)
    };
    if keyset.is_none() && admin_key.is_none() {
        return Ok(None);
    }
    Ok(Some(FirstStart { admin_key, keyset }))
}

/// Makes a declared keyset, or gives an existing one the declared settings.
async fn declare(service: &Service, declared: &DeclaredKeyset) -> Result<(), StoreError> {
    let settings: Vec<(String, Value)> = declared
        .settings
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    let Some(existing) = service.store().keyset(&declared.subscribe_key) else {
        let new = NewKeyset {
            name: declared.name.clone(),
            subscribe_key: Some(declared.subscribe_key.clone()),
            publish_key: Some(declared.publish_key.clone()),
            secret_key: Some(Secret::new(declared.secret_key.clone())),
            settings,
        };
        return service
            .change_keyset(KeysetChange::Create(new))
            .await
            .map(drop);
    };
    let same_keys = existing.publish_key.as_str() == declared.publish_key
        && existing.secret_key == Secret::new(declared.secret_key.clone());
    if !same_keys {
        return Err(StoreError::KeysetExists {
            subscribe_key: declared.subscribe_key.clone(),
        });
    }
    if settings.is_empty() {
        return Ok(());
    }
    let subscribe_key = declared.subscribe_key.clone();
    let change = KeysetChange::Set {
        subscribe_key,
        settings,
    };
    service.change_keyset(change).await.map(drop)
}

async fn default_keyset(service: &Service) -> Result<FirstKeyset, StoreError> {
    let new = NewKeyset {
        name: "default".to_owned(),
        ..NewKeyset::default()
    };
    let keyset = service.change_keyset(KeysetChange::Create(new)).await?;
    Ok(FirstKeyset {
        name: keyset.name.clone(),
        subscribe_key: keyset.subscribe_key.to_string(),
        publish_key: keyset.publish_key.to_string(),
        secret_key: keyset.secret_key.clone(),
    })
}
