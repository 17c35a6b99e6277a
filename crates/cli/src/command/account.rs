//! `usher account`, `usher application`, `usher customer`.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Api, Failure};
use crate::args::{Account, AccountVerb, ApplicationVerb, CustomerVerb};
use crate::exit::Exit;
use crate::output::{Output, Sheet, Table};
use crate::secret;

/// What is asked of the API.
enum Call {
    Get,
    Post(Value),
    Delete,
}

pub(super) fn run(verb: &AccountVerb, output: &Output) -> Result<Exit, Failure> {
    match verb {
        AccountVerb::Create {
            name,
            api_key,
            connection,
        } => {
            let body = with_key(json!({ "name": name }), api_key.as_deref())?;
            let api = Api::connect_or_create(connection)?;
            print(&api.post("/v1/accounts", &body)?, output)
        }
        AccountVerb::List { connection } => {
            print(&Api::connect(connection)?.get("/v1/accounts")?, output)
        }
        AccountVerb::Show { account } => call(account, "", Call::Get, output),
        AccountVerb::Rotate { emergency, account } => {
            let body = json!({ "emergency": emergency });
            call(account, "/rotate", Call::Post(body), output)
        }
        AccountVerb::AddKey { api_key, account } => {
            let body = with_key(json!({}), api_key.as_deref())?;
            call(account, "/api-keys", Call::Post(body), output)
        }
        AccountVerb::RemoveKey { id, account } => {
            let path = format!("/api-keys/{}", segment(id)?);
            call(account, &path, Call::Delete, output)
        }
        AccountVerb::Delete { account } => call(account, "", Call::Delete, output),
    }
}

pub(super) fn application(verb: &ApplicationVerb, output: &Output) -> Result<Exit, Failure> {
    match verb {
        ApplicationVerb::Create { name, account } => {
            let body = json!({ "name": name });
            call(account, "/applications", Call::Post(body), output)
        }
        ApplicationVerb::List { account } => call(account, "/applications", Call::Get, output),
        ApplicationVerb::AddKeyset {
            application,
            keyset,
            account,
        } => {
            let body = json!({ "application": application, "subscribe_key": keyset });
            call(account, "/keysets", Call::Post(body), output)
        }
        ApplicationVerb::Keysets { account } => call(account, "/keysets", Call::Get, output),
        ApplicationVerb::RemoveKeyset { keyset, account } => {
            call(account, &format!("/keysets/{keyset}"), Call::Delete, output)
        }
        ApplicationVerb::Delete {
            application,
            account,
        } => {
            let path = format!("/applications/{application}");
            call(account, &path, Call::Delete, output)
        }
    }
}

pub(super) fn customer(verb: &CustomerVerb, output: &Output) -> Result<Exit, Failure> {
    match verb {
        CustomerVerb::Create {
            external_id,
            name,
            keysets,
            account,
        } => {
            let body = json!({ "external_id": external_id, "name": name, "keysets": keysets });
            call(account, "/customers", Call::Post(body), output)
        }
        CustomerVerb::List { account } => call(account, "/customers", Call::Get, output),
        CustomerVerb::Show { customer, account } => {
            let path = format!("/customers/{}", segment(customer)?);
            call(account, &path, Call::Get, output)
        }
        CustomerVerb::Assign {
            customer,
            keysets,
            account,
        } => {
            let path = format!("/customers/{}/keysets", segment(customer)?);
            let body = json!({ "keysets": keysets });
            call(account, &path, Call::Post(body), output)
        }
        CustomerVerb::Revoke { customer, account } => {
            let body = json!({ "customer": customer });
            call(account, "/revocations", Call::Post(body), output)
        }
        CustomerVerb::Delete { customer, account } => {
            let path = format!("/customers/{}", segment(customer)?);
            call(account, &path, Call::Delete, output)
        }
    }
}

fn with_key(mut body: Value, api_key: Option<&str>) -> Result<Value, Failure> {
    if let (Some(key), Some(fields)) = (api_key, body.as_object_mut()) {
        fields.insert("api_key".to_owned(), Value::from(secret::read(key)?));
    }
    Ok(body)
}

/// An id as one segment of a path.
fn segment(id: &str) -> Result<&str, Failure> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric();
    if !id.is_empty() && id.bytes().all(legal) {
        Ok(id)
    } else {
        Err(Failure::local(format!(
            "`{id}` is no id; list them to see theirs"
        )))
    }
}

fn call(account: &Account, path: &str, call: Call, output: &Output) -> Result<Exit, Failure> {
    let api = Api::connect(&account.connection)?;
    let path = format!("/v1/accounts/{}{path}", find(&api, account)?);
    let answer: Value = match call {
        Call::Get => api.get(&path)?,
        Call::Post(body) => api.post(&path, &body)?,
        Call::Delete => api.delete(&path)?,
    };
    print(&answer, output)
}

#[derive(Deserialize)]
struct Listing {
    accounts: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    id: u64,
    name: String,
}

/// The id of the account that is named, or of the only one.
fn find(api: &Api, account: &Account) -> Result<u64, Failure> {
    let Listing { accounts } = api.get("/v1/accounts")?;
    let wanted = account.account.as_deref();
    let is_it = |held: &&Named| {
        wanted.is_none_or(|wanted| held.name == wanted || wanted.parse() == Ok(held.id))
    };
    let mut found = accounts.iter().filter(is_it).map(|held| held.id);
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Failure::new(
            "not_found",
            "there is no such account; make one with `usher account create --name NAME`",
        )),
        (Some(_), Some(_)) => Err(Failure::local(
            "there are several such accounts; give the id with --account (see `usher account list`)",
        )),
    }
}

fn print(answer: &Value, output: &Output) -> Result<Exit, Failure> {
    output.answer(answer, || render(answer))?;
    Ok(Exit::Yes)
}

/// Fields as a sheet, then each list as a table.
fn render(answer: &Value) -> String {
    let mut sheet = Sheet::default();
    let mut tables = String::new();
    add(answer, &mut sheet, &mut tables);
    [sheet.render(), tables].concat()
}

fn add(value: &Value, sheet: &mut Sheet, tables: &mut String) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let label = name.replace('_', " ");
        match value {
            Value::Object(_) => add(value, sheet, tables),
            Value::Array(rows) if rows.is_empty() => {
                sheet.row(&label, "none");
            }
            Value::Array(rows) => tables.push_str(&table(&label, rows)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                let note = if name == "api_key" {
                    "   (shown once)"
                } else {
                    ""
                };
                sheet.row(&label, format!("{}{note}", cell(value)));
            }
        }
    }
}

fn table(label: &str, rows: &[Value]) -> String {
    let names: Vec<&String> = rows
        .first()
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(serde_json::Map::keys)
        .collect();
    let headings: Vec<String> = names
        .iter()
        .map(|name| name.replace('_', " ").to_uppercase())
        .collect();
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let mut table = Table::new(&headings);
    for row in rows {
        table.row(
            names
                .iter()
                .map(|name| cell(row.get(name.as_str()).unwrap_or(&Value::Null))),
        );
    }
    format!("{label}\n{}", table.render())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.len().to_string(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
