//! Reading everything at the start.

use redb::{Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _};
use token_core::{TokenId, UnixSeconds};
use token_deny_list::DenyList;

use super::access_keys::access_keys_in;
use super::accounts::{open_accounts, read_accounts};
use super::key::{rule_uuid, split};
use super::keysets::read_keysets;
use super::meta::sequence_in;
use super::{DENY, Failed, HORIZONS, KEYSETS, RULES};
use crate::access_key::AccessKey;
use crate::account::Account;
use crate::keyset::Keyset;
use crate::master_key::Seal;

/// What is kept in memory, beside the deny list.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) keysets: Vec<Keyset>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) access_keys: Vec<AccessKey>,
    pub(crate) sequence: u64,
}

/// Reads everything into `deny_list`, which only grows by it, and returns the
/// rest. The inner error says which record is not one that we wrote.
pub(crate) fn load(
    database: &Database,
    deny_list: &DenyList,
    seal: &Seal,
) -> Result<Result<Contents, String>, Failed> {
    let transaction = database.begin_read()?;
    if !load_deny_list(&transaction, deny_list)? {
        return Ok(Err("an entry of the deny list cannot be read".to_owned()));
    }
    let mut contents = Contents {
        sequence: sequence_in(&transaction)?,
        ..Contents::default()
    };
    match read_keysets(&transaction.open_table(KEYSETS)?, seal)? {
        Ok(keysets) => contents.keysets = keysets,
        Err(reason) => return Ok(Err(reason)),
    }
    if let Some(accounts) = open_accounts(&transaction)? {
        match read_accounts(&accounts, seal)? {
            Ok(accounts) => contents.accounts = accounts,
            Err(reason) => return Ok(Err(reason)),
        }
    }
    contents.access_keys = access_keys_in(&transaction)?;
    Ok(Ok(contents))
}

fn load_deny_list(transaction: &ReadTransaction, deny_list: &DenyList) -> Result<bool, Failed> {
    for entry in transaction.open_table(HORIZONS)?.iter()? {
        let (key, horizon) = entry?;
        let (scope, from) = key.value();
        let Some((kind, scope, [])) = split(scope) else {
            return Ok(false);
        };
        deny_list
            .scope(kind, scope)
            .raise_horizon(from, horizon.value());
    }
    // A scope's entries are neighbours, so its map is made of one size at once.
    let mut scope_key = Vec::new();
    let mut entries = Vec::new();
    for entry in transaction.open_table(DENY)?.iter()? {
        let (key, value) = entry?;
        let Some((id, of_scope)) = key.value().split_last_chunk::<16>().map(|(s, id)| (id, s))
        else {
            return Ok(false);
        };
        if of_scope != scope_key {
            if !deny_all(deny_list, &scope_key, &mut entries) {
                return Ok(false);
            }
            scope_key = of_scope.to_vec();
        }
        entries.push((TokenId(*id), UnixSeconds(value.value().0)));
    }
    if !deny_all(deny_list, &scope_key, &mut entries) {
        return Ok(false);
    }
    for entry in transaction.open_table(RULES)?.iter()? {
        let (key, until) = entry?;
        let Some((kind, scope, rest)) = split(key.value()) else {
            return Ok(false);
        };
        let Some(uuid) = rule_uuid(rest) else {
            return Ok(false);
        };
        deny_list
            .scope(kind, scope)
            .add_rule(uuid, UnixSeconds(until.value()));
    }
    Ok(true)
}

/// Puts entries of one scope on the deny list. False when the key is none.
fn deny_all(
    deny_list: &DenyList,
    scope_key: &[u8],
    entries: &mut Vec<(TokenId, UnixSeconds)>,
) -> bool {
    if entries.is_empty() {
        return true;
    }
    let Some((kind, scope, [])) = split(scope_key) else {
        return false;
    };
    deny_list.scope(kind, scope).deny_all(entries);
    entries.clear();
    true
}
