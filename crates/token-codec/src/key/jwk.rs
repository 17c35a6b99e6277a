//! Public keys of keysets as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use token_core::{SubscribeKey, UnixSeconds};

use super::{KeyPeriod, TokenKey};
use crate::error::InvalidTokenKey;

/// A public key of a keyset in a key set (RFC 7517, RFC 8037), with its period.
/// It has no `alg`, because it is for no JWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TokenJwk {
    /// The key type: `OKP`.
    pub kty: String,
    /// The curve: `Ed25519`.
    pub crv: String,
    /// What its tokens name it by: [`TokenKey::id`].
    pub kid: String,
    /// The public key, base64url.
    pub x: String,
    /// What it is for: `sig`.
    #[serde(rename = "use")]
    pub usage: String,
    /// The first second of its period, in the time of `t`.
    pub from: u64,
    /// The first second after it; `None` while no successor is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

impl TokenJwk {
    /// The public half of an Ed25519 key and its period; `None` of an HMAC key.
    #[must_use]
    pub fn of(period: &KeyPeriod) -> Option<Self> {
        Some(Self {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            kid: period.key.id()?.to_owned(),
            x: URL_SAFE_NO_PAD.encode(period.key.public_key()?),
            usage: "sig".to_owned(),
            from: period.from.0,
            until: period.until.map(|until| until.0),
        })
    }

    /// The key, good for verifying tokens of the keyset `subscribe_key`.
    ///
    /// # Errors
    ///
    /// [`InvalidTokenKey`] for a key of another kind, one under the name of
    /// another, and one that everybody can sign with.
    pub fn period(&self, subscribe_key: &SubscribeKey) -> Result<KeyPeriod, InvalidTokenKey> {
        if (self.kty.as_str(), self.crv.as_str()) != ("OKP", "Ed25519") || self.usage != "sig" {
            return Err(InvalidTokenKey);
        }
        let x = URL_SAFE_NO_PAD.decode(&self.x);
        let public = x.ok().and_then(|x| x.try_into().ok());
        let key = TokenKey::ed25519_public(public.ok_or(InvalidTokenKey)?, subscribe_key)?;
        if key.id() != Some(self.kid.as_str()) {
            return Err(InvalidTokenKey);
        }
        Ok(KeyPeriod {
            from: UnixSeconds(self.from),
            until: self.until.map(UnixSeconds),
            key,
        })
    }
}
