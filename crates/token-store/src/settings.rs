//! The settings of a keyset: one table.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::InvalidSetting;

/// Longest `max_ttl`, in minutes: ten years.
const MAX_TTL_MINUTES_MAX: u32 = 5_256_000;

/// Longest `max_staleness`, in seconds: a day.
const MAX_STALENESS_SECONDS_MAX: u64 = 86_400;

/// Who may list every channel or user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new mode must be met by the decision"
)]
pub enum ListAccess {
    /// Who was granted the category.
    Granted,
    /// Any valid token.
    Open,
    /// The secret key alone.
    Off,
}

/// Which values `meta` may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new mode must be met by the grant"
)]
pub enum MetaMode {
    /// Any JSON value.
    Any,
    /// No array and no object.
    Scalar,
}

/// What happens when the deny list has not heard from the others for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new mode must be met by the decision"
)]
pub enum OnStale {
    /// Decide on what is known.
    Serve,
    /// Deny.
    Deny,
}

/// How a signing key signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new algorithm must be met by whoever signs"
)]
pub enum SigningAlgorithm {
    /// HMAC-SHA256: who verifies can sign.
    #[default]
    Hmac,
    /// Ed25519: who has the public key verifies, and cannot sign.
    Ed25519,
}

impl SigningAlgorithm {
    /// The name in JSON: `hmac`, `ed25519`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hmac => "hmac",
            Self::Ed25519 => "ed25519",
        }
    }

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The settings of a keyset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// Off: grants and decisions are refused.
    pub access_manager: bool,
    /// Off: Access Manager revokes are refused. What is revoked stays revoked.
    pub revocation: bool,
    /// Longest life that a grant may ask for, in minutes.
    pub max_ttl: u32,
    /// Who may list all users.
    pub list_users: ListAccess,
    /// Who may list all channels.
    pub list_channels: ListAccess,
    /// Which values `meta` may hold.
    pub meta: MetaMode,
    /// On: every grant must be bound to a uuid.
    pub require_uuid: bool,
    /// On: publish requests may be signed without their body, as most SDKs do.
    pub accept_unsigned_publish_body: bool,
    /// What happens when the deny list is older than `max_staleness`.
    pub on_stale: OnStale,
    /// Oldest deny list to decide on, in seconds.
    pub max_staleness: u64,
    /// How the signing keys sign that are made from now on.
    pub signing_algorithm: SigningAlgorithm,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access_manager: true,
            revocation: true,
            max_ttl: token_core::limits::TTL_MINUTES_MAX,
            list_users: ListAccess::Granted,
            list_channels: ListAccess::Granted,
            meta: MetaMode::Any,
            require_uuid: false,
            accept_unsigned_publish_body: true,
            on_stale: OnStale::Serve,
            max_staleness: 60,
            signing_algorithm: SigningAlgorithm::Hmac,
        }
    }
}

/// A row of the table of settings, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettingRow {
    /// The name.
    pub name: &'static str,
    /// What values it takes.
    pub values: &'static str,
    /// What it is when nobody says.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

const fn row(
    name: &'static str,
    values: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> SettingRow {
    SettingRow {
        name,
        values,
        default,
        meaning,
    }
}

/// Every setting, in the order of [`Settings`].
pub const SETTINGS: [SettingRow; 11] = [
    row(
        "access_manager",
        "on|off",
        "on",
        "off: grants and decisions are refused",
    ),
    row(
        "revocation",
        "on|off",
        "on",
        "off: revokes by SDKs are refused; what is revoked stays revoked",
    ),
    row(
        "max_ttl",
        "minutes, 1 to 5256000",
        "43200",
        "longest life of a token; above 43200 only without revocation",
    ),
    row(
        "list_users",
        "granted|open|off",
        "granted",
        "who may list all users: by category, any token, secret key only",
    ),
    row(
        "list_channels",
        "granted|open|off",
        "granted",
        "who may list all channels",
    ),
    row(
        "meta",
        "any|scalar",
        "any",
        "whether meta may hold arrays and objects",
    ),
    row(
        "require_uuid",
        "on|off",
        "off",
        "on: every grant must be bound to a uuid",
    ),
    row(
        "accept_unsigned_publish_body",
        "on|off",
        "on",
        "on: a publish may be signed without its body",
    ),
    row(
        "on_stale",
        "serve|deny",
        "serve",
        "what to do when the deny list is too old",
    ),
    row(
        "max_staleness",
        "seconds, 1 to 86400",
        "60",
        "how old the deny list may be",
    ),
    row(
        "signing_algorithm",
        "hmac|ed25519",
        "hmac",
        "of the next signing key; ed25519 can be verified without a secret",
    ),
];

impl Settings {
    /// Sets one setting by name. Switches take `true`, `false`, `on` and
    /// `off`; numbers may be text.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`] when there is no such setting or it does not take
    /// the value. The settings are then as before.
    pub fn set(&mut self, name: &str, value: &Value) -> Result<(), InvalidSetting> {
        let row = SETTINGS
            .iter()
            .find(|row| row.name == name)
            .ok_or_else(|| InvalidSetting::Unknown {
                name: name.to_owned(),
            })?;
        let refused = || InvalidSetting::Value {
            name: row.name,
            values: row.values,
        };
        let value = normal(value, row.values).ok_or_else(refused)?;
        let mut fields = serde_json::to_value(&*self).map_err(|_| refused())?;
        let field = fields.get_mut(name).ok_or_else(refused)?;
        *field = value;
        let changed: Self = serde_json::from_value(fields).map_err(|_| refused())?;
        let ttl_fits = (1..=MAX_TTL_MINUTES_MAX).contains(&changed.max_ttl);
        let staleness_fits = (1..=MAX_STALENESS_SECONDS_MAX).contains(&changed.max_staleness);
        if !ttl_fits || !staleness_fits {
            return Err(refused());
        }
        *self = changed;
        Ok(())
    }

    /// Whether the settings go together.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting::Conflict`] when tokens may outlive what the deny list
    /// is kept for.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        if self.revocation && self.max_ttl > token_core::limits::TTL_MINUTES_MAX {
            return Err(InvalidSetting::Conflict);
        }
        Ok(())
    }
}

/// The value as the row's type has it.
fn normal(value: &Value, values: &str) -> Option<Value> {
    let text = value.as_str();
    if values == "on|off" {
        return match (value, text) {
            (Value::Bool(flag), _) => Some(Value::Bool(*flag)),
            (_, Some("on" | "true")) => Some(Value::Bool(true)),
            (_, Some("off" | "false")) => Some(Value::Bool(false)),
            _ => None,
        };
    }
    if values.contains('|') {
        return Some(value.clone());
    }
    match text {
        Some(text) => text.parse::<u64>().ok().map(Value::from),
        None => value.is_u64().then(|| value.clone()),
    }
}
