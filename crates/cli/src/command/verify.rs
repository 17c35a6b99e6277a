//! `usher verify`.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::api::{Api, Failure};
use crate::args::Verify;
use crate::exit::Exit;
use crate::keysets;
use crate::output::{BAD, GOOD, Output, Sheet, printable};
use crate::secret;
use crate::when::instant_from;

#[derive(Debug, Deserialize, Serialize)]
struct Verdict {
    status: String,
    reason: Reason,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subscribe_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uuid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    names: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    patterns: Option<u64>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Reason {
    code: String,
    message: String,
}

pub(super) fn run(arguments: &Verify, output: &Output) -> Result<Exit, Failure> {
    let api = Api::connect(&arguments.connection)?;
    let mut body = json!({ "token": secret::read(&arguments.token)? });
    if let (Some(wanted), Some(body)) = (&arguments.keyset.keyset, body.as_object_mut()) {
        let keyset = keysets::find(&api, Some(wanted))?;
        body.insert("subscribe_key".to_owned(), keyset.subscribe_key.into());
    }
    let verdict: Verdict = api.post("/v1/verify", &body)?;
    output.answer(&verdict, || render(&verdict))?;
    Ok(match verdict.status.as_str() {
        "valid" => Exit::Yes,
        "revoked" => Exit::Denied,
        _ => Exit::InvalidToken,
    })
}

fn render(verdict: &Verdict) -> String {
    let style = if verdict.status == "valid" { GOOD } else { BAD };
    let now = super::now();
    let mut sheet = Sheet::default();
    sheet.row("status", format!("{style}{}{style:#}", verdict.status));
    if verdict.status != "valid" {
        sheet.row(
            "reason",
            format!("{} [{}]", verdict.reason.message, verdict.reason.code),
        );
    }
    if let Some(key) = &verdict.subscribe_key {
        sheet.row("keyset", key);
    }
    if let Some(id) = &verdict.token_id {
        sheet.row("id", id);
    }
    if let Some(at) = verdict.issued_at {
        sheet.row("issued", instant_from(at, now));
    }
    if let Some(at) = verdict.expires_at {
        sheet.row("expires", instant_from(at, now));
    }
    if let Some(uuid) = &verdict.uuid {
        sheet.row("bound to", printable(uuid));
    }
    sheet.render()
}
