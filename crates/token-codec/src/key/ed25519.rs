//! Ed25519 keys (RFC 8032, docs/format.md 7.2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use token_core::SubscribeKey;
use token_core::limits::KEY_ID_BYTES_MAX;

use super::Fingerprint;
use crate::error::InvalidTokenKey;

/// What every message begins with; the length of the subscribe key, as a byte,
/// and the subscribe key follow, and then the signed bytes of the token.
const LABEL: &[u8] = b"usher token v2\0";

/// Bytes of a signature.
pub(super) const BYTES: usize = crate::layout::LONG_SIGNATURE_BYTES;

pub(super) struct Ed25519 {
    public: [u8; 32],
    /// `None` of a key that only verifies.
    pair: Option<Ed25519KeyPair>,
    id: String,
    /// What every message begins with, the subscribe key included.
    prefix: Vec<u8>,
}

impl Ed25519 {
    pub(super) fn from_seed(
        seed: &[u8; 32],
        subscribe_key: &SubscribeKey,
    ) -> Result<Self, InvalidTokenKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| InvalidTokenKey)?;
        let public = pair.public_key().as_ref();
        let public = public.try_into().map_err(|_| InvalidTokenKey)?;
        let verifier = Self::from_public(public, subscribe_key)?;
        Ok(Self {
            pair: Some(pair),
            ..verifier
        })
    }

    pub(super) fn from_public(
        public: [u8; 32],
        subscribe_key: &SubscribeKey,
    ) -> Result<Self, InvalidTokenKey> {
        if is_of_small_order(&public) {
            return Err(InvalidTokenKey);
        }
        let name = subscribe_key.as_str().as_bytes();
        let length = u8::try_from(name.len()).map_err(|_| InvalidTokenKey)?;
        let mut id = thumbprint(&public);
        id.truncate(KEY_ID_BYTES_MAX);
        Ok(Self {
            public,
            pair: None,
            id,
            prefix: [LABEL, &[length], name].concat(),
        })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    pub(super) fn sign(&self, signed: &[u8]) -> Option<Vec<u8>> {
        let pair = self.pair.as_ref()?;
        Some(pair.sign(&self.message(signed)).as_ref().to_vec())
    }

    /// Strict: ring refuses a signature of another length and one whose scalar
    /// is not reduced, and compares the point in its one encoding, so that a
    /// token has one signature of a key.
    pub(super) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.public);
        key.verify(&self.message(signed), signature).is_ok()
    }

    fn message(&self, signed: &[u8]) -> Vec<u8> {
        [&self.prefix, signed].concat()
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        let named = [self.prefix.as_slice(), &self.public].concat();
        Fingerprint::of(digest(&SHA256, &named).as_ref())
    }
}

/// The thumbprint of a public key (RFC 7638 section 3, RFC 8037 section 2): of
/// the required members, sorted, without blanks.
pub(crate) fn thumbprint(public: &[u8; 32]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public);
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}

/// Whether `public` encodes a point of small order, canonically or not: under
/// such a key everybody can make a signature.
fn is_of_small_order(public: &[u8; 32]) -> bool {
    SMALL_ORDER.iter().any(|point| {
        // The highest bit is the sign of x, and says nothing about the order.
        let mut pairs = point.iter().zip(public).rev();
        let last = pairs.next().is_some_and(|(a, b)| *a == *b & 0x7F);
        last && pairs.all(|(a, b)| a == b)
    })
}

/// The y of every point of small order, and of those of them that have one more
/// encoding (y + p).
const SMALL_ORDER: [[u8; 32]; 7] = [
    with_ends(0x00, 0x00, 0x00),
    with_ends(0x01, 0x00, 0x00),
    with_ends(0xEC, 0xFF, 0x7F),
    with_ends(0xED, 0xFF, 0x7F),
    with_ends(0xEE, 0xFF, 0x7F),
    [
        0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4, 0x89, 0xF2, 0xEF, 0x98,
        0xF0, 0xD5, 0xDF, 0xAC, 0x05, 0xD3, 0xC6, 0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53,
        0xFC, 0x05,
    ],
    [
        0xC7, 0x17, 0x6A, 0x70, 0x3D, 0x4D, 0xD8, 0x4F, 0xBA, 0x3C, 0x0B, 0x76, 0x0D, 0x10, 0x67,
        0x0F, 0x2A, 0x20, 0x53, 0xFA, 0x2C, 0x39, 0xCC, 0xC6, 0x4E, 0xC7, 0xFD, 0x77, 0x92, 0xAC,
        0x03, 0x7A,
    ],
];

const fn with_ends(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut point = [between; 32];
    if let Some(byte) = point.first_mut() {
        *byte = first;
    }
    if let Some(byte) = point.last_mut() {
        *byte = last;
    }
    point
}
