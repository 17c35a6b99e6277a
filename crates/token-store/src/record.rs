//! Keysets as the database holds them.

use serde::{Deserialize, Serialize};
use token_core::{PublishKey, SubscribeKey, UnixSeconds};

mod project;

use self::project::LiveProject;
use crate::keyset::{Keyset, PreviousSecret, SigningKey};
use crate::master_key::Seal;
use crate::secret::{self, Secret};
use crate::settings::{Settings, SigningAlgorithm};

/// A keyset in the database, or what is left of one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) version: u64,
    /// None once it was deleted: a tombstone.
    pub(crate) keyset: Option<Live>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Live {
    name: String,
    publish_key: String,
    #[serde(
        serialize_with = "secret::serialize",
        deserialize_with = "secret::deserialize"
    )]
    secret_key: Secret,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous_secret: Option<LivePreviousSecret>,
    signing_keys: Vec<LiveSigningKey>,
    settings: Settings,
    created_at: u64,
    longest_ttl: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    projects: Vec<LiveProject>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LiveSigningKey {
    from: u64,
    until: Option<u64>,
    #[serde(default, skip_serializing_if = "SigningAlgorithm::is_default")]
    algorithm: SigningAlgorithm,
    #[serde(
        serialize_with = "secret::serialize",
        deserialize_with = "secret::deserialize"
    )]
    key: Secret,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LivePreviousSecret {
    until: u64,
    #[serde(
        serialize_with = "secret::serialize",
        deserialize_with = "secret::deserialize"
    )]
    key: Secret,
}

impl From<&Keyset> for Record {
    fn from(keyset: &Keyset) -> Self {
        let signing_keys = keyset.signing_keys.iter().map(|key| LiveSigningKey {
            from: key.from.0,
            until: key.until.map(|until| until.0),
            algorithm: key.algorithm,
            key: key.key.clone(),
        });
        let previous = keyset.previous_secret.as_ref();
        let previous_secret = previous.map(|previous| LivePreviousSecret {
            until: previous.until.0,
            key: previous.key.clone(),
        });
        Self {
            version: keyset.version,
            keyset: Some(Live {
                name: keyset.name.clone(),
                publish_key: keyset.publish_key.to_string(),
                secret_key: keyset.secret_key.clone(),
                previous_secret,
                signing_keys: signing_keys.collect(),
                settings: keyset.settings.clone(),
                created_at: keyset.created_at.0,
                longest_ttl: keyset.longest_ttl,
                projects: keyset.projects.iter().map(LiveProject::from).collect(),
            }),
        }
    }
}

/// [`place`] of a secret key that was replaced: when it ends.
fn previous_place(subscribe_key: &str, until: u64) -> String {
    format!("keysets/{subscribe_key}/previous_secret_key/{until}")
}

/// What a secret is for, as a sealed one is bound to it: the keyset and, of a
/// signing key, the start of its period.
fn place(subscribe_key: &str, signing_from: Option<u64>) -> String {
    match signing_from {
        None => format!("keysets/{subscribe_key}/secret_key"),
        Some(from) => format!("keysets/{subscribe_key}/signing_key/{from}"),
    }
}

impl Record {
    /// The record as the database holds it.
    pub(crate) fn close(
        mut self,
        seal: &Seal,
        subscribe_key: &str,
    ) -> Result<Self, ring::error::Unspecified> {
        if let Some(live) = &mut self.keyset {
            live.secret_key = seal.close(&place(subscribe_key, None), &live.secret_key)?;
            if let Some(previous) = &mut live.previous_secret {
                let place = previous_place(subscribe_key, previous.until);
                previous.key = seal.close(&place, &previous.key)?;
            }
            for key in &mut live.signing_keys {
                key.key = seal.close(&place(subscribe_key, Some(key.from)), &key.key)?;
            }
        }
        Ok(self)
    }

    /// The record that the database holds. `Err` says which secret does not
    /// open.
    pub(crate) fn open(mut self, seal: &Seal, subscribe_key: &str) -> Result<Self, String> {
        let closed = |what| move || format!("the {what} of keyset `{subscribe_key}` does not open");
        if let Some(live) = &mut self.keyset {
            live.secret_key = seal
                .open(&place(subscribe_key, None), &live.secret_key)
                .ok_or_else(closed("secret key"))?;
            if let Some(previous) = &mut live.previous_secret {
                previous.key = seal
                    .open(
                        &previous_place(subscribe_key, previous.until),
                        &previous.key,
                    )
                    .ok_or_else(closed("previous secret key"))?;
            }
            for key in &mut live.signing_keys {
                key.key = seal
                    .open(&place(subscribe_key, Some(key.from)), &key.key)
                    .ok_or_else(closed("signing key"))?;
            }
        }
        Ok(self)
    }

    /// Everything in it, to be compared: equal records have equal content.
    pub(crate) fn content(&self) -> zeroize::Zeroizing<Vec<u8>> {
        zeroize::Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }

    /// The name for people; none of a tombstone.
    pub(crate) fn name(&self) -> Option<&str> {
        self.keyset.as_ref().map(|live| live.name.as_str())
    }

    /// The keyset, or `None` for a tombstone. `Err` says that the record is
    /// not one that we wrote.
    pub(crate) fn into_keyset(self, subscribe_key: &str) -> Result<Option<Keyset>, String> {
        let Some(live) = self.keyset else {
            return Ok(None);
        };
        let wrong = |what: &str| format!("keyset `{subscribe_key}` has no usable {what}");
        let signing_keys = live.signing_keys.into_iter().map(|key| {
            secret::from_hex::<32>(key.key.expose()).ok_or_else(|| wrong("signing key"))?;
            Ok(SigningKey {
                from: UnixSeconds(key.from),
                until: key.until.map(UnixSeconds),
                algorithm: key.algorithm,
                key: key.key,
            })
        });
        let projects = live.projects.into_iter();
        let projects = projects
            .map(LiveProject::into_project)
            .collect::<Option<_>>();
        Ok(Some(Keyset {
            name: live.name,
            subscribe_key: SubscribeKey::new(subscribe_key).map_err(|_| wrong("subscribe key"))?,
            publish_key: PublishKey::new(&live.publish_key).map_err(|_| wrong("publish key"))?,
            secret_key: live.secret_key,
            previous_secret: live.previous_secret.map(|previous| PreviousSecret {
                key: previous.key,
                until: UnixSeconds(previous.until),
            }),
            signing_keys: signing_keys.collect::<Result<_, String>>()?,
            settings: live.settings,
            version: self.version,
            created_at: UnixSeconds(live.created_at),
            longest_ttl: live.longest_ttl,
            projects: projects.ok_or_else(|| wrong("project"))?,
        }))
    }
}
