//! Public keys as others read them (RFC 7517, RFC 8037 section 2).

use serde::Serialize;

use super::compact::encode;
use super::key::JwsKey;
use crate::key::thumbprint;

/// A public key for a key set: `OKP`, Ed25519. Its id is its thumbprint, so
/// that nobody can give two keys one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Jwk {
    /// The key type: `OKP`.
    pub kty: &'static str,
    /// The curve: `Ed25519`.
    pub crv: &'static str,
    /// The public key, base64url.
    pub x: String,
    /// What tokens name it by: the thumbprint (RFC 7638).
    pub kid: String,
    /// The one algorithm that it is for: `EdDSA`.
    pub alg: &'static str,
    /// What it is for: `sig`.
    #[serde(rename = "use")]
    pub usage: &'static str,
}

impl JwsKey {
    /// The key for a key set; a secret has none.
    #[must_use]
    pub fn jwk(&self) -> Option<Jwk> {
        let public = self.public_key()?;
        Some(Jwk {
            kty: "OKP",
            crv: "Ed25519",
            kid: thumbprint(public),
            x: encode(public),
            alg: self.algorithm(),
            usage: "sig",
        })
    }
}
