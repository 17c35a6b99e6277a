//! Changes of keysets, as a transaction has them.

use std::sync::Arc;

use redb::WriteTransaction;
use token_core::{TokenKind, UnixSeconds};

use super::Worker;
use super::job::Effect;
use crate::database::{self, Failed, TableKey};
use crate::error::StoreError;
use crate::keyset::{Keyset, KeysetChange, NewKeyset, Rotation};
use crate::master_key::Seal;
use crate::record::Record;
use crate::revocation::Outcome;

impl Worker {
    pub(super) fn change_keyset(
        &self,
        transaction: &WriteTransaction,
        change: KeysetChange,
        effects: &mut Vec<Effect>,
    ) -> Result<Result<Arc<Keyset>, StoreError>, Failed> {
        let now = self.memory.clock.now();
        let subscribe_key = match change {
            KeysetChange::Create(new) => {
                return create_keyset(transaction, &self.memory.seal, new, now, effects);
            }
            KeysetChange::Set {
                ref subscribe_key, ..
            }
            | KeysetChange::Rotate {
                ref subscribe_key, ..
            }
            | KeysetChange::AddApiToken {
                ref subscribe_key, ..
            }
            | KeysetChange::RemoveApiToken {
                ref subscribe_key, ..
            }
            | KeysetChange::Delete { ref subscribe_key } => subscribe_key.clone(),
        };
        let record = database::read_record(transaction, &self.memory.seal, &subscribe_key)?;
        let keyset = record.and_then(|record| record.into_keyset(&subscribe_key).ok().flatten());
        let Some(mut keyset) = keyset else {
            return Ok(Err(StoreError::UnknownKeyset { subscribe_key }));
        };
        keyset.version = keyset.version.saturating_add(1);
        let changed = match change {
            KeysetChange::Create(_) => Ok(()),
            KeysetChange::Set { settings, .. } => keyset.set(&settings),
            KeysetChange::AddApiToken { new, .. } => {
                let taken = self.has_project(transaction, &subscribe_key, &new.project)?;
                keyset.add_api_token(new, taken, now)
            }
            KeysetChange::RemoveApiToken { project, id, .. } => {
                keyset.remove_api_token(&project, &id)
            }
            KeysetChange::Rotate { rotation, .. } => {
                self.rotate(transaction, &mut keyset, rotation, effects)?
            }
            KeysetChange::Delete { .. } => {
                let tombstone = Record {
                    version: keyset.version,
                    keyset: None,
                };
                let seal = &self.memory.seal;
                database::write_record(transaction, seal, &subscribe_key, tombstone)?;
                for (kind, scope) in keyset.scopes() {
                    keep_horizons(transaction, kind, scope, &[])?;
                }
                effects.push(Effect::NoKeyset(subscribe_key));
                return Ok(Ok(Arc::new(keyset)));
            }
        };
        if let Err(error) = changed {
            return Ok(Err(error));
        }
        Ok(Ok(keep_keyset(
            transaction,
            &self.memory.seal,
            keyset,
            effects,
        )?))
    }

    fn rotate(
        &self,
        transaction: &WriteTransaction,
        keyset: &mut Keyset,
        rotation: Rotation,
        effects: &mut Vec<Effect>,
    ) -> Result<Result<(), StoreError>, Failed> {
        let now = self.memory.clock.now();
        Ok(match rotation {
            Rotation::Secret { overlap_seconds } => keyset.rotate_secret_key(overlap_seconds, now),
            Rotation::Signing => keyset.rotate_signing_key(now),
            Rotation::Emergency => {
                let until = self.kill_everything(transaction, keyset, effects)?;
                keyset.rotate_in_emergency(until)
            }
            Rotation::Incident => {
                let until = self.kill_everything(transaction, keyset, effects)?;
                keyset
                    .rotate_in_emergency(until)
                    .and_then(|()| keyset.rotate_secret_key(0, now))
            }
        })
    }

    /// A rule for every token of a keyset and its projects issued so far;
    /// returns its instant, which is one for all of them: a key that leaked
    /// signs for each.
    fn kill_everything(
        &self,
        transaction: &WriteTransaction,
        keyset: &Keyset,
        effects: &mut Vec<Effect>,
    ) -> Result<UnixSeconds, Failed> {
        let own = self.kill_own(transaction, keyset.subscribe_key.as_str(), effects)?;
        let instants = keyset.scopes().skip(1);
        let instants = instants.map(|(kind, scope)| self.memory.rule_instant(kind, scope));
        let until = instants.max().map_or(own, |latest| own.max(latest));
        let done = usize::from(until == own);
        for (kind, scope) in keyset.scopes().skip(done) {
            add_rule_at(transaction, (kind, scope), until, effects)?;
        }
        Ok(until)
    }

    /// Whether another keyset than this one has a project.
    fn has_project(
        &self,
        transaction: &WriteTransaction,
        subscribe_key: &str,
        project: &str,
    ) -> Result<bool, Failed> {
        let keysets = database::keysets(transaction, &self.memory.seal)?;
        let mut others = keysets
            .iter()
            .filter(|other| other.subscribe_key.as_str() != subscribe_key);
        Ok(others.any(|other| other.project(project).is_some()))
    }

    fn kill_own(
        &self,
        transaction: &WriteTransaction,
        subscribe_key: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<UnixSeconds, Failed> {
        let kind = TokenKind::AccessManager;
        let Some(scope) = TableKey::of_scope(kind, subscribe_key) else {
            return Ok(self.memory.clock.now());
        };
        let key = scope.with_rule(None);
        let outcome = self.rule(transaction, &key, kind, subscribe_key, None, None, effects)?;
        Ok(match outcome {
            Outcome::Revoked { until } | Outcome::Already { until } => until,
            Outcome::Expired => None,
        }
        .unwrap_or_else(|| self.memory.clock.now()))
    }
}

fn create_keyset(
    transaction: &WriteTransaction,
    seal: &Seal,
    new: NewKeyset,
    now: UnixSeconds,
    effects: &mut Vec<Effect>,
) -> Result<Result<Arc<Keyset>, StoreError>, Failed> {
    let mut keyset = match new.make(1, now) {
        Ok(keyset) => keyset,
        Err(error) => return Ok(Err(error)),
    };
    let subscribe_key = keyset.subscribe_key.as_str();
    match database::read_record(transaction, seal, subscribe_key)? {
        Some(Record {
            keyset: Some(_), ..
        }) => {
            let subscribe_key = subscribe_key.to_owned();
            return Ok(Err(StoreError::KeysetExists { subscribe_key }));
        }
        Some(Record {
            version,
            keyset: None,
        }) => keyset.version = version.saturating_add(1),
        None => {}
    }
    Ok(Ok(keep_keyset(transaction, seal, keyset, effects)?))
}

pub(super) fn keep_keyset(
    transaction: &WriteTransaction,
    seal: &Seal,
    keyset: Keyset,
    effects: &mut Vec<Effect>,
) -> Result<Arc<Keyset>, Failed> {
    let subscribe_key = keyset.subscribe_key.as_str();
    database::write_record(transaction, seal, subscribe_key, Record::from(&keyset))?;
    for (kind, scope) in keyset.scopes() {
        keep_horizons(transaction, kind, scope, &keyset.signing_starts())?;
    }
    let keyset = Arc::new(keyset);
    effects.push(Effect::Keyset(Arc::clone(&keyset)));
    Ok(keyset)
}

/// Horizons are those of the signing keys that there are.
pub(super) fn keep_horizons(
    transaction: &WriteTransaction,
    kind: TokenKind,
    scope: &str,
    starts: &[u64],
) -> Result<(), Failed> {
    TableKey::of_scope(kind, scope).map_or(Ok(()), |scope| {
        database::keep_horizons(transaction, &scope, starts)
    })
}

/// A rule for every token of a scope that was issued up to `until`.
pub(super) fn add_rule_at(
    transaction: &WriteTransaction,
    (kind, scope): (TokenKind, &str),
    until: UnixSeconds,
    effects: &mut Vec<Effect>,
) -> Result<(), Failed> {
    if let Some(key) = TableKey::of_scope(kind, scope) {
        database::add_rule(transaction, &key.with_rule(None), until)?;
    }
    effects.push(Effect::Rule {
        kind,
        scope: scope.to_owned(),
        uuid: None,
        until,
        raised: false,
    });
    Ok(())
}
