//! Claims as the JSON of testdata/tokens.

use serde_json::{Map, Value, json};
use token_codec::UntrustedClaims;
use token_core::{
    Category, Claims, Grants, Meta, MetaValue, PatternText, Permissions, ResourceKind,
    ResourceName, TtlMinutes, UnixSeconds,
};

pub(crate) fn to_json(claims: &Claims) -> Value {
    let grants = &claims.grants;
    let names = ResourceKind::ALL.into_iter().flat_map(|kind| {
        let names = grants.names(kind);
        names.map(move |(name, held)| (kind, name.as_str(), held))
    });
    let patterns = ResourceKind::ALL.into_iter().flat_map(|kind| {
        let patterns = grants.patterns(kind);
        patterns.map(move |(pattern, held)| (kind, pattern.as_str(), held))
    });
    let categories: Vec<_> = Category::ALL
        .into_iter()
        .filter(|category| grants.category(*category))
        .map(Category::json_name)
        .collect();
    let ancestors: Vec<_> = claims.ancestors.iter().map(ToString::to_string).collect();
    shown(
        json!({"issued_at": claims.issued_at.0, "ttl": claims.ttl.0}),
        [
            ("names", entries(names)),
            ("patterns", entries(patterns)),
            ("categories", json!(categories)),
            ("meta", meta_to_json(&claims.meta)),
            ("uuid", json!(claims.uuid)),
            ("ancestors", json!(ancestors)),
            ("key_id", json!(claims.key_id)),
        ],
    )
}

pub(crate) fn untrusted_to_json(claims: &UntrustedClaims) -> Value {
    let of = |list: &[(ResourceKind, String, Permissions)]| {
        let list = list.iter();
        entries(list.map(|(kind, name, held)| (*kind, name.as_str(), *held)))
    };
    let categories: Vec<_> = claims
        .categories
        .iter()
        .map(|(category, _)| category.json_name())
        .collect();
    let ancestors: Vec<_> = claims.ancestors.iter().map(ToString::to_string).collect();
    shown(
        json!({"issued_at": claims.issued_at.0, "ttl": claims.ttl.0}),
        [
            ("names", of(&claims.names)),
            ("patterns", of(&claims.patterns)),
            ("categories", json!(categories)),
            ("meta", meta_to_json(&claims.meta)),
            ("uuid", json!(claims.uuid)),
            ("ancestors", json!(ancestors)),
            ("key_id", json!(claims.key_id)),
        ],
    )
}

/// What is not empty.
fn shown(mut object: Value, fields: [(&str, Value); 7]) -> Value {
    for (name, value) in fields {
        let is_empty = match &value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(items) => items.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        };
        if !is_empty {
            object[name] = value;
        }
    }
    object
}

fn entries<'c>(list: impl Iterator<Item = (ResourceKind, &'c str, Permissions)>) -> Value {
    let mut kinds = Map::new();
    for (kind, name, held) in list {
        kinds.entry(kind.name()).or_insert_with(|| json!({}))[name] = json!(held.bits());
    }
    Value::Object(kinds)
}

fn meta_to_json(meta: &Meta) -> Value {
    let entries = meta.iter();
    entries
        .map(|(name, value)| (name.clone(), value_to_json(value)))
        .collect()
}

fn value_to_json(value: &MetaValue) -> Value {
    match value {
        MetaValue::Null => Value::Null,
        MetaValue::Bool(value) => json!(value),
        MetaValue::Unsigned(value) => json!(value),
        MetaValue::Negative(value) => json!(value),
        MetaValue::Float(value) => json!(value),
        MetaValue::Text(value) => json!(value),
        MetaValue::Array(values) => values.iter().map(value_to_json).collect(),
        MetaValue::Map(values) => meta_to_json(values),
    }
}

pub(crate) fn from_json(json: &Value) -> Claims {
    let mut grants = Grants::new();
    for_each(&json["names"], |kind, name, held| {
        grants.allow(kind, ResourceName::new(name).unwrap(), held);
    });
    for_each(&json["patterns"], |kind, pattern, held| {
        grants.allow_pattern(kind, PatternText::new(pattern).unwrap(), held);
    });
    for name in json["categories"].as_array().into_iter().flatten() {
        let category = Category::ALL
            .into_iter()
            .find(|category| *name == category.json_name());
        grants.allow_category(category.unwrap());
    }
    let ttl = u32::try_from(json["ttl"].as_u64().unwrap()).unwrap();
    let issued_at = UnixSeconds(json["issued_at"].as_u64().unwrap());
    let mut claims = Claims::new(issued_at, TtlMinutes(ttl), grants);
    if let Value::Object(meta) = &json["meta"] {
        claims.meta = meta_from_json(meta);
    }
    claims.uuid = json["uuid"].as_str().map(str::to_owned);
    let ancestors = json["ancestors"].as_array().into_iter().flatten();
    claims.ancestors = ancestors
        .map(|id| id.as_str().unwrap().parse().unwrap())
        .collect();
    claims
}

fn for_each(kinds: &Value, mut found: impl FnMut(ResourceKind, &str, Permissions)) {
    for (kind, names) in kinds.as_object().into_iter().flatten() {
        let kind = ResourceKind::from_name(kind).unwrap();
        for (name, bits) in names.as_object().unwrap() {
            let bits = u8::try_from(bits.as_u64().unwrap()).unwrap();
            found(kind, name, Permissions::from_bits(bits));
        }
    }
}

fn meta_from_json(object: &Map<String, Value>) -> Meta {
    let entries = object.iter();
    entries
        .map(|(name, value)| (name.clone(), value_from_json(value)))
        .collect()
}

fn value_from_json(value: &Value) -> MetaValue {
    match value {
        Value::Null => MetaValue::Null,
        Value::Bool(value) => MetaValue::Bool(*value),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => MetaValue::Unsigned(number),
            (None, Some(number)) => MetaValue::Negative(number),
            (None, None) => MetaValue::Float(number.as_f64().unwrap()),
        },
        Value::String(text) => MetaValue::Text(text.clone()),
        Value::Array(values) => MetaValue::Array(values.iter().map(value_from_json).collect()),
        Value::Object(object) => MetaValue::Map(meta_from_json(object)),
    }
}
