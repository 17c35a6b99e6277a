//! `usher grant`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::api::{Api, Failure};
use crate::args::{Grant, GrantPatterns, GrantResources};
use crate::exit::Exit;
use crate::keysets;
use crate::output::{NOTE, Output, Sheet, printable};
use crate::secret;
use crate::when::{instant, span};

#[derive(Debug, Deserialize, Serialize)]
struct Issued {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    issued_at: u64,
    expires_at: u64,
    #[serde(default)]
    warnings: Vec<Warning>,
    #[serde(default, skip_serializing_if = "is_false")]
    already_revoked: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    dry_run: bool,
}

#[derive(Debug, Deserialize, Serialize)]
struct Warning {
    code: String,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

pub(super) fn run(arguments: &Grant, output: &Output) -> Result<Exit, Failure> {
    let mut body = match &arguments.from {
        Some(path) if path.as_os_str() == "-" => parse_body(&secret::read("-")?)?,
        Some(path) => parse_body(&secret::read(&format!("@{}", path.display()))?)?,
        None => body_of(arguments)?,
    };
    body.insert("dry_run".to_owned(), Value::Bool(arguments.dry_run));
    let api = Api::connect(&arguments.connection)?;
    let keyset = keysets::find(&api, arguments.keyset.keyset.as_deref())?;
    let path = format!("/v1/keysets/{}/tokens", keyset.subscribe_key);
    let issued: Issued = api.post(&path, &Value::Object(body))?;
    if let (true, Some(token)) = (arguments.token_only, &issued.token) {
        output.text(&format!("{token}\n"));
        return Ok(Exit::Yes);
    }
    output.answer(&issued, || render(&issued))?;
    Ok(Exit::Yes)
}

fn parse_body(text: &str) -> Result<Map<String, Value>, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::local(format!("the grant is no JSON object: {error}")))
}

fn body_of(arguments: &Grant) -> Result<Map<String, Value>, Failure> {
    let mut permissions = Map::new();
    permissions.insert("resources".to_owned(), resources(&arguments.resources)?);
    permissions.insert("patterns".to_owned(), patterns(&arguments.patterns)?);
    let categories = arguments.resources.category.iter();
    let categories: Map<String, Value> = categories
        .map(|category| (category.clone(), json!(["get"])))
        .collect();
    if !categories.is_empty() {
        permissions.insert("categories".to_owned(), Value::Object(categories));
    }
    if let Some(meta) = &arguments.meta {
        let meta: Map<String, Value> = serde_json::from_str(meta)
            .map_err(|error| Failure::local(format!("--meta is no JSON object: {error}")))?;
        permissions.insert("meta".to_owned(), Value::Object(meta));
    }
    if let Some(uuid) = &arguments.uuid {
        permissions.insert("uuid".to_owned(), Value::String(uuid.clone()));
    }
    let mut body = Map::new();
    body.insert("ttl".to_owned(), json!(arguments.ttl));
    body.insert("permissions".to_owned(), Value::Object(permissions));
    Ok(body)
}

fn resources(given: &GrantResources) -> Result<Value, Failure> {
    sections(&[
        ("channels", &given.channel),
        ("groups", &given.group),
        ("uuids", &given.uuids),
        ("users", &given.user),
        ("datasync:entities", &given.entity),
        ("datasync:relationships", &given.relationship),
        ("datasync:memberships", &given.membership),
    ])
}

fn patterns(given: &GrantPatterns) -> Result<Value, Failure> {
    sections(&[
        ("channels", &given.channel_pattern),
        ("groups", &given.group_pattern),
        ("uuids", &given.uuids_pattern),
        ("users", &given.user_pattern),
        ("datasync:entities", &given.entity_pattern),
        ("datasync:relationships", &given.relationship_pattern),
        ("datasync:memberships", &given.membership_pattern),
    ])
}

fn sections(given: &[(&str, &[String])]) -> Result<Value, Failure> {
    let mut sections = Map::new();
    for (section, entries) in given {
        let mut parsed = Map::new();
        for entry in *entries {
            let (name, permissions) = parse_entry(entry)?;
            if parsed.insert(name.clone(), permissions).is_some() {
                return Err(Failure::local(format!(
                    "`{name}` is given twice in {section}"
                )));
            }
        }
        if !parsed.is_empty() {
            sections.insert((*section).to_owned(), Value::Object(parsed));
        }
    }
    Ok(Value::Object(sections))
}

/// `NAME=PERMISSION[,PERMISSION...]`. The last `=` divides: a name may hold one.
fn parse_entry(entry: &str) -> Result<(String, Value), Failure> {
    let (name, permissions) = entry.rsplit_once('=').ok_or_else(|| {
        Failure::local(format!(
            "`{entry}` grants nothing; write NAME=PERMISSION, as room-1=read"
        ))
    })?;
    let permissions = if permissions == "all" {
        json!(255)
    } else {
        permissions
            .split(',')
            .map(str::trim)
            .collect::<Vec<_>>()
            .into()
    };
    Ok((name.to_owned(), permissions))
}

fn render(issued: &Issued) -> String {
    let mut sheet = Sheet::default();
    if let Some(token) = &issued.token {
        sheet.row("token", token);
    }
    if let Some(id) = &issued.id {
        sheet.row("id", id);
    }
    let life = span(issued.expires_at.saturating_sub(issued.issued_at));
    sheet.row(
        "expires",
        format!("{} (lives {life})", instant(issued.expires_at)),
    );
    if issued.already_revoked {
        sheet.row(
            "revoked",
            "an equal token of this second was revoked; grant again later",
        );
    }
    if issued.dry_run {
        sheet.row("dry run", "the grant is good; no token was issued");
    }
    let mut text = sheet.render();
    for warning in &issued.warnings {
        let at = warning
            .at
            .as_deref()
            .map(|at| format!(" ({})", printable(at)));
        text.push_str(&format!(
            "{NOTE}warning:{NOTE:#} {} [{}]{}\n",
            printable(&warning.message),
            warning.code,
            at.unwrap_or_default()
        ));
    }
    text
}
