//! Making the token (signalwire 5).

use token_codec::{CrtClaims, JwsClaims, Product, uuid_text};
use token_core::TokenKind;

use super::body::Wanted;
use crate::issue_jws::{self, random_id};
use crate::service::Service;

/// Signs the token that a request asks for. A member that it does not name gets a
/// random UUID.
pub(super) fn issue(
    service: &Service,
    product: Product,
    project: &str,
    wanted: &Wanted,
) -> Option<String> {
    let member_id = match &wanted.member_id {
        Some(id) => id.clone(),
        None => uuid_text(random_id()?),
    };
    issue_jws::issue(service, (TokenKind::Crt, project), |id, issued_at| {
        JwsClaims::Crt(CrtClaims {
            id,
            product,
            issued_at,
            ttl: wanted.ttl,
            channels: wanted.channels.clone(),
            member_id: member_id.clone(),
            state: wanted.state.clone(),
        })
    })
}
