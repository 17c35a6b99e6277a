//! `upstream = "sandbox"`: authorised operations get the documented minimum of
//! a success and nothing is stored, so that one process stands for the whole
//! service in development and CI.

use core::time::Duration;
use std::borrow::Cow;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Map, Value, json};
use token_core::ResourceKind;
use token_policy::{Operation, classify};
use tokio::time::timeout;

use super::admit::{Admitted, Stop};
use super::hold::until_refused;
use super::{FORWARD_BODY_BYTES_MAX, cors};
use crate::conn::ResponseBody;
use crate::error::text;
use crate::query::percent_decode_text;
use crate::service::Service;

/// Marks every answer of the sandbox; the value is the operation.
const MARK: HeaderName = HeaderName::from_static("x-usher-sandbox");

/// How long a subscribe with a timetoken is held without a message, as the
/// real service holds it.
const SUBSCRIBE_HOLD: Duration = Duration::from_secs(280);

/// Where a file is sent to, and where it is downloaded from.
const STORAGE: &str = "/usher-sandbox/file";

/// Answers for the file storage: whatever is uploaded is dropped, and every
/// download is the same few bytes (the JavaScript SDK makes no file of none).
pub(super) fn storage(head: &Parts) -> Option<Response<Bytes>> {
    if head.uri.path() != STORAGE {
        return None;
    }
    let (status, body) = match head.method {
        Method::POST => (StatusCode::NO_CONTENT, ""),
        Method::GET => (StatusCode::OK, "sandbox"),
        _ => (StatusCode::METHOD_NOT_ALLOWED, ""),
    };
    Some(respond(status, "storage", body.to_owned()))
}

/// The answer to an operation that was admitted.
pub(super) async fn answer(
    service: &Service,
    head: &Parts,
    admitted: Admitted,
) -> Result<Response<ResponseBody>, Stop> {
    let Some(operation) = admitted.operation else {
        admitted.body.discard(FORWARD_BODY_BYTES_MAX).await?;
        let response = respond(StatusCode::OK, "rule", "{}".to_owned());
        return Ok(response.map(ResponseBody::from));
    };
    let repeats = [
        Operation::AddMessageAction,
        Operation::DataSyncCreate,
        Operation::UploadFile,
    ];
    let read = if repeats.contains(&operation) {
        admitted.body.read(FORWARD_BODY_BYTES_MAX).await?
    } else {
        admitted.body.discard(FORWARD_BODY_BYTES_MAX).await?;
        Bytes::new()
    };
    let asked = Asked::new(service, head, &read);
    if operation == Operation::Subscribe && asked.waits() {
        let end = until_refused(service, admitted.token.as_ref());
        if let Ok(refused) = timeout(SUBSCRIBE_HOLD, end).await {
            return Err(Stop::Answer(
                refused.response(admitted.family, service.now()),
            ));
        }
    }
    let (status, body) = asked.success(operation);
    let mut response = respond(status, operation.name(), body);
    if status == StatusCode::TEMPORARY_REDIRECT
        && let Ok(location) = HeaderValue::try_from(asked.storage())
    {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response.map(ResponseBody::from))
}

fn respond(status: StatusCode, mark: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(MARK, HeaderValue::from_static(mark));
    let media_type = HeaderValue::from_static("text/javascript; charset=UTF-8");
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    cors::allow(headers);
    response
}

/// What the answers repeat of a request.
struct Asked<'a> {
    head: &'a Parts,
    channels: Vec<String>,
    /// The last name that is no channel: a group, a uuid, a record.
    name: Option<String>,
    uuid: Option<String>,
    groups: bool,
    body: Value,
    /// Now, in 1e-7 s.
    timetoken: String,
}

impl<'a> Asked<'a> {
    fn new(service: &Service, head: &'a Parts, read: &[u8]) -> Self {
        let target = head
            .uri
            .path_and_query()
            .map_or("", |target| target.as_str());
        // A body that named the resources was read when it was admitted.
        let classified = classify(head.method.as_str(), target, Some(b"{}")).ok();
        let (mut channels, mut name, mut groups) = (Vec::new(), None, false);
        let names = classified.as_ref().map(|classified| classified.targets());
        for target in names.iter().flat_map(|targets| targets.names()) {
            if target.kind == ResourceKind::Channel {
                channels.push(target.name.to_string());
            } else {
                name = Some(target.name.to_string());
                groups |= target.kind == ResourceKind::Group;
            }
        }
        let uuid = classified
            .as_ref()
            .and_then(|classified| classified.uuid.as_deref());
        Self {
            head,
            channels,
            name,
            uuid: uuid.map(str::to_owned),
            groups,
            body: serde_json::from_slice(read).unwrap_or_default(),
            timetoken: format!("{}0000000", service.now().0),
        }
    }

    /// Whether a subscribe waits for messages: its timetoken is not 0.
    fn waits(&self) -> bool {
        let query = self.head.uri.query().unwrap_or("");
        query
            .split('&')
            .filter_map(|parameter| parameter.strip_prefix("tt="))
            .any(|timetoken| timetoken != "0")
    }

    /// Several channels are answered in another shape than one.
    const fn is_one_channel(&self) -> bool {
        self.channels.len() == 1 && !self.groups
    }

    fn channel(&self) -> Option<&str> {
        self.channels.first().map(String::as_str)
    }

    /// The last segment of the path, decoded.
    fn last_segment(&self) -> Cow<'_, str> {
        let raw = self.head.uri.path().rsplit('/').next().unwrap_or("");
        percent_decode_text(raw).unwrap_or(Cow::Borrowed(raw))
    }

    fn storage(&self) -> String {
        let authority = self.head.uri.authority().map(http::uri::Authority::as_str);
        let host = self.head.headers.get(header::HOST);
        let host = host.and_then(|host| host.to_str().ok());
        format!(
            "http://{}{STORAGE}",
            authority.or(host).unwrap_or("localhost")
        )
    }

    /// The status and the body of a success.
    fn success(&self, operation: Operation) -> (StatusCode, String) {
        if operation == Operation::DataSyncDelete {
            return (StatusCode::NO_CONTENT, String::new());
        }
        if operation == Operation::DownloadFile {
            return (StatusCode::TEMPORARY_REDIRECT, String::new());
        }
        let status = if operation == Operation::DataSyncCreate {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        (status, text(&self.value(operation)))
    }

    fn value(&self, operation: Operation) -> Value {
        use Operation as Op;
        match operation {
            Op::Publish | Op::Fire | Op::Signal | Op::PublishFile => {
                json!([1, "Sent", self.timetoken])
            }
            Op::Time => json!([self.timetoken.parse::<u64>().unwrap_or_default()]),
            Op::Subscribe => json!({"t": {"t": self.timetoken, "r": 1}, "m": []}),
            Op::Heartbeat => presence(json!({})),
            Op::Leave => presence(json!({"action": "leave"})),
            Op::HereNow if self.is_one_channel() => presence(json!({"uuids": [], "occupancy": 0})),
            Op::HereNow | Op::HereNowGlobal => presence(json!({
                "payload": {"channels": {}, "total_channels": 0, "total_occupancy": 0},
            })),
            Op::WhereNow => presence(json!({"payload": {"channels": []}})),
            Op::GetState => self.state(),
            Op::SetState => presence(json!({"payload": {}})),
            Op::History if self.head.uri.path().starts_with("/v2/") => json!([[], 0, 0]),
            Op::History | Op::HistoryWithActions => messages(json!({"channels": {}})),
            Op::MessageCounts => messages(json!({"channels": self.counts()})),
            Op::DeleteMessages => messages(json!({})),
            Op::AddMessageAction => self.action(),
            Op::RemoveMessageAction => json!({"status": 200, "data": {}}),
            Op::GetMessageActions => json!({"status": 200, "data": []}),
            Op::ListFiles => json!({"status": 200, "data": [], "next": null, "count": 0}),
            Op::UploadFile => self.upload(),
            Op::DeleteFile | Op::DownloadFile => json!({"status": 200}),
            Op::AddGroupChannels | Op::RemoveGroupChannels | Op::DeleteGroup => {
                registry(json!({"message": "OK"}))
            }
            Op::ListGroupChannels => {
                registry(json!({"payload": {"group": self.name, "channels": []}}))
            }
            Op::ListGroups => registry(json!({"payload": {"groups": [], "namespace": ""}})),
            Op::AddPushChannels | Op::RemovePushChannels => json!([1, "Modified Channels"]),
            Op::ListPushChannels => json!([]),
            Op::RemovePushDevice => json!([1, "Removed Device"]),
            Op::GetUser | Op::SetUser => object(self.name.as_deref()),
            Op::GetChannel | Op::SetChannel => object(self.channel()),
            Op::RemoveUser | Op::RemoveChannel => json!({"status": 200, "data": null}),
            Op::ListUsers
            | Op::ListChannels
            | Op::GetMembers
            | Op::SetMembers
            | Op::RemoveMembers
            | Op::GetMemberships
            | Op::SetMemberships
            | Op::RemoveMemberships => {
                json!({"status": 200, "data": [], "totalCount": 0, "next": null, "prev": null})
            }
            Op::DataSyncList => json!({"data": []}),
            Op::DataSyncGet | Op::DataSyncCreate | Op::DataSyncUpdate | Op::DataSyncDelete => {
                let named = self.body.pointer("/data/id").and_then(Value::as_str);
                let id = self.name.as_deref().or_else(|| self.channel());
                json!({"data": {"id": id.or(named).unwrap_or("sandbox")}})
            }
        }
    }

    fn state(&self) -> Value {
        if self.is_one_channel() {
            let (channel, uuid) = (self.channel(), self.last_segment());
            presence(json!({"payload": {}, "channel": channel, "uuid": uuid}))
        } else {
            presence(json!({"payload": {"channels": {}}, "uuid": self.last_segment()}))
        }
    }

    fn counts(&self) -> Map<String, Value> {
        let channels = self.channels.iter();
        channels
            .map(|channel| (channel.clone(), json!(0)))
            .collect()
    }

    fn field(&self, name: &str) -> &Value {
        self.body.get(name).unwrap_or(&Value::Null)
    }

    fn action(&self) -> Value {
        json!({"status": 200, "data": {
            "type": self.field("type"), "value": self.field("value"), "uuid": self.uuid,
            "messageTimetoken": self.last_segment(), "actionTimetoken": self.timetoken,
        }})
    }

    fn upload(&self) -> Value {
        json!({
            "status": 200,
            "data": {"id": "sandbox", "name": self.field("name")},
            "file_upload_request": {
                "url": self.storage(), "method": "POST", "expiration_date": NEVER, "form_fields": [],
            },
        })
    }
}

fn presence(more: Value) -> Value {
    with(
        json!({"status": 200, "message": "OK", "service": "Presence"}),
        more,
    )
}

fn registry(more: Value) -> Value {
    let start = json!({"status": 200, "service": "channel-registry", "error": false});
    with(start, more)
}

fn messages(more: Value) -> Value {
    with(
        json!({"status": 200, "error": false, "error_message": ""}),
        more,
    )
}

/// The members of both.
fn with(mut start: Value, more: Value) -> Value {
    if let (Value::Object(start), Value::Object(more)) = (&mut start, more) {
        start.extend(more);
    }
    start
}

/// Nothing is stored, so nothing has changed at any real instant.
const NEVER: &str = "2100-01-01T00:00:00Z";

/// The metadata of a user or a channel.
fn object(id: Option<&str>) -> Value {
    json!({"status": 200, "data": {
        "id": id, "name": null, "externalId": null, "profileUrl": null, "email": null,
        "description": null, "custom": null, "status": null, "type": null,
        "updated": "2026-01-01T00:00:00Z", "eTag": "sandbox",
    }})
}
