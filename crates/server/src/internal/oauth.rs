//! `POST /v1/introspect` (RFC 7662) and `POST /v1/revoke` (RFC 7009), for the
//! tokens of every dialect.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde::Serialize;
use token_codec::{ChannelAccess, JwsClaims};
use token_core::VerifiedClaims;
use token_policy::in_force;

use super::access;
use crate::error::{ApiError, ErrorCode, json};
use crate::fields::Fields;
use crate::query::Query;
use crate::service::{AnyToken, Service};

/// What is said of a token in force (RFC 7662 section 2.2). Times are seconds
/// since 1970.
#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    kind: &'static str,
    /// The subscribe key, the project or the account.
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    iat: u64,
    exp: u64,
    jti: String,
    #[serde(flatten)]
    oem: Option<Oem<'a>>,
    #[serde(flatten)]
    crt: Option<Crt<'a>>,
}

/// What a PubSub or Chat token says besides.
#[derive(Serialize)]
struct Crt<'a> {
    aud: &'static str,
    channels: &'a BTreeMap<String, ChannelAccess>,
}

/// What an access token of a customer says besides.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Oem<'a> {
    aud: &'static str,
    account_id: u64,
    app_id: u64,
    customer_id: &'a str,
    external_id: &'a str,
    permissions: &'a [String],
}

#[derive(Serialize)]
struct Inactive {
    active: bool,
}

pub(super) fn introspect(
    service: &Service,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, ApiError> {
    let text = token(request)?;
    let inactive = || json(StatusCode::OK, &Inactive { active: false });
    Ok(match service.any_token(&text) {
        None => inactive(),
        Some(AnyToken::AccessManager(token)) if is_in_force(service, &*token) => {
            json(StatusCode::OK, &active(&*token))
        }
        Some(AnyToken::Jws(token)) if is_in_force(service, &*token) => {
            let mut answer = active(&*token);
            answer.iss = Some(&token.key_record().issuer);
            if let JwsClaims::Crt(claims) = token.claims() {
                answer.crt = Some(Crt {
                    aud: claims.product.name(),
                    channels: &claims.channels,
                });
            }
            if let JwsClaims::Oem(claims) = token.claims() {
                answer.scope = Some(claims.permissions.join(" "));
                answer.oem = Some(Oem {
                    aud: "illuminate",
                    account_id: claims.account_id,
                    app_id: claims.app_id,
                    customer_id: &claims.customer_id,
                    external_id: &claims.external_id,
                    permissions: &claims.permissions,
                });
            }
            json(StatusCode::OK, &answer)
        }
        // Why is nobody's business who only has the token.
        Some(_) => inactive(),
    })
}

fn is_in_force(service: &Service, token: &impl VerifiedClaims) -> bool {
    in_force(token, service.now(), &service.deny_list_of(token.scope())).is_ok()
}

fn active<T: VerifiedClaims>(token: &T) -> Active<'_> {
    Active {
        active: true,
        kind: token.kind().name(),
        client_id: token.scope(),
        scope: None,
        sub: token.uuid(),
        iss: None,
        iat: token.issued_at().0,
        exp: token.expires_at().0,
        jti: token.id().to_string(),
        oem: None,
        crt: None,
    }
}

/// 200 once it is revoked, or was; 503 while other nodes do not know. A token that does not verify is 400 and not
/// 200 as in RFC 7009 section 2.2: who revokes a token that was cut short must
/// not believe that it is dead.
pub(super) async fn revoke(
    service: &Service,
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, ApiError> {
    let text = token(request)?;
    let revoked = match service.any_token(&text) {
        None => {
            return Err(ErrorCode::InvalidToken
                .because("the token is none of this server's; nothing is revoked")
                .at("token"));
        }
        Some(AnyToken::AccessManager(token)) => service.revoke_token(&*token).await?,
        Some(AnyToken::Jws(token)) => service.revoke_token(&*token).await?,
    };
    if !revoked.is_done {
        return Err(ErrorCode::StoreUnavailable
            .because("the token is revoked here and other nodes do not know yet; try again"));
    }
    Ok(json(StatusCode::OK, &serde_json::json!({})))
}

/// The token of a form, as the RFCs have it, or of a JSON object.
fn token(request: &Request<Bytes>) -> Result<String, ApiError> {
    let required = || {
        ErrorCode::InvalidRequest
            .because("`token` is required")
            .at("token")
    };
    if access::check_media_type(request).is_ok() {
        let mut fields = Fields::parse(request.body())?;
        let token = fields.required_text("token")?;
        fields.text("token_type_hint")?;
        fields.finish()?;
        return Ok(token);
    }
    access::check_form(request)?;
    let invalid = |what: String| ErrorCode::InvalidRequest.because(what);
    let body = core::str::from_utf8(request.body());
    let body = body.map_err(|_| invalid("the form must be UTF-8".to_owned()))?;
    let form = Query::parse(body).map_err(|error| invalid(error.to_string()))?;
    let token = form.get("token").ok_or_else(required)?;
    let token = core::str::from_utf8(token).map_err(|_| required())?;
    Ok(token.to_owned())
}
