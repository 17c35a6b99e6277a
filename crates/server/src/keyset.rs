//! A keyset, ready for requests.

use std::sync::Arc;

use token_codec::{KeyPeriod, KeyRing, TokenKey};
use token_core::{SubscribeKey, UnixSeconds};
use token_policy::ListMode;
use token_store::{Keyset, ListAccess, MetaMode, Settings, SigningAlgorithm, SigningKey};

use crate::grant_body::BodyRules;
use crate::signature::SigningKeys;

/// A version of a keyset with its keys derived. Made anew when the store has
/// another version.
#[derive(Debug)]
pub(crate) struct Prepared {
    publish_key: String,
    settings: Settings,
    ring: KeyRing,
    /// `None` of one that this node only verifies for.
    stored: Option<Arc<Keyset>>,
}

impl Prepared {
    /// `None` when the store holds a subscribe key or a signing key that is none,
    /// which it never does.
    pub(crate) fn new(stored: Arc<Keyset>) -> Option<Self> {
        let subscribe_key = SubscribeKey::new(stored.subscribe_key.as_str()).ok()?;
        let periods = stored.signing_keys.iter().map(|key| {
            Some(KeyPeriod {
                from: key.from,
                until: key.until,
                key: token_key(key, &subscribe_key)?,
            })
        });
        Some(Self {
            publish_key: stored.publish_key.to_string(),
            settings: stored.settings.clone(),
            ring: KeyRing::new(subscribe_key.clone(), periods.collect::<Option<Vec<_>>>()?),
            stored: Some(stored),
        })
    }

    /// Whether this is still what the store has.
    pub(crate) fn is_of(&self, stored: &Arc<Keyset>) -> bool {
        let own = self.stored.as_ref();
        own.is_some_and(|own| Arc::ptr_eq(own, stored))
    }

    /// What the store has of it.
    pub(crate) fn stored(&self) -> Option<&Keyset> {
        self.stored.as_deref()
    }

    pub(crate) const fn ring(&self) -> &KeyRing {
        &self.ring
    }

    pub(crate) const fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn subscribe_key(&self) -> &str {
        self.ring.subscribe_key().as_str()
    }

    pub(crate) fn publish_key(&self) -> &str {
        &self.publish_key
    }

    /// What a signature of a request is checked with; `None` where the secret
    /// key is not known.
    pub(crate) fn signing_keys(&self, now: UnixSeconds) -> Option<SigningKeys<'_>> {
        let stored = self.stored()?;
        let previous = stored.previous_secret_key(now);
        Some(SigningKeys {
            previous_secret_key: previous.map(|(key, _)| key.expose()),
            subscribe_key: self.subscribe_key(),
            publish_key: self.publish_key(),
            secret_key: stored.secret_key.expose(),
        })
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

    /// Whether a project is one of its own.
    pub(crate) fn has_project(&self, id: &str) -> bool {
        self.stored()
            .is_some_and(|stored| stored.project(id).is_some())
    }

    /// The ids of its projects.
    pub(crate) fn projects(&self) -> impl Iterator<Item = &str> {
        let projects = self.stored().map(|stored| &stored.projects);
        let projects = projects.into_iter().flatten();
        projects.map(|project| project.id.as_str())
    }

    /// What a decision knows of it.
    pub(crate) fn view(&self) -> token_policy::Keyset<'_> {
        let settings = self.settings();
        let mut view = token_policy::Keyset::new(self.subscribe_key());
        view.access_manager = settings.access_manager;
        view.list_users = list_mode(settings.list_users);
        view.list_channels = list_mode(settings.list_channels);
        view
    }
}

/// The key that a stored one signs with.
pub(crate) fn token_key(key: &SigningKey, subscribe_key: &SubscribeKey) -> Option<TokenKey> {
    let secret = key.expose();
    match key.algorithm {
        SigningAlgorithm::Hmac => Some(TokenKey::hmac(&secret, subscribe_key)),
        SigningAlgorithm::Ed25519 => TokenKey::ed25519(&secret, subscribe_key).ok(),
    }
}

const fn list_mode(access: ListAccess) -> ListMode {
    match access {
        ListAccess::Granted => ListMode::Granted,
        ListAccess::Open => ListMode::Open,
        ListAccess::Off => ListMode::Off,
    }
}
