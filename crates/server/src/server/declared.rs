//! The keysets that the configuration declares, brought into the store.

use token_store::{KeysetChange, Secret, Settings, StoreError};

use super::StartError;
use crate::config::DeclaredKeyset;
use crate::service::Service;

/// What the store lacks of `declared`. Changes nothing, so that a declaration
/// that cannot be met stops all of them.
pub(super) fn plan(
    service: &Service,
    declared: &[DeclaredKeyset],
) -> Result<Vec<KeysetChange>, StartError> {
    let mut changes = Vec::new();
    for keyset in declared {
        let failed = |cause| StartError::Prepare {
            what: format!("the keyset `{}`", keyset.name),
            cause,
        };
        let Some(existing) = service.store().keyset(&keyset.subscribe_key) else {
            let new = keyset.as_new();
            new.check().map_err(failed)?;
            changes.push(KeysetChange::Create(new));
            continue;
        };
        let differing = [
            (
                "publish_key",
                existing.publish_key.as_str() == keyset.publish_key,
            ),
            (
                "secret_key",
                existing.secret_key == Secret::new(keyset.secret_key.clone()),
            ),
        ];
        let fields: Vec<&str> = differing
            .into_iter()
            .filter_map(|(field, same)| (!same).then_some(field))
            .collect();
        if !fields.is_empty() {
            return Err(StartError::KeysetDiffers {
                name: keyset.name.clone(),
                subscribe_key: keyset.subscribe_key.clone(),
                fields: fields.join(" and "),
            });
        }
        let settings = with(&existing.settings, keyset).map_err(failed)?;
        if settings != existing.settings {
            changes.push(KeysetChange::Set {
                subscribe_key: keyset.subscribe_key.clone(),
                settings: keyset.setting_values(),
            });
        }
    }
    Ok(changes)
}

fn with(settings: &Settings, keyset: &DeclaredKeyset) -> Result<Settings, StoreError> {
    let mut settings = settings.clone();
    for (name, value) in keyset.setting_values() {
        settings.set(&name, &value)?;
    }
    settings.check()?;
    Ok(settings)
}

/// Makes the changes of a [`plan`].
pub(super) async fn apply(service: &Service, changes: Vec<KeysetChange>) -> Result<(), StartError> {
    for change in changes {
        let failed = |cause| StartError::Prepare {
            what: "the declared keysets".to_owned(),
            cause,
        };
        service.change_keyset(change).await.map_err(failed)?;
    }
    Ok(())
}
