//! The keys that sign and verify JWS tokens, and what of them is public.

use std::sync::Arc;

use token_codec::{Jwk, JwsKey, JwsKeyRecord, JwsKeys};
use token_core::{TokenKind, UnixSeconds};
use token_store::Account;

/// The keys of all accounts, under one issuer. Made anew when the store has
/// another version of one, or the issuer has another name.
#[derive(Debug)]
pub(crate) struct IssuerKeys {
    issuer: String,
    accounts: Vec<Arc<Account>>,
    records: Vec<JwsKeyRecord>,
    keys: JwsKeys,
    public: Vec<Jwk>,
}

impl IssuerKeys {
    /// `None` when the store holds a seed that makes no key, which it never
    /// does.
    pub(crate) fn new(issuer: &str, accounts: Vec<Arc<Account>>) -> Option<Self> {
        let (mut records, mut public) = (Vec::new(), Vec::new());
        for account in &accounts {
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
            accounts,
            records,
            public,
        })
    }

    /// Whether these are still the keys.
    pub(crate) fn are_of(&self, issuer: &str, accounts: &[Arc<Account>]) -> bool {
        let same = |(a, b): (&Arc<Account>, &Arc<Account>)| Arc::ptr_eq(a, b);
        self.issuer == issuer
            && self.accounts.len() == accounts.len()
            && self.accounts.iter().zip(accounts).all(same)
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
    pub(crate) fn signer(&self, scope: &str, at: UnixSeconds) -> Option<&JwsKeyRecord> {
        let signs = |record: &&JwsKeyRecord| {
            record.scope == scope
                && record.from <= at
                && record.until.is_none_or(|until| at < until)
        };
        self.records.iter().find(signs)
    }
}
