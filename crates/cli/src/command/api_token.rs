//! `usher keyset api-token`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::{Api, Failure};
use crate::args::{ApiTokenVerb, Scope};
use crate::exit::Exit;
use crate::keysets;
use crate::output::{Output, Sheet, Table};
use crate::secret;
use crate::when::instant;

#[derive(Deserialize, Serialize)]
struct Made {
    project_id: String,
    id: String,
    scopes: Vec<String>,
    token: String,
}

#[derive(Deserialize, Serialize)]
struct Held {
    project_id: String,
    id: String,
    scopes: Vec<String>,
    created_at: u64,
}

#[derive(Deserialize, Serialize)]
struct Listing {
    api_tokens: Vec<Held>,
}

pub(super) fn run(verb: &ApiTokenVerb, output: &Output) -> Result<Exit, Failure> {
    match verb {
        ApiTokenVerb::Create {
            keyset,
            project_id,
            token,
            scopes,
            connection,
        } => {
            let scopes: Vec<&str> = scopes.iter().map(|scope| name(*scope)).collect();
            let mut body = json!({ "scopes": scopes });
            let token = token.as_deref().map(secret::read).transpose()?;
            for (field, value) in [("project_id", project_id.clone()), ("token", token)] {
                if let (Some(value), Some(body)) = (value, body.as_object_mut()) {
                    body.insert(field.to_owned(), Value::String(value));
                }
            }
            let api = Api::connect(connection)?;
            let made: Made = api.post(&path(&api, keyset.as_deref())?, &body)?;
            output.answer(&made, || {
                let mut sheet = Sheet::default();
                sheet
                    .row("project id", &made.project_id)
                    .row("API token", format!("{}   (shown once)", made.token))
                    .row("id", &made.id)
                    .row("scopes", made.scopes.join(", "));
                sheet.render()
            })?;
        }
        ApiTokenVerb::List { keyset, connection } => {
            let api = Api::connect(connection)?;
            let listing: Listing = api.get(&path(&api, keyset.as_deref())?)?;
            output.answer(&listing, || render(&listing))?;
        }
        ApiTokenVerb::Remove {
            id,
            keyset,
            connection,
        } => {
            let api = Api::connect(connection)?;
            let path = path(&api, keyset.as_deref())?;
            let Listing { api_tokens } = api.get(&path)?;
            let held = api_tokens.iter().find(|held| held.id == *id);
            let held = held.ok_or_else(|| {
                let message = format!(
                    "the keyset has no API token `{id}`; see `usher keyset api-token list`"
                );
                Failure::new("not_found", message)
            })?;
            let answer: Value = api.delete(&format!("{path}/{}/{id}", held.project_id))?;
            output.answer(&answer, || format!("removed {id}\n"))?;
        }
    }
    Ok(Exit::Yes)
}

const fn name(scope: Scope) -> &'static str {
    match scope {
        Scope::Pubsub => "pubsub",
        Scope::Chat => "chat",
    }
}

fn path(api: &Api, keyset: Option<&str>) -> Result<String, Failure> {
    let keyset = keysets::find(api, keyset)?;
    Ok(format!("/v1/keysets/{}/api-tokens", keyset.subscribe_key))
}

fn render(listing: &Listing) -> String {
    let mut table = Table::new(&["PROJECT ID", "ID", "SCOPES", "CREATED"]);
    for held in &listing.api_tokens {
        table.row([
            held.project_id.clone(),
            held.id.clone(),
            held.scopes.join(", "),
            instant(held.created_at),
        ]);
    }
    table.render()
}
