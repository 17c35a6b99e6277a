//! A keyset, ready for requests.

use std::sync::Arc;

use token_codec::{KeyPeriod, KeyRing, MacKey};
use token_core::{SubscribeKey, UnixSeconds};
use token_policy::ListMode;
use token_store::{Keyset, ListAccess, MetaMode, Settings};

use crate::grant_body::BodyRules;
use crate::signature::SigningKeys;

/// A version of a keyset with its keys derived. Made anew when the store has
/// another version.
#[derive(Debug)]
pub(crate) struct Prepared {
    stored: Arc<Keyset>,
    ring: KeyRing,
}

impl Prepared {
    /// `None` when the store holds a subscribe key that is none, which it
    /// never does.
    pub(crate) fn new(stored: Arc<Keyset>) -> Option<Self> {
        let subscribe_key = SubscribeKey::new(stored.subscribe_key.as_str()).ok()?;
        let periods = stored.signing_keys.iter().map(|key| KeyPeriod {
            from: key.from,
            until: key.until,
            key: MacKey::derive(&key.expose(), &subscribe_key),
        });
        let ring = KeyRing::new(subscribe_key.clone(), periods.collect::<Vec<_>>());
        Some(Self { stored, ring })
    }

    /// Whether this is still what the store has.
    pub(crate) fn is_of(&self, stored: &Arc<Keyset>) -> bool {
        Arc::ptr_eq(&self.stored, stored)
    }

    pub(crate) fn stored(&self) -> &Keyset {
        &self.stored
    }

    pub(crate) const fn ring(&self) -> &KeyRing {
        &self.ring
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.stored.settings
    }

    pub(crate) fn subscribe_key(&self) -> &str {
        self.stored.subscribe_key.as_str()
    }

    pub(crate) fn publish_key(&self) -> &str {
        self.stored.publish_key.as_str()
    }

    /// What a signature of a request is checked with.
    pub(crate) fn signing_keys(&self, now: UnixSeconds) -> SigningKeys<'_> {
        let previous = self.stored.previous_secret_key(now);
        SigningKeys {
            previous_secret_key: previous.map(|(key, _)| key.expose()),
            subscribe_key: self.subscribe_key(),
            publish_key: self.publish_key(),
            secret_key: self.stored.secret_key.expose(),
        }
    }

    /// What a grant may say.
    pub(crate) fn body_rules(&self) -> BodyRules {
        let settings = self.settings();
        BodyRules {
            ttl_max: settings.max_ttl,
            scalar_meta: settings.meta == MetaMode::Scalar,
            uuid_required: settings.require_uuid,
            permission_names: false,
        }
    }

    /// What a decision on `subscribe_key`, which is its own, knows of it. The
    /// decision then borrows from the request alone.
    pub(crate) fn view<'a>(&self, subscribe_key: &'a str) -> token_policy::Keyset<'a> {
        let settings = self.settings();
        let mut view = token_policy::Keyset::new(subscribe_key);
        view.access_manager = settings.access_manager;
        view.list_users = list_mode(settings.list_users);
        view.list_channels = list_mode(settings.list_channels);
        view
    }
}

const fn list_mode(access: ListAccess) -> ListMode {
    match access {
        ListAccess::Granted => ListMode::Granted,
        ListAccess::Open => ListMode::Open,
        ListAccess::Off => ListMode::Off,
    }
}
