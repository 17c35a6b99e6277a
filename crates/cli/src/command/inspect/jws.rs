//! `usher inspect` of a JWS: its header and its claims as they stand.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use token_codec::UntrustedJws;

use crate::api::Failure;
use crate::exit::Exit;
use crate::output::{Output, Sheet, printable};
use crate::when::instant_from;

#[derive(Serialize)]
struct Inspection<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    header: &'a BTreeMap<String, Value>,
    claims: &'a BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    size: usize,
}

pub(super) fn run(text: &str, output: &Output) -> Result<Exit, Failure> {
    let token = match UntrustedJws::parse(text) {
        Ok(token) => token,
        Err(error) => {
            crate::output::complain(output, &Failure::new("unreadable_token", error.to_string()));
            return Ok(Exit::InvalidToken);
        }
    };
    let claims = token.claims_untrusted();
    let seconds = |name: &str| claims.get(name).and_then(Value::as_u64);
    let inspection = Inspection {
        kind: token.kind_untrusted().map(|kind| kind.name()),
        header: token.header_untrusted(),
        claims,
        id: token.id_untrusted().map(|id| id.to_string()),
        issued_at: seconds("iat"),
        expires_at: seconds("exp"),
        size: text.len(),
    };
    output.answer(&inspection, || render(&inspection))?;
    Ok(Exit::Yes)
}

fn render(inspection: &Inspection<'_>) -> String {
    let now = super::super::now();
    let mut sheet = Sheet::default();
    sheet.row("kind", inspection.kind.unwrap_or("unknown"));
    if let Some(id) = &inspection.id {
        sheet.row("id", id);
    }
    if let Some(at) = inspection.issued_at {
        sheet.row("issued", instant_from(at, now));
    }
    if let Some(at) = inspection.expires_at {
        sheet.row("expires", instant_from(at, now));
    }
    for (name, value) in inspection.header.iter().chain(inspection.claims) {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        sheet.row(name, printable(&text));
    }
    sheet.row("note", "the signature was not checked");
    sheet.render()
}
