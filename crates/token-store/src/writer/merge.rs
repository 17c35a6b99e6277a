//! What a shared log showed, merged into what is held.

use redb::WriteTransaction;
use token_core::limits::{ISSUED_AHEAD_SECONDS_MAX, NAME_BYTES_MAX};
use token_core::{TokenKind, UnixSeconds};

use super::Worker;
use super::job::Effect;
use super::keysets::{keep_horizons, keep_keyset};
use crate::database::{self, Denied, Failed, TableKey};
use crate::error::StoreError;
use crate::log::{Entry, Held, Merge, Merged, Verdict, verdict};
use crate::record::Record;

impl Worker {
    pub(super) fn merge(
        &self,
        transaction: &WriteTransaction,
        merge: Merge,
        effects: &mut Vec<Effect>,
    ) -> Result<Result<Merged, StoreError>, Failed> {
        let mut merged = Merged::default();
        for entry in merge.entries {
            let before = effects.len();
            match entry.0 {
                Entry::Token {
                    kind,
                    scope,
                    id,
                    issued_at,
                    expires_at,
                } => {
                    let Some(key) = TableKey::of_scope(kind.0, &scope) else {
                        return Ok(Err(StoreError::TooLong));
                    };
                    let (key, expires_at) = (key.with_token(id.0), UnixSeconds(expires_at));
                    let issued_at = issued_at.map(UnixSeconds);
                    let denied = database::deny(transaction, &key, expires_at, issued_at)?;
                    if !matches!(denied, Denied::Already) {
                        effects.push(Effect::Deny {
                            kind: kind.0,
                            scope,
                            id: id.0,
                            expires_at,
                        });
                    }
                    database::token_seen(transaction, &key, expires_at)?;
                }
                Entry::Rule {
                    kind,
                    scope,
                    uuid,
                    until,
                    raised,
                } => {
                    if uuid
                        .as_ref()
                        .is_some_and(|uuid| uuid.len() > NAME_BYTES_MAX)
                    {
                        return Ok(Err(StoreError::TooLong));
                    }
                    let Some(key) = TableKey::of_scope(kind.0, &scope) else {
                        return Ok(Err(StoreError::TooLong));
                    };
                    let key = key.with_rule(uuid.as_deref());
                    let rule = (kind.0, scope, uuid);
                    let until = (UnixSeconds(until), raised);
                    self.merge_rule(transaction, &key, rule, until, effects, &mut merged)?;
                }
                Entry::Keyset {
                    subscribe_key,
                    record,
                } => self.merge_keyset(transaction, subscribe_key, record, effects, &mut merged)?,
            }
            if effects.len() > before {
                merged.applied = merged.applied.saturating_add(1);
            }
        }
        database::write_log(transaction, &merge.position)?;
        Ok(Ok(merged))
    }

    /// A rule that is news here covers what this node issued before it heard of
    /// it, too: a granter with a fast clock leaves nothing alive. Never more
    /// than a token can be ahead of the clock of whoever made the rule; and what
    /// one node raised no other raises again.
    fn merge_rule(
        &self,
        transaction: &WriteTransaction,
        key: &TableKey,
        (kind, scope, uuid): (TokenKind, String, Option<String>),
        (until, raised): (UnixSeconds, bool),
        effects: &mut Vec<Effect>,
        merged: &mut Merged,
    ) -> Result<(), Failed> {
        let rule = |until, raised| Effect::Rule {
            kind,
            scope: scope.clone(),
            uuid: uuid.clone(),
            until,
            raised,
        };
        if database::add_rule(transaction, key, until)?.is_none() {
            effects.push(rule(until, false));
            let latest = self.memory.latest_issued_or_assumed(kind, &scope);
            let most = until.saturating_add(ISSUED_AHEAD_SECONDS_MAX);
            let higher = latest.min(most);
            if !raised && higher > until {
                database::add_rule(transaction, key, higher)?;
                let rule = rule(higher, true);
                database::note(transaction, core::slice::from_ref(&rule))?;
                effects.push(rule);
                merged.unpublished = true;
            }
        }
        database::rule_seen(transaction, key, until)
    }

    fn merge_keyset(
        &self,
        transaction: &WriteTransaction,
        subscribe_key: String,
        record: Record,
        effects: &mut Vec<Effect>,
        merged: &mut Merged,
    ) -> Result<(), Failed> {
        let seal = &self.memory.seal;
        let version = record.version;
        let content = |record: &Record| record.keyset.as_ref().map(|_| record.content());
        let offered = content(&record);
        let held = database::read_record(transaction, seal, &subscribe_key)?;
        let held = held.map(|held| (held.version, content(&held)));
        let in_log = !database::keyset_waits(transaction, &subscribe_key)?;
        let held = held.as_ref().map(|(version, content)| Held {
            version: *version,
            content: content.as_ref().map(|content| content.as_slice()),
            in_log,
        });
        let verdict = verdict(held, version, offered.as_ref().map(|text| text.as_slice()));
        if matches!(verdict, Verdict::TakeConflict | Verdict::KeepConflict) {
            merged.conflicts.push(subscribe_key.clone());
        }
        match verdict {
            Verdict::Keep | Verdict::KeepConflict => return Ok(()),
            Verdict::Same => {}
            Verdict::Take | Verdict::TakeConflict => {
                // One that nobody can use is refused, and changes nothing.
                let Ok(keyset) = record.into_keyset(&subscribe_key) else {
                    merged.conflicts.push(subscribe_key);
                    return Ok(());
                };
                if let Some(keyset) = keyset {
                    keep_keyset(transaction, seal, keyset, effects)?;
                } else {
                    let keyset = None;
                    let tombstone = Record { version, keyset };
                    database::write_record(transaction, seal, &subscribe_key, tombstone)?;
                    keep_horizons(transaction, TokenKind::AccessManager, &subscribe_key, &[])?;
                    effects.push(Effect::NoKeyset(subscribe_key.clone()));
                }
            }
        }
        database::seen(transaction, &subscribe_key)?;
        Ok(())
    }
}
