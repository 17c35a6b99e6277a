//! `/v1/accounts`: who issues customer access tokens (oem 1, 3).

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json as value};
use token_core::{ResourceName, TokenKind};
use token_store::{
    Account, AccountChange, AccountChanged, AccountStep, Outcome, Revocation, Secret,
};

use crate::error::{ApiError, ErrorCode, json};
use crate::fields::Fields;
use crate::service::{Service, store_error};

/// What is below `/v1/accounts`; `'a` is the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    All,
    One(&'a str),
    Rotate(&'a str),
    ApiKeys(&'a str),
    ApiKey(&'a str, &'a str),
    Applications(&'a str),
    Application(&'a str, &'a str),
    Keysets(&'a str),
    Keyset(&'a str, &'a str),
    Customers(&'a str),
    Customer(&'a str, &'a str),
    CustomerKeysets(&'a str, &'a str),
    Revocations(&'a str),
}

impl<'a> Place<'a> {
    /// The place that the segments after `/v1/accounts` name.
    pub(super) fn find(rest: &[&'a str]) -> Option<Self> {
        Some(match *rest {
            [] => Self::All,
            [id] => Self::One(id),
            [id, "rotate"] => Self::Rotate(id),
            [id, "api-keys"] => Self::ApiKeys(id),
            [id, "api-keys", key] => Self::ApiKey(id, key),
            [id, "applications"] => Self::Applications(id),
            [id, "applications", application] => Self::Application(id, application),
            [id, "keysets"] => Self::Keysets(id),
            [id, "keysets", keyset] => Self::Keyset(id, keyset),
            [id, "customers"] => Self::Customers(id),
            [id, "customers", customer] => Self::Customer(id, customer),
            [id, "revocations"] => Self::Revocations(id),
            [id, "customers", customer, "keysets"] => Self::CustomerKeysets(id, customer),
            _ => return None,
        })
    }

    pub(super) const fn methods(self) -> &'static [Method] {
        match self {
            Self::All | Self::Applications(_) | Self::Keysets(_) | Self::Customers(_) => {
                &[Method::GET, Method::POST]
            }
            Self::One(_) | Self::Customer(..) => &[Method::GET, Method::DELETE],
            Self::Rotate(_)
            | Self::ApiKeys(_)
            | Self::CustomerKeysets(..)
            | Self::Revocations(_) => &[Method::POST],
            Self::ApiKey(..) | Self::Application(..) | Self::Keyset(..) => &[Method::DELETE],
        }
    }

    const fn account(self) -> Option<&'a str> {
        match self {
            Self::All => None,
            Self::One(id)
            | Self::Rotate(id)
            | Self::ApiKeys(id)
            | Self::ApiKey(id, _)
            | Self::Applications(id)
            | Self::Application(id, _)
            | Self::Keysets(id)
            | Self::Keyset(id, _)
            | Self::Customers(id)
            | Self::Customer(id, _)
            | Self::CustomerKeysets(id, _)
            | Self::Revocations(id) => Some(id),
        }
    }
}

pub(super) async fn respond(
    service: &Service,
    place: Place<'_>,
    method: &Method,
    body: &[u8],
) -> Result<Response<Bytes>, ApiError> {
    if method == Method::GET {
        return show(service, place);
    }
    if let Place::Revocations(id) = place {
        return revoke(service, id, body).await;
    }
    let change = match place.account() {
        None => create(body)?,
        Some(id) => {
            let account = number(id, "account")?;
            match step(place, method, body)? {
                Some(step) => AccountChange::Change { account, step },
                None => AccountChange::Delete { account },
            }
        }
    };
    let changed = service.change_account(change).await;
    let changed = changed.map_err(|error| store_error(&error))?;
    let status = if method == Method::POST && changed.made.is_some() {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(json(status, &answer(place, &changed)))
}

fn create(body: &[u8]) -> Result<AccountChange, ApiError> {
    let mut fields = Fields::parse(body)?;
    let change = AccountChange::Create {
        name: fields.required_text("name")?,
        api_key: fields.text("api_key")?.map(Secret::new),
    };
    fields.finish()?;
    Ok(change)
}

/// The step that a request is; `None` deletes the account.
fn step(place: Place<'_>, method: &Method, body: &[u8]) -> Result<Option<AccountStep>, ApiError> {
    if method == Method::DELETE {
        return removal(place);
    }
    let mut fields = Fields::parse(body)?;
    let step = match place {
        Place::Rotate(_) => AccountStep::Rotate {
            emergency: fields.flag("emergency")?,
        },
        Place::ApiKeys(_) => AccountStep::AddApiKey {
            api_key: fields.text("api_key")?.map(Secret::new),
        },
        Place::Applications(_) => AccountStep::CreateApplication {
            name: fields.required_text("name")?,
        },
        Place::Keysets(_) => AccountStep::AddKeyset {
            application: fields.required_number("application")?,
            subscribe_key: fields.required_text("subscribe_key")?,
        },
        Place::Customers(_) => AccountStep::CreateCustomer {
            external_id: fields.required_text("external_id")?,
            name: fields.required_text("name")?,
            keysets: fields.numbers("keysets")?,
        },
        Place::CustomerKeysets(_, customer) => AccountStep::AssignKeysets {
            customer: customer.to_owned(),
            keysets: fields.numbers("keysets")?,
        },
        Place::All
        | Place::One(_)
        | Place::ApiKey(..)
        | Place::Application(..)
        | Place::Keyset(..)
        | Place::Revocations(_)
        | Place::Customer(..) => return Err(super::no_such_route()),
    };
    fields.finish()?;
    Ok(Some(step))
}

fn removal(place: Place<'_>) -> Result<Option<AccountStep>, ApiError> {
    Ok(Some(match place {
        Place::One(_) => return Ok(None),
        Place::ApiKey(_, id) => AccountStep::RemoveApiKey { id: id.to_owned() },
        Place::Application(_, id) => AccountStep::DeleteApplication {
            application: number(id, "application")?,
        },
        Place::Keyset(_, id) => AccountStep::RemoveKeyset {
            keyset: number(id, "keyset")?,
        },
        Place::Customer(_, id) => AccountStep::DeleteCustomer {
            customer: id.to_owned(),
        },
        Place::All
        | Place::Rotate(_)
        | Place::ApiKeys(_)
        | Place::Applications(_)
        | Place::Keysets(_)
        | Place::Customers(_)
        | Place::Revocations(_)
        | Place::CustomerKeysets(..) => return Err(super::no_such_route()),
    }))
}

/// Denies every token of a customer, or of the account, issued so far. The
/// customer may be gone: its tokens outlive it.
async fn revoke(service: &Service, id: &str, body: &[u8]) -> Result<Response<Bytes>, ApiError> {
    let account = account(service, id)?;
    let mut fields = Fields::parse(body)?;
    let customer = fields.text("customer")?;
    let all = fields.has("all") && fields.flag("all")?;
    fields.finish()?;
    let (kind, scope, until) = (TokenKind::Oem, account.scope(), None);
    let (revocation, name) = match (customer, all) {
        (Some(customer), false) => {
            ResourceName::check(&customer).map_err(|cause| {
                let message = cause.to_string();
                ErrorCode::InvalidRequest.because(message).at("customer")
            })?;
            let uuid = customer.clone();
            let of_customer = Revocation::Uuid {
                kind,
                scope,
                uuid,
                until,
            };
            (of_customer, Some(customer))
        }
        (None, true) => (Revocation::Keyset { kind, scope, until }, None),
        _ => {
            return Err(
                ErrorCode::InvalidRequest.because("give exactly one of `customer` and `all`")
            );
        }
    };
    let revoked = service.revoke(vec![revocation]).await?;
    let until = match revoked.outcomes.first() {
        Some(Outcome::Revoked { until } | Outcome::Already { until }) => until.map(|until| until.0),
        Some(Outcome::Expired) | None => None,
    };
    let status = if revoked.is_done {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    let body = value!({
        "kind": if name.is_some() { "customer" } else { "account" },
        "customer": name,
        "until": until,
        "propagated": revoked.propagated,
        "sequence": revoked.sequence,
    });
    Ok(json(status, &body))
}

fn account(service: &Service, id: &str) -> Result<Arc<Account>, ApiError> {
    let account = service.store().account(number(id, "account")?);
    account.ok_or_else(|| ErrorCode::NotFound.because("no account has this id"))
}

fn number(text: &str, what: &str) -> Result<u64, ApiError> {
    text.parse()
        .map_err(|_| ErrorCode::NotFound.because(format!("no {what} has this id")))
}

fn show(service: &Service, place: Place<'_>) -> Result<Response<Bytes>, ApiError> {
    let Some(id) = place.account() else {
        let accounts = service.store().accounts();
        let accounts: Vec<Shown<'_>> = accounts.iter().map(|held| Shown::of(held)).collect();
        return Ok(json(StatusCode::OK, &value!({ "accounts": accounts })));
    };
    let account = account(service, id)?;
    let body = match place {
        Place::Applications(_) => value!({ "applications": applications(&account) }),
        Place::Keysets(_) => value!({ "keysets": keysets(&account) }),
        Place::Customers(_) => {
            let ids = account.customers.keys();
            let all: Vec<Value> = ids.filter_map(|id| customer(&account, id)).collect();
            value!({ "customers": all })
        }
        Place::Customer(_, id) => {
            let found = customer(&account, id);
            found.ok_or_else(|| ErrorCode::NotFound.because("no customer has this id"))?
        }
        Place::All
        | Place::One(_)
        | Place::Rotate(_)
        | Place::ApiKeys(_)
        | Place::ApiKey(..)
        | Place::Application(..)
        | Place::Keyset(..)
        | Place::Revocations(_)
        | Place::CustomerKeysets(..) => value!({ "account": Shown::of(&account) }),
    };
    Ok(json(StatusCode::OK, &body))
}

/// An account as it is shown: no key.
#[derive(Serialize)]
struct Shown<'a> {
    id: u64,
    name: &'a str,
    created_at: u64,
    api_keys: Vec<Value>,
    signing_keys: Vec<Value>,
    applications: usize,
    keysets: usize,
    customers: usize,
}

impl<'a> Shown<'a> {
    fn of(account: &'a Account) -> Self {
        let api_keys = account.api_keys.iter();
        let signing_keys = account.signing_keys.iter();
        Self {
            id: account.id,
            name: &account.name,
            created_at: account.created_at.0,
            api_keys: api_keys
                .map(|key| value!({ "id": key.id, "created_at": key.created_at.0 }))
                .collect(),
            signing_keys: signing_keys
                .map(|key| value!({ "from": key.from.0, "until": key.until.map(|at| at.0) }))
                .collect(),
            applications: account.applications.len(),
            keysets: account.keysets.len(),
            customers: account.customers.len(),
        }
    }
}

fn applications(account: &Account) -> Vec<Value> {
    let applications = account.applications.iter();
    applications
        .map(|(id, held)| value!({ "id": id, "name": held.name, "created_at": held.created_at.0 }))
        .collect()
}

fn keysets(account: &Account) -> Vec<Value> {
    let keysets = account.keysets.iter();
    keysets
        .map(|(id, held)| {
            let assigned = held.assigned.as_ref();
            value!({
                "id": id,
                "application": held.application,
                "subscribe_key": held.subscribe_key,
                "customer": assigned.map(|(customer, _)| customer),
                "assigned_at": assigned.map(|(_, since)| since.0),
            })
        })
        .collect()
}

fn customer(account: &Account, id: &str) -> Option<Value> {
    let held = account.customers.get(id)?;
    let keysets: Vec<Value> = account
        .keysets_of(id)
        .map(|(id, keyset, since)| {
            value!({ "id": id, "application": keyset.application, "assigned_at": since.0 })
        })
        .collect();
    Some(value!({
        "id": id,
        "external_id": held.external_id,
        "name": held.name,
        "created_at": held.created_at.0,
        "updated_at": held.updated_at.0,
        "keysets": keysets,
    }))
}

/// What a change came to: the account, what was made in it, and a key that is
/// shown once.
fn answer(place: Place<'_>, changed: &AccountChanged) -> Value {
    let made = changed.made.as_deref();
    let of = if let Place::CustomerKeysets(_, id) = place {
        Some(id)
    } else {
        made.filter(|_| matches!(place, Place::Customers(_)))
    };
    let mut answer = of
        .and_then(|id| customer(&changed.account, id))
        .unwrap_or_else(|| value!({ "account": Shown::of(&changed.account) }));
    if let Some(fields) = answer.as_object_mut() {
        if let Some(id) = made {
            let id = match id.parse::<u64>() {
                Ok(number) if !matches!(place, Place::ApiKeys(_)) => Value::from(number),
                Ok(_) | Err(_) => Value::from(id),
            };
            fields.entry("id").or_insert(id);
        }
        if let Some(key) = &changed.api_key {
            fields.insert("api_key".to_owned(), Value::from(key.expose()));
        }
    }
    answer
}
