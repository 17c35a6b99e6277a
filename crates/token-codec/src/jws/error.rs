//! Why a text is no JWS of ours, and why a key is none.

use core::fmt;

/// Why a JWS did not verify. To whoever presented it, each means "invalid
/// token"; the difference is for the operator. None quotes the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwsError {
    /// More characters than a token of its kind may have.
    TooLong {
        /// How many there are.
        bytes: usize,
    },
    /// Not three non-empty segments between dots (RFC 7515 section 7.1).
    Segments,
    /// A segment that is not base64url without padding (RFC 7515 section 2).
    Base64 {
        /// Which: `header`, `claims` or `signature`.
        segment: &'static str,
    },
    /// The protected header is not an object of `alg`, `typ`, `kid` and, for
    /// CRT, `ch`, each a text and each once.
    Header,
    /// No key has this `kid`, or not at the time of issue.
    UnknownKey,
    /// `alg` is not the algorithm of the key.
    Algorithm,
    /// `typ` is not the type of tokens that the key signs.
    Type,
    /// The signature is not the one that the key makes.
    Signature,
    /// The claims are not an object of exactly the members that tokens of this
    /// kind have, each of its type and each once.
    Claims,
    /// A claim whose value cannot stand, alone or beside another.
    Claim {
        /// Its name.
        name: &'static str,
    },
}

impl fmt::Display for JwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes } => {
                write!(
                    f,
                    "the token has {bytes} characters, more than its kind may have"
                )
            }
            Self::Segments => f.write_str("a token has three parts between two dots"),
            Self::Base64 { segment } => {
                write!(
                    f,
                    "the {segment} of the token is not base64url without padding"
                )
            }
            Self::Header => f.write_str(
                "the header must hold `alg`, `typ` and `kid`, each once and each a text",
            ),
            Self::UnknownKey => f.write_str("there is no key for this token"),
            Self::Algorithm => f.write_str("the algorithm of the token is not that of its key"),
            Self::Type => f.write_str("the type of the token is not what its key signs"),
            Self::Signature => f.write_str("the signature does not match the token"),
            Self::Claims => {
                f.write_str("the claims are not exactly those that tokens of this kind have")
            }
            Self::Claim { name } => write!(f, "the claim `{name}` has a value that cannot stand"),
        }
    }
}

impl core::error::Error for JwsError {}

/// Why a key cannot sign or verify, or claims cannot be signed with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwsKeyError {
    /// A secret for HS512 of fewer than 64 bytes (RFC 7518 section 3.2).
    WeakSecret {
        /// How many it has.
        bytes: usize,
    },
    /// Not an Ed25519 key (RFC 8032).
    NotEd25519,
    /// A key id of not 1 to 64 characters of `A-Z a-z 0-9 - _`.
    KeyId,
    /// Two keys with one id.
    DuplicateKeyId,
    /// The key has no private part, so it verifies only.
    VerifiesOnly,
    /// The key signs tokens of another kind.
    Kind,
    /// The claims break a bound, so the token would not verify.
    Claim {
        /// The claim.
        name: &'static str,
    },
}

impl fmt::Display for JwsKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WeakSecret { bytes } => {
                write!(
                    f,
                    "a secret for HS512 needs at least 64 bytes, this one has {bytes}"
                )
            }
            Self::NotEd25519 => f.write_str("the key is no Ed25519 key"),
            Self::KeyId => {
                f.write_str("a key id has 1 to 64 characters of letters, digits, `-` and `_`")
            }
            Self::DuplicateKeyId => f.write_str("two keys have the same key id"),
            Self::VerifiesOnly => f.write_str("the key has no private part: it only verifies"),
            Self::Kind => f.write_str("the key signs tokens of another kind"),
            Self::Claim { name } => write!(f, "the claim `{name}` breaks a bound"),
        }
    }
}

impl core::error::Error for JwsKeyError {}
