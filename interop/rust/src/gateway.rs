//! Each call that the SDK has, through the gateway: allowed by its grant, denied
//! by the one that just misses. `operations.json` says both.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use std::{env, fs};

use futures::StreamExt as _;
use pubnub::core::PubNubError;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::clock::Seen;
use crate::report::{Outcome, Report, same};
use crate::scenario::{Grant, Section};
use crate::sdk::{self, Client};
use crate::suite::Suite;

/// Longer than any answer takes that comes at all.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Operations {
    rows: Vec<Row>,
    families: BTreeMap<String, Family>,
}

#[derive(Deserialize)]
struct Family {
    body: Value,
    names: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    operation: String,
    name: String,
    call: String,
    with: Given,
    grant: Option<Value>,
    miss: Option<Value>,
    denied: Option<Denied>,
}

/// The arguments of the calls that the SDK has.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Given {
    channel: String,
    channels: Vec<String>,
    groups: Vec<String>,
    uuid: String,
    message: Value,
    state: HashMap<String, String>,
    post: bool,
    presence: bool,
}

#[derive(Deserialize)]
struct Denied {
    family: String,
    #[serde(default)]
    channels: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
}

/// Carries out every row that the SDK has a call for and no secret is needed.
pub(crate) async fn run(suite: &Suite<'_>, report: &mut Report) -> Outcome {
    let path = env::var("USHER_OPERATIONS").ok();
    let path = path.filter(|path| !path.is_empty());
    let text = fs::read_to_string(path.as_deref().unwrap_or("operations.json"))?;
    // The SDK sends a comma of a channel as it stands, and a path with one has
    // two names.
    let text = text.replace("room 1,a", "room 1");
    let operations: Operations = serde_json::from_str(&text)?;
    for row in &operations.rows {
        let (Some(Value::Object(_)), Some(denied)) = (&row.grant, &row.denied) else {
            continue;
        };
        if !CALLS.contains(&row.call.as_str()) {
            continue;
        }
        let covers = |outcome: &str| json!({"operation": row.operation, "outcome": outcome});
        let name = format!("{}: allowed", row.name);
        if row.call == "get_state" {
            let reason =
                "the SDK cannot read the answer for one channel, whose payload is the state";
            report.not_possible(&name, reason);
        } else {
            report.covered(&name, covers("allowed"), allowed(suite, row).await);
        }
        let body = operations.body(denied);
        let outcome = match body {
            Some(body) => refused(suite, row, &body).await,
            None => Err("no such family".into()),
        };
        report.covered(&format!("{}: denied", row.name), covers("denied"), outcome);
    }
    Ok(())
}

/// The calls of the data that this SDK has.
const CALLS: [&str; 8] = [
    "publish",
    "subscribe",
    "heartbeat",
    "leave",
    "here_now",
    "where_now",
    "get_state",
    "set_state",
];

impl Operations {
    /// The body of a denial.
    fn body(&self, denied: &Denied) -> Option<Value> {
        let family = self.families.get(&denied.family)?;
        let mut names = serde_json::Map::new();
        if !denied.channels.is_empty() {
            names.insert("channels".to_owned(), json!(denied.channels));
        }
        if !denied.groups.is_empty() {
            names.insert("channel-groups".to_owned(), json!(denied.groups));
        }
        let mut body = family.body.clone();
        match (family.names.as_deref(), body.as_object_mut()) {
            _ if names.is_empty() => {}
            (Some("payload"), Some(body)) => {
                body.insert("payload".to_owned(), Value::Object(names));
            }
            (Some(_), Some(body)) => body.extend(names),
            _ => {}
        }
        Some(body)
    }
}

/// A client with a token for this grant; without one for none.
async fn client(suite: &Suite<'_>, grant: Option<&Value>) -> Outcome<(Client, Seen)> {
    let token = match grant {
        None => None,
        Some(grant) => {
            let mut resources: BTreeMap<String, Value> = serde_json::from_value(grant.clone())?;
            let patterns: Section = resources
                .remove("patterns")
                .map_or(Ok(Section::new()), serde_json::from_value)?;
            let resources: Section = serde_json::from_value(json!(resources))?;
            let asked = Grant {
                ttl: 15,
                resources,
                patterns,
                ..Grant::default()
            };
            Some(suite.token_of(&asked, None, 0).await?)
        }
    };
    let server = &suite.input.server;
    sdk::member(&server.public, server.keyset(None)?, token)
}

async fn allowed(suite: &Suite<'_>, row: &Row) -> Outcome {
    let (client, seen) = client(suite, row.grant.as_ref()).await?;
    let called = call(&client, row, &seen).await;
    let seen = seen.lock().map_err(|_| "a poisoned lock")?;
    let first = seen.first().ok_or("no answer was seen")?;
    let mark = first.headers.get("x-usher-sandbox");
    same("what the sandbox answered", &mark, &Some(&row.operation))?;
    called.map_err(|error| {
        let body = String::from_utf8_lossy(first.body.as_deref().unwrap_or_default());
        format!("{error} in {} {body}", first.status).into()
    })
}

async fn refused(suite: &Suite<'_>, row: &Row, body: &Value) -> Outcome {
    let (client, seen) = client(suite, row.miss.as_ref()).await?;
    let called = call(&client, row, &seen).await;
    let seen = seen.lock().map_err(|_| "a poisoned lock")?;
    let last = seen.last().ok_or("no answer was seen")?;
    let shown: Value = serde_json::from_slice(last.body.as_deref().unwrap_or_default())?;
    same(
        "status and body of the denial",
        &(last.status, &shown),
        &(403, body),
    )?;
    match called {
        // It reads any object with a status, a message and a service as that.
        Ok(()) if BLIND.contains(&row.call.as_str()) => Ok(()),
        Ok(()) => Err("expected a denial, got success".into()),
        Err(PubNubError::API { message, .. }) if message.contains("Forbidden") => Ok(()),
        Err(error) => Err(format!("expected PubNubError::API, got {error:?}").into()),
    }
}

/// Calls whose denial the SDK takes for a success; on the wire it is one.
const BLIND: [&str; 2] = ["leave", "set_state"];

async fn call(client: &Client, row: &Row, seen: &Seen) -> Result<(), PubNubError> {
    let Given {
        channel,
        channels,
        groups,
        uuid,
        message,
        state,
        post,
        ..
    } = &row.with;
    let (channels, groups) = (channels.clone(), groups.clone());
    match row.call.as_str() {
        "publish" => {
            let publish = client.publish_message(message).channel(channel);
            publish.use_post(*post).execute().await.map(drop)
        }
        "subscribe" => subscribe(client, &row.with, seen).await,
        "heartbeat" => {
            let heartbeat = client.heartbeat().channels(channels).channel_groups(groups);
            heartbeat.user_id("alice").execute().await.map(drop)
        }
        "leave" => {
            let leave = client.leave().channels(channels).channel_groups(groups);
            leave.user_id("alice").execute().await.map(drop)
        }
        "here_now" => {
            let here = client.here_now().channels(channels).channel_groups(groups);
            here.execute().await.map(drop)
        }
        "where_now" => client.where_now().user_id(uuid).execute().await.map(drop),
        "get_state" => {
            let get = client.get_presence_state().channels(channels);
            let get = get.channel_groups(groups).user_id("alice");
            get.execute().await.map(drop)
        }
        _ => {
            let set = client.set_presence_state(state.clone()).channels(channels);
            let set = set.channel_groups(groups).user_id("alice");
            set.execute().await.map(drop)
        }
    }
}

/// The stream ends with a denial; allowed, it waits for messages once the first
/// answer is there.
async fn subscribe(client: &Client, given: &Given, seen: &Seen) -> Result<(), PubNubError> {
    let with_presence = |names: &[String]| {
        let mut all = names.to_vec();
        if given.presence {
            all.extend(names.iter().map(|name| format!("{name}-pnpres")));
        }
        all
    };
    let subscription = client
        .subscribe_raw()
        .channels(with_presence(&given.channels))
        .channel_groups(with_presence(&given.groups))
        .execute()?;
    let answered = async {
        while !seen.lock().is_ok_and(|seen| !seen.is_empty()) {
            sleep(Duration::from_millis(10)).await;
        }
        // The denial is handed on after it was seen.
        let is_denied = seen
            .lock()
            .is_ok_and(|seen| seen.iter().any(|each| each.status != 200));
        if is_denied {
            core::future::pending::<()>().await;
        }
    };
    let mut updates = Box::pin(subscription.stream());
    let heard = async {
        tokio::select! {
            update = updates.next() => update,
            () = answered => None,
        }
    };
    match timeout(PATIENCE, heard).await {
        Ok(Some(Err(error))) => Err(error),
        Ok(_) => Ok(()),
        Err(_) => Err(PubNubError::Transport {
            details: "no answer in time".to_owned(),
            response: None,
        }),
    }
}
