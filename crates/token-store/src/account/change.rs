//! How accounts change.

use std::collections::BTreeMap;
use std::sync::Arc;

use token_core::UnixSeconds;
use token_core::limits::{KEY_ANNOUNCE_SECONDS_MIN, OEM_ID_CHARS_MAX};

use super::{
    API_KEYS_MAX, APPLICATIONS_MAX, Account, AccountKeyset, ApiKey, ApiKeyHash, Application,
    CUSTOMER_KEYSETS_MAX, CUSTOMERS_MAX, Customer,
};
use crate::error::{InvalidAccount, StoreError};
use crate::keyset::{SigningKey, announce_key, no_randomness, replace_keys};
use crate::secret::{self, Secret};
use crate::settings::SigningAlgorithm;

/// How the keys of an account sign (oem 4).
const ALGORITHM: SigningAlgorithm = SigningAlgorithm::Ed25519;

/// For how long whoever verifies by the key set may keep it, in seconds: the
/// next key is announced so much earlier.
const KEY_SET_AGE_SECONDS_MAX: u64 = 60;

/// Ids are at least this, so that none looks like a count.
const ID_MIN: u64 = 100_000;

/// A change of accounts.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new change must be met by the writer"
)]
pub enum AccountChange {
    /// Make one, with one API key.
    Create {
        /// For people.
        name: String,
        /// Bring your own API key.
        api_key: Option<Secret>,
    },
    /// Change one.
    Change {
        /// Which.
        account: u64,
        /// How.
        step: AccountStep,
    },
    /// Delete it. Its tokens are dead for good.
    Delete {
        /// Which.
        account: u64,
    },
}

/// A change of one account.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new change must be met by the writer"
)]
pub enum AccountStep {
    /// One more API key.
    AddApiKey {
        /// Bring your own.
        api_key: Option<Secret>,
    },
    /// One API key less.
    RemoveApiKey {
        /// Its id.
        id: String,
    },
    /// The next signing key: announced, or, in an emergency, at once, with a
    /// rule that kills every token issued so far.
    Rotate {
        /// At once.
        emergency: bool,
    },
    /// A new application.
    CreateApplication {
        /// For people.
        name: String,
    },
    /// An application and its keysets leave the account.
    DeleteApplication {
        /// Its id.
        application: u64,
    },
    /// A keyset of this store joins an application.
    AddKeyset {
        /// The application.
        application: u64,
        /// The keyset.
        subscribe_key: String,
    },
    /// A keyset leaves the account.
    RemoveKeyset {
        /// Its id in the account.
        keyset: u64,
    },
    /// A new customer, with keysets.
    CreateCustomer {
        /// What the account calls it.
        external_id: String,
        /// For people.
        name: String,
        /// Ids in the account.
        keysets: Vec<u64>,
    },
    /// More keysets for a customer.
    AssignKeysets {
        /// Its id.
        customer: String,
        /// Ids in the account.
        keysets: Vec<u64>,
    },
    /// A customer and its assignments go; the keysets stay.
    DeleteCustomer {
        /// Its id.
        customer: String,
    },
}

/// What a change came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AccountChanged {
    /// The account as it is then; of a deletion, as it was.
    pub account: Arc<Account>,
    /// The id of what was made in it.
    pub made: Option<String>,
    /// The API key that was made or brought. It cannot be read back.
    pub api_key: Option<Secret>,
}

/// What a step made.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) id: Option<String>,
    pub(crate) api_key: Option<Secret>,
}

impl Made {
    fn id(id: &impl ToString) -> Self {
        Self {
            id: Some(id.to_string()),
            api_key: None,
        }
    }
}

impl Account {
    pub(crate) fn make(
        name: String,
        api_key: Option<Secret>,
        others: &[Self],
        now: UnixSeconds,
    ) -> Result<(Self, Made), StoreError> {
        check_name(&name)?;
        let mut account = Self {
            id: random_id(|id| others.iter().any(|other| other.id == id))?,
            name,
            created_at: now,
            api_keys: Vec::new(),
            signing_keys: vec![SigningKey::random(UnixSeconds(0), ALGORITHM)?],
            applications: BTreeMap::new(),
            keysets: BTreeMap::new(),
            customers: BTreeMap::new(),
        };
        let made = account.add_api_key(api_key, others, now)?;
        Ok((account, made))
    }

    /// Takes a step; nothing of it when it is refused. `others` are all
    /// accounts, and an emergency's rule reaches up to `killed_until`.
    pub(crate) fn step(
        &mut self,
        step: AccountStep,
        others: &[Self],
        now: UnixSeconds,
        killed_until: UnixSeconds,
    ) -> Result<Made, StoreError> {
        match step {
            AccountStep::AddApiKey { api_key } => return self.add_api_key(api_key, others, now),
            AccountStep::RemoveApiKey { id } => {
                let before = self.api_keys.len();
                self.api_keys.retain(|key| key.id != id);
                if self.api_keys.len() == before {
                    return Err(InvalidAccount::UnknownApiKey.into());
                }
            }
            AccountStep::Rotate { emergency: true } => {
                replace_keys(&mut self.signing_keys, killed_until, ALGORITHM)?;
            }
            AccountStep::Rotate { emergency: false } => {
                let ahead = KEY_ANNOUNCE_SECONDS_MIN.saturating_add(KEY_SET_AGE_SECONDS_MAX);
                let life = Self::longest_life_seconds();
                announce_key(&mut self.signing_keys, now, (ahead, life), ALGORITHM)?;
            }
            AccountStep::CreateApplication { name } => {
                return self.create_application(name, others, now);
            }
            AccountStep::DeleteApplication { application } => {
                self.applications
                    .remove(&application)
                    .ok_or(InvalidAccount::UnknownApplication)?;
                self.keysets
                    .retain(|_, keyset| keyset.application != application);
            }
            AccountStep::AddKeyset {
                application,
                subscribe_key,
            } => return self.add_keyset(application, subscribe_key, others),
            AccountStep::RemoveKeyset { keyset } => {
                self.keysets
                    .remove(&keyset)
                    .ok_or(InvalidAccount::UnknownKeyset)?;
            }
            AccountStep::CreateCustomer {
                external_id,
                name,
                keysets,
            } => return self.create_customer(external_id, name, &keysets, now),
            AccountStep::AssignKeysets { customer, keysets } => {
                self.assign(&customer, &keysets, now)?;
            }
            AccountStep::DeleteCustomer { customer } => {
                self.customers
                    .remove(&customer)
                    .ok_or(InvalidAccount::UnknownCustomer)?;
                for keyset in self.keysets.values_mut() {
                    keyset.assigned.take_if(|(of, _)| *of == customer);
                }
            }
        }
        Ok(Made::default())
    }

    fn add_api_key(
        &mut self,
        api_key: Option<Secret>,
        others: &[Self],
        now: UnixSeconds,
    ) -> Result<Made, StoreError> {
        check_room("API keys of an account", self.api_keys.len(), API_KEYS_MAX)?;
        let key = match api_key {
            Some(key) => key,
            None => Secret::random("usher_api_", 32).map_err(|_| no_randomness())?,
        };
        key.check_secret_key().map_err(|_| InvalidAccount::ApiKey)?;
        let hash = ApiKeyHash::of(key.expose());
        if self.opens(&hash) || others.iter().any(|other| other.opens(&hash)) {
            return Err(InvalidAccount::ApiKeyTaken.into());
        }
        let id = random_text(4)?;
        self.api_keys.push(ApiKey {
            id: id.clone(),
            created_at: now,
            sha256: hash.0,
        });
        Ok(Made {
            id: Some(id),
            api_key: Some(key),
        })
    }

    fn create_application(
        &mut self,
        name: String,
        others: &[Self],
        now: UnixSeconds,
    ) -> Result<Made, StoreError> {
        check_name(&name)?;
        let held = self.applications.len();
        check_room("applications of an account", held, APPLICATIONS_MAX)?;
        let is_taken = |id| others.iter().any(|of| of.applications.contains_key(&id));
        let id = random_id(is_taken)?;
        let created_at = now;
        self.applications
            .insert(id, Application { name, created_at });
        Ok(Made::id(&id))
    }

    fn add_keyset(
        &mut self,
        application: u64,
        subscribe_key: String,
        others: &[Self],
    ) -> Result<Made, StoreError> {
        if !self.applications.contains_key(&application) {
            return Err(InvalidAccount::UnknownApplication.into());
        }
        check_room(
            "keysets of an account",
            self.keysets.len(),
            APPLICATIONS_MAX,
        )?;
        let mut taken = others.iter().flat_map(|of| of.keysets.values());
        if taken.any(|keyset| keyset.subscribe_key == subscribe_key) {
            return Err(InvalidAccount::KeysetTaken.into());
        }
        let id = random_id(|id| others.iter().any(|of| of.keysets.contains_key(&id)))?;
        let keyset = AccountKeyset {
            application,
            subscribe_key,
            assigned: None,
        };
        self.keysets.insert(id, keyset);
        Ok(Made::id(&id))
    }

    fn create_customer(
        &mut self,
        external_id: String,
        name: String,
        keysets: &[u64],
        now: UnixSeconds,
    ) -> Result<Made, StoreError> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !(1..=OEM_ID_CHARS_MAX).contains(&external_id.len()) || !external_id.bytes().all(legal) {
            return Err(InvalidAccount::ExternalId.into());
        }
        check_name(&name)?;
        if self.customer_called(&external_id).is_some() {
            return Err(InvalidAccount::ExternalIdTaken.into());
        }
        let held = self.customers.len();
        check_room("customers of an account", held, CUSTOMERS_MAX)?;
        let id = random_text(12)?;
        let customer = Customer {
            external_id,
            name,
            created_at: now,
            updated_at: now,
        };
        self.customers.insert(id.clone(), customer);
        self.assign(&id, keysets, now)?;
        Ok(Made::id(&id))
    }

    fn assign(
        &mut self,
        customer: &str,
        keysets: &[u64],
        now: UnixSeconds,
    ) -> Result<(), InvalidAccount> {
        let held = self.customers.get_mut(customer);
        held.ok_or(InvalidAccount::UnknownCustomer)?.updated_at = now;
        for id in keysets {
            let keyset = self.keysets.get_mut(id);
            let keyset = keyset.ok_or(InvalidAccount::UnknownKeyset)?;
            match &keyset.assigned {
                Some((of, _)) if of == customer => {}
                Some(_) => return Err(InvalidAccount::KeysetTaken),
                None => keyset.assigned = Some((customer.to_owned(), now)),
            }
        }
        if self.keysets_of(customer).count() > CUSTOMER_KEYSETS_MAX {
            return Err(InvalidAccount::TooMany {
                what: "keysets of a customer",
                most: CUSTOMER_KEYSETS_MAX,
            });
        }
        Ok(())
    }
}

fn check_room(what: &'static str, held: usize, most: usize) -> Result<(), InvalidAccount> {
    if held < most {
        Ok(())
    } else {
        Err(InvalidAccount::TooMany { what, most })
    }
}

fn check_name(name: &str) -> Result<(), InvalidAccount> {
    let fits = (1..=OEM_ID_CHARS_MAX).contains(&name.chars().count());
    if fits && !name.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(InvalidAccount::Name)
    }
}

/// A number that nothing has: random, so that two stores seldom give out the
/// same, and exact in every reader of JSON.
fn random_id(is_taken: impl Fn(u64) -> bool) -> Result<u64, StoreError> {
    loop {
        let mut bytes = [0; 4];
        secret::random_bytes(&mut bytes).map_err(|_| no_randomness())?;
        let id = u64::from(u32::from_be_bytes(bytes));
        if id >= ID_MIN && !is_taken(id) {
            return Ok(id);
        }
    }
}

fn random_text(bytes: usize) -> Result<String, StoreError> {
    Secret::random("", bytes)
        .map(|text| text.expose().to_owned())
        .map_err(|_| no_randomness())
}
