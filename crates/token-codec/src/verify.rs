//! A text to a verified token (docs/format.md 9): the strict walk over the
//! bytes, then the signature.
//!
//! The walk comes first because the time of issue chooses the key. It is one
//! pass without allocation over at most 12 KiB, cheaper than the MAC over the
//! same bytes, and nothing that it finds is used before the MAC matched.

use core::fmt;

use token_core::limits::TOKEN_TEXT_BYTES_MAX;

use crate::base64url;
use crate::error::{TextError, VerifyError};
use crate::key::KeyRing;
use crate::outline::Outline;
use crate::verified::VerifiedToken;

/// Bytes of a token up to which [`verify`] does not allocate.
const INLINE_BYTES: usize = 4 * 1024;

/// The memory that [`verify`] decodes into, to be kept and used again. It is
/// 4 KiB from the start and grows once for a larger token.
pub struct TokenBuffer {
    bytes: Vec<u8>,
    outline: Outline,
}

impl TokenBuffer {
    /// A buffer for tokens of up to 4 KiB.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bytes: vec![0; INLINE_BYTES],
            outline: Outline::default(),
        }
    }

    /// Decodes and walks `text`. What it leaves here is not yet to be trusted.
    fn read(&mut self, text: &str) -> Result<(), VerifyError> {
        check_length(text)?;
        let room = base64url::decoded_bytes_max(text.len());
        if self.bytes.len() < room {
            self.bytes.resize(room, 0);
        }
        let bytes = base64url::decode(text, &mut self.bytes)?;
        self.outline.walk(bytes)?;
        Ok(())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) const fn outline(&self) -> &Outline {
        &self.outline
    }

    /// A copy that is no larger than its token.
    pub(crate) fn to_exact(&self) -> Self {
        let size = self.outline.size();
        Self {
            bytes: self.bytes.iter().copied().take(size).collect(),
            outline: self.outline.clone(),
        }
    }
}

impl Default for TokenBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TokenBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBuffer").finish_non_exhaustive()
    }
}

/// Verifies that `text` is a token that the keyset of `keys` signed: that it
/// is canonical, within every bound of [`token_core::limits`], and that the
/// key of its time of issue made its signature.
///
/// Whether it is expired, issued in the future or revoked is not looked at:
/// the decision does that.
///
/// # Errors
///
/// [`VerifyError`], which to whoever presented the token always means
/// "Invalid token".
pub fn verify<'b>(
    text: &str,
    keys: &'b KeyRing,
    buffer: &'b mut TokenBuffer,
) -> Result<VerifiedToken<'b>, VerifyError> {
    buffer.read(text)?;
    let TokenBuffer { bytes, outline } = &*buffer;
    let key = keys
        .key_for(outline.issued_at, outline.key_id(bytes))
        .ok_or(VerifyError::UnknownKey)?;
    if !key.verifies(outline.signed.of(bytes), outline.signature.of(bytes)) {
        return Err(VerifyError::Signature);
    }
    Ok(VerifiedToken::new(buffer, keys.scope(), key))
}

/// The first way in which `text` is not a canonical token, the signature
/// apart.
pub(crate) fn defect(text: &str) -> Option<VerifyError> {
    TokenBuffer::new().read(text).err()
}

const fn check_length(text: &str) -> Result<(), TextError> {
    match text.len() {
        0 => Err(TextError::Empty),
        1..=TOKEN_TEXT_BYTES_MAX => Ok(()),
        bytes => Err(TextError::TooLong { bytes }),
    }
}
