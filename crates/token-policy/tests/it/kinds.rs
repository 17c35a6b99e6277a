//! Tokens of every dialect go through one decision (attack T09): each kind is
//! good for the keyset that names its scope, and for no other.

use token_core::{Claims, Grants, Permission, ResourceKind, ResourceName, TokenKind};
use token_core::{TtlMinutes, UnixSeconds};
use token_policy::{Keyset, NoRevocations, Operation, Reason, Request, Target, Targets, authorize};

use crate::token::{ISSUED_AT, NOW, SUBSCRIBE_KEY, TestToken};

const PROJECT: &str = "7b981d06-1111-4111-8111-111111111111";
const ACCOUNT: &str = "7";

fn reader(kind: TokenKind, scope: &str) -> TestToken {
    let mut grants = Grants::new();
    let room = ResourceName::new("room").unwrap();
    grants.allow(ResourceKind::Channel, room, Permission::Read.into());
    let claims = Claims::new(UnixSeconds(ISSUED_AT), TtlMinutes(15), grants);
    TestToken {
        kind,
        scope: scope.to_owned(),
        ..TestToken::new(claims)
    }
}

fn reason(token: &TestToken, keyset: Keyset<'_>, operation: Operation) -> Reason {
    let room = [Target::new(ResourceKind::Channel, "room")];
    let request = Request::new(keyset, operation, Targets::new(&room).unwrap());
    authorize(token, &request, UnixSeconds(NOW), &NoRevocations).reason
}

#[test]
fn each_kind_is_good_for_the_keyset_that_names_its_scope() {
    let plain = Keyset::new(SUBSCRIBE_KEY);
    let mut both = plain;
    both.project = Some(PROJECT);
    both.account = Some(ACCOUNT);
    // The same text is never the scope of another kind.
    let mut crossed = Keyset::new(PROJECT);
    crossed.project = Some(ACCOUNT);
    crossed.account = Some(SUBSCRIBE_KEY);
    let scopes = [
        (TokenKind::AccessManager, SUBSCRIBE_KEY),
        (TokenKind::Crt, PROJECT),
        (TokenKind::Oem, ACCOUNT),
    ];
    for (kind, scope) in scopes {
        let token = reader(kind, scope);
        assert_eq!(reason(&token, both, Operation::Subscribe), Reason::Allowed);
        assert_eq!(
            reason(&token, both, Operation::Publish),
            Reason::PermissionMissing
        );
        let wrong = Reason::WrongKeyset;
        assert_eq!(reason(&token, crossed, Operation::Subscribe), wrong);
        let elsewhere = reader(kind, "elsewhere");
        assert_eq!(reason(&elsewhere, both, Operation::Subscribe), wrong);
        let on_plain = reason(&token, plain, Operation::Subscribe);
        let expected = match kind {
            TokenKind::AccessManager => Reason::Allowed,
            TokenKind::Crt | TokenKind::Oem => wrong,
        };
        assert_eq!(on_plain, expected, "{kind:?}");
    }
}
