//! `DELETE /v3/pam/{sub}/grant/{token}`.

use bytes::Bytes;
use http::Request;
use token_core::VerifiedClaims as _;

use super::fault::Fault;
use super::{Target, authenticate};
use crate::query::percent_decode_text;
use crate::service::Service;

/// Revokes a token of the keyset; it is durable when this returns. Revoking
/// twice is the same as once.
pub(super) async fn revoke(
    service: &Service,
    target: &Target<'_>,
    token: &str,
    request: &Request<Bytes>,
) -> Result<(), Fault> {
    // A DELETE is signed without its body (contract 1.1), and has none.
    let authenticated = authenticate(service, target, request, b"")?;
    let keyset = &*authenticated.keyset;
    if !keyset.settings().revocation {
        return Err(Fault::RevocationOff);
    }
    let invalid = |what: &str| Fault::TokenInvalid(what.to_owned());
    let text = percent_decode_text(token)
        .ok_or_else(|| invalid("the token is not UTF-8 once it is decoded"))?;
    let token = service
        .verify(&text, keyset)
        .map_err(|error| Fault::TokenInvalid(error.to_string()))?;
    if service.is_expired(&*token) {
        return Err(Fault::TokenExpired);
    }
    let revoked = service
        .revoke_token(&*token)
        .await
        .map_err(|_| Fault::Store)?;
    if !revoked.is_done {
        return Err(Fault::NotPropagated);
    }
    tracing::info!(
        subscribe_key = token.scope(),
        token_id = %token.id(),
        "token revoked"
    );
    Ok(())
}
