//! The keys of the internal API: random, shown once, kept as a hash.

use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

use crate::error::StoreError;
use crate::secret::Secret;

/// What a key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new class of routes must be met by the server"
)]
pub enum AccessKeyKind {
    /// Everything.
    Admin,
    /// Checks.
    Verifier,
}

impl AccessKeyKind {
    pub(crate) const ALL: [Self; 2] = [Self::Admin, Self::Verifier];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Verifier => "verifier",
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Admin => "usher_admin_",
            Self::Verifier => "usher_verifier_",
        }
    }

    /// A new key with its hash. 256 random bits.
    pub(crate) fn make(self) -> Result<(MadeAccessKey, [u8; 32]), StoreError> {
        let key = Secret::random(self.prefix(), 32).map_err(|_| StoreError::Unavailable {
            reason: "the system gives no random bytes".to_owned(),
        })?;
        let hash = hash(key.expose());
        Ok((MadeAccessKey { key }, hash))
    }
}

/// A key that was just made. It can not be read back.
#[derive(Debug)]
#[non_exhaustive]
pub struct MadeAccessKey {
    /// The key.
    pub key: Secret,
}

fn hash(key: &str) -> [u8; 32] {
    digest(&SHA256, key.as_bytes())
        .as_ref()
        .try_into()
        .unwrap_or_default()
}

/// Whether `key` has this hash, in constant time. The key has 256 random
/// bits, so a plain hash of it can be neither guessed nor looked up.
pub(crate) fn matches(key: &str, expected: &[u8; 32]) -> bool {
    hash(key).ct_eq(expected).into()
}
