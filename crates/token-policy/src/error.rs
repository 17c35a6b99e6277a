//! What can be wrong with a request.

use core::fmt;

use token_core::limits::{NAMES_PER_REQUEST_MAX, WILDCARDS_PER_REQUEST_MAX};
use token_core::{InvalidKey, InvalidName, ResourceKind};

use crate::json::InvalidJson;
use crate::response::Reason;
use crate::rules::HeaderFault;

/// Why names cannot be the targets of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidTargets {
    /// One of them is no name.
    Name {
        /// Its kind.
        kind: ResourceKind,
        /// What is wrong with it.
        cause: InvalidName,
    },
    /// More than [`NAMES_PER_REQUEST_MAX`].
    TooManyNames {
        /// How many there are.
        names: usize,
    },
    /// More than [`WILDCARDS_PER_REQUEST_MAX`] of them are wildcards.
    TooManyWildcards {
        /// How many are.
        wildcards: usize,
    },
}

impl fmt::Display for InvalidTargets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { kind, cause } => write!(f, "a {kind} has no legal name: {cause}"),
            Self::TooManyNames { names } => write!(
                f,
                "a request may name at most {NAMES_PER_REQUEST_MAX} resources, this one names {names}"
            ),
            Self::TooManyWildcards { wildcards } => write!(
                f,
                "a request may name at most {WILDCARDS_PER_REQUEST_MAX} wildcards, this one names {wildcards}"
            ),
        }
    }
}

impl core::error::Error for InvalidTargets {}

/// What is wrong with a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParameterFault {
    /// It is there more than once.
    Repeated,
    /// It is written so that another reader could take it for the parameter:
    /// `room[]` for `room`.
    Lookalike,
    /// It is not there, and the rule needs it.
    Missing,
}

impl fmt::Display for ParameterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Repeated => "is there more than once",
            Self::Lookalike => "is there under a name that only some readers take for it",
            Self::Missing => "is not there, and the rule needs it",
        })
    }
}

/// Why a method and a target are not taken for an operation.
///
/// Nothing here is ever forwarded. Whatever two readers could read in two ways
/// is refused, not guessed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClassifyError {
    /// No row of the table has this method and path.
    UnknownOperation,
    /// The path is of Access Manager v2, which has no tokens.
    LegacyAccessManager,
    /// The target does not begin with `/`.
    NotOriginForm,
    /// A byte that a target may not hold: a control character, a space, a
    /// fragment, a backslash or anything that is not ASCII.
    Character {
        /// Its offset in the target.
        at: usize,
    },
    /// A `%` without two hexadecimal digits.
    Escape {
        /// Its offset in the target.
        at: usize,
    },
    /// A value that is not UTF-8 once it is decoded.
    NotUtf8 {
        /// Which.
        of: &'static str,
    },
    /// A path segment that another reader could take for something else: `.`,
    /// `..`, or one with an encoded slash or backslash.
    Segment {
        /// Which, counting from 1.
        number: usize,
    },
    /// A raw `+`: a blank to some readers, a plus to others.
    Plus {
        /// Where.
        of: &'static str,
    },
    /// A raw `;`: a separator to some readers.
    Semicolon {
        /// Its offset in the target.
        at: usize,
    },
    /// A list where one name belongs.
    List {
        /// Where.
        of: &'static str,
    },
    /// A parameter that is there twice.
    RepeatedParameter {
        /// Its name.
        name: &'static str,
    },
    /// A list of names that the operation does not take.
    UnexpectedParameter {
        /// The name of the parameter.
        name: &'static str,
    },
    /// A parameter that the rules know is not there as they say.
    Parameter {
        /// Its name.
        name: Box<str>,
        /// What is wrong.
        fault: ParameterFault,
    },
    /// A header that the rules know is not there as they say.
    Header {
        /// Its name.
        name: Box<str>,
        /// What is wrong.
        fault: HeaderFault,
    },
    /// Two tokens in one request.
    TwoTokens,
    /// A path that is of another rule, or of none, once it is decoded.
    EscapedRoute,
    /// A capture that holds the text that ends it in a name.
    RunsTogether {
        /// Its name.
        name: Box<str>,
    },
    /// Two parameters that exclude each other.
    ConflictingParameters {
        /// The name of one.
        one: &'static str,
        /// The name of the other.
        other: &'static str,
    },
    /// A subscribe or publish key that is none.
    Key(InvalidKey),
    /// A name that is none.
    Name {
        /// Where.
        of: &'static str,
        /// What is wrong with it.
        cause: InvalidName,
    },
    /// Too many names, or too many wildcards.
    Targets(InvalidTargets),
    /// What the operation touches is in the body, which is not at hand.
    BodyRequired,
    /// The body is no JSON.
    Json(InvalidJson),
    /// The body is JSON of another shape.
    Body {
        /// What is wrong.
        expected: &'static str,
    },
}

impl ClassifyError {
    /// The reason to give when this error is a denial.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::UnknownOperation | Self::LegacyAccessManager => Reason::UnknownOperation,
            Self::BodyRequired => Reason::BodyRequired,
            Self::NotOriginForm
            | Self::Character { .. }
            | Self::Escape { .. }
            | Self::NotUtf8 { .. }
            | Self::Segment { .. }
            | Self::Plus { .. }
            | Self::Semicolon { .. }
            | Self::List { .. }
            | Self::RepeatedParameter { .. }
            | Self::UnexpectedParameter { .. }
            | Self::Parameter {
                fault: ParameterFault::Repeated | ParameterFault::Lookalike,
                ..
            }
            | Self::Header {
                fault: HeaderFault::Repeated,
                ..
            }
            | Self::TwoTokens
            | Self::EscapedRoute
            | Self::RunsTogether { .. }
            | Self::ConflictingParameters { .. } => Reason::AmbiguousRequest,
            Self::Key(_)
            | Self::Parameter { .. }
            | Self::Header { .. }
            | Self::Name { .. }
            | Self::Targets(_)
            | Self::Json(_)
            | Self::Body { .. } => Reason::InvalidRequest,
        }
    }
}

impl fmt::Display for ClassifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOperation => {
                f.write_str("no operation has this method and path; nothing unknown is let through")
            }
            Self::LegacyAccessManager => {
                f.write_str("access manager v2 is not served; grant a token with POST /v3/pam/{subscribe key}/grant")
            }
            Self::NotOriginForm => f.write_str("the request target must begin with `/`"),
            Self::Character { at } => write!(
                f,
                "the request target holds a character that must be percent-encoded, at byte {at}"
            ),
            Self::Escape { at } => write!(
                f,
                "a `%` without two hexadecimal digits in the request target, at byte {at}"
            ),
            Self::NotUtf8 { of } => write!(f, "{of} is not UTF-8 once it is decoded"),
            Self::Segment { number } => write!(
                f,
                "segment {number} of the path is `.`, `..` or holds an encoded slash or backslash"
            ),
            Self::Plus { of } => {
                write!(f, "a raw `+` in {of}; write %2B for a plus, %20 for a blank")
            }
            Self::Semicolon { at } => write!(
                f,
                "a raw `;` at byte {at} of the request target; write %3B, or `&` between parameters"
            ),
            Self::List { of } => write!(
                f,
                "{of} takes one name; write %2C for a comma that belongs to it"
            ),
            Self::RepeatedParameter { name } => {
                write!(f, "the parameter `{name}` is there more than once")
            }
            Self::UnexpectedParameter { name } => {
                write!(f, "this operation takes no parameter `{name}`")
            }
            Self::Parameter { name, fault } => write!(f, "the parameter `{name}` {fault}"),
            Self::Header { name, fault } => write!(f, "the header `{name}` {fault}"),
            Self::TwoTokens => f.write_str("the request carries two tokens; send one"),
            Self::EscapedRoute => f.write_str(
                "the path is of another rule once it is decoded; escape only what must be",
            ),
            Self::RunsTogether { name } => write!(
                f,
                "the value of `{name}` holds what ends it in a name, so that two requests would be one"
            ),
            Self::ConflictingParameters { one, other } => {
                write!(f, "the parameters `{one}` and `{other}` exclude each other")
            }
            Self::Key(cause) => write!(f, "the path holds no legal key: {cause}"),
            Self::Name { of, cause } => write!(f, "{of}: {cause}"),
            Self::Targets(cause) => cause.fmt(f),
            Self::BodyRequired => {
                f.write_str("what this operation touches is in its body, which is not at hand")
            }
            Self::Json(cause) => write!(f, "the body {cause}"),
            Self::Body { expected } => write!(f, "the body is of another shape: {expected}"),
        }
    }
}

impl core::error::Error for ClassifyError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Key(cause) => Some(cause),
            Self::Name { cause, .. } => Some(cause),
            Self::Targets(cause) => Some(cause),
            Self::Json(cause) => Some(cause),
            Self::UnknownOperation
            | Self::LegacyAccessManager
            | Self::NotOriginForm
            | Self::Character { .. }
            | Self::Escape { .. }
            | Self::NotUtf8 { .. }
            | Self::Segment { .. }
            | Self::Plus { .. }
            | Self::Semicolon { .. }
            | Self::List { .. }
            | Self::RepeatedParameter { .. }
            | Self::UnexpectedParameter { .. }
            | Self::Parameter { .. }
            | Self::Header { .. }
            | Self::TwoTokens
            | Self::EscapedRoute
            | Self::RunsTogether { .. }
            | Self::ConflictingParameters { .. }
            | Self::BodyRequired
            | Self::Body { .. } => None,
        }
    }
}
