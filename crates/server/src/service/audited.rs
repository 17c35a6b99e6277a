//! What is written to the audit log, and what was refused.

use core::net::IpAddr;

use token_core::VerifiedClaims;
use token_policy::Decision;
use token_store::{
    AccessKey, AccessKeyChange, AccountChange, AccountChanged, AccountStep, Keyset, KeysetChange,
    Outcome, Revocation, Rotation,
};

use super::Service;
use crate::attempts::{Credential, TooManyAttempts};
use crate::audit::{Actor, Audit, By, Entry, Event};
use crate::error::{ApiError, ErrorCode};
use crate::metrics::Via;

/// How often the use of a key is written down, in seconds.
const USE_EVERY_SECONDS: u64 = 3_600;

impl Service {
    pub(crate) fn audit(&self) -> &Audit {
        &self.inner.audit
    }

    fn entry(&self, event: Event) -> Entry {
        Entry::new(event, self.now())
    }

    /// Refuses what gives access while it could not be written down, where the
    /// configuration says so.
    pub(crate) fn check_audited(&self) -> Result<(), ApiError> {
        if self.audit().refuses() {
            return Err(ErrorCode::AuditUnavailable
                .because("the audit log cannot be written, so nothing is granted; try again"));
        }
        Ok(())
    }

    /// Something that the server does by itself.
    pub(crate) async fn audit_event(&self, event: Event) {
        let entry = self.entry(event).with("version", env!("CARGO_PKG_VERSION"));
        self.audit().changed(vec![entry]).await;
    }

    pub(crate) async fn audit_backup(&self, sequence: u64) {
        let entry = self.entry(Event::BackupMade).with("sequence", sequence);
        self.audit().changed(vec![entry]).await;
    }

    /// A token was handed out. Does not wait.
    pub(crate) fn audit_granted(&self, token: &impl VerifiedClaims) {
        let mut entry = self
            .entry(Event::TokenGranted)
            .keyset(token.scope())
            .with("token_id", token.id().to_string())
            .with("issued_at", token.issued_at().0)
            .with("expires_at", token.expires_at().0);
        if let Some(uuid) = token.uuid() {
            entry = entry.with("uuid", uuid);
        }
        self.audit().note(entry);
    }

    pub(super) async fn audit_revoked(&self, revoked: &[Revocation], outcomes: &[Outcome]) {
        let entries = revoked.iter().zip(outcomes).map(|(revocation, outcome)| {
            let (already, until) = match outcome {
                Outcome::Revoked { until } => (false, *until),
                Outcome::Already { until } => (true, *until),
                Outcome::Expired => (false, None),
            };
            let mut entry = match revocation {
                Revocation::Token {
                    scope,
                    id,
                    expires_at,
                    ..
                } => self
                    .entry(Event::TokenRevoked)
                    .keyset(scope)
                    .with("token_id", id.to_string())
                    .with("expires_at", expires_at.0),
                Revocation::Uuid { scope, uuid, .. } => self
                    .entry(Event::UuidRevoked)
                    .keyset(scope)
                    .with("uuid", uuid.as_str()),
                Revocation::Keyset { scope, .. } => self.entry(Event::KeysetRevoked).keyset(scope),
            };
            if let Some(until) = until {
                entry = entry.with("until", until.0);
            }
            if already {
                entry = entry.with("already_revoked", true);
            }
            entry
        });
        self.audit().changed(entries.collect()).await;
    }

    /// What [`KeysetChange`] will be, before it is made.
    pub(super) fn keyset_entry(&self, change: &KeysetChange) -> Entry {
        match change {
            KeysetChange::Create(_) => self.entry(Event::KeysetCreated),
            KeysetChange::Set { settings, .. } => {
                let settings = settings.iter().cloned().collect::<serde_json::Map<_, _>>();
                self.entry(Event::KeysetChanged).with("settings", settings)
            }
            KeysetChange::Rotate { rotation, .. } => {
                let entry = self.entry(Event::KeysetRotated);
                match rotation {
                    Rotation::Signing => entry.with("key", "signing"),
                    Rotation::Emergency => entry.with("key", "emergency"),
                    Rotation::Incident => entry.with("key", "incident"),
                    Rotation::Secret { overlap_seconds } => entry
                        .with("key", "secret")
                        .with("overlap_seconds", *overlap_seconds),
                }
            }
            KeysetChange::AddApiToken { new, .. } => self
                .entry(Event::KeysetChanged)
                .with("project_id", new.project.as_str())
                .with("added_api_token", new.id.as_str()),
            KeysetChange::RemoveApiToken { project, id, .. } => self
                .entry(Event::KeysetChanged)
                .with("project_id", project.as_str())
                .with("removed_api_token", id.as_str()),
            KeysetChange::Delete { .. } => self.entry(Event::KeysetDeleted),
        }
    }

    pub(super) async fn audit_keyset(
        &self,
        entry: Entry,
        change: Option<Rotation>,
        keyset: &Keyset,
    ) {
        let mut entry = entry
            .keyset(keyset.subscribe_key.as_str())
            .with("version", keyset.version);
        let from = keyset.signing_keys.last().map_or(0, |key| key.from.0);
        match change {
            Some(Rotation::Signing) => entry = entry.with("from", from),
            Some(Rotation::Emergency | Rotation::Incident) => {
                entry = entry
                    .with("from", from)
                    .with("until", from.saturating_sub(1));
            }
            Some(Rotation::Secret { .. }) | None => {}
        }
        self.audit().changed(vec![entry]).await;
    }

    pub(super) async fn audit_access_key(&self, event: Event, key: &AccessKey) {
        let mut entry = self
            .entry(event)
            .with("name", key.name.as_str())
            .with("role", key.role.name());
        if let Some(at) = key.expires_at {
            entry = entry.with("expires_at", at);
        }
        if let Some(until) = key.overlaps_until(self.now()) {
            entry = entry.with("overlaps_until", until);
        }
        self.audit().changed(vec![entry]).await;
    }

    pub(super) async fn audit_account(
        &self,
        event: Event,
        what: &'static str,
        changed: &AccountChanged,
    ) {
        let mut entry = self
            .entry(event)
            .with("account", changed.account.id)
            .with("change", what);
        if let Some(made) = &changed.made {
            entry = entry.with("made", made.as_str());
        }
        self.audit().changed(vec![entry]).await;
    }

    /// A key opened something: written down once an hour for each key.
    pub(crate) fn key_used(&self, key: &AccessKey, actor: &Actor) {
        let now = self.now();
        {
            let Ok(mut used) = self.inner.used.lock() else {
                return;
            };
            let last = used.get(&key.name);
            if last.is_some_and(|last| now.0.abs_diff(*last) < USE_EVERY_SECONDS) {
                return;
            }
            // Of keys that are gone nothing is kept.
            used.retain(|_, last| now.0.abs_diff(*last) < USE_EVERY_SECONDS);
            used.insert(key.name.clone(), now.0);
        }
        let entry = Entry::new(Event::KeyUsed, now).by(actor.clone());
        self.audit().note(entry);
    }

    /// A credential is not good: counted for `peer`, and written down as a
    /// sample. Every route that takes one calls this when it says no.
    ///
    /// # Errors
    ///
    /// [`TooManyAttempts`] when the answer is 429 in place of what it was to be.
    pub(crate) fn credential_refused(
        &self,
        credential: Credential,
        peer: Option<IpAddr>,
    ) -> Result<(), TooManyAttempts> {
        let now = self.now();
        let limit = self.live().access.failed_attempts();
        let limited = match (peer, limit) {
            (Some(peer), Some(limit)) => self.inner.attempts.failed(peer, limit, now),
            (None, _) | (_, None) => Ok(()),
        };
        self.metrics()
            .credential_refused(credential, limited.is_err());
        self.audit().credential_refused(now, || {
            Entry::new(Event::CredentialRefused, now)
                .by(Actor::new(By::Client, peer))
                .with("credential", credential.name())
        });
        limited
    }

    /// Counts a decision, and writes down a denial as a sample.
    pub(crate) fn decided(
        &self,
        via: Via,
        decision: Decision,
        code: &str,
        token_id: impl FnOnce() -> Option<String>,
    ) {
        self.metrics().decided(via, decision, code);
        if decision == Decision::Deny {
            let now = self.now();
            self.audit().denied(now, || {
                let entry = Entry::new(Event::Denied, now)
                    .by(Actor::new(By::Client, Actor::current_peer()))
                    .with("via", via.name())
                    .with("reason", code);
                match token_id() {
                    Some(id) => entry.with("token_id", id),
                    None => entry,
                }
            });
        }
    }
}

/// How the audit log calls a change of accounts, and what it changes.
pub(super) const fn account_event(change: &AccountChange) -> (Event, &'static str) {
    match change {
        AccountChange::Create { .. } => (Event::AccountCreated, "account"),
        AccountChange::Delete { .. } => (Event::AccountDeleted, "account"),
        AccountChange::Change { step, .. } => {
            let what = match step {
                AccountStep::AddApiKey { .. } => "api_key_added",
                AccountStep::RemoveApiKey { .. } => "api_key_removed",
                AccountStep::Rotate { emergency: false } => "signing_key_announced",
                AccountStep::Rotate { emergency: true } => "signing_key_replaced",
                AccountStep::CreateApplication { .. } => "application_created",
                AccountStep::DeleteApplication { .. } => "application_deleted",
                AccountStep::AddKeyset { .. } => "keyset_added",
                AccountStep::RemoveKeyset { .. } => "keyset_removed",
                AccountStep::CreateCustomer { .. } => "customer_created",
                AccountStep::AssignKeysets { .. } => "keysets_assigned",
                AccountStep::DeleteCustomer { .. } => "customer_deleted",
            };
            (Event::AccountChanged, what)
        }
    }
}

/// How the audit log calls a change of access keys.
pub(super) const fn access_key_event(change: &AccessKeyChange) -> Event {
    match change {
        AccessKeyChange::Create { .. } => Event::KeyCreated,
        AccessKeyChange::Renew { .. } | AccessKeyChange::Rotate { .. } => Event::KeyRotated,
        AccessKeyChange::Remove { .. } => Event::KeyRemoved,
    }
}

impl From<TooManyAttempts> for ApiError {
    fn from(TooManyAttempts { retry_after }: TooManyAttempts) -> Self {
        let mut error = ErrorCode::TooManyAttempts.because(format!(
            "too many attempts with a wrong credential; try again in {retry_after} s"
        ));
        error.retry_after = Some(retry_after);
        error
    }
}
