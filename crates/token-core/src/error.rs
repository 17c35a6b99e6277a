//! What can be wrong with a value of the vocabulary.
//!
//! Each variant says its cause; its `Display` is one lower-case sentence that
//! a user can act on. None quotes a secret.

use core::fmt;

use crate::limits::{
    ANCESTORS_MAX, KEY_CHARS_MAX, KEY_ID_BYTES_MAX, META_NESTING_MAX, NAME_BYTES_MAX,
    NAMES_PER_TOKEN_MAX, PATTERN_BYTES_MAX, PATTERNS_PER_TOKEN_MAX, REQUEST_UUID_CHARS_MAX,
};
use crate::resource::ResourceKind;

/// Why a text is no resource name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidName {
    /// Nothing is there.
    Empty,
    /// More than [`NAME_BYTES_MAX`] bytes.
    TooLong {
        /// How many there are.
        bytes: usize,
    },
    /// A uuid of a request of more than [`REQUEST_UUID_CHARS_MAX`] characters.
    UuidTooLong {
        /// How many there are.
        characters: usize,
    },
    /// U+0000 to U+001F or U+007F.
    ControlCharacter {
        /// Its byte offset.
        at: usize,
    },
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a name must not be empty"),
            Self::TooLong { bytes } => {
                write!(
                    f,
                    "a name may have at most {NAME_BYTES_MAX} bytes, this one has {bytes}"
                )
            }
            Self::UuidTooLong { characters } => write!(
                f,
                "a uuid may have at most {REQUEST_UUID_CHARS_MAX} characters, this one has \
                 {characters}"
            ),
            Self::ControlCharacter { at } => {
                write!(
                    f,
                    "a name must not hold a control character; there is one at byte {at}"
                )
            }
        }
    }
}

impl core::error::Error for InvalidName {}

/// Why a text is no pattern, before its syntax is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidPatternText {
    /// More than [`PATTERN_BYTES_MAX`] bytes.
    TooLong {
        /// How many there are.
        bytes: usize,
    },
}

impl fmt::Display for InvalidPatternText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes } => write!(
                f,
                "a pattern may have at most {PATTERN_BYTES_MAX} bytes, this one has {bytes}"
            ),
        }
    }
}

impl core::error::Error for InvalidPatternText {}

/// Why a text is no subscribe or publish key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidKey {
    /// Empty, or more than [`KEY_CHARS_MAX`] characters.
    Length {
        /// How many there are.
        characters: usize,
    },
    /// A character outside `[A-Za-z0-9_-]`.
    Character {
        /// Its byte offset.
        at: usize,
    },
}

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { characters } => write!(
                f,
                "a key has 1 to {KEY_CHARS_MAX} characters, this one has {characters}"
            ),
            Self::Character { at } => write!(
                f,
                "a key is made of letters, digits, `_` and `-`; there is something else at byte {at}"
            ),
        }
    }
}

impl core::error::Error for InvalidKey {}

/// Why claims cannot become a token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidClaims {
    /// Nothing is granted: no name, no pattern, no category.
    NoPermissions,
    /// An entry grants the empty set.
    EmptyPermissions {
        /// The kind of the entry.
        kind: ResourceKind,
    },
    /// More than [`NAMES_PER_TOKEN_MAX`] names.
    TooManyNames {
        /// How many there are.
        names: usize,
    },
    /// More than [`PATTERNS_PER_TOKEN_MAX`] patterns.
    TooManyPatterns {
        /// How many there are.
        patterns: usize,
    },
    /// A life of zero minutes.
    ZeroTtl,
    /// The expiry cannot be expressed.
    ExpiryOverflow,
    /// `meta` is nested deeper than [`META_NESTING_MAX`].
    MetaTooDeep,
    /// More than [`ANCESTORS_MAX`] ancestors.
    TooManyAncestors {
        /// How many there are.
        ancestors: usize,
    },
    /// The key id is no name.
    KeyId(InvalidName),
    /// A key id that is longer than [`KEY_ID_BYTES_MAX`] bytes.
    KeyIdLength {
        /// Its length.
        bytes: usize,
    },
    /// The bound uuid is no name.
    Uuid(InvalidName),
}

impl fmt::Display for InvalidClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPermissions => f.write_str("the grant contains no permissions"),
            Self::EmptyPermissions { kind } => {
                write!(
                    f,
                    "a {kind} entry grants nothing; give it a permission or leave it out"
                )
            }
            Self::TooManyNames { names } => write!(
                f,
                "a token may hold at most {NAMES_PER_TOKEN_MAX} names, this one has {names}; \
                 one pattern can stand for many names"
            ),
            Self::TooManyPatterns { patterns } => write!(
                f,
                "a token may hold at most {PATTERNS_PER_TOKEN_MAX} patterns, this one has {patterns}"
            ),
            Self::ZeroTtl => f.write_str("a ttl is at least 1 minute"),
            Self::ExpiryOverflow => f.write_str("the expiry is too far in the future"),
            Self::MetaTooDeep => {
                write!(
                    f,
                    "meta may be nested at most {META_NESTING_MAX} levels deep"
                )
            }
            Self::TooManyAncestors { ancestors } => write!(
                f,
                "a token may have at most {ANCESTORS_MAX} ancestors, this one has {ancestors}"
            ),
            Self::KeyId(name) => write!(f, "the key id is no name: {name}"),
            Self::KeyIdLength { bytes } => {
                write!(
                    f,
                    "a key id has 1 to {KEY_ID_BYTES_MAX} bytes, this one has {bytes}"
                )
            }
            Self::Uuid(name) => write!(f, "the bound uuid is no name: {name}"),
        }
    }
}

impl core::error::Error for InvalidClaims {}

/// A text that is no token id: not 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidTokenId;

impl fmt::Display for InvalidTokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token id is 32 hexadecimal digits")
    }
}

impl core::error::Error for InvalidTokenId {}
