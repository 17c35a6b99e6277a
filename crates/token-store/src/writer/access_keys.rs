//! Changes of the keys of the internal API, as a transaction has them.

use redb::WriteTransaction;
use token_core::UnixSeconds;

use super::job::Effect;
use crate::access_key::{ACCESS_KEYS_MAX, AccessKey, AccessKeyChange, ChangedAccessKey, Role};
use crate::database::{self, Failed};
use crate::error::StoreError;

pub(super) fn change_access_key(
    transaction: &WriteTransaction,
    change: AccessKeyChange,
    now: UnixSeconds,
    effects: &mut Vec<Effect>,
) -> Result<Result<ChangedAccessKey, StoreError>, Failed> {
    let held = database::access_keys(transaction)?;
    match change_of(&held, change, now) {
        Ok(changed) => {
            if changed.key.is_some() {
                database::write_access_key(transaction, &changed.access_key)?;
            } else {
                database::remove_access_key(transaction, &changed.access_key.name)?;
            }
            effects.push(Effect::AccessKeys(database::access_keys(transaction)?));
            Ok(Ok(changed))
        }
        Err(error) => Ok(Err(error)),
    }
}

fn change_of(
    held: &[AccessKey],
    change: AccessKeyChange,
    now: UnixSeconds,
) -> Result<ChangedAccessKey, StoreError> {
    let named = |name: &str| held.iter().find(|key| key.name == name).cloned();
    let known = |name: &str| named(name).ok_or(StoreError::UnknownAccessKey);
    match change {
        AccessKeyChange::Create {
            name,
            role,
            expires_at,
        } => {
            if named(&name).is_some() {
                return Err(StoreError::AccessKeyExists);
            }
            create(held, &name, role, expires_at, now)
        }
        AccessKeyChange::Renew { role } => match named(role.name()) {
            Some(mut access_key) if access_key.role == role => {
                access_key.expires_at = None;
                rotate(access_key, 0, now)
            }
            Some(_) => Err(StoreError::AccessKeyExists),
            None => create(held, role.name(), role, None, now),
        },
        AccessKeyChange::Rotate {
            name,
            overlap_seconds,
        } => rotate(known(&name)?, overlap_seconds, now),
        AccessKeyChange::Remove { name } => {
            let access_key = known(&name)?;
            let is_other_admin = |key: &&AccessKey| {
                key.role == Role::Admin && key.name != name && !key.is_expired(now)
            };
            if access_key.role == Role::Admin && !held.iter().any(|key| is_other_admin(&key)) {
                return Err(StoreError::LastAdminKey);
            }
            Ok(ChangedAccessKey {
                access_key,
                key: None,
            })
        }
    }
}

fn create(
    held: &[AccessKey],
    name: &str,
    role: Role,
    expires_at: Option<UnixSeconds>,
    now: UnixSeconds,
) -> Result<ChangedAccessKey, StoreError> {
    if held.len() >= ACCESS_KEYS_MAX {
        return Err(StoreError::TooManyAccessKeys {
            keys_max: ACCESS_KEYS_MAX,
        });
    }
    let (access_key, key) = AccessKey::make(name, role, expires_at, now)?;
    Ok(ChangedAccessKey {
        access_key,
        key: Some(key),
    })
}

fn rotate(
    mut access_key: AccessKey,
    overlap_seconds: u64,
    now: UnixSeconds,
) -> Result<ChangedAccessKey, StoreError> {
    let key = access_key.rotate(overlap_seconds, now)?;
    Ok(ChangedAccessKey {
        access_key,
        key: Some(key),
    })
}
