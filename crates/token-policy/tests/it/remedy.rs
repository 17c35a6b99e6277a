//! The property of every denial: its remedy is enough, and not a bit too much.

use token_core::UnixSeconds;
use token_policy::{
    Decision, Explanation, Reason, Request, Requirement, Response, Revocations, authorize, explain,
};

use crate::token::{TestToken, minus_one_bit, with};

/// Checks what must hold for every answer, and returns its explanation.
pub(crate) fn check<'a>(
    token: &'a TestToken,
    request: &Request<'a>,
    response: &Response<'a>,
    now: u64,
    revocations: &impl Revocations,
) -> Explanation<'a> {
    let explanation = explain(token, request, response);
    assert_eq!(explanation.missing, response.missing);
    let missing = response.reason == Reason::PermissionMissing;
    assert_eq!(missing, !response.missing.is_empty(), "{request:?}");
    // No grant gives a customer its permissions.
    let of_customer = matches!(request.asked.requirement(), Requirement::Customer(_));
    let can_be_granted = missing && !of_customer;
    assert_eq!(can_be_granted, explanation.remedy.is_some(), "{request:?}");
    assert_eq!(
        response.decision == Decision::Allow,
        response.reason == Reason::Allowed
    );
    let decide =
        |token: &TestToken| authorize(token, request, UnixSeconds(now), revocations).is_allowed();
    if let Some(remedy) = &explanation.remedy {
        assert!(
            decide(&with(token, &remedy.grant)),
            "{request:?} {remedy:?}"
        );
        for fewer in minus_one_bit(&remedy.grant) {
            assert!(!decide(&with(token, &fewer)), "{request:?} {fewer:?}");
        }
    }
    explanation
}
