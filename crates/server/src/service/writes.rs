//! What changes the store: asked here, done by its writer, awaited without
//! holding a thread.

use std::sync::Arc;
use std::time::Instant;

use token_core::{TokenKind, UnixSeconds, VerifiedClaims};
use token_store::{
    AccessKeyChange, AccountChange, AccountChanged, ChangedAccessKey, InvalidAccount, Keyset,
    KeysetChange, Listing, Revocation, StoreError,
};
use tokio::sync::oneshot;

use super::Service;
use super::audited::{access_key_event, account_event};
use super::nodes::Revoked;
use crate::error::{ApiError, ErrorCode};
use crate::keyset::Prepared;

/// 256 random bits as text.
pub(super) fn random_text() -> Option<String> {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0_u8; 32];
    ring::rand::SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

type Answer<T> = Result<T, StoreError>;

/// Submits something to the writer and awaits what came of it.
async fn written<T>(
    service: &Service,
    submit: impl FnOnce(oneshot::Sender<Answer<T>>),
) -> Answer<T> {
    let begun = Instant::now();
    let (sender, receiver) = oneshot::channel();
    submit(sender);
    let answer = receiver.await.unwrap_or(Err(StoreError::Closed));
    service.metrics().committed(begun, answer.is_ok());
    answer
}

/// Hands the answer on; a caller that went away has no use for it.
fn tell<T>(sender: oneshot::Sender<Answer<T>>) -> impl FnOnce(Answer<T>) + Send
where
    T: Send,
{
    move |answer| drop(sender.send(answer))
}

impl Service {
    /// Revokes; durable here when it returns, and told to the others or not.
    pub(crate) async fn revoke(&self, revocations: Vec<Revocation>) -> Result<Revoked, ApiError> {
        if self.only_verifies() {
            return Err(ErrorCode::StoreUnavailable
                .because("this node has no cluster key, so it only verifies; ask another"));
        }
        if revocations.is_empty() {
            return Ok(self.propagate(&[], Vec::new()).await);
        }
        let wanted = revocations.clone();
        let outcomes = written(self, |sender| {
            self.store().submit_revocations(wanted, tell(sender));
        })
        .await
        .map_err(|error| store_error(&error))?;
        self.audit_revoked(&revocations, &outcomes).await;
        Ok(self.propagate(&revocations, outcomes).await)
    }

    /// Revokes one verified token.
    pub(crate) async fn revoke_token(
        &self,
        token: &impl VerifiedClaims,
    ) -> Result<Revoked, ApiError> {
        let revocation = Revocation::Token {
            kind: token.kind(),
            scope: token.scope().to_owned(),
            id: token.id(),
            issued_at: Some(token.issued_at()),
            expires_at: token.expires_at(),
        };
        self.revoke(vec![revocation]).await
    }

    pub(crate) fn list_revocations(
        &self,
        (kind, scope): (TokenKind, &str),
        after: Option<&str>,
        limit: usize,
    ) -> Result<Listing, ApiError> {
        self.store()
            .list_revocations(kind, scope, after, limit)
            .map_err(|error| store_error(&error))
    }

    pub(crate) fn note_issued(&self, keyset: &Prepared, issued_at: UnixSeconds) {
        let scope = keyset.subscribe_key();
        self.store()
            .note_issued(TokenKind::AccessManager, scope, issued_at);
    }

    /// Forgets what has expired.
    pub(crate) async fn prune(&self) -> Result<(), StoreError> {
        written(self, |sender| self.store().submit_prune(tell(sender)))
            .await
            .map(drop)
    }

    /// Changes a keyset; answers it as it is then.
    pub(crate) async fn change_keyset(
        &self,
        change: KeysetChange,
    ) -> Result<Arc<Keyset>, StoreError> {
        if self.only_verifies() {
            return Err(StoreError::Unavailable {
                reason: "this node has no cluster key, so it only verifies".to_owned(),
            });
        }
        let entry = self.keyset_entry(&change);
        let rotation = match &change {
            KeysetChange::Rotate { rotation, .. } => Some(*rotation),
            KeysetChange::Create(_)
            | KeysetChange::Set { .. }
            | KeysetChange::AddApiToken { .. }
            | KeysetChange::RemoveApiToken { .. }
            | KeysetChange::Delete { .. } => None,
        };
        let keyset = written(self, |sender| {
            self.store().submit_keyset_change(change, tell(sender));
        })
        .await?;
        self.wake_nodes();
        self.audit_keyset(entry, rotation, &keyset).await;
        Ok(keyset)
    }

    /// Changes accounts and what is in them.
    pub(crate) async fn change_account(
        &self,
        change: AccountChange,
    ) -> Result<AccountChanged, StoreError> {
        let (event, what) = account_event(&change);
        let changed = written(self, |sender| {
            self.store().submit_account_change(change, tell(sender));
        })
        .await?;
        self.audit_account(event, what, &changed).await;
        Ok(changed)
    }

    /// Changes the keys of the internal API.
    pub(crate) async fn change_access_key(
        &self,
        change: AccessKeyChange,
    ) -> Result<ChangedAccessKey, StoreError> {
        let event = access_key_event(&change);
        let changed = written(self, |sender| {
            self.store().submit_access_key(change, tell(sender));
        })
        .await?;
        self.audit_access_key(event, &changed.access_key).await;
        Ok(changed)
    }
}

/// What the internal API says to an error of the store.
pub(crate) fn store_error(error: &StoreError) -> ApiError {
    let message = error.to_string();
    match error {
        // The store's own text quotes the key, which may be anything.
        StoreError::UnknownKeyset { .. } => ErrorCode::UnknownKeyset
            .because("no keyset has this subscribe key")
            .at("subscribe_key"),
        StoreError::KeysetExists { .. } => {
            ErrorCode::KeysetExists.because(message).at("subscribe_key")
        }
        StoreError::TooManySigningKeys { .. } => ErrorCode::TooManySigningKeys.because(message),
        StoreError::RotationPending { .. } => ErrorCode::RotationPending.because(message),
        StoreError::Account(
            InvalidAccount::UnknownAccount
            | InvalidAccount::UnknownApplication
            | InvalidAccount::UnknownKeyset
            | InvalidAccount::UnknownCustomer
            | InvalidAccount::UnknownApiKey,
        ) => ErrorCode::NotFound.because(message),
        StoreError::Account(
            InvalidAccount::ExternalIdTaken
            | InvalidAccount::KeysetTaken
            | InvalidAccount::ApiKeyTaken
            | InvalidAccount::TooMany { .. },
        ) => ErrorCode::AccountConflict.because(message),
        StoreError::Account(_) => ErrorCode::InvalidRequest.because(message),
        StoreError::Setting(token_store::InvalidSetting::Conflict) => {
            ErrorCode::SettingConflict.because(message).at("settings")
        }
        StoreError::Setting(_) => ErrorCode::InvalidSetting.because(message).at("settings"),
        StoreError::Keyset(_) | StoreError::Project(_) | StoreError::TooLong => {
            ErrorCode::InvalidRequest.because(message)
        }
        StoreError::TooManyRevocations { .. } => {
            ErrorCode::TooManyItems.because(message).at("revocations")
        }
        StoreError::UnknownAccessKey => ErrorCode::NotFound.because(message).at("name"),
        StoreError::AccessKeyExists => ErrorCode::AdminKeyExists.because(message).at("name"),
        StoreError::LastAdminKey => ErrorCode::LastAdminKey.because(message),
        StoreError::TooManyAccessKeys { .. } => ErrorCode::TooManyItems.because(message),
        StoreError::AccessKey { .. } => ErrorCode::InvalidRequest.because(message),
        StoreError::Overlap { .. } => ErrorCode::InvalidRequest
            .because(message)
            .at("overlap_seconds"),
        StoreError::Cursor => ErrorCode::InvalidRequest.because(message).at("after"),
        StoreError::Unavailable { reason } => {
            tracing::error!(reason, "the store does not write");
            ErrorCode::StoreUnavailable.because("the store cannot write now; try again")
        }
        StoreError::Closed | _ => ErrorCode::StoreUnavailable.because(message),
    }
}
