//! The keys of a cluster, and how messages are sealed with them.

use core::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use crate::error::InvalidKey;

/// What is derived from a key, each for one use.
const FOR_SEALING: &[u8] = b"usher log 1: seal ";
const FOR_NAMING: &[u8] = b"usher log 1: name ";
const FOR_FINGERPRINT: &[u8] = b"usher log 1: fingerprint";

/// The first byte of a sealed message.
const VERSION: u8 = 1;
const SALT_LEN: usize = 16;

/// 32 bytes from which everything is derived.
#[derive(Clone)]
struct Root(hmac::Key);

impl Root {
    fn from_hex(text: &str) -> Result<Self, InvalidKey> {
        let digits = text.trim().as_bytes();
        if digits.len() != 64 {
            return Err(InvalidKey::Digits);
        }
        let first = digits.first();
        if digits.iter().all(|digit| Some(digit) == first) {
            return Err(InvalidKey::OneDigit);
        }
        let mut bytes = Zeroizing::new([0_u8; 32]);
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                let digit = char::from(*digit).to_digit(16).ok_or(InvalidKey::Digits)?;
                let digit = u8::try_from(digit).map_err(|_| InvalidKey::Digits)?;
                *byte = byte.wrapping_shl(4) | digit;
            }
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &*bytes)))
    }

    fn derive(&self, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        context.sign()
    }

    fn fingerprint(&self) -> String {
        hex(self.derive(&[FOR_FINGERPRINT]).as_ref(), 8)
    }

    /// A key for one message: with random nonces alone, one key is good for
    /// 2^32 messages, and beacons of many nodes are more in a year or two.
    fn cipher(&self, salt: &[u8]) -> Option<LessSafeKey> {
        let key = self.derive(&[FOR_SEALING, salt]);
        UnboundKey::new(&AES_256_GCM, key.as_ref())
            .ok()
            .map(LessSafeKey::new)
    }

    /// Seals a message (AES-256-GCM, RFC 5116) for one subject: it opens under
    /// no other.
    fn seal(&self, subject: &str, plain: &[u8]) -> Option<Vec<u8>> {
        let mut random = [0; SALT_LEN + NONCE_LEN];
        SystemRandom::new().fill(&mut random).ok()?;
        let (salt, nonce) = random.split_at(SALT_LEN);
        let mut sealed = Zeroizing::new(plain.to_vec());
        let tag = self
            .cipher(salt)?
            .seal_in_place_separate_tag(
                Nonce::try_assume_unique_for_key(nonce).ok()?,
                Aad::from(subject.as_bytes()),
                &mut sealed,
            )
            .ok()?;
        Some([&[VERSION], &random[..], &sealed, tag.as_ref()].concat())
    }

    fn open(&self, subject: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (version, rest) = sealed.split_first()?;
        if *version != VERSION {
            return None;
        }
        let (salt, rest) = rest.split_at_checked(SALT_LEN)?;
        let (nonce, rest) = rest.split_at_checked(NONCE_LEN)?;
        let mut bytes = Zeroizing::new(rest.to_vec());
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let aad = Aad::from(subject.as_bytes());
        let length = self
            .cipher(salt)?
            .open_in_place(nonce, aad, &mut bytes)
            .ok()?
            .len();
        bytes.truncate(length);
        Some(bytes)
    }

    /// 32 digits that stand for `parts` and say nothing about them.
    fn name(&self, parts: &[&[u8]]) -> String {
        let mut all = vec![FOR_NAMING];
        all.extend_from_slice(parts);
        hex(self.derive(&all).as_ref(), 16)
    }
}

/// The first `bytes` bytes as hexadecimal digits.
pub(crate) fn hex(all: &[u8], bytes: usize) -> String {
    use core::fmt::Write as _;
    let mut text = String::new();
    for byte in all.iter().take(bytes) {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

macro_rules! key {
    ($(#[$about:meta])* $name:ident) => {
        $(#[$about])*
        #[derive(Clone)]
        pub struct $name(Root);

        impl $name {
            /// A key from 64 hexadecimal digits; white space around them is
            /// left out.
            ///
            /// # Errors
            ///
            /// [`InvalidKey`] when they are none, or one digit 64 times.
            pub fn from_hex(text: &str) -> Result<Self, InvalidKey> {
                Root::from_hex(text).map(Self)
            }

            /// Names the key, and says nothing about it: 16 hexadecimal digits.
            #[must_use]
            pub fn fingerprint(&self) -> String {
                self.0.fingerprint()
            }

            pub(crate) fn seal(&self, subject: &str, plain: &[u8]) -> Option<Vec<u8>> {
                self.0.seal(subject, plain)
            }

            pub(crate) fn open(&self, subject: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
                self.0.open(subject, sealed)
            }
        }

        /// By their fingerprints.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.fingerprint() == other.fingerprint()
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("fingerprint", &self.fingerprint())
                    .finish_non_exhaustive()
            }
        }
    };
}

key! {
    /// Seals and authenticates keysets in the log. Nodes that issue or revoke
    /// have it.
    ClusterKey
}

key! {
    /// Seals deny entries, rules and beacons in the log. Every node has it.
    FeedKey
}

impl FeedKey {
    /// 32 digits that stand for `parts` and say nothing about them: subjects,
    /// and the ids by which the log drops duplicates.
    pub(crate) fn name(&self, parts: &[&[u8]]) -> String {
        self.0.name(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(n: u8) -> String {
        format!("{n:02x}").repeat(31) + "01"
    }

    #[test]
    fn a_sealed_message_opens_under_its_key_and_subject_only() {
        let key = FeedKey::from_hex(&digits(7)).unwrap();
        let sealed = key.seal("usher.deny.a", b"plain text").unwrap();
        assert_eq!(&*key.open("usher.deny.a", &sealed).unwrap(), b"plain text");
        assert!(!sealed.windows(5).any(|part| part == b"plain"));
        assert_ne!(sealed, key.seal("usher.deny.a", b"plain text").unwrap());
        assert!(key.open("usher.deny.b", &sealed).is_none());
        let other = FeedKey::from_hex(&digits(8)).unwrap();
        assert!(other.open("usher.deny.a", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(key.open("usher.deny.a", &damaged).is_none(), "byte {at}");
            assert!(
                key.open("usher.deny.a", &sealed[..at]).is_none(),
                "cut at {at}"
            );
        }
    }

    #[test]
    fn a_key_is_64_random_digits_and_never_shown() {
        for text in [
            "",
            "ab",
            &"0".repeat(64),
            &"g1".repeat(32),
            &digits(7).repeat(2),
        ] {
            assert!(ClusterKey::from_hex(text).is_err(), "{text}");
        }
        let key = ClusterKey::from_hex(&format!(" {}\n", digits(7))).unwrap();
        assert_eq!(key.fingerprint().len(), 16);
        let shown = format!("{key:?}");
        assert!(!shown.contains("0707") && shown.contains(&key.fingerprint()));
    }
}
