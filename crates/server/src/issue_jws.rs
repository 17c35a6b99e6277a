//! From claims to a JWS that is handed out, for the dialects that have one.

use ring::rand::SecureRandom as _;
use token_codec::JwsClaims;
use token_core::{TokenId, TokenKind, UnixSeconds, VerifiedClaims as _};
use token_store::Standing;

use crate::service::Service;

/// Signs a token of a scope that is good from now, or from just after the last
/// rule that would deny it: nobody can replay the request, as nobody signed it.
/// `claims` is told the id and the time of issue. `None` when the keys or the deny
/// list are not in a state to hand out anything.
pub(crate) fn issue(
    service: &Service,
    (kind, scope): (TokenKind, &str),
    claims: impl Fn(TokenId, UnixSeconds) -> JwsClaims,
) -> Option<String> {
    let mut issued_at = service.now();
    for _ in 0..2 {
        match issue_at(service, (kind, scope), &claims, issued_at)? {
            Ok(token) => return Some(token),
            Err(until) => issued_at = issued_at.max(until.saturating_add(1)),
        }
    }
    None
}

/// The token, or the instant up to which a rule denies what is issued.
fn issue_at(
    service: &Service,
    (kind, scope): (TokenKind, &str),
    claims: &impl Fn(TokenId, UnixSeconds) -> JwsClaims,
    issued_at: UnixSeconds,
) -> Option<Result<String, UnixSeconds>> {
    let keys = service.issuer_keys()?;
    let signer = keys.signer(kind, scope, issued_at)?;
    let text = signer.sign(&claims(random_id()?, issued_at), None).ok()?;
    // What signs also verifies; if not, nothing is handed out.
    let token = service.verify_jws(&text)?;
    // Noted before the rules are asked: a rule that is made in between then
    // reaches at least this far.
    service.store().note_issued(kind, scope, issued_at);
    match service.standing(&token) {
        Standing::Good => {}
        Standing::Revoked { at, .. } => return Some(Err(at.unwrap_or(issued_at))),
        Standing::Expired | Standing::Stale | Standing::Behind => return None,
    }
    tracing::info!(
        kind = kind.name(),
        scope = token.scope(),
        token_id = %token.id(),
        expires_at = %token.expires_at(),
        "token issued"
    );
    service.audit_granted(&token);
    Some(Ok(text))
}

/// A UUID of version 4 (RFC 9562 section 5.4).
pub(crate) fn random_id() -> Option<TokenId> {
    let mut id = [0_u8; 16];
    ring::rand::SystemRandom::new().fill(&mut id).ok()?;
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut id;
    *version = (*version & 0x0F) | 0x40;
    *variant = (*variant & 0x3F) | 0x80;
    Some(TokenId(id))
}
