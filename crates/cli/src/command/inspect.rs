//! `usher inspect`: what a token says, without a key and without a server.

mod jws;
mod sheet;

use serde::Serialize;
use serde_json::{Map, Value, json};
use token_codec::{UntrustedClaims, UntrustedToken};
use token_core::{Category, Meta, MetaValue, Permission, Permissions, ResourceKind};
use token_policy::{Severity, lint};

use super::assumed;

use crate::api::Failure;
use crate::args::Inspect;
use crate::exit::Exit;
use crate::output::Output;
use crate::secret;

/// The result, in the shape that the SDKs' `parseToken` made known.
#[derive(Debug, Serialize)]
struct Inspection {
    version: u64,
    timestamp: u64,
    ttl: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorized_uuid: Option<String>,
    resources: Map<String, Value>,
    patterns: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    categories: Option<Map<String, Value>>,
    meta: Value,
    signature: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    size: usize,
    warnings: Vec<Warning>,
}

#[derive(Debug, Serialize)]
struct Warning {
    code: &'static str,
    message: String,
}

pub(super) fn run(arguments: &Inspect, output: &Output) -> Result<Exit, Failure> {
    let text = secret::read(&arguments.token)?;
    if text.contains('.') {
        return jws::run(text.trim(), output);
    }
    let token = match UntrustedToken::parse(&text) {
        Ok(token) => token,
        Err(error) => {
            crate::output::complain(output, &Failure::new("unreadable_token", error.to_string()));
            return Ok(Exit::InvalidToken);
        }
    };
    let inspection = inspect(&token, text.trim().len());
    output.answer(&inspection, || {
        sheet::render(&token, &inspection.warnings, super::now())
    })?;
    Ok(Exit::Yes)
}

fn inspect(token: &UntrustedToken, text_bytes: usize) -> Inspection {
    let claims = token.claims_untrusted();
    let categories: Map<String, Value> = claims
        .categories
        .iter()
        .map(|(category, held)| {
            (
                category_name(*category).to_owned(),
                flags(*held, &[Permission::Get]),
            )
        })
        .collect();
    Inspection {
        version: claims.version,
        timestamp: claims.issued_at.0,
        ttl: claims.ttl.0,
        authorized_uuid: claims.uuid.clone(),
        resources: sections(&claims.names),
        patterns: sections(&claims.patterns),
        categories: (!categories.is_empty()).then_some(categories),
        meta: meta(&claims.meta),
        signature: token
            .signature_untrusted()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        id: token.id_untrusted().map(|id| id.to_string()),
        expires_at: claims.expires_at().map(|at| at.0),
        size: token.size(),
        warnings: warnings(token, claims, text_bytes),
    }
}

const fn category_name(category: Category) -> &'static str {
    category.json_name()
}

/// The seven flags that every SDK shows; `create` only where it is granted.
const FLAGS: [Permission; 7] = [
    Permission::Read,
    Permission::Write,
    Permission::Manage,
    Permission::Delete,
    Permission::Get,
    Permission::Update,
    Permission::Join,
];

fn flags(held: Permissions, shown: &[Permission]) -> Value {
    let mut flags: Map<String, Value> = shown
        .iter()
        .map(|permission| {
            (
                permission.name().to_owned(),
                Value::Bool(held.contains((*permission).into())),
            )
        })
        .collect();
    if held.contains(Permission::Create.into()) {
        flags.insert(Permission::Create.name().to_owned(), Value::Bool(true));
    }
    Value::Object(flags)
}

/// `channels`, `groups` and `uuids` always; the others where they are present.
fn sections(entries: &[(ResourceKind, String, Permissions)]) -> Map<String, Value> {
    let mut sections = Map::new();
    for kind in ["channels", "groups", "uuids"] {
        sections.insert(kind.to_owned(), json!({}));
    }
    for (kind, name, held) in entries {
        let section = match kind {
            ResourceKind::Entity => datasync(&mut sections, "entities"),
            ResourceKind::Relationship => datasync(&mut sections, "relationships"),
            ResourceKind::Membership => datasync(&mut sections, "memberships"),
            ResourceKind::Channel
            | ResourceKind::Group
            | ResourceKind::Space
            | ResourceKind::User
            | ResourceKind::Uuid => object(&mut sections, kind.json_name()),
        };
        if let Some(section) = section {
            section.insert(name.clone(), flags(*held, &FLAGS));
        }
    }
    sections
}

fn object<'m>(map: &'m mut Map<String, Value>, key: &str) -> Option<&'m mut Map<String, Value>> {
    map.entry(key).or_insert_with(|| json!({})).as_object_mut()
}

fn datasync<'m>(map: &'m mut Map<String, Value>, key: &str) -> Option<&'m mut Map<String, Value>> {
    object(map, "dataSync").and_then(|sections| object(sections, key))
}

fn meta(meta: &Meta) -> Value {
    Value::Object(
        meta.iter()
            .map(|(key, value)| (key.clone(), meta_value(value)))
            .collect(),
    )
}

fn meta_value(value: &MetaValue) -> Value {
    match value {
        MetaValue::Bool(flag) => json!(flag),
        MetaValue::Unsigned(number) => json!(number),
        MetaValue::Negative(number) => json!(number),
        MetaValue::Float(number) => json!(number),
        MetaValue::Text(text) => json!(text),
        MetaValue::Array(values) => values.iter().map(meta_value).collect(),
        MetaValue::Map(values) => meta(values),
        MetaValue::Null => Value::Null,
    }
}

fn warnings(token: &UntrustedToken, claims: &UntrustedClaims, text_bytes: usize) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if claims.version != 2 {
        warnings.push(Warning {
            code: "unknown_version",
            message: format!("the version is {}; only 2 can verify", claims.version),
        });
    }
    if let Some(defect) = token.defect() {
        warnings.push(Warning {
            code: "not_canonical",
            message: format!("usher would refuse this token: {defect}"),
        });
    }
    let found = lint(&assumed(claims), Some(text_bytes));
    let told = found
        .into_iter()
        .filter(|finding| finding.severity != Severity::Note);
    warnings.extend(told.map(|finding| Warning {
        code: finding.code,
        message: format!("{}: {}", finding.at, finding.message),
    }));
    warnings
}
