//! Keys: the MAC key of a keyset (docs/format.md 7) and which key is good for
//! which time (docs/format.md 8).

use core::fmt;
use std::sync::Arc;

use ring::hmac;
use token_core::{SubscribeKey, UnixSeconds};

use crate::layout::MAC_BYTES;
use crate::verified::VerifiedToken;

/// What the derivation of a MAC key binds it to, before the subscribe key.
const MAC_KEY_LABEL: &[u8] = b"usher token v2\0";
/// What the fingerprint of a MAC key is made over. No token begins like this.
const FINGERPRINT_LABEL: &[u8] = b"usher token v2 fingerprint";

/// The key that signs and verifies the tokens of one keyset for one period:
/// HMAC-SHA256 (RFC 2104) under a key derived from the signing key and the
/// subscribe key, so that no other keyset ever accepts its tokens, even one
/// with an equal signing key.
///
/// Secret: `Debug` shows only the subscribe key. The signing key that it was
/// derived from is not kept.
#[derive(Clone)]
pub struct MacKey {
    key: hmac::Key,
    subscribe_key: Arc<SubscribeKey>,
    fingerprint: Fingerprint,
}

/// Tells MAC keys apart, those of other keysets included, without holding one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 16]);

impl MacKey {
    /// The key of the keyset `subscribe_key` for the period in which
    /// `signing_key` signs.
    #[must_use]
    pub fn derive(signing_key: &[u8; 32], subscribe_key: &SubscribeKey) -> Self {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, signing_key));
        context.update(MAC_KEY_LABEL);
        context.update(subscribe_key.as_str().as_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA256, context.sign().as_ref());
        let mut fingerprint = [0; 16];
        let tag = hmac::sign(&key, FINGERPRINT_LABEL);
        for (byte, from) in fingerprint.iter_mut().zip(tag.as_ref()) {
            *byte = *from;
        }
        Self {
            key,
            subscribe_key: Arc::new(subscribe_key.clone()),
            fingerprint: Fingerprint(fingerprint),
        }
    }

    /// The subscribe key that it was derived for.
    #[must_use]
    pub fn subscribe_key(&self) -> &SubscribeKey {
        &self.subscribe_key
    }

    pub(crate) fn sign(&self, signed: &[u8]) -> hmac::Tag {
        hmac::sign(&self.key, signed)
    }

    /// Whether `signature` is the whole MAC of `signed`. The comparison takes
    /// the same time wherever they differ.
    #[inline]
    pub(crate) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        signature.len() == MAC_BYTES && hmac::verify(&self.key, signed, signature).is_ok()
    }

    pub(crate) const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MacKey")
            .field("subscribe_key", &self.subscribe_key.as_str())
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
    pub key: MacKey,
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

    /// The key of tokens that are issued at `t`.
    #[must_use]
    pub fn key_at(&self, t: UnixSeconds) -> Option<&MacKey> {
        self.periods
            .iter()
            .find(|period| period.contains(t))
            .map(|period| &period.key)
    }

    /// The key that verifies a token issued at `t` that names `key_id`: the
    /// keyset's own when it names none. Keys by name are reserved
    /// (docs/format.md 9), so none is known yet.
    pub(crate) fn key_for(&self, t: UnixSeconds, key_id: Option<&str>) -> Option<&MacKey> {
        match key_id {
            None => self.key_at(t),
            Some(_) => None,
        }
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
