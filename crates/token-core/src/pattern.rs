//! The source text of a pattern.

use alloc::string::String;
use core::borrow::Borrow;
use core::fmt;

use crate::error::InvalidPatternText;
use crate::limits::PATTERN_BYTES_MAX;

/// The text of a pattern in RE2 syntax, at most 512 bytes. Its length is
/// checked here, its syntax and meaning are token-policy's.
///
/// The empty pattern is legal and matches every name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatternText(String);

impl PatternText {
    /// A pattern from text.
    ///
    /// # Errors
    ///
    /// [`InvalidPatternText`] when the text is too long.
    pub fn new(pattern: impl Into<String>) -> Result<Self, InvalidPatternText> {
        let pattern = pattern.into();
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(InvalidPatternText::TooLong {
                bytes: pattern.len(),
            });
        }
        Ok(Self(pattern))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for PatternText {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for PatternText {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PatternText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
