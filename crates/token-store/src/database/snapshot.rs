//! One state of everything, while others go on writing.

use redb::{Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _};
use token_core::{TokenId, TokenKind};

use super::access_keys::access_keys_in;
use super::accounts::{open_accounts, read_entry};
use super::entries::UNKNOWN;
use super::key::{rule_uuid, split};
use super::meta::{id_in, sequence_in};
use super::{DENY, Failed, HORIZONS, KEYSETS, RULES};
use crate::access_key::AccessKey;
use crate::account::AccountEntry;
use crate::record::Record;

/// One entry, as the database holds it.
pub(crate) enum Entry<'a> {
    Horizon {
        kind: TokenKind,
        scope: &'a str,
        from: u64,
        until: u64,
    },
    Rule {
        kind: TokenKind,
        scope: &'a str,
        uuid: Option<&'a str>,
        until: u64,
    },
    Token {
        kind: TokenKind,
        scope: &'a str,
        id: TokenId,
        issued_at: Option<u64>,
        expires_at: u64,
    },
    AccessKey(AccessKey),
    /// With its secrets as they are held.
    Account {
        account: u64,
        name: &'a str,
        entry: AccountEntry,
    },
    /// With its secrets as they are held.
    Keyset {
        subscribe_key: &'a str,
        record: Record,
    },
}

/// A state of the database.
pub(crate) struct Snapshot(ReadTransaction);

impl Snapshot {
    pub(crate) fn take(database: &Database) -> Result<Self, Failed> {
        Ok(Self(database.begin_read()?))
    }

    /// The id of the store, and the last commit in this state.
    pub(crate) fn identity(&self) -> Result<(String, u64), Failed> {
        Ok((id_in(&self.0)?.unwrap_or_default(), sequence_in(&self.0)?))
    }

    /// Shows every entry to `visit`, until it returns false. Keysets come last:
    /// a token is good only where its keyset is, and by then everything is
    /// there that revokes it.
    pub(crate) fn each(&self, visit: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<(), Failed> {
        let _ = self.deny_list(visit)? && self.keys(visit)?;
        Ok(())
    }

    /// [`Self::each`] of horizons, rules and denied tokens; false once `visit`
    /// returned it.
    pub(crate) fn deny_list(
        &self,
        visit: &mut dyn FnMut(Entry<'_>) -> bool,
    ) -> Result<bool, Failed> {
        for entry in self.0.open_table(HORIZONS)?.iter()? {
            let (key, until) = entry?;
            let (scope, from) = key.value();
            let (kind, scope, _) = split(scope).ok_or_else(unreadable)?;
            let until = until.value();
            if !visit(Entry::Horizon {
                kind,
                scope,
                from,
                until,
            }) {
                return Ok(false);
            }
        }
        for entry in self.0.open_table(RULES)?.iter()? {
            let (key, until) = entry?;
            let (kind, scope, rest) = split(key.value()).ok_or_else(unreadable)?;
            let uuid = rule_uuid(rest).ok_or_else(unreadable)?;
            let until = until.value();
            if !visit(Entry::Rule {
                kind,
                scope,
                uuid,
                until,
            }) {
                return Ok(false);
            }
        }
        for entry in self.0.open_table(DENY)?.iter()? {
            let (key, value) = entry?;
            let (kind, scope, id) = split(key.value()).ok_or_else(unreadable)?;
            let id = TokenId(id.try_into().map_err(|_| unreadable())?);
            let (expires_at, issued_at) = value.value();
            let issued_at = (issued_at != UNKNOWN).then_some(issued_at);
            if !visit(Entry::Token {
                kind,
                scope,
                id,
                issued_at,
                expires_at,
            }) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn keys(&self, visit: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<bool, Failed> {
        for access_key in access_keys_in(&self.0)? {
            if !visit(Entry::AccessKey(access_key)) {
                return Ok(false);
            }
        }
        if let Some(accounts) = open_accounts(&self.0)? {
            for held in accounts.iter()? {
                let (key, entry) = held?;
                let (account, name) = key.value();
                let entry = read_entry(account, entry.value()).map_err(Failed::Corrupted)?;
                if !visit(Entry::Account {
                    account,
                    name,
                    entry,
                }) {
                    return Ok(false);
                }
            }
        }
        for entry in self.0.open_table(KEYSETS)?.iter()? {
            let (subscribe_key, record) = entry?;
            let subscribe_key = subscribe_key.value();
            let record = serde_json::from_slice(record.value()).map_err(|_| unreadable())?;
            if !visit(Entry::Keyset {
                subscribe_key,
                record,
            }) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn unreadable() -> Failed {
    Failed::Corrupted("an entry is not one that we wrote".to_owned())
}
