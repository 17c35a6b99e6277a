//! `POST /v1/check` and `/v1/check/batch`: may this token do that?

use std::borrow::Cow;
use std::time::Instant;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;
use token_core::limits::CHECKS_PER_BATCH_MAX;
use token_core::{ResourceKind, VerifiedClaims as _};
use token_policy::{
    Asked, Decision, Match, Missing, NearMiss, Operation, Reason, Remedy, Target, Targets, explain,
};

use crate::error::{ApiError, json_text, text};
use crate::fields::Fields;
use crate::judge::{Asking, Presented, judge};
use crate::metrics::Via;
use crate::service::Service;
use crate::trace;

/// What a decision answers. Parts that may be absent are left out.
#[derive(Serialize)]
struct Answer<'a> {
    decision: &'static str,
    reason: Explained<'a>,
    missing: &'a [Missing<'a>],
    matched: &'a [Match<'a>],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    nearest: &'a [NearMiss<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'a Remedy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
}

#[derive(Serialize)]
struct Explained<'a> {
    code: &'static str,
    message: Cow<'a, str>,
}

/// One question, its values not yet looked at.
struct Question {
    subscribe_key: Option<String>,
    token: Option<String>,
    uuid: Option<String>,
    min_sequence: Option<String>,
    asked: Way,
}

enum Way {
    Operation {
        operation: Operation,
        names: Vec<(ResourceKind, Vec<String>)>,
    },
    Line {
        method: String,
        path: String,
        body: Option<String>,
    },
}

/// The lists of names, by field.
const LISTS: [(&str, ResourceKind); 7] = [
    ("channels", ResourceKind::Channel),
    ("groups", ResourceKind::Group),
    ("uuids", ResourceKind::Uuid),
    ("users", ResourceKind::User),
    ("entities", ResourceKind::Entity),
    ("relationships", ResourceKind::Relationship),
    ("memberships", ResourceKind::Membership),
];

/// One check.
pub(super) async fn one(service: &Service, body: &[u8]) -> Result<Response<Bytes>, ApiError> {
    let told = decide(service, Fields::parse(body)?).await?;
    trace::decided(told.code, None, None);
    Ok(json_text(StatusCode::OK, told.text))
}

/// Many checks; each stands alone.
pub(super) async fn batch(service: &Service, body: &[u8]) -> Result<Response<Bytes>, ApiError> {
    let mut fields = Fields::parse(body)?;
    let checks = fields.items("checks", CHECKS_PER_BATCH_MAX)?;
    fields.finish()?;
    let mut results = Vec::with_capacity(checks.len());
    for check in checks {
        let told = match check {
            Ok(check) => decide(service, check).await,
            Err(error) => Err(error),
        };
        results.push(told.map_or_else(|error| text(&error), |told| told.text));
    }
    let body = format!("{{\"results\":[{}]}}", results.join(","));
    Ok(json_text(StatusCode::OK, body))
}

impl Question {
    fn read(mut fields: Fields) -> Result<Self, ApiError> {
        let subscribe_key = fields.text("subscribe_key")?;
        let token = fields.text("token")?;
        let uuid = fields.text("uuid")?;
        let min_sequence = fields.text("min_sequence")?;
        let asked = if fields.has("operation") {
            let name = fields.required_text("operation")?;
            let operation = Operation::from_name(&name).ok_or_else(|| {
                let message = "there is no operation with this name; docs/operations.md lists them";
                fields.refuse("operation", message)
            })?;
            let others = ["method", "path", "body"];
            if let Some(other) = others.into_iter().find(|name| fields.has(name)) {
                let message = "`operation` excludes `method`, `path` and `body`";
                return Err(fields.refuse(other, message));
            }
            if subscribe_key.is_none() {
                return Err(fields.missing("subscribe_key"));
            }
            let mut names = Vec::new();
            for (field, kind) in LISTS {
                if fields.has(field) {
                    names.push((kind, fields.texts(field)?));
                }
            }
            Way::Operation { operation, names }
        } else if fields.has("method") || fields.has("path") {
            Way::Line {
                method: fields.required_text("method")?,
                path: fields.required_text("path")?,
                body: fields.text("body")?,
            }
        } else {
            return Err(fields.missing("operation"));
        };
        fields.finish()?;
        Ok(Self {
            subscribe_key,
            token,
            uuid,
            min_sequence,
            asked,
        })
    }

    fn asking(&self) -> Asking<'_> {
        Asking {
            subscribe_key: self.subscribe_key.as_deref(),
            publish_key: None,
            token: self.token.as_deref(),
            uuid: self.uuid.as_deref(),
            account: None,
            caller_is_token: false,
            min_sequence: self.min_sequence.as_deref(),
        }
    }
}

async fn decide(service: &Service, fields: Fields) -> Result<Told, ApiError> {
    let begun = Instant::now();
    let question = Question::read(fields)?;
    let answer = match &question.asked {
        Way::Operation { operation, names } => {
            by_operation(service, &question, *operation, names).await
        }
        Way::Line { method, path, body } => {
            by_line(service, &question, method, path, body.as_deref()).await
        }
    };
    service.metrics().took(Via::Check, begun);
    Ok(answer)
}

/// The text of a decision and the code of its reason.
struct Told {
    text: String,
    code: &'static str,
}

/// The text of a decision, which is counted here.
fn told(service: &Service, decision: Decision, answer: &Answer<'_>) -> Told {
    let code = answer.reason.code;
    service.decided(Via::Check, decision, code, || answer.token_id.clone());
    let text = text(answer);
    Told { text, code }
}

async fn by_operation(
    service: &Service,
    question: &Question,
    operation: Operation,
    names: &[(ResourceKind, Vec<String>)],
) -> Told {
    let targets: Vec<Target<'_>> = names
        .iter()
        .flat_map(|(kind, names)| names.iter().map(|name| Target::new(*kind, name.as_str())))
        .collect();
    let targets = match Targets::new(&targets) {
        // A request for a collection names it by the one list that is there.
        Ok(targets) => match names {
            [(kind, _)] => targets.in_collection(*kind),
            _ => targets,
        },
        Err(error) => return denied(service, Reason::InvalidRequest, Some(error.to_string())),
    };
    answer(service, question.asking(), operation.into(), targets).await
}

async fn by_line(
    service: &Service,
    question: &Question,
    method: &str,
    path: &str,
    body: Option<&str>,
) -> Told {
    // A check has no headers: the token stands beside the line.
    let headers = http::HeaderMap::new();
    let rules = service.rules();
    let classified = match rules.classify(method, path, &headers, body.map(str::as_bytes)) {
        Ok(classified) => classified,
        Err(error) => return denied(service, error.reason(), Some(error.to_string())),
    };
    let Ok(asking) = Asking::of(&classified).with(question.asking()) else {
        return denied(service, Reason::AmbiguousRequest, None);
    };
    answer(service, asking, classified.asked(), classified.targets()).await
}

async fn answer(
    service: &Service,
    asking: Asking<'_>,
    asked: Asked<'_>,
    targets: Targets<'_>,
) -> Told {
    let presented = match Presented::of(service, &asking).await {
        Ok(presented) => presented,
        Err(undecided) => {
            let message = Cow::Owned(undecided.message());
            return simple(service, Decision::Deny, undecided.code(), message, None);
        }
    };
    let judged = judge(service, &presented, asking, asked, targets);
    let Some(token) = &presented.token else {
        return plain(service, &judged.response, asked);
    };
    let response = &judged.response;
    let explanation = explain(token, &judged.request, response);
    let answer = Answer {
        decision: response.decision.name(),
        reason: Explained {
            code: response.reason.code(),
            message: Cow::Owned(response.reason.to_string()),
        },
        missing: &explanation.missing,
        matched: &explanation.matched,
        nearest: &explanation.nearest,
        remedy: explanation.remedy.as_ref(),
        operation: operation(asked),
        rule: rule(asked),
        token_id: Some(token.id().to_string()),
        expires_at: Some(token.expires_at().0),
    };
    told(service, response.decision, &answer)
}

fn plain(service: &Service, response: &token_policy::Response<'_>, asked: Asked<'_>) -> Told {
    let message = response.reason.to_string();
    simple(
        service,
        response.decision,
        response.reason.code(),
        Cow::Owned(message),
        Some(asked),
    )
}

/// A denial from before there is a token to decide on.
fn denied(service: &Service, reason: Reason, message: Option<String>) -> Told {
    let message = message.unwrap_or_else(|| reason.to_string());
    let message = Cow::Owned(message);
    simple(service, Decision::Deny, reason.code(), message, None)
}

fn simple(
    service: &Service,
    decision: Decision,
    code: &'static str,
    message: Cow<'_, str>,
    asked: Option<Asked<'_>>,
) -> Told {
    let answer = Answer {
        decision: decision.name(),
        reason: Explained { code, message },
        missing: &[],
        matched: &[],
        nearest: &[],
        remedy: None,
        operation: asked.and_then(operation),
        rule: asked.and_then(rule),
        token_id: None,
        expires_at: None,
    };
    told(service, decision, &answer)
}

const fn operation(asked: Asked<'_>) -> Option<&str> {
    match asked {
        Asked::Operation(operation) => Some(operation.name()),
        Asked::Rule { .. } => None,
    }
}

const fn rule(asked: Asked<'_>) -> Option<&str> {
    match asked {
        Asked::Operation(_) => None,
        Asked::Rule { name, .. } => Some(name),
    }
}
