//! Which keyset a verb is about.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::{Api, Failure};

/// A keyset as the internal API shows it.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Keyset {
    pub(crate) name: String,
    pub(crate) subscribe_key: String,
    pub(crate) publish_key: String,
    pub(crate) version: u64,
    pub(crate) created_at: u64,
    pub(crate) settings: Map<String, Value>,
    pub(crate) signing_keys: Vec<SigningKey>,
}

/// The period of a signing key, in token time.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct SigningKey {
    pub(crate) from: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<u64>,
    #[serde(default)]
    pub(crate) algorithm: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kid: Option<String>,
}

#[derive(Deserialize)]
struct Listing {
    keysets: Vec<Keyset>,
}

pub(crate) fn list(api: &Api) -> Result<Vec<Keyset>, Failure> {
    api.get("/v1/keysets")
        .map(|listing: Listing| listing.keysets)
}

/// The keyset that `wanted` names by subscribe key or name, or the only one.
pub(crate) fn find(api: &Api, wanted: Option<&str>) -> Result<Keyset, Failure> {
    let mut keysets = list(api)?;
    let Some(wanted) = wanted else {
        return match (keysets.pop(), keysets.len()) {
            (Some(only), 0) => Ok(only),
            (None, _) => Err(Failure::new(
                "unknown_keyset",
                "there is no keyset; make one with `usher keyset create --name NAME`",
            )),
            (Some(_), _) => Err(Failure::local(
                "there are several keysets; name one with --keyset (see `usher keyset list`)",
            )),
        };
    };
    if let Some(at) = keysets
        .iter()
        .position(|keyset| keyset.subscribe_key == wanted)
    {
        return Ok(keysets.swap_remove(at));
    }
    let mut named: Vec<Keyset> = keysets
        .into_iter()
        .filter(|keyset| keyset.name == wanted)
        .collect();
    match (named.pop(), named.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => Err(Failure::new(
            "unknown_keyset",
            format!("no keyset has the subscribe key or the name `{wanted}`"),
        )),
        (Some(_), _) => Err(Failure::local(format!(
            "several keysets are named `{wanted}`; use the subscribe key"
        ))),
    }
}
