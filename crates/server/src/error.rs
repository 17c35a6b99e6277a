//! Errors of the internal API: one shape for all of them.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use token_core::limits::{CHECK_BODY_BYTES_MAX, REQUEST_HEAD_BYTES_MAX};

use crate::conn::Refusal;
use crate::grant_body::BodyFault;

/// What went wrong, in the words of the internal API.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
    /// The field, parameter or header.
    pub(crate) at: Option<String>,
    pub(crate) details: Vec<ErrorDetail>,
    /// How long to wait, in seconds.
    pub(crate) retry_after: Option<u64>,
}

/// One of several faults.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ErrorDetail {
    message: String,
    at: String,
}

/// The stable codes, each with its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorCode {
    InvalidJson,
    InvalidRequest,
    InvalidGrant,
    InvalidToken,
    InvalidSetting,
    TooManyItems,
    AdminKeyRequired,
    VerifierKeyRequired,
    AccessManagerDisabled,
    RoleInsufficient,
    AdminKeyExists,
    LastAdminKey,
    TooManyAttempts,
    AuditUnavailable,
    NotFound,
    UnknownKeyset,
    MethodNotAllowed,
    RequestTimeout,
    KeysetExists,
    SettingConflict,
    AccountConflict,
    TooManySigningKeys,
    RotationPending,
    BodyTooLarge,
    TargetTooLong,
    UnsupportedMediaType,
    MisdirectedRequest,
    HeadTooLarge,
    InternalError,
    StoreUnavailable,
}

impl ErrorCode {
    pub(crate) const fn row(self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidJson => (StatusCode::BAD_REQUEST, "invalid_json"),
            Self::InvalidRequest => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::InvalidGrant => (StatusCode::BAD_REQUEST, "invalid_grant"),
            Self::InvalidToken => (StatusCode::BAD_REQUEST, "invalid_token"),
            Self::InvalidSetting => (StatusCode::BAD_REQUEST, "invalid_setting"),
            Self::TooManyItems => (StatusCode::BAD_REQUEST, "too_many_items"),
            Self::AdminKeyRequired => (StatusCode::UNAUTHORIZED, "admin_key_required"),
            Self::VerifierKeyRequired => (StatusCode::UNAUTHORIZED, "verifier_key_required"),
            Self::AccessManagerDisabled => (StatusCode::FORBIDDEN, "access_manager_disabled"),
            Self::RoleInsufficient => (StatusCode::FORBIDDEN, "role_insufficient"),
            Self::AdminKeyExists => (StatusCode::CONFLICT, "admin_key_exists"),
            Self::LastAdminKey => (StatusCode::CONFLICT, "last_admin_key"),
            Self::TooManyAttempts => (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts"),
            Self::AuditUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::UnknownKeyset => (StatusCode::NOT_FOUND, "unknown_keyset"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::RequestTimeout => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            Self::KeysetExists => (StatusCode::CONFLICT, "keyset_exists"),
            Self::SettingConflict => (StatusCode::CONFLICT, "setting_conflict"),
            Self::AccountConflict => (StatusCode::CONFLICT, "account_conflict"),
            Self::TooManySigningKeys => (StatusCode::CONFLICT, "too_many_signing_keys"),
            Self::RotationPending => (StatusCode::CONFLICT, "rotation_pending"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::TargetTooLong => (StatusCode::URI_TOO_LONG, "target_too_long"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
            }
            Self::MisdirectedRequest => (StatusCode::MISDIRECTED_REQUEST, "misdirected_request"),
            Self::HeadTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "head_too_large",
            ),
            Self::InternalError => (StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
            Self::StoreUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
        }
    }

    /// An error with this code.
    pub(crate) fn because(self, message: impl Into<String>) -> ApiError {
        ApiError {
            code: self,
            message: message.into(),
            at: None,
            details: Vec::new(),
            retry_after: None,
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    details: &'a [ErrorDetail],
}

impl Serialize for ApiError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (_, code) = self.code.row();
        let error = Inner {
            code,
            message: &self.message,
            at: self.at.as_deref(),
            details: &self.details,
        };
        Body { error }.serialize(serializer)
    }
}

impl ApiError {
    /// The same error, about `at`.
    pub(crate) fn at(mut self, at: impl Into<String>) -> Self {
        self.at = Some(at.into());
        self
    }

    /// The faults of a grant.
    pub(crate) fn grant(faults: &[BodyFault]) -> Self {
        let details: Vec<ErrorDetail> = faults
            .iter()
            .map(|fault| ErrorDetail {
                message: fault.detail(),
                at: fault.location(),
            })
            .collect();
        let (message, at) = details.first().map_or_else(
            || ("the grant is not valid".to_owned(), None),
            |first| (first.message.clone(), Some(first.at.clone())),
        );
        let details = if details.len() > 1 {
            details
        } else {
            Vec::new()
        };
        Self {
            code: ErrorCode::InvalidGrant,
            message,
            at,
            details,
            retry_after: None,
        }
    }

    /// What the listener refuses before anything is routed.
    pub(crate) fn refused(refusal: Refusal) -> Self {
        match refusal {
            Refusal::BodyTooLarge => ErrorCode::BodyTooLarge.because(format!(
                "the body is too large; a check may have {CHECK_BODY_BYTES_MAX} bytes, anything else less"
            )),
            Refusal::BodyTimeout => {
                ErrorCode::RequestTimeout.because("the body did not arrive in time")
            }
            Refusal::BodyBroken => {
                ErrorCode::InvalidRequest.because("the body broke off or is malformed")
            }
            Refusal::TargetTooLong => ErrorCode::TargetTooLong.because(format!(
                "the head of a request may have {REQUEST_HEAD_BYTES_MAX} bytes"
            )),
            Refusal::HeadTooLarge => ErrorCode::HeadTooLarge.because(format!(
                "the head of a request may have {REQUEST_HEAD_BYTES_MAX} bytes"
            )),
            Refusal::Panicked => {
                ErrorCode::InternalError.because("the server failed; the request had no effect that was acknowledged")
            }
        }
    }

    pub(crate) fn response(&self) -> Response<Bytes> {
        let (status, _) = self.code.row();
        let mut response = json(status, self);
        if let Some(seconds) = self.retry_after {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The text of a JSON value. Key order is that of the struct.
pub(crate) fn text(value: &impl Serialize) -> String {
    // Structs of text and numbers always serialize.
    serde_json::to_string(value).unwrap_or_default()
}

/// An answer of the internal API.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response<Bytes> {
    json_text(status, text(body))
}

/// An answer whose text is already there.
pub(crate) fn json_text(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
