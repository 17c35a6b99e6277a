//! Tokens of every dialect, found by their text.

use std::sync::Arc;

use token_codec::{VerifiedJws, VerifiedToken, verify_jws};
use token_core::{
    Category, Permissions, ResourceKind, TokenId, TokenKind, UnixSeconds, VerifiedClaims,
};

use super::Service;
use crate::jws_keys::{IssuerKeys, KeyOwners};

/// A token whose signature was verified, of whatever dialect.
#[derive(Clone, Debug)]
pub(crate) enum AnyToken {
    AccessManager(Arc<VerifiedToken<'static>>),
    Jws(Arc<VerifiedJws>),
}

/// Whether `text` can be a JWS: it has dots, and no other token has one.
pub(crate) fn is_jws(text: &str) -> bool {
    text.contains('.')
}

/// What one of two kinds of token iterates over.
enum Either<A, B> {
    AccessManager(A),
    Jws(B),
}

impl<T, A: Iterator<Item = T>, B: Iterator<Item = T>> Iterator for Either<A, B> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match self {
            Self::AccessManager(items) => items.next(),
            Self::Jws(items) => items.next(),
        }
    }
}

/// The same question to whichever it is.
macro_rules! ask {
    ($token:expr, $question:ident $(, $argument:expr)*) => {
        match $token {
            AnyToken::AccessManager(token) => token.$question($($argument),*),
            AnyToken::Jws(token) => token.$question($($argument),*),
        }
    };
}

macro_rules! ask_each {
    ($token:expr, $question:ident $(, $argument:expr)*) => {
        match $token {
            AnyToken::AccessManager(token) => Either::AccessManager(token.$question($($argument),*)),
            AnyToken::Jws(token) => Either::Jws(token.$question($($argument),*)),
        }
    };
}

impl VerifiedClaims for AnyToken {
    fn kind(&self) -> TokenKind {
        ask!(self, kind)
    }

    fn scope(&self) -> &str {
        ask!(self, scope)
    }

    fn id(&self) -> TokenId {
        ask!(self, id)
    }

    fn ancestors(&self) -> impl Iterator<Item = TokenId> + '_ {
        ask_each!(self, ancestors)
    }

    fn issued_at(&self) -> UnixSeconds {
        ask!(self, issued_at)
    }

    fn expires_at(&self) -> UnixSeconds {
        ask!(self, expires_at)
    }

    fn uuid(&self) -> Option<&str> {
        ask!(self, uuid)
    }

    fn revoked_as(&self) -> Option<&str> {
        ask!(self, revoked_as)
    }

    fn named(&self, kind: ResourceKind, name: &str) -> Permissions {
        ask!(self, named, kind, name)
    }

    fn names(&self, kind: ResourceKind) -> impl Iterator<Item = (&str, Permissions)> + '_ {
        ask_each!(self, names, kind)
    }

    fn patterns(&self, kind: ResourceKind) -> impl Iterator<Item = (&str, Permissions)> + '_ {
        ask_each!(self, patterns, kind)
    }

    fn category(&self, category: Category) -> bool {
        ask!(self, category, category)
    }

    fn customer_permission(&self, permission: &str) -> bool {
        ask!(self, customer_permission, permission)
    }
}

impl Service {
    /// The token that `text` is, whatever its standing.
    pub(crate) fn any_token(&self, text: &str) -> Option<AnyToken> {
        if is_jws(text) {
            let token = self.verify_jws(text)?;
            return Some(AnyToken::Jws(Arc::new(token)));
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
        let now = KeyOwners {
            accounts: self.store().accounts(),
            keysets: self.store().keysets(),
        };
        let held = self.inner.issuer_keys.load();
        if let Some(held) = held.as_ref().filter(|held| held.are_of(&live.issuer, &now)) {
            return Some(Arc::clone(held));
        }
        let made = Arc::new(IssuerKeys::new(&live.issuer, now)?);
        self.inner.issuer_keys.store(Some(Arc::clone(&made)));
        Some(made)
    }
}
