//! The text of a token: base64url (RFC 4648 section 5, docs/format.md 2).
//!
//! Decoding canonical text is a good part of the cost of a verification, so it
//! is left to the vector instructions of the machine, by way of the base64
//! crate. A token is no secret to its bearer, so the time that a digit takes is
//! of no concern.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use std::sync::LazyLock;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use base64::engine::Simd;
use base64::engine::general_purpose::URL_SAFE as PADDED;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::error::TextError;

/// Digits only, and no bit in the last of them that stands for nothing.
const STRICT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(false)
    .with_decode_padding_mode(DecodePaddingMode::RequireNone);

/// The fastest that this machine has.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static DIGITS: LazyLock<Simd> = LazyLock::new(|| Simd::url_safe(STRICT));
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
static DIGITS: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, STRICT);

/// Any stray bits in the last character are ignored.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, STRICT.with_decode_allow_trailing_bits(true));

/// The one canonical text of `bytes`: with full padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    PADDED.encode(bytes)
}

/// Decodes text of either alphabet, with any padding or none.
pub(crate) fn decode_lenient(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .trim_end_matches('=')
        .bytes()
        .map(|digit| match digit {
            b'+' => b'-',
            b'/' => b'_',
            other => other,
        })
        .collect();
    LENIENT.decode(digits).ok()
}

/// `text` without its padding, when that is what completes it to groups of
/// four. Any other `=` stays, and is no character of the alphabet.
pub(crate) fn without_padding(text: &str) -> &str {
    if !text.len().is_multiple_of(4) {
        return text;
    }
    text.strip_suffix("==")
        .or_else(|| text.strip_suffix('='))
        .unwrap_or(text)
}

/// How many bytes [`decode`] needs room for.
pub(crate) const fn decoded_bytes_max(characters: usize) -> usize {
    characters.div_ceil(4).saturating_mul(3)
}

/// Decodes canonical text: full padding or none, no other alphabet, no white
/// space, no stray bits. The bytes are the beginning of `room`, which has at
/// least [`decoded_bytes_max`].
pub(crate) fn decode<'b>(text: &str, room: &'b mut [u8]) -> Result<&'b [u8], TextError> {
    let digits = without_padding(text).as_bytes();
    match DIGITS.decode_slice(digits, room) {
        Ok(size) => Ok(room.get(..size).unwrap_or_default()),
        Err(_) => Err(defect(digits)),
    }
}

/// Why `digits` are not canonical.
#[cold]
fn defect(digits: &[u8]) -> TextError {
    match digits.iter().position(|digit| !is_digit(*digit)) {
        Some(at) => TextError::Character { at },
        None => TextError::LastCharacter,
    }
}

const fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of every length up to 260 characters: vectors, what is left after
    /// them, and the last group of each size.
    fn texts() -> impl Iterator<Item = String> {
        (1..195_u8).map(|size| {
            let bytes: Vec<u8> = (0..size).map(|n| n.wrapping_mul(151) ^ size).collect();
            encode(&bytes)
        })
    }

    fn decoded(text: &str) -> Result<Vec<u8>, TextError> {
        let mut room = vec![0; decoded_bytes_max(text.len())];
        decode(text, &mut room).map(<[u8]>::to_vec)
    }

    #[test]
    fn text_of_any_length_decodes_padded_or_not() {
        for text in texts() {
            let bytes = PADDED.decode(&text).unwrap();
            assert_eq!(decoded(&text).unwrap(), bytes, "{text}");
            assert_eq!(decoded(without_padding(&text)).unwrap(), bytes, "{text}");
        }
    }

    /// attack T04: whatever stands there, and wherever, it is either a digit or
    /// the defect.
    #[test]
    fn every_other_byte_is_a_defect_at_every_place() {
        let text = texts().last().unwrap();
        let digits = without_padding(&text);
        for at in 0..digits.len() {
            for byte in (0..128_u8).filter(|byte| !is_digit(*byte)) {
                let mut wrong = digits.as_bytes().to_vec();
                wrong[at] = byte;
                let wrong = String::from_utf8(wrong).unwrap();
                let found = decoded(&wrong);
                assert!(
                    matches!(found, Err(TextError::Character { at: place }) if place == at),
                    "{byte} at {at}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn every_digit_at_every_place_changes_the_bytes() {
        let text = texts().nth(191).unwrap();
        assert!(!text.ends_with('='));
        for at in 0..text.len() {
            let mut seen = std::collections::BTreeSet::new();
            for digit in (0..128_u8).filter(|byte| is_digit(*byte)) {
                let mut other = text.as_bytes().to_vec();
                other[at] = digit;
                let other = String::from_utf8(other).unwrap();
                let bytes = decoded(&other).unwrap();
                assert_eq!(encode(&bytes), other);
                seen.insert(bytes);
            }
            assert_eq!(seen.len(), 64);
        }
    }
}
