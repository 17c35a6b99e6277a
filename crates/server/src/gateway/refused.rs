//! How the gateway says no: a body for each API family (contract 6, 9, 10.4).

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use token_core::{ResourceKind, UnixSeconds};
use token_policy::{ClassifyError, Family, Reason, Targets, Wanted};

use super::cors;
use crate::attempts::TooManyAttempts;
use crate::error::text;
use crate::judge::{Judged, Undecided};

/// A refusal, in no family's words yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    status: StatusCode,
    /// Names a denial of Access Manager; 9999 and 4001 are the real service's,
    /// the others are ours.
    cause: Option<u16>,
    message: Cow<'static, str>,
    form: Form,
    /// Whether another token is what is missing.
    wants_token: bool,
    /// How long to wait, in seconds.
    retry_after: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// The permission is missing, on these.
    Forbidden(Names),
    /// Access Manager refuses the token, whatever it is for.
    Token,
    /// The publish key is wrong: an array, as publish answers.
    PublishKey,
    /// Everything else.
    Other,
}

/// What a denial names, as the documented bodies do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Names {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    channels: Vec<String>,
    /// Each begins with a colon.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    channel_groups: Vec<String>,
}

impl Names {
    fn push(&mut self, kind: ResourceKind, name: &str) {
        match kind {
            ResourceKind::Channel => self.channels.push(name.to_owned()),
            ResourceKind::Group => self.channel_groups.push(format!(":{name}")),
            ResourceKind::Space
            | ResourceKind::User
            | ResourceKind::Uuid
            | ResourceKind::Entity
            | ResourceKind::Relationship
            | ResourceKind::Membership => {}
        }
    }

    /// Everything that is asked for.
    fn all(targets: Targets<'_>) -> Self {
        let mut names = Self::default();
        for target in targets.names() {
            names.push(target.kind, &target.name);
        }
        names
    }

    const fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.channel_groups.is_empty()
    }
}

const NO_PERMISSION: &str = "Supplied authorization key does not have the permissions required to \
                             perform this operation.";

impl Refused {
    /// A refusal that is not about a permission.
    pub(super) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            cause: None,
            message: message.into(),
            form: Form::Other,
            wants_token: false,
            retry_after: None,
        }
    }

    fn token(cause: u16, message: &'static str) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            cause: Some(cause),
            message: Cow::Borrowed(message),
            form: Form::Token,
            wants_token: matches!(cause, 4001 | 4002 | 4004 | 4005),
            retry_after: None,
        }
    }

    fn forbidden(names: Names) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            cause: Some(9999),
            message: Cow::Borrowed("Forbidden"),
            form: Form::Forbidden(names),
            wants_token: false,
            retry_after: None,
        }
    }

    /// A request that no row of the table is for, or that is not read in one
    /// way only.
    pub(super) fn unclassified(error: &ClassifyError) -> Self {
        if matches!(error, ClassifyError::UnknownOperation) {
            return Self::new(StatusCode::NOT_FOUND, "Not Found");
        }
        Self::new(StatusCode::BAD_REQUEST, error.to_string())
    }

    /// The signature is wrong, or the keyset unknown: never told apart.
    pub(super) fn signature() -> Self {
        Self::token(4009, "Signature does not match")
    }

    /// The signature is wrong once too often.
    pub(super) fn too_many(TooManyAttempts { retry_after }: TooManyAttempts) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests")
        }
    }

    /// Access Manager is off for the keyset (contract 9).
    pub(super) fn access_manager_off() -> Self {
        Self::token(4008, "Access Manager is not enabled.")
    }

    /// The publish key of the path is not the keyset's.
    pub(super) const fn publish_key() -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            cause: None,
            message: Cow::Borrowed("Invalid Key"),
            form: Form::PublishKey,
            wants_token: false,
            retry_after: None,
        }
    }

    /// There was nothing to decide on.
    pub(super) fn undecided(undecided: Undecided) -> Self {
        match undecided {
            Undecided::UnknownKeyset => Self::new(StatusCode::BAD_REQUEST, "Invalid Subscribe Key"),
            Undecided::ForeignPublishKey => Self::publish_key(),
            Undecided::InvalidToken => Self::token(4004, "Invalid token"),
        }
    }

    /// The decision was no.
    pub(super) fn denied(judged: &Judged<'_>) -> Self {
        let response = &judged.response;
        if response.reason == Reason::TokenRequired {
            return Self {
                wants_token: true,
                ..Self::forbidden(Names::all(judged.request.targets))
            };
        }
        let mut names = Names::default();
        for missing in &response.missing {
            if let Wanted::Name { kind, name } = missing.wanted {
                names.push(kind, name);
            }
        }
        match Self::reason(response.reason) {
            Self {
                form: Form::Forbidden(_),
                ..
            } => Self::forbidden(names),
            refused => refused,
        }
    }

    /// A reason that names nothing.
    pub(super) fn reason(reason: Reason) -> Self {
        match reason {
            Reason::Revoked { .. } => Self::token(4001, "Token is revoked"),
            Reason::Expired { .. } => Self::token(4002, "Token is expired."),
            Reason::UuidMismatch => Self::token(4003, "Token is bound to another uuid"),
            Reason::InvalidToken | Reason::WrongKeyset => Self::token(4004, "Invalid token"),
            Reason::NotYetValid { .. } => Self::token(4005, "Token is not valid yet"),
            Reason::StaleDenyList | Reason::Behind => {
                Self::token(4006, "Revocations are not current")
            }
            Reason::AccessManagerDisabled => Self::access_manager_off(),
            Reason::AmbiguousRequest
            | Reason::BodyRequired
            | Reason::InvalidRequest
            | Reason::TargetRequired
            | Reason::TargetUnexpected
            | Reason::UnknownOperation => Self::new(StatusCode::BAD_REQUEST, reason.to_string()),
            Reason::Allowed
            | Reason::PermissionMissing
            | Reason::SecretKeyRequired
            | Reason::TokenRequired
            | _ => Self::forbidden(Names::default()),
        }
    }

    /// The answer, in the words of `family`.
    pub(super) fn response(&self, family: Family, now: UnixSeconds) -> Response<Bytes> {
        // What RFC 9110 section 15.5.2 wants; SDKs of the other families
        // understand 403 only.
        let challenged = family == Family::Http && self.wants_token;
        let (status, body) = if family == Family::DataSync {
            self.datasync()
        } else if challenged {
            (StatusCode::UNAUTHORIZED, self.body(family, now))
        } else {
            (self.status, self.body(family, now))
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let media_type = match family {
            Family::DataSync | Family::Objects | Family::Http => "application/json",
            Family::AccessManager
            | Family::Actions
            | Family::History
            | Family::ChannelRegistry
            | Family::Push => "text/javascript; charset=UTF-8",
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        let cache = HeaderValue::from_static("no-cache, no-store, must-revalidate");
        headers.insert(header::CACHE_CONTROL, cache);
        if let Some(cause) = self.cause {
            headers.insert(CAUSE, HeaderValue::from(cause));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if challenged {
            let challenge = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        cors::allow(headers);
        response
    }

    fn body(&self, family: Family, now: UnixSeconds) -> String {
        let status = self.status.as_u16();
        let message = &*self.message;
        match (&self.form, family) {
            (_, Family::Http) => {
                let error = Problem { message };
                text(&Http { error })
            }
            (Form::PublishKey, _) => {
                format!("[0,\"Invalid Key\",\"{}0000000\"]", now.0)
            }
            // What was recorded of the real service ends in a line feed.
            (Form::Token, _) => line(&TokenRefused {
                error: true,
                status,
                service: SERVICE,
                message,
            }),
            (Form::Forbidden(_), Family::Objects) => source(status, NO_PERMISSION, "objects"),
            (Form::Forbidden(_), Family::Actions) => source(status, NO_PERMISSION, "actions"),
            (Form::Forbidden(names), Family::History) => text(&History {
                status,
                error: true,
                error_message: message,
                channels: &names.channels,
            }),
            (Form::Forbidden(names), Family::ChannelRegistry) => text(&Registry {
                status,
                message,
                payload: payload(names),
                service: "channel-registry",
                error: true,
            }),
            (Form::Forbidden(_), Family::Push) => text(&Push {
                error: message,
                status,
            }),
            (Form::Forbidden(names), _) => line(&Flat {
                message,
                payload: payload(names),
                error: true,
                service: SERVICE,
                status,
            }),
            (Form::Other, Family::Objects) => source(status, message, "objects"),
            (Form::Other, Family::Actions) => source(status, message, "actions"),
            (Form::Other, _) => text(&Flat {
                message,
                payload: None,
                error: true,
                service: SERVICE,
                status,
            }),
        }
    }

    /// Contract 10.4: its own bodies, and 404 for an unknown keyset.
    fn datasync(&self) -> (StatusCode, String) {
        let unknown = Self::undecided(Undecided::UnknownKeyset);
        let status = if *self == unknown {
            StatusCode::NOT_FOUND
        } else {
            self.status
        };
        let error_code = match status {
            StatusCode::UNAUTHORIZED => "DS-0203",
            StatusCode::FORBIDDEN => "DS-0201",
            StatusCode::NOT_FOUND => "DS-0100",
            status if status.is_server_error() => "DS-0500",
            _ => "DS-0400",
        };
        let message = &*self.message;
        let errors = [DataSyncError {
            error_code,
            message,
        }];
        (status, text(&DataSync { errors }))
    }

    /// The refusal of a DataSync request without any credential.
    pub(super) fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "a token or a signature is required",
        )
    }

    /// The refusal of a DataSync request with a token and a signature.
    pub(super) fn two_credentials() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "`auth` and `signature` exclude each other",
        )
    }
}

/// The header with the number of a denial.
const CAUSE: HeaderName = HeaderName::from_static("x-pn-cause");

const SERVICE: &str = "Access Manager";

fn payload(names: &Names) -> Option<&Names> {
    Some(names).filter(|names| !names.is_empty())
}

fn line(body: &impl Serialize) -> String {
    let mut line = text(body);
    line.push('\n');
    line
}

fn source(status: u16, message: &str, source: &'static str) -> String {
    let error = Source { message, source };
    text(&Sourced { status, error })
}

#[derive(Serialize)]
struct Flat<'a> {
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a Names>,
    error: bool,
    service: &'static str,
    status: u16,
}

#[derive(Serialize)]
struct TokenRefused<'a> {
    error: bool,
    status: u16,
    service: &'static str,
    message: &'a str,
}

#[derive(Serialize)]
struct Sourced<'a> {
    status: u16,
    error: Source<'a>,
}

#[derive(Serialize)]
struct Source<'a> {
    message: &'a str,
    source: &'static str,
}

#[derive(Serialize)]
struct History<'a> {
    status: u16,
    error: bool,
    error_message: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    channels: &'a [String],
}

#[derive(Serialize)]
struct Registry<'a> {
    status: u16,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a Names>,
    service: &'static str,
    error: bool,
}

#[derive(Serialize)]
struct Push<'a> {
    error: &'a str,
    status: u16,
}

#[derive(Serialize)]
struct DataSync<'a> {
    errors: [DataSyncError<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DataSyncError<'a> {
    error_code: &'static str,
    message: &'a str,
}

/// The shape of the internal API's errors.
#[derive(Serialize)]
struct Http<'a> {
    error: Problem<'a>,
}

#[derive(Serialize)]
struct Problem<'a> {
    message: &'a str,
}
