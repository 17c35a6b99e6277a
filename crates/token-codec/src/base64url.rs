//! The text of a token: base64url (RFC 4648 section 5, docs/format.md 2).

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::{NO_PAD, URL_SAFE as PADDED};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeError, DecodeSliceError};

use crate::error::TextError;

/// No padding, no bits that belong to no byte.
const STRICT: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, NO_PAD);

/// No padding, stray bits in the last character ignored.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// The one canonical text of `bytes`: with full padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    PADDED.encode(bytes)
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

/// An upper bound of the bytes that `characters` characters stand for.
pub(crate) const fn decoded_bytes_max(characters: usize) -> usize {
    characters.div_ceil(4).saturating_mul(3)
}

/// Decodes canonical text: full padding or none, no other alphabet, no white
/// space, no stray bits. The bytes are the beginning of `bytes`, which must
/// have room for [`decoded_bytes_max`].
#[inline]
pub(crate) fn decode<'b>(text: &str, bytes: &'b mut [u8]) -> Result<&'b [u8], TextError> {
    let digits = without_padding(text);
    let count = STRICT
        .decode_slice(digits, bytes)
        .map_err(|error| text_error(digits, &error))?;
    Ok(bytes.get(..count).unwrap_or_default())
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

#[cold]
fn text_error(digits: &str, error: &DecodeSliceError) -> TextError {
    match error {
        DecodeSliceError::DecodeError(DecodeError::InvalidByte(at, _)) => {
            TextError::Character { at: *at }
        }
        DecodeSliceError::DecodeError(DecodeError::InvalidPadding) => TextError::Character {
            at: digits.find('=').unwrap_or(digits.len()),
        },
        DecodeSliceError::DecodeError(
            DecodeError::InvalidLength(_) | DecodeError::InvalidLastSymbol { .. },
        )
        | DecodeSliceError::OutputSliceTooSmall => TextError::LastCharacter,
    }
}
