//! Keys of JWS tokens, and what each may sign.

use core::fmt;
use std::collections::HashMap;
use std::sync::Arc;

use ring::hmac;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use token_core::limits::JWS_KEY_ID_CHARS_MAX;
use token_core::{TokenKind, UnixSeconds};

use super::error::JwsKeyError;

/// Shortest secret for HS512, in bytes (RFC 7518 section 3.2).
const HS512_SECRET_BYTES_MIN: usize = 64;

/// A key of one algorithm. Secret: `Debug` shows the algorithm only.
#[derive(Clone)]
pub struct JwsKey(Material);

#[derive(Clone)]
enum Material {
    Hs512(hmac::Key),
    Ed25519 {
        public: [u8; 32],
        private: Option<Arc<Ed25519KeyPair>>,
    },
}

impl JwsKey {
    /// A key for HS512 (RFC 7518 section 3.2).
    ///
    /// # Errors
    ///
    /// [`JwsKeyError::WeakSecret`] under 64 bytes.
    pub fn hs512(secret: &[u8]) -> Result<Self, JwsKeyError> {
        if secret.len() < HS512_SECRET_BYTES_MIN {
            return Err(JwsKeyError::WeakSecret {
                bytes: secret.len(),
            });
        }
        let key = hmac::Key::new(hmac::HMAC_SHA512, secret);
        Ok(Self(Material::Hs512(key)))
    }

    /// A key pair for `EdDSA` with Ed25519 (RFC 8037) from its seed.
    ///
    /// # Errors
    ///
    /// [`JwsKeyError::NotEd25519`].
    pub fn ed25519(seed: &[u8; 32]) -> Result<Self, JwsKeyError> {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| JwsKeyError::NotEd25519)?;
        let public = pair.public_key().as_ref();
        let public = public.try_into().map_err(|_| JwsKeyError::NotEd25519)?;
        Ok(Self(Material::Ed25519 {
            public,
            private: Some(Arc::new(pair)),
        }))
    }

    /// The public half of a key pair: it verifies only.
    #[must_use]
    pub const fn ed25519_public(public: [u8; 32]) -> Self {
        Self(Material::Ed25519 {
            public,
            private: None,
        })
    }

    /// What may be published, for a JWKS (RFC 7517); a secret has none.
    #[must_use]
    pub const fn public_key(&self) -> Option<&[u8; 32]> {
        match &self.0 {
            Material::Hs512(_) => None,
            Material::Ed25519 { public, .. } => Some(public),
        }
    }

    /// The name in `alg`.
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        match self.0 {
            Material::Hs512(_) => "HS512",
            Material::Ed25519 { .. } => "EdDSA",
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, JwsKeyError> {
        match &self.0 {
            Material::Hs512(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Material::Ed25519 { private, .. } => {
                let pair = private.as_ref().ok_or(JwsKeyError::VerifiesOnly)?;
                Ok(pair.sign(message).as_ref().to_vec())
            }
        }
    }

    /// Compares a MAC in constant time, and only in its full length.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Material::Hs512(key) => hmac::verify(key, message, signature).is_ok(),
            Material::Ed25519 { public, .. } => UnparsedPublicKey::new(&ED25519, public)
                .verify(message, signature)
                .is_ok(),
        }
    }
}

impl fmt::Debug for JwsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwsKey")
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

/// A key and everything that a token of it may not choose by itself.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever adds a key knows all of it"
)]
pub struct JwsKeyRecord {
    /// The name of the key: 1 to 64 characters of `A-Z a-z 0-9 - _`. It is
    /// looked up and nothing else.
    pub key_id: String,
    /// The dialect that it signs, and with it the type of its tokens.
    pub kind: TokenKind,
    /// Where its tokens are good: the project of a CRT token, the account of
    /// a customer access token.
    pub scope: String,
    /// The issuer that its tokens name.
    pub issuer: String,
    /// The first second in which it signs.
    pub from: UnixSeconds,
    /// The first second in which it no longer does; `None` while no successor
    /// is known.
    pub until: Option<UnixSeconds>,
    /// The key.
    pub key: JwsKey,
}

impl JwsKeyRecord {
    /// The value of `typ`; Access Manager tokens are no JWS.
    pub(super) const fn media_type(&self) -> Option<&'static str> {
        match self.kind {
            TokenKind::Crt => Some("CRT"),
            TokenKind::Oem => Some("at+jwt"),
            TokenKind::AccessManager => None,
        }
    }

    /// Whether it signs at `t`.
    pub(super) fn signs_at(&self, t: UnixSeconds) -> bool {
        self.from <= t && self.until.is_none_or(|until| t < until)
    }
}

/// The keys that verify, by their ids.
#[derive(Clone, Debug, Default)]
pub struct JwsKeys {
    by_id: HashMap<String, Arc<JwsKeyRecord>>,
}

impl JwsKeys {
    /// Keys with ids of their own.
    ///
    /// # Errors
    ///
    /// [`JwsKeyError`] for an id that is none or that two keys have.
    pub fn new(records: impl IntoIterator<Item = JwsKeyRecord>) -> Result<Self, JwsKeyError> {
        let mut by_id = HashMap::new();
        for record in records {
            if !is_key_id(&record.key_id) {
                return Err(JwsKeyError::KeyId);
            }
            let id = record.key_id.clone();
            if by_id.insert(id, Arc::new(record)).is_some() {
                return Err(JwsKeyError::DuplicateKeyId);
            }
        }
        Ok(Self { by_id })
    }

    pub(super) fn find(&self, key_id: &str) -> Option<&Arc<JwsKeyRecord>> {
        self.by_id.get(key_id)
    }
}

fn is_key_id(id: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=JWS_KEY_ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(legal)
}
