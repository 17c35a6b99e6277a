//! The query of a request, as it stands on the request line.

use std::borrow::Cow;
use std::fmt;

/// The parameters of a query, in the order of the request line.
///
/// A name or value is percent-decoded once; `+` is a plus sign. No name
/// occurs twice.
#[derive(Debug)]
pub struct Query<'a> {
    parameters: Vec<Parameter<'a>>,
}

/// One parameter, raw and decoded.
#[derive(Debug)]
pub(crate) struct Parameter<'a> {
    /// `name=value` as sent, or `name` alone.
    pub(crate) raw: &'a str,
    /// The name as sent.
    pub(crate) raw_name: &'a str,
    /// The name, decoded.
    pub(crate) name: Cow<'a, [u8]>,
    /// The value, decoded; empty when there was no `=`.
    pub(crate) value: Cow<'a, [u8]>,
}

/// Why a query cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryError {
    /// A `%` that no two hexadecimal digits follow.
    Percent,
    /// A name that occurs more than once.
    Duplicate {
        /// The name; what is not UTF-8 in it is replaced.
        name: String,
    },
    /// More than 256 parameters.
    TooMany,
}

/// Most parameters in one query. No SDK sends more than a few dozen.
pub(crate) const PARAMETERS_MAX: usize = 256;

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent => f.write_str("a `%` must be followed by two hexadecimal digits"),
            Self::Duplicate { name } => write!(f, "`{name}` occurs more than once"),
            Self::TooMany => write!(f, "a query may have at most {PARAMETERS_MAX} parameters"),
        }
    }
}

impl core::error::Error for QueryError {}

impl<'a> Query<'a> {
    /// Reads the part of a request target after `?`.
    ///
    /// # Errors
    ///
    /// [`QueryError`] when an escape is malformed, there are too many
    /// parameters, or a name occurs twice: which of two values counts must
    /// never be a guess.
    pub fn parse(raw: &'a str) -> Result<Self, QueryError> {
        Self::parse_repeating(raw, None)
    }

    /// [`Query::parse`], but the parameter `repeatable` may be there more than
    /// once. No decision may depend on it.
    pub(crate) fn parse_repeating(
        raw: &'a str,
        repeatable: Option<&str>,
    ) -> Result<Self, QueryError> {
        let mut parameters: Vec<Parameter<'a>> = Vec::new();
        for piece in raw.split('&').filter(|piece| !piece.is_empty()) {
            if parameters.len() == PARAMETERS_MAX {
                return Err(QueryError::TooMany);
            }
            let (raw_name, raw_value) = piece.split_once('=').unwrap_or((piece, ""));
            let name = percent_decode(raw_name).ok_or(QueryError::Percent)?;
            let value = percent_decode(raw_value).ok_or(QueryError::Percent)?;
            let once = repeatable.is_none_or(|repeatable| *name != *repeatable.as_bytes());
            if once && parameters.iter().any(|known| known.name == name) {
                let name = String::from_utf8_lossy(&name).into_owned();
                return Err(QueryError::Duplicate { name });
            }
            parameters.push(Parameter {
                raw: piece,
                raw_name,
                name,
                value,
            });
        }
        Ok(Self { parameters })
    }

    /// The decoded value of `name`, if it is there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.parameters
            .iter()
            .find(|parameter| *parameter.name == *name.as_bytes())
            .map(|parameter| &*parameter.value)
    }

    /// Everything that a signature covers: all parameters but `signature`.
    pub(crate) fn signed(&self) -> Vec<&Parameter<'a>> {
        self.parameters
            .iter()
            .filter(|parameter| *parameter.name != *b"signature")
            .collect()
    }
}

/// The bytes that `raw` stands for, or `None` when an escape is malformed.
pub(crate) fn percent_decode(raw: &str) -> Option<Cow<'_, [u8]>> {
    if !raw.contains('%') {
        return Some(Cow::Borrowed(raw.as_bytes()));
    }
    let mut rest = raw.bytes();
    let mut decoded = Vec::with_capacity(raw.len());
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = hex_digit(rest.next()?)?;
            let low = hex_digit(rest.next()?)?;
            decoded.push(high.wrapping_shl(4) | low);
        } else {
            decoded.push(byte);
        }
    }
    Some(Cow::Owned(decoded))
}

/// [`percent_decode`] for what must be text.
pub(crate) fn percent_decode_text(raw: &str) -> Option<Cow<'_, str>> {
    match percent_decode(raw)? {
        Cow::Borrowed(_) => Some(Cow::Borrowed(raw)),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}
