//! HMAC-SHA256 keys (RFC 2104, docs/format.md 7.1).

use ring::hmac;
use token_core::SubscribeKey;

use super::Fingerprint;

/// What the derivation of a MAC key binds it to, before the subscribe key.
const LABEL: &[u8] = b"usher token v2\0";
/// What the fingerprint of a MAC key is made over. No token begins like this.
const FINGERPRINT_LABEL: &[u8] = b"usher token v2 fingerprint";

/// Bytes of a MAC.
pub(super) const BYTES: usize = crate::layout::MAC_BYTES;

#[derive(Clone)]
pub(super) struct Mac {
    key: hmac::Key,
    fingerprint: Fingerprint,
}

impl Mac {
    pub(super) fn derive(signing_key: &[u8; 32], subscribe_key: &SubscribeKey) -> Self {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, signing_key));
        context.update(LABEL);
        context.update(subscribe_key.as_str().as_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA256, context.sign().as_ref());
        let tag = hmac::sign(&key, FINGERPRINT_LABEL);
        Self {
            key,
            fingerprint: Fingerprint::of(tag.as_ref()),
        }
    }

    pub(super) fn sign(&self, signed: &[u8]) -> hmac::Tag {
        hmac::sign(&self.key, signed)
    }

    /// Compares in constant time, and only in the full length.
    #[inline]
    pub(super) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        signature.len() == BYTES && hmac::verify(&self.key, signed, signature).is_ok()
    }

    pub(super) const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}
