//! The SDK's own error, compared with the body that is expected.

use pubnub::core::PubNubError;
use serde::Deserialize;

use crate::report::{Outcome, same};
use crate::scenario::{Detail, Expect};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    status: u16,
    service: String,
    error: ErrorMember,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorMember {
    message: String,
    source: String,
    details: Vec<Detail>,
}

/// The error must be `PubNubError::API` with this status, text and body.
pub(crate) fn refused<T>(result: Result<T, PubNubError>, expect: &Expect) -> Outcome {
    let Err(error) = result else {
        return Err(format!("expected {} {}, got success", expect.status, expect.message).into());
    };
    let PubNubError::API {
        status,
        message,
        service,
        response: Some(response),
        ..
    } = error
    else {
        return Err(format!("expected PubNubError::API with a response, got {error:?}").into());
    };
    let body: Body = serde_json::from_slice(response.body.as_deref().unwrap_or_default())?;
    let http = response.status;
    same(
        "status, in HTTP and in the body",
        &(status, http, body.status),
        &(expect.status, expect.status, expect.status),
    )?;
    same(
        "service",
        &(service.as_deref(), body.service.as_str()),
        &(Some("Access Manager"), "Access Manager"),
    )?;
    same("text of the SDK's error", &message, &rendered(&body.error))?;
    same("message", &body.error.message, &expect.message)?;
    if let Some(source) = &expect.source {
        same("source", &body.error.source, source)?;
    }
    same(
        "details",
        &blank(body.error.details, &expect.details),
        &expect.details,
    )
}

/// The SDK must refuse by itself, before it sends anything.
pub(crate) fn refused_locally<T>(result: Result<T, PubNubError>, text: &str) -> Outcome {
    match result {
        Err(PubNubError::API {
            status: 400,
            message,
            response: None,
            ..
        }) if message.contains(text) => Ok(()),
        Err(error) => Err(format!("expected the local refusal `{text}`, got {error:?}").into()),
        Ok(_) => Err("expected a local refusal, got success".into()),
    }
}

// A detail without a message stands for any text.
fn blank(mut shown: Vec<Detail>, expected: &[Detail]) -> Vec<Detail> {
    for (detail, wanted) in shown.iter_mut().zip(expected) {
        if wanted.message.is_none()
            && detail
                .message
                .as_deref()
                .is_some_and(|text| !text.is_empty())
        {
            detail.message = None;
        }
    }
    shown
}

// How the SDK writes an error body as text.
fn rendered(error: &ErrorMember) -> String {
    let mut text = format!("{}\nDetails:\n", error.message);
    for detail in &error.details {
        text.push_str(&format!(
            "  * {} (location: '{}', name: '{}')\n",
            detail.message.as_deref().unwrap_or_default(),
            detail.location_type,
            detail.location,
        ));
    }
    text.trim().to_owned()
}
