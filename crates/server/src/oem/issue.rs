//! Making the token (oem 4).

use ring::rand::SecureRandom as _;
use token_codec::{JwsClaims, OemClaims};
use token_core::{TokenId, TokenKind, UnixSeconds, VerifiedClaims as _};
use token_store::{Account, Standing};

use super::Fault;
use super::body::Wanted;
use crate::service::Service;

/// Signs a token that is good from now, or from just after the last rule that
/// would deny it: nobody can replay the request, as nobody signed it.
pub(super) fn issue(
    service: &Service,
    account: &Account,
    customer_id: &str,
    wanted: &Wanted,
) -> Result<String, Fault> {
    let mut issued_at = service.now();
    for _ in 0..2 {
        match issue_at(service, account, customer_id, wanted, issued_at)? {
            Ok(token) => return Ok(token),
            Err(until) => issued_at = issued_at.max(until.saturating_add(1)),
        }
    }
    Err(Fault::Store)
}

/// The token, or the instant up to which a rule denies what is issued.
fn issue_at(
    service: &Service,
    account: &Account,
    customer_id: &str,
    wanted: &Wanted,
    issued_at: UnixSeconds,
) -> Result<Result<String, UnixSeconds>, Fault> {
    let keys = service.issuer_keys().ok_or(Fault::Store)?;
    let scope = account.scope();
    let signer = keys.signer(&scope, issued_at).ok_or(Fault::Store)?;
    let claims = OemClaims {
        id: random_id().ok_or(Fault::Store)?,
        issued_at,
        seconds: wanted.seconds,
        permissions: wanted.permissions.clone(),
        account_id: account.id,
        app_id: wanted.app_id,
        customer_id: customer_id.to_owned(),
        external_id: wanted.external_id.clone(),
        customer_user_id: wanted.customer_user_id.clone(),
    };
    let text = signer
        .sign(&JwsClaims::Oem(claims), None)
        .map_err(|_| Fault::Store)?;
    // What signs also verifies; if not, nothing is handed out.
    let token = service.verify_jws(&text).ok_or(Fault::Store)?;
    // Noted before the rules are asked: a rule that is made in between then
    // reaches at least this far.
    service
        .store()
        .note_issued(TokenKind::Oem, &scope, issued_at);
    match service.standing(&token) {
        Standing::Good => {}
        Standing::Revoked { at, .. } => return Ok(Err(at.unwrap_or(issued_at))),
        Standing::Expired | Standing::Stale | Standing::Behind => return Err(Fault::Store),
    }
    tracing::info!(
        account = token.scope(),
        token_id = %token.id(),
        expires_at = %token.expires_at(),
        "token issued"
    );
    service.audit_granted(&token);
    Ok(Ok(text))
}

/// A UUID of version 4 (RFC 9562 section 5.4).
fn random_id() -> Option<TokenId> {
    let mut id = [0_u8; 16];
    ring::rand::SystemRandom::new().fill(&mut id).ok()?;
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut id;
    *version = (*version & 0x0F) | 0x40;
    *variant = (*variant & 0x3F) | 0x80;
    Some(TokenId(id))
}
