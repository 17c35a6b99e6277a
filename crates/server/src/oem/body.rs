//! What a request asks for (oem 2), with everything that is wrong at once.

use std::collections::BTreeMap;

use token_core::limits::{OEM_ID_CHARS_MAX, OEM_LIFE_SECONDS_MAX};
use token_core::{CUSTOMER_PERMISSIONS, MetaValue, ResourceName};

use crate::grant_body::{BodyFault, parse_object};

/// How long a token lives when nothing is said, in seconds: `1h`.
const SECONDS_DEFAULT: u64 = 3_600;

const FIELDS: [&str; 5] = [
    "permissions",
    "externalId",
    "customerUserId",
    "appId",
    "expiresIn",
];

/// A request that is well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Each once, in the order of the request.
    pub(super) permissions: Vec<String>,
    pub(super) external_id: String,
    pub(super) customer_user_id: String,
    pub(super) app_id: u64,
    pub(super) seconds: u64,
}

type Object = BTreeMap<String, MetaValue>;

impl Wanted {
    pub(super) fn read(body: &[u8]) -> Result<Self, Vec<String>> {
        let mut object = parse_object(body).map_err(|fault| {
            if let BodyFault::Json(what) = fault {
                vec![what]
            } else {
                vec![fault.detail()]
            }
        })?;
        let mut faults = Vec::new();
        let mut take = |read: Result<_, String>| read.map_err(|fault| faults.push(fault)).ok();
        let permissions = take(permissions(&mut object).map(Field::Texts));
        let external_id = take(external_id(&mut object).map(Field::Text));
        let customer_user_id = take(customer_user_id(&mut object).map(Field::Text));
        let app_id = take(app_id(&mut object).map(Field::Number));
        let seconds = take(seconds(&mut object).map(Field::Number));
        if object.keys().any(|name| !FIELDS.contains(&name.as_str())) {
            faults.push(format!(
                "the body should have no other property than {}",
                FIELDS.join(", ")
            ));
        }
        match (permissions, external_id, customer_user_id, app_id, seconds) {
            (
                Some(Field::Texts(permissions)),
                Some(Field::Text(external_id)),
                Some(Field::Text(customer_user_id)),
                Some(Field::Number(app_id)),
                Some(Field::Number(seconds)),
            ) if faults.is_empty() => Ok(Self {
                permissions,
                external_id,
                customer_user_id,
                app_id,
                seconds,
            }),
            _ => Err(faults),
        }
    }
}

/// The value of a field, so that faults are collected in one place.
enum Field {
    Texts(Vec<String>),
    Text(String),
    Number(u64),
}

fn permissions(object: &mut Object) -> Result<Vec<String>, String> {
    let wrong = || {
        format!(
            "each value in permissions must be one of the following values: {}",
            CUSTOMER_PERMISSIONS.join(", ")
        )
    };
    let Some(MetaValue::Array(values)) = object.remove("permissions") else {
        return Err("permissions must be an array".to_owned());
    };
    if values.is_empty() {
        return Err("permissions should not be empty".to_owned());
    }
    let mut permissions: Vec<String> = Vec::new();
    for value in values {
        let MetaValue::Text(name) = value else {
            return Err(wrong());
        };
        if !CUSTOMER_PERMISSIONS.contains(&name.as_str()) {
            return Err(wrong());
        }
        if !permissions.contains(&name) {
            permissions.push(name);
        }
    }
    Ok(permissions)
}

fn external_id(object: &mut Object) -> Result<String, String> {
    let id = text(object, "externalId")?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if id.bytes().all(legal) {
        Ok(id)
    } else {
        Err("externalId must match /^[a-zA-Z0-9_-]+$/ regular expression".to_owned())
    }
}

fn customer_user_id(object: &mut Object) -> Result<String, String> {
    let id = text(object, "customerUserId")?;
    match ResourceName::check(&id) {
        Ok(()) => Ok(id),
        Err(_) => Err("customerUserId must have no control character".to_owned()),
    }
}

/// 1 to 255 characters.
fn text(object: &mut Object, name: &str) -> Result<String, String> {
    let Some(MetaValue::Text(text)) = object.remove(name) else {
        return Err(format!("{name} must be a string"));
    };
    if text.is_empty() {
        Err(format!("{name} should not be empty"))
    } else if text.chars().count() > OEM_ID_CHARS_MAX {
        Err(format!(
            "{name} must be shorter than or equal to {OEM_ID_CHARS_MAX} characters"
        ))
    } else {
        Ok(text)
    }
}

fn app_id(object: &mut Object) -> Result<u64, String> {
    match object.remove("appId") {
        Some(MetaValue::Unsigned(id)) if id > 0 => Ok(id),
        _ => Err("appId must be a positive integer".to_owned()),
    }
}

/// A number of minutes, hours or days: more than none, and at most 30 days.
fn seconds(object: &mut Object) -> Result<u64, String> {
    let text = match object.remove("expiresIn") {
        None => return Ok(SECONDS_DEFAULT),
        Some(MetaValue::Text(text)) => text,
        Some(_) => return Err("expiresIn must be a string".to_owned()),
    };
    let wrong = || r"expiresIn must match /^\d+[mhd]$/ regular expression".to_owned();
    let long = || "expiresIn must not be longer than 30d".to_owned();
    let (digits, unit) = [('m', 60), ('h', 3_600), ('d', 86_400)]
        .into_iter()
        .find_map(|(name, seconds)| Some((text.strip_suffix(name)?, seconds)))
        .ok_or_else(wrong)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let count: u64 = digits.parse().map_err(|_| long())?;
    match count.checked_mul(unit) {
        Some(0) => Err("expiresIn must not be zero".to_owned()),
        Some(seconds) if seconds <= OEM_LIFE_SECONDS_MAX => Ok(seconds),
        Some(_) | None => Err(long()),
    }
}
