//! Every way in which the Access Manager dialect says no, with its status and
//! texts (contract 2.4, 3, 9, 10.8).

use http::StatusCode;
use token_core::limits::REQUEST_SKEW_SECONDS_MAX;
use token_core::{InvalidName, UnixSeconds};

use crate::attempts::TooManyAttempts;
use crate::grant_body::{BodyFault, sentence, uuid_sentence};
use crate::query::QueryError;

/// Why a request to `/v3/pam` fails.
#[derive(Debug)]
pub(super) enum Fault {
    Query(QueryError),
    /// At least one.
    MissingParameters(&'static [&'static str]),
    /// The timestamp is no whole number of seconds.
    TimestampNotSeconds,
    /// The timestamp is too far from our clock.
    TimestampSkew,
    /// The token would have expired before it is issued.
    BornExpired,
    /// A rule revoked what was issued until then.
    SignedBeforeRevocation {
        until: UnixSeconds,
    },
    Uuid(InvalidName),
    UuidNotUtf8,
    /// The signature is wrong, or the keyset unknown: never told apart.
    Signature,
    /// The same, too often.
    TooManyAttempts(TooManyAttempts),
    AccessManagerOff,
    RevocationOff,
    ContentType,
    ContentEncoding,
    /// At least one.
    Body(Vec<BodyFault>),
    TokenExpired,
    TokenInvalid(String),
    /// The store cannot be written.
    Store,
    /// It is revoked here, and the other nodes are not known to know.
    NotPropagated,
}

/// One entry of `details`.
pub(super) struct Detail {
    pub(super) message: String,
    pub(super) location: String,
    pub(super) location_type: &'static str,
}

impl Fault {
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Signature | Self::AccessManagerOff => StatusCode::FORBIDDEN,
            Self::TooManyAttempts(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Store | Self::NotPropagated => StatusCode::SERVICE_UNAVAILABLE,
            Self::Query(_)
            | Self::MissingParameters(_)
            | Self::TimestampNotSeconds
            | Self::TimestampSkew
            | Self::BornExpired
            | Self::SignedBeforeRevocation { .. }
            | Self::Uuid(_)
            | Self::UuidNotUtf8
            | Self::RevocationOff
            | Self::ContentType
            | Self::ContentEncoding
            | Self::Body(_)
            | Self::TokenExpired
            | Self::TokenInvalid(_) => StatusCode::BAD_REQUEST,
        }
    }

    pub(super) fn message(&self) -> &'static str {
        match self {
            Self::Query(_) => "Invalid query",
            Self::MissingParameters(_) => "Missing parameter",
            Self::TimestampNotSeconds
            | Self::TimestampSkew
            | Self::BornExpired
            | Self::SignedBeforeRevocation { .. } => "Invalid Timestamp",
            Self::Uuid(_) | Self::UuidNotUtf8 => "Invalid uuid",
            Self::Signature => "Invalid signature",
            Self::TooManyAttempts(_) => "Too Many Requests",
            Self::AccessManagerOff | Self::RevocationOff => "Feature disabled",
            Self::ContentType | Self::ContentEncoding => "Invalid JSON",
            Self::Body(faults) => faults.first().map_or("Invalid JSON", BodyFault::message),
            Self::TokenExpired | Self::TokenInvalid(_) => "Invalid token",
            Self::Store | Self::NotPropagated => "Service Unavailable",
        }
    }

    pub(super) fn details(&self) -> Vec<Detail> {
        let one = |message: &str, location: &str, location_type| {
            vec![Detail {
                message: message.to_owned(),
                location: location.to_owned(),
                location_type,
            }]
        };
        match self {
            Self::Query(error @ QueryError::Duplicate { name }) => {
                one(&sentence(&error.to_string()), name, "query")
            }
            Self::Query(error) => one(&sentence(&error.to_string()), "<query>", "query"),
            Self::MissingParameters(names) => names
                .iter()
                .flat_map(|name| one(&format!("`{name}` is required."), name, "query"))
                .collect(),
            Self::TimestampNotSeconds => one(
                "Timestamp must be a whole number of seconds since 1970.",
                "timestamp",
                "query",
            ),
            Self::TimestampSkew => one(
                &format!(
                    "Timestamp must be within {REQUEST_SKEW_SECONDS_MAX} seconds of the server's clock."
                ),
                "timestamp",
                "query",
            ),
            Self::BornExpired => one(
                "The token would already have expired.",
                "timestamp",
                "query",
            ),
            Self::SignedBeforeRevocation { until } => one(
                &format!("Signed before the revocation; sign again after {until}."),
                "timestamp",
                "query",
            ),
            Self::Uuid(cause) => one(&uuid_sentence(cause), "uuid", "query"),
            Self::UuidNotUtf8 => one("`uuid` must be UTF-8.", "uuid", "query"),
            Self::Signature => one(
                "Client and server produced different signatures for the same inputs.",
                "signature",
                "query",
            ),
            Self::TooManyAttempts(TooManyAttempts { retry_after }) => one(
                &format!("Too many wrong signatures; try again in {retry_after} seconds."),
                "signature",
                "query",
            ),
            Self::AccessManagerOff => {
                one("Access Manager is not enabled.", "subscribe-key", "path")
            }
            Self::RevocationOff => one("Token revocation is disabled.", "subscribe-key", "path"),
            Self::ContentType => one("Content-Type must be `application/json`.", "<root>", "body"),
            Self::ContentEncoding => one(
                "The body must not have a content encoding.",
                "<root>",
                "body",
            ),
            Self::Body(faults) => faults.iter().map(body_detail).collect(),
            Self::TokenExpired => one("Token is expired.", "token", "path"),
            Self::TokenInvalid(what) => one(&sentence(what), "token", "path"),
            Self::Store => one("Nothing was stored; try again.", "subscribe-key", "path"),
            Self::NotPropagated => one(
                "Stored and in force here, and queued for the other nodes; try again.",
                "subscribe-key",
                "path",
            ),
        }
    }
}

fn body_detail(fault: &BodyFault) -> Detail {
    Detail {
        message: fault.detail(),
        location: fault.location(),
        location_type: "body",
    }
}
