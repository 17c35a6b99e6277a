//! `usher keyset`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::api::{Api, Failure};
use crate::args::KeysetVerb;
use crate::exit::Exit;
use crate::keysets::{self, Keyset};
use crate::output::{Output, Sheet, Table};
use crate::secret;
use crate::when::instant;

/// An answer that shows a keyset, and a secret key if one was made.
#[derive(Debug, Deserialize, Serialize)]
struct Shown {
    keyset: Keyset,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overlaps_until: Option<u64>,
}

pub(super) fn run(verb: &KeysetVerb, output: &Output) -> Result<Exit, Failure> {
    match verb {
        KeysetVerb::Create {
            name,
            subscribe_key,
            publish_key,
            secret_key,
            settings,
            connection,
        } => {
            let settings = parse_settings(settings)?;
            let mut body = json!({ "name": name, "settings": settings });
            put(&mut body, "subscribe_key", subscribe_key.clone());
            put(&mut body, "publish_key", publish_key.clone());
            put(
                &mut body,
                "secret_key",
                secret_key.as_deref().map(secret::read).transpose()?,
            );
            let shown: Shown = Api::connect_or_create(connection)?.post("/v1/keysets", &body)?;
            print(&shown, output)
        }
        KeysetVerb::List { connection } => list(&Api::connect(connection)?, output),
        KeysetVerb::Show { keyset, connection } => {
            let keyset = keysets::find(&Api::connect(connection)?, Some(keyset))?;
            print(
                &Shown {
                    keyset,
                    secret_key: None,
                    from: None,
                    until: None,
                    overlaps_until: None,
                },
                output,
            )
        }
        KeysetVerb::Set {
            keyset,
            settings,
            connection,
        } => {
            let api = Api::connect(connection)?;
            let path = path(&api, keyset)?;
            let body = json!({ "settings": parse_settings(settings)? });
            print(&api.patch::<Shown>(&path, &body)?, output)
        }
        KeysetVerb::Rotate {
            keyset,
            secret,
            overlap,
            emergency,
            connection,
        } => {
            let body = rotation(*secret, *emergency, *overlap);
            let api = Api::connect(connection)?;
            let path = format!("{}/rotate", path(&api, keyset)?);
            print(&api.post::<Shown>(&path, &body)?, output)
        }
        KeysetVerb::ApiToken { verb } => super::api_token::run(verb, output),
        KeysetVerb::PublicKeys { keyset, connection } => {
            public_keys(&Api::connect(connection)?, keyset.as_deref(), output)
        }
        KeysetVerb::Delete { keyset, connection } => {
            let api = Api::connect(connection)?;
            let answer: Value = api.delete(&path(&api, keyset)?)?;
            output.answer(&answer, || {
                "deleted; its tokens are dead for good\n".to_owned()
            })?;
            Ok(Exit::Yes)
        }
    }
}

/// What is needed to verify: for a file, and so JSON in any case.
fn public_keys(api: &Api, keyset: Option<&str>, output: &Output) -> Result<Exit, Failure> {
    let path = match keyset {
        Some(keyset) => format!("{}/public-keys", path(api, keyset)?),
        None => "/v1/public-keys".to_owned(),
    };
    let answer: Value = api.get(&path)?;
    output.answer(&answer, || format!("{answer:#}\n"))?;
    Ok(Exit::Yes)
}

/// The body that asks for a rotation.
fn rotation(secret: bool, emergency: bool, overlap: u64) -> Value {
    match (secret, emergency) {
        (true, _) => json!({ "key": "secret", "overlap_seconds": overlap }),
        (false, true) => json!({ "key": "emergency" }),
        (false, false) => json!({ "key": "signing" }),
    }
}

fn path(api: &Api, keyset: &str) -> Result<String, Failure> {
    keysets::find(api, Some(keyset)).map(|found| format!("/v1/keysets/{}", found.subscribe_key))
}

fn put(body: &mut Value, name: &str, value: Option<String>) {
    if let (Some(value), Some(body)) = (value, body.as_object_mut()) {
        body.insert(name.to_owned(), Value::String(value));
    }
}

/// `NAME=VALUE` with `on`, `off`, a number or a word as the value.
fn parse_settings(settings: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut parsed = Map::new();
    for setting in settings {
        let (name, value) = setting.split_once('=').ok_or_else(|| {
            Failure::local(format!("`{setting}` is no setting; write NAME=VALUE"))
        })?;
        if parsed
            .insert(name.to_owned(), Value::String(value.to_owned()))
            .is_some()
        {
            return Err(Failure::local(format!("`{name}` is given twice")));
        }
    }
    Ok(parsed)
}

fn list(api: &Api, output: &Output) -> Result<Exit, Failure> {
    let keysets = keysets::list(api)?;
    output.answer(&json!({ "keysets": keysets }), || {
        let mut table = Table::new(&["NAME", "SUBSCRIBE KEY", "PUBLISH KEY", "CREATED"]);
        for keyset in &keysets {
            table.row([
                keyset.name.clone(),
                keyset.subscribe_key.clone(),
                keyset.publish_key.clone(),
                instant(keyset.created_at),
            ]);
        }
        table.render()
    })?;
    Ok(Exit::Yes)
}

fn print(shown: &Shown, output: &Output) -> Result<Exit, Failure> {
    output.answer(shown, || render(shown))?;
    Ok(Exit::Yes)
}

fn render(shown: &Shown) -> String {
    let keyset = &shown.keyset;
    let mut sheet = Sheet::default();
    sheet
        .row("name", &keyset.name)
        .row("subscribe key", &keyset.subscribe_key)
        .row("publish key", &keyset.publish_key);
    if let Some(secret) = &shown.secret_key {
        sheet.row("secret key", format!("{secret}   (shown once)"));
    }
    if let Some(until) = shown.overlaps_until {
        sheet.row("old secret key", format!("good until {}", instant(until)));
    }
    sheet.row("created", instant(keyset.created_at));
    for key in &keyset.signing_keys {
        let until = key.until.map_or_else(
            || "on".to_owned(),
            |until| format!("until {}", instant(until)),
        );
        let from = if key.from == 0 {
            "the start".to_owned()
        } else {
            instant(key.from)
        };
        let named = key.kid.as_ref().map(|kid| format!(" {kid}"));
        let kind = format!("{}{}", key.algorithm, named.unwrap_or_default());
        sheet.row("signing key", format!("from {from} {until}, {kind}"));
    }
    if let Some(until) = shown.until {
        sheet.row(
            "revoked",
            format!("every token issued up to {}", instant(until)),
        );
    }
    let mut text = sheet.render();
    let mut settings = Sheet::default();
    for (name, value) in &keyset.settings {
        settings.row(&format!("  {name}"), setting(value));
    }
    text.push_str("settings\n");
    text.push_str(&settings.render());
    text
}

fn setting(value: &Value) -> String {
    match value {
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        Value::String(word) => word.clone(),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
