//! Keysets: their keys, their settings, and how they change.

use serde_json::Value;
use token_core::limits::{ISSUED_AHEAD_SECONDS_MAX, KEY_ANNOUNCE_SECONDS_MIN, SIGNING_KEYS_MAX};
use token_core::{PublishKey, SubscribeKey, TokenKind, UnixSeconds};

use crate::access_key::OVERLAP_SECONDS_MAX;
use crate::error::{InvalidKeyset, StoreError};
use crate::project::{NewApiToken, Project};
use crate::secret::{self, Secret};
use crate::settings::{Settings, SigningAlgorithm};

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// A keyset.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keyset {
    /// For people.
    pub name: String,
    /// Names the keyset.
    pub subscribe_key: SubscribeKey,
    /// Shown beside it by publishers.
    pub publish_key: PublishKey,
    /// Signs requests.
    pub secret_key: Secret,
    /// The secret key before it, while both are good.
    pub(crate) previous_secret: Option<PreviousSecret>,
    /// Sign tokens, by ascending period.
    pub signing_keys: Vec<SigningKey>,
    /// The settings.
    pub settings: Settings,
    /// Counts its changes.
    pub version: u64,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// Issue PubSub and Chat tokens.
    pub projects: Vec<Project>,
    /// The longest life that its settings ever allowed, or one of its
    /// projects, in minutes.
    pub(crate) longest_ttl: u32,
}

/// A secret key that was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PreviousSecret {
    pub(crate) key: Secret,
    /// From then on it signs nothing.
    pub(crate) until: UnixSeconds,
}

/// A key that signs tokens whose `t` is in its period.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SigningKey {
    /// The first instant of the period.
    pub from: UnixSeconds,
    /// The instant after the last; `None` while no other key is announced.
    pub until: Option<UnixSeconds>,
    /// How it signs.
    pub algorithm: SigningAlgorithm,
    pub(crate) key: Secret,
}

impl SigningKey {
    /// The 32 bytes: what a MAC key is derived from, or the seed of an Ed25519
    /// pair. Make the key and let go.
    #[must_use]
    pub fn expose(&self) -> zeroize::Zeroizing<[u8; 32]> {
        // Made by `random`, and checked when it was read.
        secret::from_hex(self.key.expose()).unwrap_or_default()
    }

    pub(crate) fn random(
        from: UnixSeconds,
        algorithm: SigningAlgorithm,
    ) -> Result<Self, StoreError> {
        let key = Secret::random("", 32).map_err(|_| no_randomness())?;
        Ok(Self {
            from,
            until: None,
            algorithm,
            key,
        })
    }
}

pub(crate) fn no_randomness() -> StoreError {
    StoreError::Unavailable {
        reason: "the system gives no random bytes".to_owned(),
    }
}

/// A keyset to make. Keys that are not given are random.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "what a caller may choose")]
pub struct NewKeyset {
    /// For people.
    pub name: String,
    /// Bring your own subscribe key.
    pub subscribe_key: Option<String>,
    /// Bring your own publish key.
    pub publish_key: Option<String>,
    /// Bring your own secret key.
    pub secret_key: Option<Secret>,
    /// Settings that differ from the defaults, by name.
    pub settings: Vec<(String, Value)>,
}

/// What to renew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller chooses one")]
pub enum Rotation {
    /// The signing key, after the announced time. Tokens stay valid.
    Signing,
    /// The signing key, now, with a rule that kills every token issued so far.
    Emergency,
    /// The secret key.
    Secret {
        /// How long the old one is good beside the new one, in seconds: at most
        /// 604800 (7 days). With 0, signed requests need the new one at once.
        overlap_seconds: u64,
    },
    /// After a leak: signing key as in an emergency and secret key, now and
    /// together. Of neither is anything good that was made before.
    Incident,
}

/// A change of keysets.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new change must be met by the writer"
)]
pub enum KeysetChange {
    /// Make one.
    Create(NewKeyset),
    /// Change settings, all or none.
    Set {
        /// Which keyset.
        subscribe_key: String,
        /// Values by name.
        settings: Vec<(String, Value)>,
    },
    /// Renew a key.
    Rotate {
        /// Which keyset.
        subscribe_key: String,
        /// Which key.
        rotation: Rotation,
    },
    /// Add an API token to a project, which is made when it is not there.
    AddApiToken {
        /// Which keyset.
        subscribe_key: String,
        /// The token.
        new: NewApiToken,
    },
    /// Take an API token away. What was issued with it stays good.
    RemoveApiToken {
        /// Which keyset.
        subscribe_key: String,
        /// Which project.
        project: String,
        /// Which token.
        id: String,
    },
    /// Delete it. Its tokens are dead for good.
    Delete {
        /// Which keyset.
        subscribe_key: String,
    },
}

impl NewKeyset {
    /// Whether a keyset can be made of this, by itself: names, keys, settings.
    ///
    /// # Errors
    ///
    /// What making it would be refused with, except that it exists.
    pub fn check(&self) -> Result<(), StoreError> {
        self.clone().make(0, UnixSeconds(0)).map(drop)
    }

    pub(crate) fn make(self, version: u64, now: UnixSeconds) -> Result<Keyset, StoreError> {
        let name_fits = !self.name.is_empty() && self.name.len() <= NAME_BYTES_MAX;
        if !name_fits || self.name.chars().any(char::is_control) {
            return Err(InvalidKeyset::Name.into());
        }
        let random = |prefix| Secret::random(prefix, 18).map_err(|_| no_randomness());
        let subscribe_key = match self.subscribe_key {
            Some(key) => key,
            None => random("sub-")?.expose().to_owned(),
        };
        let publish_key = match self.publish_key {
            Some(key) => key,
            None => random("pub-")?.expose().to_owned(),
        };
        let secret_key = match self.secret_key {
            Some(key) => key,
            None => Secret::random("sec-", 32).map_err(|_| no_randomness())?,
        };
        secret_key.check_secret_key()?;
        let mut keyset = Keyset {
            name: self.name,
            subscribe_key: SubscribeKey::new(&subscribe_key)
                .map_err(InvalidKeyset::SubscribeKey)?,
            publish_key: PublishKey::new(&publish_key).map_err(InvalidKeyset::PublishKey)?,
            secret_key,
            previous_secret: None,
            signing_keys: Vec::new(),
            settings: Settings::default(),
            version,
            created_at: now,
            projects: Vec::new(),
            longest_ttl: 0,
        };
        keyset.set(&self.settings)?;
        let first = SigningKey::random(UnixSeconds(0), keyset.settings.signing_algorithm)?;
        keyset.signing_keys.push(first);
        Ok(keyset)
    }
}

impl Keyset {
    pub(crate) fn set(&mut self, settings: &[(String, Value)]) -> Result<(), StoreError> {
        let mut changed = self.settings.clone();
        for (name, value) in settings {
            changed.set(name, value)?;
        }
        changed.check()?;
        self.longest_ttl = self.longest_ttl.max(changed.max_ttl);
        self.settings = changed;
        Ok(())
    }

    /// A new secret key. The old one is good for `overlap` seconds more, and
    /// one before that no longer.
    pub(crate) fn rotate_secret_key(
        &mut self,
        overlap: u64,
        now: UnixSeconds,
    ) -> Result<(), StoreError> {
        if overlap > OVERLAP_SECONDS_MAX {
            return Err(StoreError::Overlap {
                seconds_max: OVERLAP_SECONDS_MAX,
            });
        }
        let new = Secret::random("sec-", 32).map_err(|_| no_randomness())?;
        let key = core::mem::replace(&mut self.secret_key, new);
        self.previous_secret = (overlap > 0).then(|| PreviousSecret {
            key,
            until: now.saturating_add(overlap),
        });
        Ok(())
    }

    /// The secret key before this one and the instant from which on it signs
    /// nothing, while it does.
    #[must_use]
    pub fn previous_secret_key(&self, now: UnixSeconds) -> Option<(&Secret, UnixSeconds)> {
        let previous = self.previous_secret.as_ref()?;
        (now < previous.until).then_some((&previous.key, previous.until))
    }

    /// Announces the next signing key (design: 185 s plus the staleness bound
    /// ahead), and lets go of those whose tokens have all expired.
    pub(crate) fn rotate_signing_key(&mut self, now: UnixSeconds) -> Result<(), StoreError> {
        let ahead = KEY_ANNOUNCE_SECONDS_MIN.saturating_add(self.settings.max_staleness);
        let life = self.longest_life_seconds();
        let algorithm = self.settings.signing_algorithm;
        announce_key(&mut self.signing_keys, now, (ahead, life), algorithm)
    }

    /// A new signing key for every token after `until`, which a rule covers.
    /// Never refused: the tokens of the keys that it drops are dead.
    pub(crate) fn rotate_in_emergency(&mut self, until: UnixSeconds) -> Result<(), StoreError> {
        let algorithm = self.settings.signing_algorithm;
        replace_keys(&mut self.signing_keys, until, algorithm)
    }

    /// The scopes of the tokens that its keys sign: its own, and its projects.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = (TokenKind, &str)> + '_ {
        let own = (TokenKind::AccessManager, self.subscribe_key.as_str());
        let projects = self.projects.iter();
        core::iter::once(own).chain(projects.map(|project| (TokenKind::Crt, project.id.as_str())))
    }

    /// The starts of the signing keys' periods.
    pub(crate) fn signing_starts(&self) -> Vec<u64> {
        self.signing_keys.iter().map(|key| key.from.0).collect()
    }

    /// The longest life of a token of this keyset, in seconds.
    pub(crate) fn longest_life_seconds(&self) -> u64 {
        u64::from(self.longest_ttl).saturating_mul(60)
    }

    /// When the last token expires that may exist at `now`: issued as far
    /// ahead as one is accepted, with the longest life that the settings ever
    /// allowed. A revocation by id that knows no expiry is kept until then.
    #[must_use]
    pub fn latest_expiry(&self, now: UnixSeconds) -> UnixSeconds {
        now.saturating_add(ISSUED_AHEAD_SECONDS_MAX)
            .saturating_add(self.longest_life_seconds())
    }
}

/// Adds the key that signs from `ahead` seconds on, and lets go of those whose
/// tokens, of at most `life` seconds, have all expired.
pub(crate) fn announce_key(
    keys: &mut Vec<SigningKey>,
    now: UnixSeconds,
    (ahead, life): (u64, u64),
    algorithm: SigningAlgorithm,
) -> Result<(), StoreError> {
    if let Some(pending) = keys.last().filter(|last| last.from > now) {
        return Err(StoreError::RotationPending { from: pending.from });
    }
    let life = life.saturating_add(ISSUED_AHEAD_SECONDS_MAX);
    let useless_after = |key: &SigningKey| key.until.map(|until| until.saturating_add(life));
    keys.retain(|key| useless_after(key).is_none_or(|at| at > now));
    if keys.len() >= SIGNING_KEYS_MAX {
        let after = keys.iter().filter_map(useless_after).min();
        return Err(StoreError::TooManySigningKeys {
            after: after.unwrap_or(now),
        });
    }
    let from = now.saturating_add(ahead);
    end_keys(keys, from);
    keys.push(SigningKey::random(from, algorithm)?);
    Ok(())
}

/// Adds a key for every token after `until`; as many of the others stay as may.
pub(crate) fn replace_keys(
    keys: &mut Vec<SigningKey>,
    until: UnixSeconds,
    algorithm: SigningAlgorithm,
) -> Result<(), StoreError> {
    let from = until.saturating_add(1);
    keys.retain(|key| key.from < from);
    let surplus = keys
        .len()
        .saturating_sub(SIGNING_KEYS_MAX.saturating_sub(1));
    keys.drain(..surplus);
    end_keys(keys, from);
    keys.push(SigningKey::random(from, algorithm)?);
    Ok(())
}

fn end_keys(keys: &mut [SigningKey], at: UnixSeconds) {
    for key in keys {
        key.until = Some(key.until.map_or(at, |until| until.min(at)));
    }
}
