//! What can be wrong with the body of a grant.
//!
//! The texts of contract 2.4 are the real service's; the others are ours
//! (contract 9 and 10.8). testdata/http holds each of them.

use token_codec::EncodeError;
use token_core::limits::REQUEST_UUID_CHARS_MAX;
use token_core::{InvalidClaims, InvalidName};
use token_policy::PatternError;

/// One fault of a body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum BodyFault {
    /// The body is no JSON, or no object.
    Json(String),
    TtlMissing,
    TtlNotInteger,
    TtlRange {
        max: u32,
    },
    NoPermissions,
    /// A key that stands where only known ones may.
    UnknownKey(String),
    NotAnObject(String),
    Bits {
        path: String,
        fault: BitsFault,
    },
    Name {
        path: String,
        cause: InvalidName,
    },
    Pattern {
        path: String,
        error: PatternError,
    },
    /// A category with another value than get.
    Category(String),
    /// A value in `meta` that is no scalar, where the keyset wants scalars.
    MetaNested(String),
    Uuid(InvalidName),
    UuidNotText,
    /// The keyset wants every token bound.
    UuidRequired,
    /// What only shows once the token is put together.
    Encode(EncodeError),
}

/// What is wrong with the permissions of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BitsFault {
    NotPositive,
    TooLarge,
    NotInteger,
    NotIntegerOrNames,
    UnknownName(String),
}

impl BodyFault {
    /// The message of the whole answer.
    pub(crate) const fn message(&self) -> &'static str {
        match self {
            Self::Json(_) => "Invalid JSON",
            Self::TtlMissing | Self::TtlNotInteger | Self::TtlRange { .. } => "Invalid ttl",
            Self::NoPermissions
            | Self::UnknownKey(_)
            | Self::NotAnObject(_)
            | Self::Bits { .. }
            | Self::Name { .. }
            | Self::Category(_) => "Invalid permissions",
            Self::Pattern { .. } => "Invalid RegExp",
            Self::MetaNested(_) => "Invalid meta",
            Self::Uuid(_) | Self::UuidNotText | Self::UuidRequired => "Invalid uuid",
            Self::Encode(
                EncodeError::MetaTooLong { .. }
                | EncodeError::MetaNumber
                | EncodeError::Claims(InvalidClaims::MetaTooDeep),
            ) => "Invalid meta",
            Self::Encode(_) => "Invalid permissions",
        }
    }

    /// What is wrong, and what would be right.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Json(what) => sentence(what),
            Self::TtlMissing => "`ttl` is required.".to_owned(),
            Self::TtlNotInteger => "`ttl` must be an integer.".to_owned(),
            Self::TtlRange { max } => format!("Range should be 1 to {max} minute(s)."),
            Self::NoPermissions => "This grant contains no permissions.".to_owned(),
            Self::UnknownKey(path) => format!("Unknown key: `{path}`."),
            Self::NotAnObject(path) => format!("Unexpected value: `{path}` must be an object."),
            Self::Bits { path, fault } => {
                let must = match fault {
                    BitsFault::NotPositive => "must be positive and non-zero",
                    BitsFault::TooLarge => "must be at most 255",
                    BitsFault::NotInteger => "must be an integer",
                    BitsFault::NotIntegerOrNames => {
                        "must be an integer or a list of permission names"
                    }
                    BitsFault::UnknownName(name) => {
                        return format!(
                            "Unexpected value: `{path}` names the permission `{name}`; \
                             there are read, write, manage, delete, create, get, update and join."
                        );
                    }
                };
                format!("Unexpected value: `{path}` {must}.")
            }
            Self::Name { cause, .. } => sentence(&cause.to_string()),
            Self::Pattern { error, .. } => error.to_string(),
            Self::Category(path) => format!("Unexpected value: `{path}` must be 32 (get)."),
            Self::MetaNested(key) => {
                format!("Unexpected value: `permissions.meta.{key}` must be a scalar.")
            }
            Self::Uuid(cause) => uuid_sentence(cause),
            Self::UuidNotText => {
                "Unexpected value: `permissions.uuid` must be a string.".to_owned()
            }
            Self::UuidRequired => {
                "This keyset requires every token to be bound to a uuid.".to_owned()
            }
            Self::Encode(error) => sentence(&error.to_string()),
        }
    }

    /// The path of the field.
    pub(crate) fn location(&self) -> String {
        match self {
            Self::Json(_) => "<root>".to_owned(),
            Self::TtlMissing | Self::TtlNotInteger | Self::TtlRange { .. } => "ttl".to_owned(),
            Self::NoPermissions => "permissions".to_owned(),
            Self::UnknownKey(path)
            | Self::NotAnObject(path)
            | Self::Bits { path, .. }
            | Self::Name { path, .. }
            | Self::Pattern { path, .. }
            | Self::Category(path) => path.clone(),
            Self::MetaNested(key) => format!("permissions.meta.{key}"),
            Self::Uuid(_) | Self::UuidNotText | Self::UuidRequired => "permissions.uuid".to_owned(),
            Self::Encode(_) if self.message() == "Invalid meta" => "permissions.meta".to_owned(),
            Self::Encode(_) => "permissions".to_owned(),
        }
    }
}

/// What is wrong with a uuid; its bound is not that of other names.
pub(crate) fn uuid_sentence(cause: &InvalidName) -> String {
    if matches!(cause, InvalidName::TooLong { .. }) {
        return format!("A uuid may have at most {REQUEST_UUID_CHARS_MAX} characters.");
    }
    sentence(&cause.to_string())
}

/// One of our lower-case texts as a sentence of the dialect: a capital first,
/// a full stop last.
pub(crate) fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(rest).chain(['.']).collect()
}
