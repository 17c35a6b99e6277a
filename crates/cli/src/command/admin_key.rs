//! `usher admin-key`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::now;
use crate::api::{Api, Failure};
use crate::args::AdminKeyVerb;
use crate::exit::Exit;
use crate::output::{Output, Sheet, Table};
use crate::when::{instant, instant_from};

/// A key as the internal API shows it.
#[derive(Deserialize, Serialize)]
struct Key {
    name: String,
    role: String,
    created_at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotated_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    expired: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overlaps_until: Option<u64>,
}

#[derive(Deserialize)]
struct Listing {
    admin_keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Made {
    admin_key: Key,
    key: String,
}

/// What the key of everything is called that a first start makes.
const FIRST: &str = "admin";

pub(super) fn run(verb: &AdminKeyVerb, output: &Output) -> Result<Exit, Failure> {
    match verb {
        AdminKeyVerb::Create {
            name,
            role,
            expires_in,
            connection,
        } => {
            let mut body = json!({ "name": name, "role": role });
            let expires_at = expires_in.map(|days| now().saturating_add(days.saturating_mul(DAY)));
            if let (Some(at), Some(body)) = (expires_at, body.as_object_mut()) {
                body.insert("expires_at".to_owned(), at.into());
            }
            let made: Made = Api::connect_or_create(connection)?.post("/v1/admin-keys", &body)?;
            print(&made, output)
        }
        AdminKeyVerb::List { connection } => list(&Api::connect(connection)?, output),
        AdminKeyVerb::Rotate {
            name,
            overlap,
            connection,
        } => {
            if name.is_none() && *overlap == 0 {
                return renew(&Api::connect(connection)?, output);
            }
            let name = name.as_deref().unwrap_or(FIRST);
            let path = format!("/v1/admin-keys/{}/rotate", checked(name)?);
            let body = json!({ "overlap_seconds": overlap });
            print(&Api::connect(connection)?.post(&path, &body)?, output)
        }
        AdminKeyVerb::Remove { name, connection } => {
            let path = format!("/v1/admin-keys/{}", checked(name)?);
            let answer: Value = Api::connect(connection)?.delete(&path)?;
            output.answer(&answer, || {
                format!("removed `{name}`; it opens nothing any more\n")
            })?;
            Ok(Exit::Yes)
        }
    }
}

/// The key of everything: replaced, or made where there is none.
fn renew(api: &Api, output: &Output) -> Result<Exit, Failure> {
    #[derive(Deserialize)]
    struct Renewed {
        admin_key: String,
    }
    let Renewed { admin_key } = api.post("/v1/admin-key/rotate", &json!({}))?;
    output.answer(&json!({ "admin_key": admin_key }), || {
        let mut sheet = Sheet::default();
        sheet.row(
            "admin key",
            format!("{admin_key}   (shown once; the old one is dead)"),
        );
        sheet.render()
    })?;
    Ok(Exit::Yes)
}

const DAY: u64 = 86_400;

/// A name that stands in a path.
fn checked(name: &str) -> Result<&str, Failure> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !name.is_empty() && name.bytes().all(is_plain) {
        return Ok(name);
    }
    Err(Failure::local(
        "the name of a key is made of letters, digits, `-`, `_` and `.`",
    ))
}

fn list(api: &Api, output: &Output) -> Result<Exit, Failure> {
    let Listing { admin_keys } = api.get("/v1/admin-keys")?;
    output.answer(&json!({ "admin_keys": admin_keys }), || {
        let mut table = Table::new(&["NAME", "ROLE", "CREATED", "ROTATED", "EXPIRES"]);
        for key in &admin_keys {
            let expires = key.expires_at.map(|at| instant_from(at, now()));
            table.row([
                key.name.clone(),
                key.role.clone(),
                noted(key.created_at),
                key.rotated_at.map_or_else(|| "-".to_owned(), instant),
                expires.unwrap_or_else(|| "never".to_owned()),
            ]);
        }
        table.render()
    })?;
    Ok(Exit::Yes)
}

/// An older format did not note it.
fn noted(created_at: u64) -> String {
    if created_at == 0 {
        "-".to_owned()
    } else {
        instant(created_at)
    }
}

fn print(Made { admin_key, key }: &Made, output: &Output) -> Result<Exit, Failure> {
    let mut answer = json!(admin_key);
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("admin_key".to_owned(), key.as_str().into());
    }
    output.answer(&answer, || {
        let mut sheet = Sheet::default();
        sheet
            .row("name", &admin_key.name)
            .row("role", &admin_key.role)
            .row("key", format!("{key}   (shown once)"));
        if let Some(at) = admin_key.expires_at {
            sheet.row("expires", instant_from(at, now()));
        }
        if admin_key.rotated_at.is_some() {
            let old = admin_key.overlaps_until.map_or_else(
                || "dead".to_owned(),
                |until| format!("good until {}", instant_from(until, now())),
            );
            sheet.row("old key", old);
        }
        sheet.render()
    })?;
    Ok(Exit::Yes)
}
