//! Tokens of every dialect, found by their text.

use std::sync::Arc;

use token_codec::{VerifiedJws, VerifiedToken, verify_jws};

use super::Service;
use crate::jws_keys::IssuerKeys;

/// A token whose signature was verified, of whatever dialect.
#[derive(Debug)]
pub(crate) enum AnyToken {
    AccessManager(Arc<VerifiedToken<'static>>),
    Jws(Box<VerifiedJws>),
}

impl Service {
    /// The token that `text` is, whatever its standing. A JWS has dots, and no
    /// other token has one.
    pub(crate) fn any_token(&self, text: &str) -> Option<AnyToken> {
        if text.contains('.') {
            let token = self.verify_jws(text)?;
            return Some(AnyToken::Jws(Box::new(token)));
        }
        let keysets = self.keysets();
        let mut verified = keysets
            .iter()
            .filter_map(|keyset| self.verify(text, keyset).ok());
        verified.next().map(AnyToken::AccessManager)
    }

    /// The JWS that `text` is, whatever its standing.
    pub(crate) fn verify_jws(&self, text: &str) -> Option<VerifiedJws> {
        let keys = self.issuer_keys()?;
        verify_jws(text, keys.keys()).ok()
    }

    /// The keys of JWS tokens as of now.
    pub(crate) fn issuer_keys(&self) -> Option<Arc<IssuerKeys>> {
        let live = self.live();
        let accounts = self.store().accounts();
        let held = self.inner.issuer_keys.load();
        if let Some(held) = held
            .as_ref()
            .filter(|held| held.are_of(&live.issuer, &accounts))
        {
            return Some(Arc::clone(held));
        }
        let made = Arc::new(IssuerKeys::new(&live.issuer, accounts)?);
        self.inner.issuer_keys.store(Some(Arc::clone(&made)));
        Some(made)
    }
}
