//! Revocations, as a transaction has them.

use redb::WriteTransaction;
use token_core::{TokenKind, UnixSeconds};

use super::Worker;
use super::job::Effect;
use crate::database::{self, Denied, Failed, TableKey};
use crate::error::StoreError;
use crate::revocation::{Outcome, Revocation};

impl Worker {
    pub(super) fn revoke(
        &self,
        transaction: &WriteTransaction,
        revocations: &[Revocation],
        effects: &mut Vec<Effect>,
    ) -> Result<Result<Vec<Outcome>, StoreError>, Failed> {
        let Some(keys) = revocations
            .iter()
            .map(TableKey::of_revocation)
            .collect::<Option<Vec<_>>>()
        else {
            return Ok(Err(StoreError::TooLong));
        };
        let now = self.memory.clock.now();
        let mut outcomes = Vec::with_capacity(keys.len());
        for (revocation, key) in revocations.iter().zip(keys) {
            outcomes.push(match revocation {
                Revocation::Token { expires_at, .. } if *expires_at <= now => Outcome::Expired,
                Revocation::Token {
                    kind,
                    scope,
                    id,
                    issued_at,
                    expires_at,
                } => {
                    let denied = database::deny(transaction, &key, *expires_at, *issued_at)?;
                    let effect = Effect::Deny {
                        kind: *kind,
                        scope: scope.clone(),
                        id: *id,
                        expires_at: *expires_at,
                    };
                    match denied {
                        Denied::New => {
                            effects.push(effect);
                            Outcome::Revoked { until: None }
                        }
                        Denied::Extended => {
                            effects.push(effect);
                            Outcome::Already { until: None }
                        }
                        Denied::Already => Outcome::Already { until: None },
                    }
                }
                Revocation::Uuid {
                    kind,
                    scope,
                    uuid,
                    until,
                } => self.rule(transaction, &key, *kind, scope, Some(uuid), *until, effects)?,
                Revocation::Keyset { kind, scope, until } => {
                    self.rule(transaction, &key, *kind, scope, None, *until, effects)?
                }
            });
        }
        Ok(Ok(outcomes))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of a rule, and where it goes"
    )]
    pub(super) fn rule(
        &self,
        transaction: &WriteTransaction,
        key: &TableKey,
        kind: TokenKind,
        scope: &str,
        uuid: Option<&str>,
        until: Option<UnixSeconds>,
        effects: &mut Vec<Effect>,
    ) -> Result<Outcome, Failed> {
        let latest = self.memory.rule_instant(kind, scope);
        let until = until.map_or(latest, |until| until.min(latest));
        if let Some(held) = database::add_rule(transaction, key, until)? {
            return Ok(Outcome::Already { until: Some(held) });
        }
        let (scope, uuid) = (scope.to_owned(), uuid.map(str::to_owned));
        effects.push(Effect::Rule {
            kind,
            scope,
            uuid,
            until,
            raised: false,
        });
        Ok(Outcome::Revoked { until: Some(until) })
    }
}
