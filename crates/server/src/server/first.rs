//! What a server makes before it serves: the first keyset, the first admin
//! key.

use token_store::{AccessKeyChange, KeysetChange, NewKeyset, Role, StoreError};

use super::{FirstKeyset, FirstStart, StartError};
use crate::service::Service;

/// `is_one_of_many`: then a keyset is made by somebody, once, for all.
pub(super) async fn prepare(
    service: &Service,
    is_one_of_many: bool,
) -> Result<Option<FirstStart>, StartError> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |cause| StartError::Prepare { what, cause }
    };
    let keyset = if is_one_of_many || service.has_keysets() {
        None
    } else {
        Some(
            default_keyset(service)
                .await
                .map_err(failed("the first keyset"))?,
        )
    };
    let admin_key = if service.store().has_access_key(Role::Admin) {
        None
    } else {
        let renew = AccessKeyChange::Renew { role: Role::Admin };
        let made = service.change_access_key(renew).await;
        made.map_err(failed("the admin key"))?.key
    };
    if keyset.is_none() && admin_key.is_none() {
        return Ok(None);
    }
    Ok(Some(FirstStart { admin_key, keyset }))
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
