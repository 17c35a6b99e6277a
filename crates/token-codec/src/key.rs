//! Keys: what signs and verifies the tokens of a keyset (docs/format.md 7), and
//! which key is good for which time.

mod ed25519;
#[cfg(feature = "jws")]
mod jwk;
mod mac;

use core::fmt;
use std::sync::Arc;

use token_core::{SubscribeKey, UnixSeconds};

use crate::error::InvalidTokenKey;
use crate::verified::VerifiedToken;
use ed25519::Ed25519;
#[cfg(feature = "jws")]
pub(crate) use ed25519::thumbprint;
#[cfg(feature = "jws")]
pub use jwk::TokenJwk;
use mac::Mac;

/// A key of one keyset: it signs and verifies tokens, and no other keyset ever
/// accepts them, even one whose keys were made of the same bytes.
///
/// Secret, unless it was made of a public key: `Debug` shows only the subscribe
/// key and the key id. The bytes that it was derived from are not kept.
#[derive(Clone)]
pub struct TokenKey {
    subscribe_key: Arc<SubscribeKey>,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Mac(Mac),
    Ed25519(Arc<Ed25519>),
}

/// Tells keys apart, those of other keysets included, without holding one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// The first bytes of a MAC or a hash.
    fn of(bytes: &[u8]) -> Self {
        let mut fingerprint = [0; 16];
        for (byte, from) in fingerprint.iter_mut().zip(bytes) {
            *byte = *from;
        }
        Self(fingerprint)
    }
}

impl TokenKey {
    /// HMAC-SHA256 (RFC 2104) under a key that is derived from a signing key of
    /// 32 random bytes (docs/format.md 7.1). Its tokens name no key.
    #[must_use]
    pub fn hmac(signing_key: &[u8; 32], subscribe_key: &SubscribeKey) -> Self {
        Self {
            material: Material::Mac(Mac::derive(signing_key, subscribe_key)),
            subscribe_key: Arc::new(subscribe_key.clone()),
        }
    }

    /// Ed25519 (RFC 8032) with the pair of a seed of 32 random bytes
    /// (docs/format.md 7.2). Its tokens name it by its [id](Self::id).
    ///
    /// # Errors
    ///
    /// [`InvalidTokenKey`] for a seed that makes no key, of which none is known.
    pub fn ed25519(seed: &[u8; 32], subscribe_key: &SubscribeKey) -> Result<Self, InvalidTokenKey> {
        Ok(Self {
            material: Material::Ed25519(Arc::new(Ed25519::from_seed(seed, subscribe_key)?)),
            subscribe_key: Arc::new(subscribe_key.clone()),
        })
    }

    /// The public half of an Ed25519 pair: it verifies and cannot sign.
    ///
    /// # Errors
    ///
    /// [`InvalidTokenKey`] for one of the few keys under which anybody could
    /// sign.
    pub fn ed25519_public(
        public: [u8; 32],
        subscribe_key: &SubscribeKey,
    ) -> Result<Self, InvalidTokenKey> {
        Ok(Self {
            material: Material::Ed25519(Arc::new(Ed25519::from_public(public, subscribe_key)?)),
            subscribe_key: Arc::new(subscribe_key.clone()),
        })
    }

    /// The subscribe key of its keyset.
    #[must_use]
    pub fn subscribe_key(&self) -> &SubscribeKey {
        &self.subscribe_key
    }

    /// What its tokens name it by (`kid`): of an Ed25519 key the first 16
    /// characters of its thumbprint (RFC 7638), so that nobody chooses it; of an
    /// HMAC key nothing.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match &self.material {
            Material::Mac(_) => None,
            Material::Ed25519(key) => Some(key.id()),
        }
    }

    /// What may be published, and is enough to verify: of an Ed25519 key the
    /// public half (RFC 8032), of an HMAC key nothing.
    #[must_use]
    pub fn public_key(&self) -> Option<&[u8; 32]> {
        match &self.material {
            Material::Mac(_) => None,
            Material::Ed25519(key) => Some(key.public()),
        }
    }

    /// How many bytes its signatures have.
    pub(crate) const fn signature_bytes(&self) -> usize {
        match self.material {
            Material::Mac(_) => mac::BYTES,
            Material::Ed25519(_) => ed25519::BYTES,
        }
    }

    /// The signature of `signed`; `None` from a key that only verifies.
    pub(crate) fn sign(&self, signed: &[u8]) -> Option<Vec<u8>> {
        match &self.material {
            Material::Mac(key) => Some(key.sign(signed).as_ref().to_vec()),
            Material::Ed25519(key) => key.sign(signed),
        }
    }

    /// Whether `signature` is its whole signature of `signed`. A MAC is compared
    /// in the same time wherever it differs.
    #[inline]
    pub(crate) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Mac(key) => key.verifies(signed, signature),
            Material::Ed25519(key) => key.verifies(signed, signature),
        }
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        match &self.material {
            Material::Mac(key) => key.fingerprint(),
            Material::Ed25519(key) => key.fingerprint(),
        }
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey")
            .field("subscribe_key", &self.subscribe_key.as_str())
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

/// A key and the times of issue that it is good for.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a period is its two ends and its key"
)]
pub struct KeyPeriod {
    /// The first second in which the key signs.
    pub from: UnixSeconds,
    /// The first second in which it no longer does; `None` while no successor
    /// is known.
    pub until: Option<UnixSeconds>,
    /// The key.
    pub key: TokenKey,
}

impl KeyPeriod {
    fn contains(&self, t: UnixSeconds) -> bool {
        self.from <= t && self.until.is_none_or(|until| t < until)
    }
}

/// The keys that verify the tokens of one keyset, each with its period.
///
/// A token verifies only under the key whose period contains its time of
/// issue, so a signing key that leaks after its period cannot make tokens of
/// a later one.
#[derive(Clone, Debug)]
pub struct KeyRing {
    subscribe_key: Arc<SubscribeKey>,
    /// By start, latest first.
    periods: Vec<KeyPeriod>,
}

impl KeyRing {
    /// The keys of the keyset `subscribe_key`. Where periods overlap, the one
    /// that starts later counts. A key that was derived for another subscribe
    /// key verifies nothing here and is left out.
    #[must_use]
    pub fn new(subscribe_key: SubscribeKey, keys: impl IntoIterator<Item = KeyPeriod>) -> Self {
        let mut periods: Vec<KeyPeriod> = keys
            .into_iter()
            .filter(|period| *period.key.subscribe_key() == subscribe_key)
            .collect();
        periods.sort_by_key(|period| core::cmp::Reverse(period.from));
        Self {
            subscribe_key: Arc::new(subscribe_key),
            periods,
        }
    }

    /// The keys and their periods, by start, latest first.
    #[must_use]
    pub fn periods(&self) -> &[KeyPeriod] {
        &self.periods
    }

    /// The key of tokens that are issued at `t`.
    #[must_use]
    pub fn key_at(&self, t: UnixSeconds) -> Option<&TokenKey> {
        self.periods
            .iter()
            .find(|period| period.contains(t))
            .map(|period| &period.key)
    }

    /// The key that verifies a token issued at `t` that names `key_id`: the key of
    /// that time, and only if this is how its tokens name it. So a token without
    /// `kid` never verifies under an Ed25519 key, nor one with it under another.
    pub(crate) fn key_for(&self, t: UnixSeconds, key_id: Option<&str>) -> Option<&TokenKey> {
        self.key_at(t).filter(|key| key.id() == key_id)
    }

    /// The keyset.
    #[must_use]
    pub fn subscribe_key(&self) -> &SubscribeKey {
        &self.subscribe_key
    }

    pub(crate) const fn scope(&self) -> &Arc<SubscribeKey> {
        &self.subscribe_key
    }

    /// Whether a token that verified earlier would verify now: its key is
    /// still the one of its time of issue. For caches of verified tokens.
    #[must_use]
    pub fn still_verifies(&self, token: &VerifiedToken<'_>) -> bool {
        self.key_for(token.issued_at_time(), token.key_id())
            .is_some_and(|key| key.fingerprint() == token.fingerprint())
    }
}
