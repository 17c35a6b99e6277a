//! Accounts: who issues customer access tokens, for which applications, to
//! whose users (oem 1 to 3).

mod change;
mod record;

use core::fmt;
use std::collections::BTreeMap;

use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;
use token_core::UnixSeconds;
use token_core::limits::OEM_LIFE_SECONDS_MAX;

use crate::keyset::SigningKey;

pub use change::{AccountChange, AccountChanged, AccountStep};
pub(crate) use record::AccountEntry;

/// Most API keys of an account (oem 1).
pub const API_KEYS_MAX: usize = 3;

/// Most keysets of a customer (oem 3).
pub const CUSTOMER_KEYSETS_MAX: usize = 5;

/// Most applications of an account, and most keysets; all of an account is in
/// memory.
pub const APPLICATIONS_MAX: usize = 1_000;

/// Most customers of an account: some 3 MB in memory.
pub const CUSTOMERS_MAX: usize = 10_000;

/// An account with everything that is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// Names it; random.
    pub id: u64,
    /// For people.
    pub name: String,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// Open the dialect (oem 1). Kept as hashes.
    pub api_keys: Vec<ApiKey>,
    /// Sign its tokens, by ascending period: Ed25519 seeds.
    pub signing_keys: Vec<SigningKey>,
    /// Its applications, by id.
    pub applications: BTreeMap<u64, Application>,
    /// The keysets of its applications, by id.
    pub keysets: BTreeMap<u64, AccountKeyset>,
    /// Its customers, by id.
    pub customers: BTreeMap<String, Customer>,
}

/// A key of the dialect.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiKey {
    /// Names it, so that it can be taken away; says nothing of the key.
    pub id: String,
    /// When it was made.
    pub created_at: UnixSeconds,
    sha256: [u8; 32],
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// An application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Application {
    /// For people.
    pub name: String,
    /// When it was made.
    pub created_at: UnixSeconds,
}

/// A keyset of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountKeyset {
    /// The application.
    pub application: u64,
    /// The keyset.
    pub subscribe_key: String,
    /// The one customer that it is assigned to, and since when.
    pub assigned: Option<(String, UnixSeconds)>,
}

/// A customer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Customer {
    /// What the account calls it.
    pub external_id: String,
    /// For people.
    pub name: String,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// When it was changed last.
    pub updated_at: UnixSeconds,
}

impl Account {
    /// The customer that the account calls so.
    #[must_use]
    pub fn customer_called(&self, external_id: &str) -> Option<(&str, &Customer)> {
        let mut customers = self.customers.iter();
        customers
            .find(|(_, customer)| customer.external_id == external_id)
            .map(|(id, customer)| (id.as_str(), customer))
    }

    /// The keysets that are assigned to a customer, by id.
    pub fn keysets_of<'a>(
        &'a self,
        customer: &'a str,
    ) -> impl Iterator<Item = (u64, &'a AccountKeyset, UnixSeconds)> + 'a {
        self.keysets.iter().filter_map(move |(id, keyset)| {
            let (of, since) = keyset.assigned.as_ref()?;
            (of == customer).then_some((*id, keyset, *since))
        })
    }

    /// Whether a customer has a keyset in an application.
    #[must_use]
    pub fn serves(&self, customer: &str, application: u64) -> bool {
        self.keysets_of(customer)
            .any(|(_, keyset, _)| keyset.application == application)
    }

    /// The scope of its tokens: on the deny list, in a token's `accountId`.
    #[must_use]
    pub fn scope(&self) -> String {
        self.id.to_string()
    }

    /// Whether `key` is one of its API keys; every one is compared.
    pub(crate) fn opens(&self, key: &ApiKeyHash) -> bool {
        let mut found = false;
        for held in &self.api_keys {
            found |= bool::from(held.sha256.ct_eq(&key.0));
        }
        found
    }

    /// The starts of the signing keys' periods.
    pub(crate) fn signing_starts(&self) -> Vec<u64> {
        self.signing_keys.iter().map(|key| key.from.0).collect()
    }

    /// The longest life of a token of an account, in seconds.
    pub(crate) const fn longest_life_seconds() -> u64 {
        OEM_LIFE_SECONDS_MAX
    }
}

/// An API key that was presented.
pub(crate) struct ApiKeyHash([u8; 32]);

impl ApiKeyHash {
    pub(crate) fn of(key: &str) -> Self {
        let hash = digest(&SHA256, key.as_bytes());
        Self(hash.as_ref().try_into().unwrap_or_default())
    }
}
