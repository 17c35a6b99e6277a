//! Secrets: redacted, wiped, compared in constant time.

use core::fmt;

use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::error::InvalidKeyset;

/// Fewest bytes of a secret key that somebody brings along.
const SECRET_KEY_BYTES_MIN: usize = 16;

/// Secrets that stand in tutorials.
const WELL_KNOWN: [&str; 6] = [
    "changeme",
    "demo",
    "password",
    "sec-c-xxxxxxxx",
    "secret",
    "mysecretkey",
];

/// A secret text. `Debug` shows nothing of it; it is wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A secret from text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// `bytes` random bytes as hexadecimal digits after `prefix`.
    pub(crate) fn random(prefix: &str, bytes: usize) -> Result<Self, ring::error::Unspecified> {
        let mut raw = Zeroizing::new(vec![0; bytes]);
        random_bytes(&mut raw)?;
        Ok(Self::new(format!("{prefix}{}", *hex(&raw))))
    }

    /// The text. Name what you do with it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether this may be the secret key of a keyset: at least 16 bytes of
    /// visible ASCII, and none that stands in a tutorial.
    pub(crate) fn check_secret_key(&self) -> Result<(), InvalidKeyset> {
        let text = self.expose();
        if text.trim() != text || text.starts_with('\u{FEFF}') {
            return Err(InvalidKeyset::SecretKeyEdges);
        }
        if text.len() < SECRET_KEY_BYTES_MIN {
            return Err(InvalidKeyset::SecretKeyShort {
                bytes_min: SECRET_KEY_BYTES_MIN,
            });
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidKeyset::SecretKeyCharacter);
        }
        let lower = Zeroizing::new(text.to_ascii_lowercase());
        let known = WELL_KNOWN
            .iter()
            .any(|known| other_bytes(&lower, known) < 4);
        let mut bytes = text.bytes();
        let one_byte = bytes
            .next()
            .is_some_and(|first| bytes.all(|byte| byte == first));
        if known || one_byte {
            Err(InvalidKeyset::SecretKeyWellKnown)
        } else {
            Ok(())
        }
    }
}

/// How many bytes of `text` are in no occurrence of `word`.
fn other_bytes(text: &str, word: &str) -> usize {
    let inside = text.matches(word).count().saturating_mul(word.len());
    text.len().saturating_sub(inside)
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose()
            .as_bytes()
            .ct_eq(other.expose().as_bytes())
            .into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Only for the database, whose file is the place of secrets.
pub(crate) fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    secret.expose().serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

pub(crate) fn random_bytes(bytes: &mut [u8]) -> Result<(), ring::error::Unspecified> {
    use ring::rand::SecureRandom as _;
    ring::rand::SystemRandom::new().fill(bytes)
}

pub(crate) fn hex(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len().saturating_mul(2)));
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xF] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
    }
    text
}

pub(crate) fn bytes_from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        from_hex(core::str::from_utf8(pair).ok()?).map(|byte| {
            let [byte] = *byte;
            byte
        })
    };
    pairs.map(byte).collect()
}

pub(crate) fn from_hex<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    let digits = text.as_bytes();
    if digits.len() != N.checked_mul(2)? {
        return None;
    }
    let mut bytes = Zeroizing::new([0_u8; N]);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let digit = char::from(*digit).to_digit(16)?;
            *byte = u8::wrapping_shl(*byte, 4) | u8::try_from(digit).ok()?;
        }
    }
    Some(bytes)
}
