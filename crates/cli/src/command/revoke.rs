//! `usher revoke`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::{Api, Failure};
use crate::args::Revoke;
use crate::exit::Exit;
use crate::keysets;
use crate::output::{Output, Sheet};
use crate::secret;
use crate::when::instant;

#[derive(Debug, Deserialize, Serialize)]
struct Revoked {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uuid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    #[serde(default)]
    already_revoked: bool,
    #[serde(default)]
    expired: bool,
    #[serde(default)]
    propagated: bool,
    /// `null` until the other nodes know.
    #[serde(default)]
    sequence: Option<String>,
}

pub(super) fn run(arguments: &Revoke, output: &Output) -> Result<Exit, Failure> {
    let body = body_of(arguments)?;
    let api = Api::connect(&arguments.connection)?;
    let text = body.get("token").and_then(Value::as_str);
    if text.is_some_and(|text| text.contains('.')) {
        return jws(&api, &body, output);
    }
    let keyset = keysets::find(&api, arguments.keyset.keyset.as_deref())?;
    let path = format!("/v1/keysets/{}/revocations", keyset.subscribe_key);
    let revoked: Revoked = api.post(&path, &body)?;
    output.answer(&revoked, || render(&revoked))?;
    Ok(Exit::Yes)
}

/// A JWS names its own scope; no other token has a dot.
fn jws(api: &Api, body: &Value, output: &Output) -> Result<Exit, Failure> {
    let answer: Value = api.post("/v1/revoke", body)?;
    output.answer(&answer, || {
        let mut sheet = Sheet::default();
        sheet.row("revoked", "the token");
        sheet.render()
    })?;
    Ok(Exit::Yes)
}

fn body_of(arguments: &Revoke) -> Result<Value, Failure> {
    Ok(if let Some(token) = &arguments.token {
        json!({ "token": secret::read(token)? })
    } else if let Some(id) = &arguments.id {
        json!({ "id": id })
    } else if let Some(uuid) = &arguments.all_of_uuid {
        json!({ "uuid": uuid })
    } else {
        json!({ "all": true })
    })
}

fn render(revoked: &Revoked) -> String {
    let mut sheet = Sheet::default();
    let what = match (&revoked.id, &revoked.uuid) {
        (Some(id), _) => format!("token {id}"),
        (None, Some(uuid)) => format!("every token of uuid {uuid}"),
        (None, None) => "every token of the keyset".to_owned(),
    };
    let state = match (revoked.expired, revoked.already_revoked) {
        (true, _) => " (had expired; nothing to do)",
        (false, true) => " (was revoked before)",
        (false, false) => "",
    };
    sheet.row("revoked", format!("{what}{state}"));
    if let Some(until) = revoked.until {
        sheet.row("issued until", instant(until));
    }
    // One that had expired is not listed.
    if let Some(expires_at) = revoked.expires_at.filter(|_| !revoked.expired) {
        sheet.row("listed until", instant(expires_at));
    }
    if !revoked.propagated {
        sheet.row(
            "note",
            "stored on this node; not yet confirmed by the others",
        );
    }
    sheet.render()
}
