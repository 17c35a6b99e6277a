//! Making a JWS, and a JWS whose signature was verified.

use core::fmt;
use std::sync::Arc;

use token_core::limits::{CRT_TEXT_BYTES_MAX, TOKEN_TEXT_BYTES_MAX};
use token_core::{
    Category, Permissions, ResourceKind, TokenId, TokenKind, UnixSeconds, VerifiedClaims,
};

use super::compact::{Compact, encode};
use super::crt::{ChannelAccess, CrtClaims};
use super::error::{JwsError, JwsKeyError};
use super::header::Header;
use super::key::{JwsKeyRecord, JwsKeys};
use super::oem::OemClaims;

/// Longest relay host of a header, in bytes: a DNS name.
const RELAY_BYTES_MAX: usize = 253;

/// What a JWS of either dialect says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever shows a token meets every kind"
)]
pub enum JwsClaims {
    /// PubSub and Chat.
    Crt(CrtClaims),
    /// Customer access token.
    Oem(OemClaims),
}

impl JwsClaims {
    fn kind(&self) -> TokenKind {
        match self {
            Self::Crt(_) => TokenKind::Crt,
            Self::Oem(_) => TokenKind::Oem,
        }
    }

    fn issued_at(&self) -> UnixSeconds {
        match self {
            Self::Crt(claims) => claims.issued_at,
            Self::Oem(claims) => claims.issued_at,
        }
    }

    fn expires_at(&self) -> Option<UnixSeconds> {
        match self {
            Self::Crt(claims) => claims.expires_at(),
            Self::Oem(claims) => claims.expires_at(),
        }
    }

    fn fault(&self) -> Option<&'static str> {
        match self {
            Self::Crt(claims) => claims.fault(),
            Self::Oem(claims) => claims.fault(),
        }
    }
}

impl JwsKeyRecord {
    /// Signs claims of the kind that this key is for. The token names this
    /// key, its issuer and its scope; a CRT token may name the relay that its
    /// client connects to.
    ///
    /// # Errors
    ///
    /// [`JwsKeyError`] when the key is for another kind, has no private part,
    /// does not sign at the time of issue, or a claim breaks a bound.
    pub fn sign(&self, claims: &JwsClaims, relay: Option<&str>) -> Result<String, JwsKeyError> {
        let broken = |name| JwsKeyError::Claim { name };
        if claims.kind() != self.kind {
            return Err(JwsKeyError::Kind);
        }
        if !self.signs_at(claims.issued_at()) {
            return Err(broken("iat"));
        }
        let wrong_relay = |relay: &str| {
            self.kind != TokenKind::Crt || relay.is_empty() || relay.len() > RELAY_BYTES_MAX
        };
        if relay.is_some_and(wrong_relay) {
            return Err(broken("ch"));
        }
        if let Some(name) = claims.fault() {
            return Err(broken(name));
        }
        let json = match claims {
            JwsClaims::Crt(claims) => claims.json(self),
            JwsClaims::Oem(claims) => claims.json(self),
        };
        let header = Header::of(self, relay).ok_or(JwsKeyError::Kind)?;
        let header = serde_json::to_vec(&header).map_err(|_| JwsKeyError::Kind)?;
        self.seal(&header, &json.ok_or_else(|| broken("accountId"))?)
    }

    /// The compact form of a header and claims as they are, signed.
    pub(crate) fn seal(&self, header: &[u8], claims: &[u8]) -> Result<String, JwsKeyError> {
        let signed = [encode(header), encode(claims)].join(".");
        let signature = self.key.sign(signed.as_bytes())?;
        Ok([signed, encode(&signature)].join("."))
    }
}

/// A JWS whose signature was verified; decisions take it.
///
/// Only [`verify_jws`] makes one:
///
/// ```compile_fail
/// let forged = token_codec::VerifiedJws { };
/// ```
#[derive(Clone)]
pub struct VerifiedJws {
    record: Arc<JwsKeyRecord>,
    claims: JwsClaims,
    expires_at: UnixSeconds,
}

/// Verifies that `text` is a JWS that a key of `keys` signed, of the dialect
/// that the key is for, with every claim in its place.
///
/// Whether it is expired, issued in the future or revoked is not looked at:
/// the decision does that.
///
/// # Errors
///
/// [`JwsError`], which to whoever presented the token always means "invalid
/// token".
pub fn verify_jws(text: &str, keys: &JwsKeys) -> Result<VerifiedJws, JwsError> {
    let too_long = JwsError::TooLong { bytes: text.len() };
    if text.len() > CRT_TEXT_BYTES_MAX {
        return Err(too_long);
    }
    let compact = Compact::cut(text)?;
    let header = compact.header()?;
    let header = Header::read(&header)?;
    let record = keys.find(&header.kid).ok_or(JwsError::UnknownKey)?;
    header.check(record)?;
    if record.kind == TokenKind::Oem && text.len() > TOKEN_TEXT_BYTES_MAX {
        return Err(too_long);
    }
    if !record
        .key
        .verifies(compact.signed.as_bytes(), &compact.signature()?)
    {
        return Err(JwsError::Signature);
    }
    VerifiedJws::read(&compact.claims()?, record)
}

impl VerifiedJws {
    /// For [`verify_jws`], once the signature matched what `json` came from.
    fn read(json: &[u8], record: &Arc<JwsKeyRecord>) -> Result<Self, JwsError> {
        let claims = match record.kind {
            TokenKind::Crt => JwsClaims::Crt(CrtClaims::read(json, record)?),
            TokenKind::Oem => JwsClaims::Oem(OemClaims::read(json, record)?),
            TokenKind::AccessManager => return Err(JwsError::Type),
        };
        if !record.signs_at(claims.issued_at()) {
            return Err(JwsError::UnknownKey);
        }
        let expires_at = claims.expires_at();
        Ok(Self {
            record: Arc::clone(record),
            claims,
            expires_at: expires_at.ok_or(JwsError::Claim { name: "exp" })?,
        })
    }

    /// What it says.
    #[must_use]
    pub const fn claims(&self) -> &JwsClaims {
        &self.claims
    }

    /// The record of the key that signed it.
    #[must_use]
    pub fn key_record(&self) -> &JwsKeyRecord {
        &self.record
    }

    fn channels(&self) -> impl Iterator<Item = (&str, &ChannelAccess)> + '_ {
        let channels = match &self.claims {
            JwsClaims::Crt(claims) => Some(&claims.channels),
            JwsClaims::Oem(_) => None,
        };
        let entries = channels.into_iter().flatten();
        entries.map(|(name, access)| (name.as_str(), access))
    }
}

impl fmt::Debug for VerifiedJws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedJws")
            .field("kind", &self.kind())
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl VerifiedClaims for VerifiedJws {
    fn kind(&self) -> TokenKind {
        self.claims.kind()
    }

    fn scope(&self) -> &str {
        &self.record.scope
    }

    fn id(&self) -> TokenId {
        match &self.claims {
            JwsClaims::Crt(claims) => claims.id,
            JwsClaims::Oem(claims) => claims.id,
        }
    }

    fn ancestors(&self) -> impl Iterator<Item = TokenId> + '_ {
        core::iter::empty()
    }

    fn issued_at(&self) -> UnixSeconds {
        self.claims.issued_at()
    }

    fn expires_at(&self) -> UnixSeconds {
        self.expires_at
    }

    fn uuid(&self) -> Option<&str> {
        match &self.claims {
            JwsClaims::Crt(claims) => Some(&claims.member_id),
            JwsClaims::Oem(claims) => Some(&claims.customer_user_id),
        }
    }

    fn revoked_as(&self) -> Option<&str> {
        match &self.claims {
            JwsClaims::Crt(claims) => Some(&claims.member_id),
            JwsClaims::Oem(claims) => Some(&claims.customer_id),
        }
    }

    fn named(&self, kind: ResourceKind, name: &str) -> Permissions {
        match &self.claims {
            JwsClaims::Crt(claims) if kind == ResourceKind::Channel => claims
                .channels
                .get(name)
                .map_or(Permissions::NONE, |access| access.permissions()),
            JwsClaims::Crt(_) | JwsClaims::Oem(_) => Permissions::NONE,
        }
    }

    fn names(&self, kind: ResourceKind) -> impl Iterator<Item = (&str, Permissions)> + '_ {
        self.channels()
            .filter(move |_| kind == ResourceKind::Channel)
            .map(|(name, access)| (name, access.permissions()))
    }

    fn patterns(&self, _: ResourceKind) -> impl Iterator<Item = (&str, Permissions)> + '_ {
        core::iter::empty()
    }

    fn category(&self, _: Category) -> bool {
        false
    }

    fn customer_permission(&self, permission: &str) -> bool {
        match &self.claims {
            JwsClaims::Oem(claims) => claims.permissions.iter().any(|held| held == permission),
            JwsClaims::Crt(_) => false,
        }
    }
}
