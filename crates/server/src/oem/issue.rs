//! Making the token (oem 4).

use token_codec::{JwsClaims, OemClaims};
use token_core::TokenKind;
use token_store::Account;

use super::Fault;
use super::body::Wanted;
use crate::issue_jws;
use crate::service::Service;

/// Signs the token that a request asks for.
pub(super) fn issue(
    service: &Service,
    account: &Account,
    customer_id: &str,
    wanted: &Wanted,
) -> Result<String, Fault> {
    let scope = account.scope();
    let issued = issue_jws::issue(service, (TokenKind::Oem, &scope), |id, issued_at| {
        JwsClaims::Oem(OemClaims {
            id,
            issued_at,
            seconds: wanted.seconds,
            permissions: wanted.permissions.clone(),
            account_id: account.id,
            app_id: wanted.app_id,
            customer_id: customer_id.to_owned(),
            external_id: wanted.external_id.clone(),
            customer_user_id: wanted.customer_user_id.clone(),
        })
    });
    issued.ok_or(Fault::Store)
}
