//! The keys of the internal API: named, random, shown once, kept as a hash.

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use token_core::UnixSeconds;

use crate::error::StoreError;
use crate::secret::{self, Secret};

/// Most keys of the internal API.
pub(crate) const ACCESS_KEYS_MAX: usize = 256;

/// Longest name of a key, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Longest time that a key goes on beside the one that replaces it, in seconds:
/// 7 days.
pub(crate) const OVERLAP_SECONDS_MAX: u64 = 7 * 86_400;

/// What a key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new class of routes must be met by the server"
)]
pub enum Role {
    /// Everything.
    Admin,
    /// Grants.
    Issuer,
    /// Decisions.
    Verifier,
    /// Reading what was done, and by whom.
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Issuer, Self::Verifier, Self::Auditor];

    /// Its name, which is also that of the key that is made for it when nobody
    /// names one.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Issuer => "issuer",
            Self::Verifier => "verifier",
            Self::Auditor => "auditor",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Admin => "usher_admin_",
            Self::Issuer => "usher_issuer_",
            Self::Verifier => "usher_verifier_",
            Self::Auditor => "usher_auditor_",
        }
    }
}

/// A key of the internal API, without the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AccessKey {
    /// Names it: 1 to 64 letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// What it opens.
    pub role: Role,
    /// When it was made, in seconds since 1970; 0 when that was not noted.
    pub created_at: u64,
    /// When it was replaced last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated_at: Option<u64>,
    /// From when on it opens nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// The SHA-256 of the key.
    sha256: String,
    /// The key before it, while both are good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<Previous>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Previous {
    sha256: String,
    until: u64,
}

/// A change of the keys of the internal API.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new change must be met by the writer"
)]
pub enum AccessKeyChange {
    /// Make one.
    Create {
        /// A name that no key has.
        name: String,
        /// What it opens.
        role: Role,
        /// From when on it opens nothing; never without it.
        expires_at: Option<UnixSeconds>,
    },
    /// Make one with the name of its role, or replace that one.
    Renew {
        /// The role.
        role: Role,
    },
    /// Replace one.
    Rotate {
        /// Which.
        name: String,
        /// How long the old one is good beside the new one, in seconds.
        overlap_seconds: u64,
    },
    /// Forget one. The last admin key stays.
    Remove {
        /// Which.
        name: String,
    },
}

/// What came of a change.
#[derive(Debug)]
#[non_exhaustive]
pub struct ChangedAccessKey {
    /// The key as it is then or, removed, as it was.
    pub access_key: AccessKey,
    /// The new key, which cannot be read back; none when one was removed.
    pub key: Option<Secret>,
}

impl AccessKey {
    /// A new key. 256 random bits.
    pub(crate) fn make(
        name: &str,
        role: Role,
        expires_at: Option<UnixSeconds>,
        now: UnixSeconds,
    ) -> Result<(Self, Secret), StoreError> {
        let key = random(role)?;
        let access_key = Self {
            name: name.to_owned(),
            role,
            created_at: now.0,
            rotated_at: None,
            expires_at: expires_at.map(|at| at.0),
            sha256: hash(key.expose()),
            previous: None,
        };
        access_key.check(now)?;
        Ok((access_key, key))
    }

    /// One that was made before, if it is one. An earlier format knew a role
    /// and its hash alone.
    pub(crate) fn known(
        role: Role,
        name: Option<String>,
        created_at: u64,
        expires_at: Option<u64>,
        sha256: String,
    ) -> Option<Self> {
        let access_key = Self {
            name: name.unwrap_or_else(|| role.name().to_owned()),
            role,
            created_at,
            rotated_at: None,
            expires_at,
            sha256,
            previous: None,
        };
        access_key.is_sound().then_some(access_key)
    }

    /// The hash, for an export.
    pub(crate) fn sha256(&self) -> &str {
        &self.sha256
    }

    fn check(&self, now: UnixSeconds) -> Result<(), StoreError> {
        let wrong = |what: &'static str| Err(StoreError::AccessKey { what });
        if !is_name(&self.name) {
            return wrong("its name must be 1 to 64 letters, digits, `-`, `_` and `.`");
        }
        if self.expires_at.is_some_and(|at| at <= now.0) {
            return wrong("it would have expired before it is made");
        }
        Ok(())
    }

    /// Whether a record is one that we wrote.
    pub(crate) fn is_sound(&self) -> bool {
        let is_hash = |text: &str| secret::from_hex::<32>(text).is_some();
        let previous = self.previous.as_ref();
        is_name(&self.name)
            && is_hash(&self.sha256)
            && previous.is_none_or(|previous| is_hash(&previous.sha256))
    }

    /// Another key in its place.
    pub(crate) fn rotate(&mut self, overlap: u64, now: UnixSeconds) -> Result<Secret, StoreError> {
        if overlap > OVERLAP_SECONDS_MAX {
            return Err(StoreError::Overlap {
                seconds_max: OVERLAP_SECONDS_MAX,
            });
        }
        let key = random(self.role)?;
        let sha256 = core::mem::replace(&mut self.sha256, hash(key.expose()));
        self.previous = (overlap > 0).then(|| Previous {
            sha256,
            until: now.saturating_add(overlap).0,
        });
        self.rotated_at = Some(now.0);
        Ok(key)
    }

    /// Whether it has expired.
    #[must_use]
    pub fn is_expired(&self, now: UnixSeconds) -> bool {
        self.expires_at.is_some_and(|at| at <= now.0)
    }

    /// Until when the key before it is good, too.
    #[must_use]
    pub fn overlaps_until(&self, now: UnixSeconds) -> Option<u64> {
        let previous = self.previous.as_ref()?;
        (previous.until > now.0).then_some(previous.until)
    }

    /// Whether this is the SHA-256 of the key, in constant time: a key has 256
    /// random bits, so a plain hash of it can be neither guessed nor looked up.
    pub(crate) fn opens(&self, sha256: &str, now: UnixSeconds) -> bool {
        let is = |own: &str| bool::from(own.as_bytes().ct_eq(sha256.as_bytes()));
        let current = is(&self.sha256);
        let before = self
            .previous
            .as_ref()
            .is_some_and(|previous| is(&previous.sha256) && previous.until > now.0);
        (current || before) && !self.is_expired(now)
    }
}

fn is_name(name: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_good)
}

fn random(role: Role) -> Result<Secret, StoreError> {
    Secret::random(role.prefix(), 32).map_err(|_| StoreError::Unavailable {
        reason: "the system gives no random bytes".to_owned(),
    })
}

/// The SHA-256 of a key, as hexadecimal digits.
pub(crate) fn hash(key: &str) -> String {
    secret::hex(digest(&SHA256, key.as_bytes()).as_ref()).to_string()
}
