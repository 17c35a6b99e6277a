//! `GET /v1/revocations/feed`: a stream, so it is not among the other routes.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};

use super::{Caller, Class, access};
use crate::conn::ResponseBody;
use crate::error::{ApiError, ErrorCode};
use crate::query::Query;
use crate::service::Service;

/// Where it is.
pub(super) const PATH: &str = "/v1/revocations/feed";

/// What a browser's `EventSource` sends when it connects again.
const LAST_EVENT_ID: &str = "last-event-id";

/// Answers with the stream, or says why not.
pub(super) fn respond(
    service: &Service,
    caller: Caller,
    request: &Request<Bytes>,
) -> Result<Response<ResponseBody>, ApiError> {
    access::check(service, caller, Class::Verifier, request)?;
    let query = Query::parse(request.uri().query().unwrap_or(""))
        .map_err(|error| ErrorCode::InvalidRequest.because(error.to_string()))?;
    let after = query.get("after");
    let last = request.headers().get(LAST_EVENT_ID);
    let after = after.or_else(|| last.map(HeaderValue::as_bytes));
    // A sequence that is none of ours gets everything, like one that is old.
    let after = after.and_then(|after| core::str::from_utf8(after).ok());
    let events = service.feed().stream(service.store(), after);
    let mut response = Response::new(ResponseBody::stream(events));
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static("text/event-stream");
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
