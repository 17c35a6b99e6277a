//! `usher check`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::api::{Api, Failure};
use crate::args::Check;
use crate::exit::Exit;
use crate::keysets;
use crate::output::{BAD, GOOD, Output, Sheet, printable};
use crate::secret;
use crate::when::instant_from;

/// Reasons that say that the token itself is no good.
const INVALID_TOKEN_CODES: [&str; 4] =
    ["expired", "invalid_token", "not_yet_valid", "wrong_keyset"];

#[derive(Debug, Deserialize, Serialize)]
struct Decision {
    decision: String,
    reason: Reason,
    #[serde(default)]
    missing: Vec<Entry>,
    #[serde(default)]
    matched: Vec<Entry>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Reason {
    code: String,
    message: String,
}

#[derive(Debug, Deserialize, Serialize)]
struct Entry {
    kind: String,
    name: String,
    permissions: Vec<String>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

pub(super) fn run(arguments: &Check, output: &Output) -> Result<Exit, Failure> {
    if arguments.path.is_none() && looks_like_a_method(&arguments.operation) {
        return Err(Failure::local(format!(
            "`{method}` is a method: the path comes after it, as in usher check TOKEN {method} \
             /v2/subscribe/SUB/room-1/0",
            method = arguments.operation
        )));
    }
    let api = Api::connect(&arguments.connection)?;
    let body = body_of(arguments, &api)?;
    let decision: Decision = api.post("/v1/check", &body)?;
    output.answer(&decision, || render(&decision))?;
    let invalid = INVALID_TOKEN_CODES.contains(&decision.reason.code.as_str());
    Ok(match (decision.decision.as_str(), invalid) {
        ("allow", _) => Exit::Yes,
        (_, true) => Exit::InvalidToken,
        (_, false) => Exit::Denied,
    })
}

fn body_of(arguments: &Check, api: &Api) -> Result<Value, Failure> {
    let mut body = json!({ "token": secret::read(&arguments.token)? });
    let Some(fields) = body.as_object_mut() else {
        return Ok(body);
    };
    if let Some(uuid) = &arguments.uuid {
        fields.insert("uuid".to_owned(), json!(uuid));
    }
    if let Some(wanted) = &arguments.keyset.keyset {
        let keyset = keysets::find(api, Some(wanted))?;
        fields.insert("subscribe_key".to_owned(), keyset.subscribe_key.into());
    }
    if let Some(path) = &arguments.path {
        fields.insert("method".to_owned(), json!(arguments.operation));
        fields.insert("path".to_owned(), json!(path));
        if let Some(text) = &arguments.body {
            fields.insert("body".to_owned(), json!(secret::read(text)?));
        }
        return Ok(body);
    }
    if !fields.contains_key("subscribe_key") {
        let keyset = keysets::find(api, None)?;
        fields.insert("subscribe_key".to_owned(), keyset.subscribe_key.into());
    }
    fields.insert("operation".to_owned(), json!(arguments.operation));
    let targets = [
        ("channels", &arguments.channel),
        ("groups", &arguments.group),
        ("uuids", &arguments.uuids),
        ("users", &arguments.user),
        ("entities", &arguments.entity),
        ("relationships", &arguments.relationship),
        ("memberships", &arguments.membership),
    ];
    for (name, given) in targets {
        if !given.is_empty() {
            fields.insert(name.to_owned(), json!(given));
        }
    }
    Ok(body)
}

/// Operations are in lower case.
fn looks_like_a_method(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn render(decision: &Decision) -> String {
    let allowed = decision.decision == "allow";
    let style = if allowed { GOOD } else { BAD };
    let mut sheet = Sheet::default();
    sheet.row("decision", format!("{style}{}{style:#}", decision.decision));
    let reason = printable(&decision.reason.message);
    sheet.row("reason", format!("{reason} [{}]", decision.reason.code));
    for entry in &decision.missing {
        let needed = entry.permissions.join(",");
        sheet.row(
            "missing",
            format!("{needed} on {} {}", entry.kind, printable(&entry.name)),
        );
    }
    for entry in &decision.matched {
        sheet.row("matched", describe(entry));
    }
    for nearest in decision
        .more
        .get("nearest")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let message = nearest.get("message").and_then(Value::as_str);
        // A revoked or expired token is its own nearest miss.
        if let Some(message) = message.filter(|message| *message != decision.reason.message) {
            sheet.row("nearest", printable(message));
        }
    }
    if let Some(grant) = decision
        .more
        .get("remedy")
        .and_then(|remedy| remedy.get("grant"))
    {
        sheet.row("remedy", format!("grant {}", printable(&grant.to_string())));
    }
    if let Some(id) = decision.more.get("token_id").and_then(Value::as_str) {
        sheet.row("token id", id);
    }
    if let Some(at) = decision.more.get("expires_at").and_then(Value::as_u64) {
        sheet.row("expires", instant_from(at, super::now()));
    }
    sheet.render()
}

fn describe(entry: &Entry) -> String {
    let text = |name: &str| {
        entry
            .more
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let held = entry.permissions.join(",");
    let name = printable(&entry.name);
    match text("by") {
        "pattern" => {
            format!(
                "{held} on {} {name} by pattern {}",
                entry.kind,
                printable(text("entry"))
            )
        }
        _ => format!("{held} on {} {name}", entry.kind),
    }
}
