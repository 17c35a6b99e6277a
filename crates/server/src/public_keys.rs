//! What whoever only verifies needs of a keyset. Nothing in it is secret.

use serde::{Deserialize, Serialize};
use token_codec::TokenJwk;
use token_store::{Settings, SigningAlgorithm};

use crate::keyset::Prepared;

/// A keyset without its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublicKeyset {
    pub(crate) subscribe_key: String,
    pub(crate) publish_key: String,
    pub(crate) settings: Settings,
    /// Ed25519 keys: those before, the one in force, one that is announced.
    pub(crate) keys: Vec<TokenJwk>,
    /// When HMAC keys sign. Their tokens are verified with the secret only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) hmac: Vec<Period>,
}

/// Seconds since 1970, in the time of `t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Period {
    from: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
}

impl PublicKeyset {
    /// What of `keyset` may be known to everybody who verifies.
    pub(crate) fn of(keyset: &Prepared) -> Self {
        let hmac = keyset.stored().into_iter();
        let hmac = hmac
            .flat_map(|stored| &stored.signing_keys)
            .filter(|key| key.algorithm == SigningAlgorithm::Hmac)
            .map(|key| Period {
                from: key.from.0,
                until: key.until.map(|until| until.0),
            });
        Self {
            subscribe_key: keyset.subscribe_key().to_owned(),
            publish_key: keyset.publish_key().to_owned(),
            settings: keyset.settings().clone(),
            keys: public_keys(keyset),
            hmac: hmac.collect(),
        }
    }
}

/// The public keys of a keyset, the earliest first.
pub(crate) fn public_keys(keyset: &Prepared) -> Vec<TokenJwk> {
    let periods = keyset.ring().periods().iter().rev();
    periods.filter_map(TokenJwk::of).collect()
}
