//! `POST /v1/keysets/{sub}/tokens`: the native grant.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;
use token_core::{Claims, UnixSeconds};
use token_policy::{Finding, Severity, lint};

use crate::error::{ApiError, ErrorCode, json};
use crate::fields::Fields;
use crate::grant_body::{BodyFault, BodyRules, GrantBody};
use crate::issue::{NotIssued, check, issue_now};
use crate::service::Service;

#[derive(Serialize)]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    issued_at: u64,
    expires_at: u64,
    warnings: Vec<Finding>,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    already_revoked: bool,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    dry_run: bool,
}

pub(super) fn grant(
    service: &Service,
    subscribe_key: &str,
    body: &[u8],
) -> Result<Response<Bytes>, ApiError> {
    let keyset = service.known_keyset(subscribe_key)?;
    if !keyset.settings().access_manager {
        return Err(ErrorCode::AccessManagerDisabled.because(
            "access manager is off for this keyset; turn on its setting `access_manager`",
        ));
    }
    let mut fields = Fields::parse(body)?;
    let dry_run = fields.flag("dry_run")?;
    let object = fields.rest();
    if let Some(key) = object
        .keys()
        .find(|key| !["ttl", "permissions"].contains(&key.as_str()))
    {
        return Err(ApiError::grant(&[BodyFault::UnknownKey(key.clone())]));
    }
    let rules = BodyRules {
        permission_names: true,
        ..keyset.body_rules()
    };
    let grant = GrantBody::read(&object, rules).map_err(|faults| ApiError::grant(&faults))?;
    let claims = grant.clone().into_claims(service.now());
    let answer = if dry_run {
        let now = service.now();
        check(&keyset, &grant, now).map_err(|cause| refused(&cause))?;
        Answer {
            token: None,
            id: None,
            issued_at: now.0,
            expires_at: grant.ttl().expires_at(now).unwrap_or(UnixSeconds::MAX).0,
            warnings: warnings(&claims, None),
            already_revoked: false,
            dry_run,
        }
    } else {
        let issued = issue_now(service, &keyset, grant).map_err(|cause| refused(&cause))?;
        Answer {
            warnings: warnings(&claims, Some(issued.text.len())),
            token: Some(issued.text),
            id: Some(issued.id.to_string()),
            issued_at: issued.issued_at.0,
            expires_at: issued.expires_at.0,
            already_revoked: issued.already_revoked,
            dry_run,
        }
    };
    Ok(json(StatusCode::OK, &answer))
}

/// What whoever grants should know. Notes are for `usher lint`.
fn warnings(claims: &Claims, token_bytes: Option<usize>) -> Vec<Finding> {
    let mut found = lint(claims, token_bytes);
    found.retain(|finding| finding.severity != Severity::Note);
    found
}

fn refused(cause: &NotIssued) -> ApiError {
    match cause {
        NotIssued::Encode(error) => ApiError::grant(&[BodyFault::Encode(error.clone())]),
        NotIssued::BornExpired => ErrorCode::InvalidGrant
            .because("the token would already have expired")
            .at("ttl"),
        NotIssued::Covered { until } => ErrorCode::StoreUnavailable.because(format!(
            "everything issued until {until} is revoked; try again"
        )),
        NotIssued::NoKey => {
            ErrorCode::StoreUnavailable.because("no signing key is in force now; try again")
        }
        NotIssued::Stale => ErrorCode::StoreUnavailable.because("the deny list is not up to date"),
    }
}
