//! Changes of accounts, as a transaction has them.

use std::sync::Arc;

use redb::WriteTransaction;
use token_core::limits::REQUEST_SKEW_SECONDS_MAX;
use token_core::{TokenKind, UnixSeconds};

use super::Worker;
use super::job::Effect;
use crate::account::{Account, AccountChange, AccountChanged, AccountStep};
use crate::database::{self, Failed, TableKey};
use crate::error::{InvalidAccount, StoreError};
use crate::import::Imported;
use crate::record::Record;

type Answer = Result<AccountChanged, StoreError>;

impl Worker {
    pub(super) fn change_account(
        &self,
        transaction: &WriteTransaction,
        change: AccountChange,
        effects: &mut Vec<Effect>,
    ) -> Result<Answer, Failed> {
        let now = self.memory.clock.now();
        // Not those in memory: one may have changed in this very commit.
        let accounts = database::accounts(transaction, &self.memory.seal)?;
        let (id, step) = match change {
            AccountChange::Create { name, api_key } => {
                let made = Account::make(name, api_key, &accounts, now);
                let (account, made) = match made {
                    Ok(made) => made,
                    Err(error) => return Ok(Err(error)),
                };
                return Ok(Ok(AccountChanged {
                    made: Some(account.id.to_string()),
                    account: self.keep_account(transaction, None, account, effects)?,
                    api_key: made.api_key,
                }));
            }
            AccountChange::Change { account, step } => (account, Some(step)),
            AccountChange::Delete { account } => (account, None),
        };
        let Some(before) = accounts.iter().find(|account| account.id == id) else {
            return Ok(Err(InvalidAccount::UnknownAccount.into()));
        };
        let Some(step) = step else {
            database::write_account(transaction, &self.memory.seal, Some(before), None)?;
            keep_horizons(transaction, before, &[])?;
            effects.push(Effect::NoAccount(id));
            return Ok(Ok(AccountChanged {
                account: Arc::new(before.clone()),
                made: None,
                api_key: None,
            }));
        };
        if let AccountStep::AddKeyset { subscribe_key, .. } = &step
            && !self.has_keyset(transaction, subscribe_key)?
        {
            let subscribe_key = subscribe_key.clone();
            return Ok(Err(StoreError::UnknownKeyset { subscribe_key }));
        }
        let mut killed_until = now;
        if matches!(step, AccountStep::Rotate { emergency: true }) {
            killed_until = self.kill_account(transaction, before, effects)?;
        }
        let mut account = before.clone();
        Ok(match account.step(step, &accounts, now, killed_until) {
            Ok(made) => Ok(AccountChanged {
                account: self.keep_account(transaction, Some(before), account, effects)?,
                made: made.id,
                api_key: made.api_key,
            }),
            Err(error) => Err(error),
        })
    }

    fn has_keyset(&self, transaction: &WriteTransaction, key: &str) -> Result<bool, Failed> {
        let record = database::read_record(transaction, &self.memory.seal, key)?;
        Ok(matches!(
            record,
            Some(Record {
                keyset: Some(_),
                ..
            })
        ))
    }

    fn keep_account(
        &self,
        transaction: &WriteTransaction,
        before: Option<&Account>,
        account: Account,
        effects: &mut Vec<Effect>,
    ) -> Result<Arc<Account>, Failed> {
        database::write_account(transaction, &self.memory.seal, before, Some(&account))?;
        keep_horizons(transaction, &account, &account.signing_starts())?;
        let account = Arc::new(account);
        effects.push(Effect::Account(Arc::clone(&account)));
        Ok(account)
    }

    /// A rule for every token of an account issued so far; returns its instant.
    fn kill_account(
        &self,
        transaction: &WriteTransaction,
        account: &Account,
        effects: &mut Vec<Effect>,
    ) -> Result<UnixSeconds, Failed> {
        let until = self.memory.rule_instant(TokenKind::Oem, &account.scope());
        self.add_account_rule(transaction, account, until, effects)?;
        Ok(until)
    }

    fn add_account_rule(
        &self,
        transaction: &WriteTransaction,
        account: &Account,
        until: UnixSeconds,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Failed> {
        let (kind, scope) = (TokenKind::Oem, account.scope());
        if let Some(key) = TableKey::of_scope(kind, &scope) {
            database::add_rule(transaction, &key.with_rule(None), until)?;
        }
        effects.push(Effect::Rule {
            kind,
            scope,
            uuid: None,
            until,
            raised: false,
        });
        Ok(())
    }

    /// Adds an account of an import that is not here, and with it a rule for
    /// all its tokens: nobody knows what was revoked after the export.
    pub(super) fn add_account(
        &self,
        transaction: &WriteTransaction,
        account: Account,
        effects: &mut Vec<Effect>,
        imported: &mut Imported,
    ) -> Result<(), Failed> {
        let accounts = database::accounts(transaction, &self.memory.seal)?;
        if accounts.iter().any(|here| here.id == account.id) {
            imported.kept_accounts.push(account.id);
            return Ok(());
        }
        let latest = self.memory.rule_instant(TokenKind::Oem, &account.scope());
        let now = self.memory.clock.now();
        let until = latest.max(now.saturating_add(REQUEST_SKEW_SECONDS_MAX));
        self.add_account_rule(transaction, &account, until, effects)?;
        imported.revoked_until = imported.revoked_until.max(Some(until));
        imported.added_accounts.push(account.id);
        self.keep_account(transaction, None, account, effects)
            .map(drop)
    }
}

/// Horizons are those of the signing keys that there are.
fn keep_horizons(
    transaction: &WriteTransaction,
    account: &Account,
    starts: &[u64],
) -> Result<(), Failed> {
    TableKey::of_scope(TokenKind::Oem, &account.scope()).map_or(Ok(()), |scope| {
        database::keep_horizons(transaction, &scope, starts)
    })
}
