//! The decision on one request, and the deny list that it consults.

use core::cell::RefCell;
use core::error::Error;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use token_codec::{KeyPeriod, KeyRing, TokenBuffer, TokenKey, VerifyError, encode, verify};
use token_core::{
    Claims, Grants, Permission, Permissions, PublishKey, ResourceKind, ResourceName, SubscribeKey,
    TokenId, TtlMinutes, UnixSeconds, VerifiedClaims as _,
};
use token_policy::{
    Keyset, Reason, Revocations, RevokedBy, Standing, Subject, authorize, authorize_anonymous,
    classify,
};

thread_local! {
    /// The memory that tokens are decoded into: kept, so that verifying one
    /// allocates nothing.
    static BUFFER: RefCell<TokenBuffer> = RefCell::new(TokenBuffer::new());
}

/// Decides for one keyset.
#[derive(Debug)]
pub(crate) struct Gate {
    subscribe_key: SubscribeKey,
    publish_key: PublishKey,
    signing_key: TokenKey,
    keys: KeyRing,
    deny_list: DenyList,
}

impl Gate {
    pub(crate) fn new(
        subscribe_key: SubscribeKey,
        publish_key: PublishKey,
        signing_key: &[u8; 32],
    ) -> Self {
        let signing_key = TokenKey::hmac(signing_key, &subscribe_key);
        // One key, good for every time of issue. To rotate, end its period and
        // add one that begins there.
        let period = KeyPeriod {
            from: UnixSeconds(0),
            until: None,
            key: signing_key.clone(),
        };
        Self {
            keys: KeyRing::new(subscribe_key.clone(), [period]),
            subscribe_key,
            publish_key,
            signing_key,
            deny_list: DenyList::default(),
        }
    }

    /// Whether a request may pass, and if not, why. `target` is the path and
    /// query as they stood on the request line.
    pub(crate) fn decide(
        &self,
        method: &str,
        target: &str,
        body: &[u8],
        now: UnixSeconds,
    ) -> Result<(), Reason> {
        // What could be read in two ways is refused, never guessed.
        let asked = classify(method, target, Some(body)).map_err(|error| error.reason())?;

        // A signed request comes from a holder of the secret key. Nobody here
        // can check that, so nobody upstream may be left to believe it.
        if asked.signature.is_some() {
            return Err(Reason::SecretKeyRequired);
        }
        let subscribe_key = self.subscribe_key.as_str();
        let foreign = |key: Option<&str>, ours: &str| key.is_some_and(|key| key != ours);
        if foreign(asked.subscribe_key, subscribe_key)
            || foreign(asked.publish_key, self.publish_key.as_str())
        {
            return Err(Reason::WrongKeyset);
        }

        let request = asked.request(Keyset::new(subscribe_key));
        let response = match &asked.token {
            None => authorize_anonymous(&request),
            Some(token) => BUFFER.with_borrow_mut(|buffer| {
                let token =
                    verify(token.as_str(), &self.keys, buffer).map_err(|_| Reason::InvalidToken)?;
                Ok(authorize(&token, &request, now, &self.deny_list))
            })?,
        };
        if response.is_allowed() {
            Ok(())
        } else {
            Err(response.reason)
        }
    }

    /// A token that may read and write `channel` for an hour.
    pub(crate) fn grant(&self, channel: &str, now: UnixSeconds) -> Result<String, Box<dyn Error>> {
        let mut grants = Grants::new();
        let permissions = Permissions::from_iter([Permission::Read, Permission::Write]);
        grants.allow(
            ResourceKind::Channel,
            ResourceName::new(channel)?,
            permissions,
        );
        let claims = Claims::new(now, TtlMinutes(60), grants);
        Ok(encode(&claims, &self.signing_key)?)
    }

    /// Denies a token from now on. Only a token of this keyset can be revoked,
    /// so the list holds nothing that was made up.
    pub(crate) fn revoke(&self, token: &str, now: UnixSeconds) -> Result<TokenId, VerifyError> {
        BUFFER.with_borrow_mut(|buffer| {
            let token = verify(token, &self.keys, buffer)?;
            self.deny_list.deny(token.id(), token.expires_at(), now);
            Ok(token.id())
        })
    }
}

/// The revoked tokens of one keyset, each until it expires. In memory: after a
/// restart they are good again, which a real gateway must not allow.
#[derive(Debug, Default)]
struct DenyList(RwLock<HashMap<TokenId, UnixSeconds>>);

impl DenyList {
    fn deny(&self, id: TokenId, expires_at: UnixSeconds, now: UnixSeconds) {
        let mut denied = self.0.write().unwrap_or_else(PoisonError::into_inner);
        denied.retain(|_, expires_at| *expires_at > now);
        denied.insert(id, expires_at);
    }
}

impl Revocations for DenyList {
    fn standing(&self, subject: &Subject<'_>) -> Standing {
        let denied = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let revoked = |by| Standing::Revoked { by, at: None };
        if denied.contains_key(&subject.id) {
            return revoked(RevokedBy::Token);
        }
        if subject.ancestors.iter().any(|id| denied.contains_key(id)) {
            return revoked(RevokedBy::Ancestor);
        }
        Standing::Good
    }
}
