//! Why a text is no token, and why claims cannot become one.
//!
//! Whoever presents a bad token learns "Invalid token" and no more; these
//! errors are for the operator. None quotes the token.

use core::fmt;

use token_core::limits::{
    ANCESTORS_MAX, INSPECT_TEXT_BYTES_MAX, KEY_ID_BYTES_MAX, META_BYTES_MAX, META_NESTING_MAX,
    NAMES_PER_TOKEN_MAX, PATTERNS_PER_TOKEN_MAX, TOKEN_TEXT_BYTES_MAX,
};
use token_core::{InvalidClaims, InvalidName, InvalidPatternText};

/// Why a token did not verify.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyError {
    /// The text is not canonical base64url.
    Text(TextError),
    /// The bytes are not a canonical token.
    Malformed(Malformed),
    /// No key for its time of issue, or for the key that it names: made under
    /// another keyset, or under a key that was replaced.
    UnknownKey,
    /// The signature is not the one that the key makes.
    Signature,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(error) => error.fmt(f),
            Self::Malformed(error) => error.fmt(f),
            Self::UnknownKey => f.write_str("the keyset has no key for this token"),
            Self::Signature => f.write_str("the signature does not match the token"),
        }
    }
}

impl core::error::Error for VerifyError {}

impl From<TextError> for VerifyError {
    fn from(error: TextError) -> Self {
        Self::Text(error)
    }
}

impl From<Malformed> for VerifyError {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}

/// Why a text is not canonical base64url (docs/format.md 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextError {
    /// Nothing is there.
    Empty,
    /// More than [`TOKEN_TEXT_BYTES_MAX`] bytes.
    TooLong {
        /// How many there are.
        bytes: usize,
    },
    /// Something that is not of `A-Z a-z 0-9 - _`; also a `=` too many or too
    /// few.
    Character {
        /// Its byte offset.
        at: usize,
    },
    /// One character is left over, or the last one carries bits that belong
    /// to no byte.
    LastCharacter,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the token is empty"),
            Self::TooLong { bytes } => write!(
                f,
                "a token may have at most {TOKEN_TEXT_BYTES_MAX} characters, this one has {bytes}"
            ),
            Self::Character { at } => write!(
                f,
                "character {at} of the token is not base64url (letters, digits, `-`, `_`, then full padding or none)"
            ),
            Self::LastCharacter => {
                f.write_str("the token ends in an incomplete base64url character")
            }
        }
    }
}

impl core::error::Error for TextError {}

/// Where the bytes of a token stop being canonical, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    at: usize,
    defect: Defect,
}

impl Malformed {
    pub(crate) const fn new(at: usize, defect: Defect) -> Self {
        Self { at, defect }
    }

    /// The offset in the decoded bytes, from 0.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// What is wrong there.
    #[must_use]
    pub const fn defect(&self) -> &Defect {
        &self.defect
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.at, self.defect)
    }
}

impl core::error::Error for Malformed {}

/// What is wrong with the bytes of a token (docs/format.md 3 to 8).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Defect {
    /// The bytes end before the token does.
    Truncated,
    /// Bytes follow the token.
    TrailingBytes,
    /// A number or a length that is not written in its shortest form.
    NotShortest,
    /// An indefinite length, or the end of one.
    Indefinite,
    /// A head that CBOR reserves.
    Reserved,
    /// Another item than the one that stands here.
    Expected(&'static str),
    /// Another key than the one that stands here.
    KeyExpected(&'static str),
    /// A key that is not after the one before it: out of order, or twice.
    KeyOrder,
    /// More or fewer entries than the map can have.
    EntryCount,
    /// Text that is not UTF-8.
    NotUtf8,
    /// A version other than 2.
    Version,
    /// A ttl of 0, or of 2^32 or more.
    Ttl,
    /// An expiry that cannot be expressed.
    Expiry,
    /// Permissions that are not 1 to 255.
    Permissions,
    /// A name, or the bound uuid, that is no name.
    Name(InvalidName),
    /// A pattern that is none.
    Pattern(InvalidPatternText),
    /// More than [`NAMES_PER_TOKEN_MAX`] names.
    TooManyNames,
    /// More than [`PATTERNS_PER_TOKEN_MAX`] patterns.
    TooManyPatterns,
    /// A section or map that is left out when it is empty.
    EmptySection,
    /// A category whose value is not 32.
    Category,
    /// No name, no pattern and no category.
    NothingGranted,
    /// More than [`META_BYTES_MAX`] bytes of `meta`.
    MetaTooLong,
    /// `meta` nested deeper than [`META_NESTING_MAX`].
    MetaTooDeep,
    /// A value that a token cannot hold: a tag, bytes in `meta`, a float that
    /// is not finite or not of 64 bits, a number below -2^63.
    Value,
    /// Not 1 to [`ANCESTORS_MAX`] ids of 32 lower-case hexadecimal digits.
    Ancestors,
    /// A key id that is no name of 1 to [`KEY_ID_BYTES_MAX`] bytes.
    KeyId,
    /// A signature of neither 32 bytes nor, with a `kid`, 64.
    SignatureLength,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the token ends too early"),
            Self::TrailingBytes => f.write_str("bytes follow the token"),
            Self::NotShortest => f.write_str("a number or length is not in its shortest form"),
            Self::Indefinite => f.write_str("an indefinite length; only definite ones are allowed"),
            Self::Reserved => f.write_str("a head that CBOR reserves"),
            Self::Expected(what) => write!(f, "expected {what}"),
            Self::KeyExpected(key) => write!(f, "expected the key `{key}`"),
            Self::KeyOrder => f.write_str("a key is twice or out of order"),
            Self::EntryCount => f.write_str("a map has too many or too few entries"),
            Self::NotUtf8 => f.write_str("text is not utf-8"),
            Self::Version => f.write_str("the version is not 2"),
            Self::Ttl => f.write_str("the ttl is not 1 to 4294967295 minutes"),
            Self::Expiry => f.write_str("the expiry is too far in the future"),
            Self::Permissions => f.write_str("permissions are not 1 to 255"),
            Self::Name(error) => error.fmt(f),
            Self::Pattern(error) => error.fmt(f),
            Self::TooManyNames => write!(f, "more than {NAMES_PER_TOKEN_MAX} names"),
            Self::TooManyPatterns => write!(f, "more than {PATTERNS_PER_TOKEN_MAX} patterns"),
            Self::EmptySection => f.write_str("an empty section that must be left out"),
            Self::Category => f.write_str("the value of a category is not 32"),
            Self::NothingGranted => f.write_str("the token grants nothing"),
            Self::MetaTooLong => write!(f, "`meta` has more than {META_BYTES_MAX} bytes"),
            Self::MetaTooDeep => {
                write!(f, "`meta` is nested deeper than {META_NESTING_MAX} levels")
            }
            Self::Value => f.write_str("a value that a token cannot hold"),
            Self::Ancestors => write!(
                f,
                "`par` is not 1 to {ANCESTORS_MAX} ids of 32 lower-case digits"
            ),
            Self::KeyId => write!(f, "`kid` is no name of 1 to {KEY_ID_BYTES_MAX} bytes"),
            Self::SignatureLength => {
                f.write_str("`sig` has neither 32 bytes nor, with a `kid`, 64")
            }
        }
    }
}

/// Why claims did not become a token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The claims break a bound.
    Claims(InvalidClaims),
    /// The token would have more than [`TOKEN_TEXT_BYTES_MAX`] characters.
    TooLong,
    /// `meta` has more than [`META_BYTES_MAX`] bytes.
    MetaTooLong {
        /// How many it has.
        bytes: usize,
    },
    /// A number in `meta` that no token can carry: not finite, or a negative
    /// one that is not below 0.
    MetaNumber,
    /// The claims name another key than the one that is to sign.
    KeyId,
    /// The key has no private half.
    VerifiesOnly,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claims(error) => error.fmt(f),
            Self::TooLong => write!(
                f,
                "a token may have at most {TOKEN_TEXT_BYTES_MAX} characters; \
                 grant fewer names, or a pattern that stands for many"
            ),
            Self::MetaTooLong { bytes } => write!(
                f,
                "meta may have at most {META_BYTES_MAX} bytes, this one has {bytes}"
            ),
            Self::MetaNumber => f.write_str("meta holds a number that is not finite"),
            Self::KeyId => f.write_str("the claims name another key than the one that signs"),
            Self::VerifiesOnly => f.write_str("the key has no private half: it only verifies"),
        }
    }
}

impl core::error::Error for EncodeError {}

impl From<InvalidClaims> for EncodeError {
    fn from(error: InvalidClaims) -> Self {
        Self::Claims(error)
    }
}

/// Bytes that are no Ed25519 key, or a public key under which everybody can make
/// a signature (a point of small order).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct InvalidTokenKey;

impl fmt::Display for InvalidTokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key is no Ed25519 key that only its owner can sign with")
    }
}

impl core::error::Error for InvalidTokenKey {}

/// Why a text cannot be read as a token at all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InspectError {
    /// Nothing but white space.
    Empty,
    /// More than [`INSPECT_TEXT_BYTES_MAX`] bytes.
    TooLong {
        /// How many there are.
        bytes: usize,
    },
    /// Not base64 of any alphabet.
    Text,
    /// Not CBOR.
    Cbor {
        /// The offset in the decoded bytes where that shows.
        at: usize,
    },
    /// Nested too deep to be a token.
    TooDeep {
        /// The offset in the decoded bytes where that shows.
        at: usize,
    },
    /// CBOR, but not a map.
    NotAMap,
    /// A key that every token has.
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A value of a kind or size that the key cannot have.
    Value {
        /// The key, and below `res` and `pat` the section.
        key: &'static str,
    },
}

impl fmt::Display for InspectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the token is empty"),
            Self::TooLong { bytes } => write!(
                f,
                "at most {INSPECT_TEXT_BYTES_MAX} characters can be inspected, these are {bytes}"
            ),
            Self::Text => f.write_str("the text is not base64, so it is no access manager token"),
            Self::Cbor { at } => write!(
                f,
                "byte {at}: the content is not CBOR, so it is no access manager token"
            ),
            Self::TooDeep { at } => write!(f, "byte {at}: nested too deep for a token"),
            Self::NotAMap => f.write_str("the content is CBOR but no map, so it is no token"),
            Self::Missing { key } => write!(f, "the key `{key}` is missing"),
            Self::Value { key } => write!(f, "the value of `{key}` cannot be read"),
        }
    }
}

impl core::error::Error for InspectError {}
