//! `/v1/audit`: what was done, and by whom.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use crate::error::{ApiError, ErrorCode, json, json_text, text};
use crate::query::Query;
use crate::service::Service;

/// Most entries on a page, and how many there are when nothing is said.
const PAGE_MAX: u64 = 1_000;
const PAGE: u64 = 100;

#[derive(Serialize)]
struct Head<'a> {
    seq: u64,
    hash: &'a str,
}

pub(super) fn head(service: &Service) -> Response<Bytes> {
    let head = service.audit().head();
    let (seq, hash) = (head.seq, &*head.hash);
    json(StatusCode::OK, &Head { seq, hash })
}

/// Entries as they stand in the files, byte for byte.
pub(super) async fn page(
    service: &Service,
    query: Option<&str>,
) -> Result<Response<Bytes>, ApiError> {
    let query = Query::parse(query.unwrap_or(""))
        .map_err(|error| ErrorCode::InvalidRequest.because(error.to_string()))?;
    let number = |name: &'static str| {
        let value = query.get(name).map(core::str::from_utf8);
        let number = |text: Result<&str, _>| text.ok().and_then(|text| text.parse().ok());
        value.map(|value| {
            number(value).ok_or_else(|| {
                let message = format!("`{name}` must be a whole number");
                ErrorCode::InvalidRequest.because(message).at(name)
            })
        })
    };
    let after = number("after").transpose()?.unwrap_or(0);
    let limit: u64 = number("limit").transpose()?.unwrap_or(PAGE);
    let limit = usize::try_from(limit.clamp(1, PAGE_MAX)).unwrap_or(1);
    let reader = service.clone();
    let read = tokio::task::spawn_blocking(move || reader.audit().page(after, limit)).await;
    let lines = read
        .map_err(|_| ErrorCode::InternalError.because("reading the audit log broke off"))?
        .map_err(|error| {
            tracing::error!(%error, "the audit log cannot be read");
            ErrorCode::StoreUnavailable.because("the audit log cannot be read now")
        })?;
    let head = service.audit().head();
    let (seq, hash) = (head.seq, &*head.hash);
    let head = text(&Head { seq, hash });
    let body = format!("{{\"entries\":[{}],\"head\":{head}}}", lines.join(","));
    Ok(json_text(StatusCode::OK, body))
}
