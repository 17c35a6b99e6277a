//! From a grant to a token.

use token_codec::{EncodeError, encode};
use token_core::{TokenId, UnixSeconds, VerifiedClaims as _};
use token_policy::{RevokedBy, Standing};

use crate::grant_body::GrantBody;
use crate::keyset::Prepared;
use crate::service::Service;

/// A token that was handed out.
pub(crate) struct Issued {
    pub(crate) text: String,
    pub(crate) id: TokenId,
    pub(crate) issued_at: UnixSeconds,
    pub(crate) expires_at: UnixSeconds,
    /// The same token was granted before, in the same second, and revoked.
    pub(crate) already_revoked: bool,
}

/// Why a good grant makes no token.
pub(crate) enum NotIssued {
    /// The claims break a bound.
    Encode(EncodeError),
    /// It would have expired before it is issued.
    BornExpired,
    /// A rule denies what is issued until then.
    Covered { until: UnixSeconds },
    /// No signing key is in force at its time of issue.
    NoKey,
    /// The deny list is not in a state to be asked.
    Stale,
}

/// Whether the token that `grant` asks for could be made.
pub(crate) fn check(
    keyset: &Prepared,
    grant: &GrantBody,
    issued_at: UnixSeconds,
) -> Result<(), NotIssued> {
    let key = keyset.ring().key_at(issued_at).ok_or(NotIssued::NoKey)?;
    let claims = grant.clone().into_claims(issued_at);
    encode(&claims, key).map(drop).map_err(NotIssued::Encode)
}

/// Signs the token that `grant` asks for, issued at `issued_at`.
pub(crate) fn issue(
    service: &Service,
    keyset: &Prepared,
    grant: GrantBody,
    issued_at: UnixSeconds,
) -> Result<Issued, NotIssued> {
    let claims = grant.into_claims(issued_at);
    let key = keyset.ring().key_at(issued_at).ok_or(NotIssued::NoKey)?;
    let text = encode(&claims, key).map_err(NotIssued::Encode)?;
    // A key that signs is a key that verifies; if not, nothing is handed out.
    let token = service
        .verify(&text, keyset)
        .map_err(|_| NotIssued::NoKey)?;
    if service.is_expired(&*token) {
        return Err(NotIssued::BornExpired);
    }
    // Noted before the rules are asked: a rule that is made in between then
    // reaches at least this far.
    service.note_issued(keyset, issued_at);
    let already_revoked = match service.standing(&*token) {
        Standing::Good => false,
        Standing::Revoked {
            by: RevokedBy::Token,
            ..
        } => true,
        Standing::Revoked { at, .. } => {
            let until = at.unwrap_or(issued_at);
            return Err(NotIssued::Covered { until });
        }
        Standing::Expired => return Err(NotIssued::BornExpired),
        Standing::Stale | Standing::Behind => return Err(NotIssued::Stale),
    };
    service.audit_granted(&*token);
    tracing::info!(
        subscribe_key = token.scope(),
        token_id = %token.id(),
        expires_at = %token.expires_at(),
        "token issued"
    );
    Ok(Issued {
        id: token.id(),
        issued_at,
        expires_at: token.expires_at(),
        already_revoked,
        text,
    })
}

/// [`issue`] at once: the time of issue is now, or just after the last rule
/// that would deny the token. Nobody can replay it, as nobody signed it.
pub(crate) fn issue_now(
    service: &Service,
    keyset: &Prepared,
    grant: GrantBody,
) -> Result<Issued, NotIssued> {
    let now = service.now();
    match issue(service, keyset, grant.clone(), now) {
        Err(NotIssued::Covered { until }) => {
            let after = now.max(until.saturating_add(1));
            issue(service, keyset, grant, after)
        }
        outcome => outcome,
    }
}
