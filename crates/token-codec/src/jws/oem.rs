//! Customer access tokens (oem 4): claims of RFC 9068 with those of the
//! contract beside them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use token_core::limits::{OEM_ID_CHARS_MAX, OEM_LIFE_SECONDS_MAX, OEM_PERMISSIONS_MAX};
use token_core::{ResourceName, TokenId, UnixSeconds};

use super::claims::{object, token_id, uuid_text};
use super::error::JwsError;
use super::key::JwsKeyRecord;

/// The one audience of these tokens.
const AUDIENCE: &str = "illuminate";

/// What a customer access token says. Plain data: nothing may be decided on
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an issuer fills every field, knowingly"
)]
pub struct OemClaims {
    /// Its identity, random.
    pub id: TokenId,
    /// When it was issued.
    pub issued_at: UnixSeconds,
    /// How many seconds it lives: 1 to 2,592,000.
    pub seconds: u64,
    /// At most 16 permissions, such as `dashboard:read`; each once.
    pub permissions: Vec<String>,
    /// The account that issues.
    pub account_id: u64,
    /// The application that it is for.
    pub app_id: u64,
    /// The customer.
    pub customer_id: String,
    /// The customer, as the issuer calls it: at most 255 characters.
    pub external_id: String,
    /// Who may use it: at most 255 characters.
    pub customer_user_id: String,
}

impl OemClaims {
    /// When it expires: at this instant it has.
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixSeconds> {
        let at = self.issued_at.0.checked_add(self.seconds)?;
        Some(UnixSeconds(at))
    }

    /// The name of a claim that breaks a bound.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let is_id =
            |id: &str| ResourceName::check(id).is_ok() && id.chars().count() <= OEM_ID_CHARS_MAX;
        let unique: BTreeSet<&String> = self.permissions.iter().collect();
        let named = |name: &String| {
            let legal = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b':' | b'-');
            !name.is_empty() && name.bytes().all(legal)
        };
        if !(1..=OEM_LIFE_SECONDS_MAX).contains(&self.seconds) || self.expires_at().is_none() {
            Some("exp")
        } else if !(1..=OEM_PERMISSIONS_MAX).contains(&self.permissions.len())
            || unique.len() != self.permissions.len()
            || !self.permissions.iter().all(named)
        {
            Some("permissions")
        } else if !is_id(&self.customer_id) {
            Some("customerId")
        } else if !is_id(&self.external_id) {
            Some("externalId")
        } else if !is_id(&self.customer_user_id) {
            Some("customerUserId")
        } else {
            None
        }
    }

    /// The JSON that is signed under the key of `record`.
    pub(super) fn json(&self, record: &JwsKeyRecord) -> Option<Vec<u8>> {
        let wire = Wire {
            iss: record.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: self.customer_user_id.clone(),
            iat: self.issued_at.0,
            nbf: self.issued_at.0,
            exp: self.expires_at()?.0,
            jti: uuid_text(self.id),
            scope: self.permissions.join(" "),
            permissions: self.permissions.clone(),
            account_id: self.account_id,
            app_id: self.app_id,
            customer_id: self.customer_id.clone(),
            external_id: self.external_id.clone(),
            customer_user_id: self.customer_user_id.clone(),
        };
        (self.account_id.to_string() == record.scope)
            .then(|| serde_json::to_vec(&wire).ok())
            .flatten()
    }

    pub(super) fn read(json: &[u8], record: &JwsKeyRecord) -> Result<Self, JwsError> {
        let wire: Wire = object(json).ok_or(JwsError::Claims)?;
        wire.check(record)?;
        let claim = |name| JwsError::Claim { name };
        let claims = Self {
            id: token_id(&wire.jti).ok_or_else(|| claim("jti"))?,
            issued_at: UnixSeconds(wire.iat),
            seconds: wire.exp.checked_sub(wire.iat).ok_or_else(|| claim("exp"))?,
            permissions: wire.permissions,
            account_id: wire.account_id,
            app_id: wire.app_id,
            customer_id: wire.customer_id,
            external_id: wire.external_id,
            customer_user_id: wire.customer_user_id,
        };
        match claims.fault() {
            Some(name) => Err(claim(name)),
            None => Ok(claims),
        }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wire {
    iss: String,
    aud: String,
    sub: String,
    iat: u64,
    nbf: u64,
    exp: u64,
    jti: String,
    scope: String,
    permissions: Vec<String>,
    account_id: u64,
    app_id: u64,
    customer_id: String,
    external_id: String,
    customer_user_id: String,
}

impl Wire {
    /// That what the key and the other claims say already is not said
    /// otherwise.
    fn check(&self, record: &JwsKeyRecord) -> Result<(), JwsError> {
        let agree = [
            ("iss", self.iss == record.issuer),
            ("aud", self.aud == AUDIENCE),
            ("sub", self.sub == self.customer_user_id),
            ("nbf", self.nbf == self.iat),
            ("scope", self.scope == self.permissions.join(" ")),
            ("accountId", self.account_id.to_string() == record.scope),
        ];
        match agree.into_iter().find(|(_, agrees)| !agrees) {
            Some((name, _)) => Err(JwsError::Claim { name }),
            None => Ok(()),
        }
    }
}
