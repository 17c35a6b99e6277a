//! Accounts as the database holds them: entries of one table, so that a change
//! writes what it changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use token_core::UnixSeconds;

use super::{Account, AccountKeyset, ApiKey, Application, Customer};
use crate::keyset::SigningKey;
use crate::master_key::Seal;
use crate::secret::{self, Secret};
use crate::settings::SigningAlgorithm;

/// The name of the entry that every account has.
const ACCOUNT: &str = "account";

/// One entry of an account. Its name in the table is [`ACCOUNT`], or the kind
/// and the id: `application/7`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum AccountEntry {
    Account {
        name: String,
        created_at: u64,
        api_keys: Vec<HeldApiKey>,
        signing_keys: Vec<HeldSigningKey>,
    },
    Application {
        name: String,
        created_at: u64,
    },
    Keyset {
        application: u64,
        subscribe_key: String,
        assigned: Option<(String, u64)>,
    },
    Customer {
        external_id: String,
        name: String,
        created_at: u64,
        updated_at: u64,
    },
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeldApiKey {
    id: String,
    created_at: u64,
    sha256: String,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeldSigningKey {
    from: u64,
    until: Option<u64>,
    #[serde(
        serialize_with = "secret::serialize",
        deserialize_with = "secret::deserialize"
    )]
    key: Secret,
}

/// What a seed is for, as a sealed one is bound to it.
fn place(account: u64, from: u64) -> String {
    format!("accounts/{account}/signing_key/{from}")
}

impl AccountEntry {
    /// The entry as the database holds it.
    pub(crate) fn close(
        mut self,
        seal: &Seal,
        account: u64,
    ) -> Result<Self, ring::error::Unspecified> {
        if let Self::Account { signing_keys, .. } = &mut self {
            for key in signing_keys {
                key.key = seal.close(&place(account, key.from), &key.key)?;
            }
        }
        Ok(self)
    }

    /// The entry that the database holds.
    pub(crate) fn open(mut self, seal: &Seal, account: u64) -> Result<Self, String> {
        if let Self::Account { signing_keys, .. } = &mut self {
            for key in signing_keys {
                key.key = seal
                    .open(&place(account, key.from), &key.key)
                    .ok_or_else(|| format!("a signing key of account {account} does not open"))?;
            }
        }
        Ok(self)
    }
}

impl Account {
    /// Its entries, open.
    pub(crate) fn entries(&self) -> BTreeMap<String, AccountEntry> {
        let mut entries = BTreeMap::from([(ACCOUNT.to_owned(), self.head())]);
        for (id, application) in &self.applications {
            let entry = AccountEntry::Application {
                name: application.name.clone(),
                created_at: application.created_at.0,
            };
            entries.insert(format!("application/{id}"), entry);
        }
        for (id, keyset) in &self.keysets {
            let assigned = keyset.assigned.as_ref();
            let entry = AccountEntry::Keyset {
                application: keyset.application,
                subscribe_key: keyset.subscribe_key.clone(),
                assigned: assigned.map(|(customer, since)| (customer.clone(), since.0)),
            };
            entries.insert(format!("keyset/{id}"), entry);
        }
        for (id, customer) in &self.customers {
            let entry = AccountEntry::Customer {
                external_id: customer.external_id.clone(),
                name: customer.name.clone(),
                created_at: customer.created_at.0,
                updated_at: customer.updated_at.0,
            };
            entries.insert(format!("customer/{id}"), entry);
        }
        entries
    }

    fn head(&self) -> AccountEntry {
        let api_keys = self.api_keys.iter().map(|key| HeldApiKey {
            id: key.id.clone(),
            created_at: key.created_at.0,
            sha256: secret::hex(&key.sha256).to_string(),
        });
        let signing_keys = self.signing_keys.iter().map(|key| HeldSigningKey {
            from: key.from.0,
            until: key.until.map(|until| until.0),
            key: key.key.clone(),
        });
        AccountEntry::Account {
            name: self.name.clone(),
            created_at: self.created_at.0,
            api_keys: api_keys.collect(),
            signing_keys: signing_keys.collect(),
        }
    }

    /// The account of these entries, all of them open. `Err` says what is not
    /// as we wrote it.
    pub(crate) fn from_entries(
        id: u64,
        mut entries: BTreeMap<String, AccountEntry>,
    ) -> Result<Self, String> {
        let wrong = |what: &str| format!("account {id} has {what}");
        let head = entries.remove(ACCOUNT);
        let mut account = head
            .and_then(|head| Self::from_head(id, head))
            .ok_or_else(|| wrong("no usable record"))?;
        for (name, entry) in entries {
            account
                .add_entry(&name, entry)
                .ok_or_else(|| wrong("an entry that cannot be read"))?;
        }
        let is_placed = |keyset: &AccountKeyset| {
            account.applications.contains_key(&keyset.application)
                && keyset
                    .assigned
                    .as_ref()
                    .is_none_or(|(customer, _)| account.customers.contains_key(customer))
        };
        if account.keysets.values().all(is_placed) {
            Ok(account)
        } else {
            Err(wrong("a keyset of nobody"))
        }
    }

    fn from_head(id: u64, head: AccountEntry) -> Option<Self> {
        let AccountEntry::Account {
            name,
            created_at,
            api_keys,
            signing_keys,
        } = head
        else {
            return None;
        };
        let api_keys = api_keys.into_iter().map(|key| {
            Some(ApiKey {
                sha256: *secret::from_hex(&key.sha256)?,
                id: key.id,
                created_at: UnixSeconds(key.created_at),
            })
        });
        let signing_keys = signing_keys.into_iter().map(|key| {
            secret::from_hex::<32>(key.key.expose())?;
            Some(SigningKey {
                from: UnixSeconds(key.from),
                until: key.until.map(UnixSeconds),
                algorithm: SigningAlgorithm::Ed25519,
                key: key.key,
            })
        });
        Some(Self {
            id,
            name,
            created_at: UnixSeconds(created_at),
            api_keys: api_keys.collect::<Option<_>>()?,
            signing_keys: signing_keys.collect::<Option<_>>()?,
            applications: BTreeMap::new(),
            keysets: BTreeMap::new(),
            customers: BTreeMap::new(),
        })
    }

    fn add_entry(&mut self, name: &str, entry: AccountEntry) -> Option<()> {
        let (kind, id) = name.split_once('/')?;
        match entry {
            AccountEntry::Application { name, created_at } if kind == "application" => {
                let created_at = UnixSeconds(created_at);
                self.applications
                    .insert(id.parse().ok()?, Application { name, created_at });
            }
            AccountEntry::Keyset {
                application,
                subscribe_key,
                assigned,
            } if kind == "keyset" => {
                let keyset = AccountKeyset {
                    application,
                    subscribe_key,
                    assigned: assigned.map(|(customer, since)| (customer, UnixSeconds(since))),
                };
                self.keysets.insert(id.parse().ok()?, keyset);
            }
            AccountEntry::Customer {
                external_id,
                name,
                created_at,
                updated_at,
            } if kind == "customer" => {
                let customer = Customer {
                    external_id,
                    name,
                    created_at: UnixSeconds(created_at),
                    updated_at: UnixSeconds(updated_at),
                };
                self.customers.insert(id.to_owned(), customer);
            }
            AccountEntry::Account { .. }
            | AccountEntry::Application { .. }
            | AccountEntry::Keyset { .. }
            | AccountEntry::Customer { .. } => return None,
        }
        Some(())
    }
}
