//! The keys that sign and verify JWS tokens, and what of them is public.

use std::sync::Arc;

use std::collections::BTreeSet;
use token_codec::{Jwk, JwsKey, JwsKeyRecord, JwsKeys};
use token_core::{TokenKind, UnixSeconds};
use token_store::{Account, Keyset};

/// The keys of all accounts and projects, under one issuer. Made anew when the
/// store has another version of one, or the issuer has another name.
#[derive(Debug)]
pub(crate) struct IssuerKeys {
    issuer: String,
    owners: KeyOwners,
    records: Vec<JwsKeyRecord>,
    keys: JwsKeys,
    public: Vec<Jwk>,
}

/// Who has keys, as the store has them.
#[derive(Debug)]
pub(crate) struct KeyOwners {
    pub(crate) accounts: Vec<Arc<Account>>,
    pub(crate) keysets: Vec<Arc<Keyset>>,
}

impl KeyOwners {
    fn is(&self, other: &Self) -> bool {
        fn same<T>(ours: &[Arc<T>], others: &[Arc<T>]) -> bool {
            let pairs = ours.iter().zip(others);
            ours.len() == others.len() && pairs.fold(true, |all, (a, b)| all && Arc::ptr_eq(a, b))
        }
        same(&self.accounts, &other.accounts) && same(&self.keysets, &other.keysets)
    }
}

impl IssuerKeys {
    /// `None` when the store holds a seed that makes no key, which it never
    /// does.
    pub(crate) fn new(issuer: &str, owners: KeyOwners) -> Option<Self> {
        let (mut records, mut public) = (of_projects(issuer, &owners.keysets)?, Vec::new());
        for account in &owners.accounts {
            for signing in &account.signing_keys {
                let key = JwsKey::ed25519(&signing.expose()).ok()?;
                let jwk = key.jwk()?;
                records.push(JwsKeyRecord {
                    key_id: jwk.kid.clone(),
                    kind: TokenKind::Oem,
                    scope: account.scope(),
                    issuer: issuer.to_owned(),
                    from: signing.from,
                    until: signing.until,
                    key,
                });
                public.push(jwk);
            }
        }
        Some(Self {
            issuer: issuer.to_owned(),
            keys: JwsKeys::new(records.iter().cloned()).ok()?,
            owners,
            records,
            public,
        })
    }

    /// Whether these are still the keys.
    pub(crate) fn are_of(&self, issuer: &str, owners: &KeyOwners) -> bool {
        self.issuer == issuer && self.owners.is(owners)
    }

    /// What verifies.
    pub(crate) const fn keys(&self) -> &JwsKeys {
        &self.keys
    }

    /// The public keys: those before, those now and those announced.
    pub(crate) fn public(&self) -> &[Jwk] {
        &self.public
    }

    /// The key of a scope that signs at `at`.
    pub(crate) fn signer(
        &self,
        kind: TokenKind,
        scope: &str,
        at: UnixSeconds,
    ) -> Option<&JwsKeyRecord> {
        let signs = |record: &&JwsKeyRecord| {
            record.kind == kind
                && record.scope == scope
                && record.from <= at
                && record.until.is_none_or(|until| at < until)
        };
        self.records.iter().find(signs)
    }
}

/// The keys of PubSub and Chat tokens: each project has its own, derived from each
/// signing key of its keyset. Of two keysets with one project, which only nodes
/// that were apart can make, the first is it.
fn of_projects(issuer: &str, keysets: &[Arc<Keyset>]) -> Option<Vec<JwsKeyRecord>> {
    let (mut records, mut known) = (Vec::new(), BTreeSet::new());
    for keyset in keysets {
        for project in keyset.projects.iter().map(|project| project.id.as_str()) {
            if !known.insert(project) {
                continue;
            }
            for signing in &keyset.signing_keys {
                records.push(JwsKeyRecord {
                    key_id: format!("{project}-{}", signing.from.0),
                    kind: TokenKind::Crt,
                    scope: project.to_owned(),
                    issuer: issuer.to_owned(),
                    from: signing.from,
                    until: signing.until,
                    key: JwsKey::hs512(&*signing.project_secret(project)).ok()?,
                });
            }
        }
    }
    Some(records)
}
