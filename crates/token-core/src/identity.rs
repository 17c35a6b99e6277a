//! The identity of a token: what the deny list, the audit and the logs call it.

use core::fmt;
use core::str::FromStr;

use crate::error::InvalidTokenId;

/// Which dialect a token speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new kind of token must be met by every rule"
)]
pub enum TokenKind {
    /// Access Manager v3: signed CBOR.
    AccessManager,
    /// PubSub and Chat: JWS with `typ` `CRT`.
    Crt,
    /// Customer access token: JWS with `typ` `at+jwt`.
    Oem,
}

impl TokenKind {
    /// The name in logs and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccessManager => "access-manager",
            Self::Crt => "crt",
            Self::Oem => "oem",
        }
    }
}

/// The 16 bytes that name a token within its kind and scope: the first 16 of
/// the signature for Access Manager, the `jti` for JWS. Not secret. Written as
/// 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "16 bytes and nothing else")]
pub struct TokenId(pub [u8; 16]);

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({self})")
    }
}

impl FromStr for TokenId {
    type Err = InvalidTokenId;

    fn from_str(text: &str) -> Result<Self, InvalidTokenId> {
        let digits = text.as_bytes();
        if digits.len() != 32 {
            return Err(InvalidTokenId);
        }
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair.iter().try_fold(0_u8, |value, digit| {
                let digit = char::from(*digit).to_digit(16).ok_or(InvalidTokenId)?;
                let digit = u8::try_from(digit).map_err(|_| InvalidTokenId)?;
                Ok(value.wrapping_shl(4) | digit)
            })?;
        }
        Ok(Self(id))
    }
}
