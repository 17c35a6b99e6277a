//! `scenarios.json`, `reserved-token.json` and the description of the server.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{env, fs};

use serde::Deserialize;
use serde_json::Value;

use crate::report::Outcome;

/// Name or pattern, and its permissions by name.
pub(crate) type Entries = BTreeMap<String, Vec<String>>;

/// Kind (`channels`, `groups`, `uuids`) and its entries.
pub(crate) type Section = BTreeMap<String, Entries>;

/// Everything a run is given.
pub(crate) struct Input {
    pub(crate) server: Server,
    pub(crate) scenarios: Scenarios,
    pub(crate) reserved: Reserved,
}

#[derive(Deserialize)]
pub(crate) struct Server {
    pub(crate) public: String,
    keysets: BTreeMap<String, Keyset>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Keyset {
    pub(crate) subscribe_key: String,
    pub(crate) publish_key: String,
    pub(crate) secret_key: String,
}

#[derive(Deserialize)]
pub(crate) struct Scenarios {
    derived_keysets: BTreeMap<String, Derived>,
    sdk_cannot: BTreeMap<String, BTreeMap<String, String>>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) refused_grants: Vec<Grant>,
    pub(crate) revokes: Vec<Revoke>,
}

#[derive(Deserialize)]
struct Derived {
    of: String,
    subscribe_key: Option<String>,
    secret_key: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Grant {
    pub(crate) name: String,
    pub(crate) needs: Option<String>,
    pub(crate) keyset: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) with_token: bool,
    pub(crate) clock_offset_seconds: i64,
    pub(crate) ttl: u32,
    pub(crate) resources: Section,
    pub(crate) patterns: Section,
    pub(crate) categories: Vec<String>,
    pub(crate) meta: BTreeMap<String, Value>,
    pub(crate) authorized_uuid: Option<String>,
    pub(crate) local: BTreeMap<String, String>,
    pub(crate) expect: Option<Expect>,
}

#[derive(Deserialize)]
pub(crate) struct Revoke {
    pub(crate) name: String,
    pub(crate) token: String,
    pub(crate) grant_keyset: Option<String>,
    pub(crate) keyset: Option<String>,
    pub(crate) expect: Expect,
}

/// An answer; only `status` where it is a success.
#[derive(Clone, Deserialize)]
pub(crate) struct Expect {
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) message: String,
    pub(crate) source: Option<String>,
    #[serde(default)]
    pub(crate) details: Vec<Detail>,
}

/// One fault; a message of `None` stands for any text that is not empty.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Detail {
    pub(crate) message: Option<String>,
    pub(crate) location: String,
    pub(crate) location_type: String,
}

#[derive(Deserialize)]
pub(crate) struct Reserved {
    pub(crate) token: String,
    pub(crate) expect: ReservedToken,
}

#[derive(Deserialize)]
pub(crate) struct ReservedToken {
    pub(crate) timestamp: u32,
    #[serde(flatten)]
    pub(crate) grant: Grant,
}

impl Input {
    pub(crate) fn read() -> Outcome<Self> {
        let path = env::var("USHER_SCENARIOS")
            .ok()
            .filter(|path| !path.is_empty());
        let path = PathBuf::from(path.unwrap_or_else(|| "scenarios.json".to_owned()));
        let scenarios: Scenarios = serde_json::from_str(&fs::read_to_string(&path)?)?;
        let reserved = fs::read_to_string(path.with_file_name("reserved-token.json"))?;
        let mut server: Server = serde_json::from_str(&env::var("USHER_INTEROP")?)?;
        for (name, derived) in &scenarios.derived_keysets {
            let mut keyset = server.keyset(Some(&derived.of))?.clone();
            if let Some(key) = &derived.subscribe_key {
                keyset.subscribe_key.clone_from(key);
            }
            if let Some(key) = &derived.secret_key {
                keyset.secret_key.clone_from(key);
            }
            server.keysets.insert(name.clone(), keyset);
        }
        Ok(Self {
            server,
            scenarios,
            reserved: serde_json::from_str(&reserved)?,
        })
    }
}

impl Server {
    /// The keyset of that name; `default` when none is named.
    pub(crate) fn keyset(&self, name: Option<&str>) -> Outcome<&Keyset> {
        let name = name.unwrap_or("default");
        let missing = || format!("the description holds no keyset `{name}`").into();
        self.keysets.get(name).ok_or_else(missing)
    }
}

impl Scenarios {
    /// Why this SDK cannot run a scenario, if it cannot.
    pub(crate) fn impossible(&self, grant: &Grant) -> Option<&str> {
        let reasons = self.sdk_cannot.get("rust")?;
        reasons.get(grant.needs.as_deref()?).map(String::as_str)
    }
}
