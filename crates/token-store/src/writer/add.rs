//! What an import adds. It only adds: whatever is denied stays denied, and a
//! keyset that is here stays as it is.

use redb::WriteTransaction;
use token_core::limits::{NAME_BYTES_MAX, REQUEST_SKEW_SECONDS_MAX};
use token_core::{TokenKind, UnixSeconds};

use super::Worker;
use super::job::Effect;
use super::keysets::{add_rule_at, keep_keyset};
use crate::access_key::{ACCESS_KEYS_MAX, AccessKey};
use crate::account::Account;
use crate::database::{self, Denied, Failed, TableKey};
use crate::error::StoreError;
use crate::export::Line;
use crate::import::Imported;
use crate::keyset::Keyset;
use crate::prune::Forgotten;
use crate::record::Record;

/// Something to add.
pub(crate) enum Addition {
    /// A line that is no keyset.
    Line(Box<Line>),
    /// A keyset, or the tombstone of one.
    Keyset {
        subscribe_key: String,
        version: u64,
        keyset: Option<Box<Keyset>>,
    },
    /// An account.
    Account(Box<Account>),
}

impl Worker {
    pub(super) fn add(
        &self,
        transaction: &WriteTransaction,
        additions: Vec<Addition>,
        effects: &mut Vec<Effect>,
    ) -> Result<Result<Imported, StoreError>, Failed> {
        let mut imported = Imported::default();
        for addition in additions {
            let added = match addition {
                Addition::Line(line) => {
                    self.add_line(transaction, *line, effects, &mut imported)?
                }
                Addition::Keyset {
                    subscribe_key,
                    version,
                    keyset,
                } => {
                    let keyset = keyset.map(|keyset| *keyset);
                    let record = (subscribe_key, version, keyset);
                    self.add_keyset(transaction, record, effects, &mut imported)?;
                    Some(())
                }
                Addition::Account(account) => {
                    self.add_account(transaction, *account, effects, &mut imported)?;
                    Some(())
                }
            };
            if added.is_none() {
                return Ok(Err(StoreError::TooLong));
            }
        }
        Ok(Ok(imported))
    }

    /// `None` when a scope or uuid is longer than any can be.
    fn add_line(
        &self,
        transaction: &WriteTransaction,
        line: Line,
        effects: &mut Vec<Effect>,
        imported: &mut Imported,
    ) -> Result<Option<()>, Failed> {
        match line {
            Line::Horizon {
                kind,
                scope,
                from,
                until,
            } => return self.add_horizon(transaction, kind.0, scope, (from, until), effects),
            Line::Rule {
                kind,
                scope,
                uuid,
                until,
            } => {
                let fits = uuid
                    .as_ref()
                    .is_none_or(|uuid| uuid.len() <= NAME_BYTES_MAX);
                let key = TableKey::of_scope(kind.0, &scope).filter(|_| fits);
                let Some(key) = key.map(|key| key.with_rule(uuid.as_deref())) else {
                    return Ok(None);
                };
                let until = UnixSeconds(until);
                if database::add_rule(transaction, &key, until)?.is_none() {
                    imported.rules = imported.rules.saturating_add(1);
                    effects.push(Effect::Rule {
                        kind: kind.0,
                        scope,
                        uuid,
                        until,
                        raised: false,
                    });
                }
            }
            Line::Token {
                kind,
                scope,
                id,
                issued_at,
                expires_at,
            } => {
                let Some(key) = TableKey::of_scope(kind.0, &scope) else {
                    return Ok(None);
                };
                let (key, expires_at) = (key.with_token(id.0), UnixSeconds(expires_at));
                let issued_at = issued_at.map(UnixSeconds);
                let denied = database::deny(transaction, &key, expires_at, issued_at)?;
                if !matches!(denied, Denied::Already) {
                    imported.tokens = imported.tokens.saturating_add(1);
                    effects.push(Effect::Deny {
                        kind: kind.0,
                        scope,
                        id: id.0,
                        expires_at,
                    });
                }
            }
            Line::AccessKey {
                kind,
                name,
                created_at,
                expires_at,
                sha256,
            } => {
                let known = AccessKey::known(kind.0, name, created_at, expires_at, sha256);
                return add_access_key(transaction, known, effects);
            }
            Line::Account { .. } | Line::Keyset { .. } | Line::End { .. } => {}
        }
        Ok(Some(()))
    }

    /// A horizon is one signing key's: it is taken for a key that is here, or
    /// whose keyset comes later in the same import.
    fn add_horizon(
        &self,
        transaction: &WriteTransaction,
        kind: TokenKind,
        scope: String,
        (from, until): (u64, u64),
        effects: &mut Vec<Effect>,
    ) -> Result<Option<()>, Failed> {
        let Some(key) = TableKey::of_scope(kind, &scope) else {
            return Ok(None);
        };
        let here = self.memory.keysets.load().get(&scope).cloned();
        let is_foreign = |keyset: &Keyset| !keyset.signing_starts().contains(&from);
        if kind == TokenKind::AccessManager && here.is_some_and(|keyset| is_foreign(&keyset)) {
            return Ok(Some(()));
        }
        let horizon = database::raise_horizon(transaction, &key, from, until)?;
        effects.push(Effect::Forget(Forgotten {
            horizons: vec![(kind, scope, from, horizon)],
            ..Forgotten::default()
        }));
        Ok(Some(()))
    }

    /// Adds a keyset that is not here, and with it a rule for all its tokens:
    /// what was revoked after the export was made is not in it, and nobody
    /// knows what that was.
    fn add_keyset(
        &self,
        transaction: &WriteTransaction,
        (subscribe_key, version, keyset): (String, u64, Option<Keyset>),
        effects: &mut Vec<Effect>,
        imported: &mut Imported,
    ) -> Result<(), Failed> {
        let seal = &self.memory.seal;
        if database::read_record(transaction, seal, &subscribe_key)?.is_some() {
            imported.kept_keysets.push(subscribe_key);
            return Ok(());
        }
        let Some(keyset) = keyset else {
            let tombstone = Record {
                version,
                keyset: None,
            };
            return database::write_record(transaction, seal, &subscribe_key, tombstone);
        };
        // Tokens of a granter with a fast clock are ahead of ours.
        let now = self.memory.clock.now();
        let latest = keyset.scopes();
        let latest = latest.map(|(kind, scope)| self.memory.rule_instant(kind, scope));
        let ahead = now.saturating_add(REQUEST_SKEW_SECONDS_MAX);
        let until = latest.fold(ahead, UnixSeconds::max);
        for scope in keyset.scopes() {
            add_rule_at(transaction, scope, until, effects)?;
        }
        keep_keyset(transaction, seal, keyset, effects)?;
        imported.revoked_until = Some(until);
        imported.added_keysets.push(subscribe_key);
        Ok(())
    }
}

/// One that is here under its name stays as it is.
fn add_access_key(
    transaction: &WriteTransaction,
    access_key: Option<AccessKey>,
    effects: &mut Vec<Effect>,
) -> Result<Option<()>, Failed> {
    let Some(access_key) = access_key else {
        return Ok(None);
    };
    let held = database::access_keys(transaction)?;
    let is_here = held.iter().any(|held| held.name == access_key.name);
    if !is_here && held.len() < ACCESS_KEYS_MAX {
        database::write_access_key(transaction, &access_key)?;
        effects.push(Effect::AccessKeys(database::access_keys(transaction)?));
    }
    Ok(Some(()))
}
