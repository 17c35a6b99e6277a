//! What the scenarios say, said in the Rust SDK.

use std::collections::{BTreeMap, HashMap};

use pubnub::access::permissions::{
    self, ChannelGroupPermission, ChannelPermission, Permission, UserIdPermission,
};
use pubnub::access::{GrantTokenResult, MetaValue};
use pubnub::core::PubNubError;
use pubnub::dx::parse_token::{self, ResourcePermissions, TokenResources, TokenV2};
use pubnub::providers::deserialization_serde::DeserializerSerde;
use pubnub::transport::TransportReqwest;
use pubnub::{Keyset, PubNubClientBuilder, Token};
use serde_json::{Number, Value, json};

use crate::clock::{Seen, WrongClock};
use crate::report::{Outcome, same};
use crate::scenario::{self, Entries, Grant, Section};

/// The SDK's client over its own transport.
pub(crate) type Client = pubnub::PubNubGenericClient<WrongClock, DeserializerSerde>;

type Boxed = Vec<Box<dyn Permission>>;

pub(crate) fn client(
    public: &str,
    keys: &scenario::Keyset,
    user_id: &str,
    offset_seconds: i64,
) -> Outcome<Client> {
    let mut transport = TransportReqwest::new();
    transport.set_hostname(public);
    let transport = WrongClock {
        transport,
        offset_seconds,
        keys: keys.clone(),
        seen: Seen::default(),
    };
    Ok(PubNubClientBuilder::with_transport(transport)
        .with_keyset(Keyset {
            subscribe_key: keys.subscribe_key.clone(),
            publish_key: Some(keys.publish_key.clone()),
            secret_key: Some(keys.secret_key.clone()),
        })
        .with_user_id(user_id)
        .build()?)
}

/// A client without the secret key, and what it is answered.
pub(crate) fn member(
    public: &str,
    keys: &scenario::Keyset,
    token: Option<String>,
) -> Outcome<(Client, Seen)> {
    let mut transport = TransportReqwest::new();
    transport.set_hostname(public);
    let seen = Seen::default();
    let transport = WrongClock {
        transport,
        offset_seconds: 0,
        keys: keys.clone(),
        seen: Seen::clone(&seen),
    };
    let client = PubNubClientBuilder::with_transport(transport)
        .with_keyset(Keyset {
            subscribe_key: keys.subscribe_key.clone(),
            publish_key: Some(keys.publish_key.clone()),
            secret_key: None,
        })
        .with_user_id("alice")
        .build()?;
    if let Some(token) = token {
        client.set_token(token);
    }
    Ok((client, seen))
}

/// Sends the grant; the outer error is a scenario that the SDK cannot say.
pub(crate) async fn grant(
    client: &Client,
    asked: &Grant,
) -> Outcome<Result<GrantTokenResult, PubNubError>> {
    let resources = section(&asked.resources)?;
    send(client, asked, &resources).await
}

/// A grant whose only resource is one that the SDK takes and does not send.
pub(crate) async fn grant_of_nothing(
    client: &Client,
    asked: &Grant,
) -> Outcome<Result<GrantTokenResult, PubNubError>> {
    let resources: Boxed = vec![permissions::channels_category().get()];
    send(client, asked, &resources).await
}

async fn send(
    client: &Client,
    asked: &Grant,
    resources: &Boxed,
) -> Outcome<Result<GrantTokenResult, PubNubError>> {
    let patterns = section(&asked.patterns)?;
    let categories = categories(&asked.categories)?;
    let mut request = client.grant_token(usize::try_from(asked.ttl)?);
    if !resources.is_empty() {
        request = request.resources(resources);
    }
    if !patterns.is_empty() {
        request = request.patterns(&patterns);
    }
    if !categories.is_empty() {
        request = request.categories(&categories);
    }
    if !asked.meta.is_empty() {
        request = request.meta(meta(&asked.meta)?);
    }
    if let Some(uuid) = &asked.authorized_uuid {
        request = request.authorized_user_id(uuid.clone());
    }
    Ok(request.execute().await)
}

fn section(asked: &Section) -> Outcome<Boxed> {
    let mut boxed: Boxed = Vec::new();
    for (kind, entries) in asked {
        for (name, permissions) in entries {
            let bits = bits(permissions)?;
            let (id, name) = (name.clone(), name.clone());
            boxed.push(match kind.as_str() {
                "channels" => Box::new(ChannelPermission { name, bits }),
                "groups" => Box::new(ChannelGroupPermission { name, bits }),
                "uuids" => Box::new(UserIdPermission { id, bits }),
                _ => return Err(format!("the SDK has no `{kind}`").into()),
            });
        }
    }
    Ok(boxed)
}

fn categories(asked: &[String]) -> Outcome<Boxed> {
    let mut boxed: Boxed = Vec::new();
    for category in asked {
        boxed.push(match category.as_str() {
            "channels" => permissions::channels_category().get(),
            "uuids" => permissions::uuids_category().get(),
            _ => return Err(format!("the SDK has no category `{category}`").into()),
        });
    }
    Ok(boxed)
}

fn bits(names: &[String]) -> Outcome<u8> {
    names.iter().try_fold(0, |bits, name| {
        Ok(bits
            | match name.as_str() {
                "read" => 1,
                "write" => 2,
                "manage" => 4,
                "delete" => 8,
                "get" => 32,
                "update" => 64,
                "join" => 128,
                _ => return Err(format!("the SDK has no permission `{name}`").into()),
            })
    })
}

fn meta(asked: &BTreeMap<String, Value>) -> Outcome<HashMap<String, MetaValue>> {
    let value = |value: &Value| -> Outcome<MetaValue> {
        Ok(match value {
            Value::Null => ().into(),
            Value::Bool(value) => (*value).into(),
            Value::String(value) => value.as_str().into(),
            Value::Number(value) => match value.as_i64() {
                Some(integer) => integer.into(),
                None => value.as_f64().ok_or("a number beyond the SDK")?.into(),
            },
            Value::Array(_) | Value::Object(_) => return Err("the SDK takes scalar meta".into()),
        })
    };
    let mut map = HashMap::new();
    for (key, asked) in asked {
        map.insert(key.clone(), value(asked)?);
    }
    Ok(map)
}

/// Parses with the SDK and compares every field but the timestamp, which it returns.
pub(crate) fn parsed_as_asked(token: &str, asked: &Grant) -> Outcome<u32> {
    let Token::V2(token) = pubnub::parse_token(token)?;
    same(
        "version and ttl",
        &(token.version, token.ttl),
        &(2, asked.ttl),
    )?;
    same(
        "bound uuid",
        &token.authorized_user_id,
        &asked.authorized_uuid,
    )?;
    same(
        "resources",
        &parsed_section(token.resources.as_ref()),
        &filled(&asked.resources),
    )?;
    same(
        "patterns",
        &parsed_section(token.patterns.as_ref()),
        &filled(&asked.patterns),
    )?;
    same(
        "categories",
        &parsed_categories(&token),
        &asked_categories(asked),
    )?;
    let meta: BTreeMap<String, Value> = token
        .meta
        .iter()
        .map(|(key, value)| (key.clone(), parsed_meta(value)))
        .collect();
    same("meta", &meta, &asked.meta)?;
    Ok(token.timestamp)
}

/// Timestamp and ttl as the SDK reads them.
pub(crate) fn parsed_time(token: &str) -> Outcome<(u32, u32)> {
    let Token::V2(token) = pubnub::parse_token(token)?;
    Ok((token.timestamp, token.ttl))
}

// The SDK always shows all three kinds.
fn filled(asked: &Section) -> Section {
    let kinds = ["channels", "groups", "uuids"].map(str::to_owned);
    kinds
        .into_iter()
        .map(|kind| (kind.clone(), asked.get(&kind).cloned().unwrap_or_default()))
        .collect()
}

fn parsed_section(section: Option<&TokenResources>) -> Section {
    let Some(section) = section else {
        return Section::new();
    };
    Section::from([
        ("channels".to_owned(), parsed_entries(&section.channels)),
        ("groups".to_owned(), parsed_entries(&section.groups)),
        ("uuids".to_owned(), parsed_entries(&section.users)),
    ])
}

fn parsed_entries(entries: &HashMap<String, ResourcePermissions>) -> Entries {
    let names = |set: &ResourcePermissions| {
        [
            ("read", set.read),
            ("write", set.write),
            ("manage", set.manage),
            ("delete", set.delete),
            ("create", set.create),
            ("get", set.get),
            ("update", set.update),
            ("join", set.join),
        ]
        .into_iter()
        .filter(|(_, held)| *held)
        .map(|(name, _)| name.to_owned())
        .collect()
    };
    entries
        .iter()
        .map(|(name, set)| (name.clone(), names(set)))
        .collect()
}

fn asked_categories(asked: &Grant) -> Option<[Option<bool>; 2]> {
    let held = |name: &str| {
        asked
            .categories
            .iter()
            .any(|asked| asked == name)
            .then_some(true)
    };
    (!asked.categories.is_empty()).then(|| [held("channels"), held("uuids")])
}

fn parsed_categories(token: &TokenV2) -> Option<[Option<bool>; 2]> {
    let categories = token.categories.as_ref()?;
    Some([
        categories.channels.as_ref().map(|category| category.get),
        categories.uuids.as_ref().map(|category| category.get),
    ])
}

fn parsed_meta(value: &parse_token::MetaValue) -> Value {
    match value {
        parse_token::MetaValue::String(value) => json!(value),
        parse_token::MetaValue::Integer(value) => json!(value),
        parse_token::MetaValue::Float(value) => {
            Number::from_f64(*value).map_or(Value::Null, Value::Number)
        }
        parse_token::MetaValue::Bool(value) => json!(value),
        parse_token::MetaValue::Null => Value::Null,
    }
}
