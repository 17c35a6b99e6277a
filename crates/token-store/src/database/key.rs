//! The keys of the tables: dialect, scope, and what is in the scope.

use token_core::limits::NAME_BYTES_MAX;
use token_core::{TokenId, TokenKind};

use crate::revocation::Revocation;

/// A table key: dialect, scope, and what is in the scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TableKey(Vec<u8>);

impl TableKey {
    /// The key of a scope; `None` when the scope is too long.
    pub(crate) fn of_scope(kind: TokenKind, scope: &str) -> Option<Self> {
        let tag = tag_of(kind);
        let length = u8::try_from(scope.len()).ok()?;
        let mut key = vec![tag, length];
        key.extend_from_slice(scope.as_bytes());
        Some(Self(key))
    }

    /// The key of what is revoked; `None` when a scope or uuid is too long.
    pub(crate) fn of_revocation(revocation: &Revocation) -> Option<Self> {
        match revocation {
            Revocation::Token {
                kind, scope, id, ..
            } => Self::of_scope(*kind, scope).map(|key| key.with_token(*id)),
            Revocation::Uuid {
                kind, scope, uuid, ..
            } => Self::of_scope(*kind, scope)
                .filter(|_| uuid.len() <= NAME_BYTES_MAX)
                .map(|key| key.with_rule(Some(uuid))),
            Revocation::Keyset { kind, scope, .. } => {
                Self::of_scope(*kind, scope).map(|key| key.with_rule(None))
            }
        }
    }

    /// A key that a table gave.
    pub(super) const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn with_token(mut self, id: TokenId) -> Self {
        self.0.extend_from_slice(&id.0);
        self
    }

    pub(crate) fn with_rule(mut self, uuid: Option<&str>) -> Self {
        self.0.push(u8::from(uuid.is_some()));
        self.0
            .extend_from_slice(uuid.unwrap_or_default().as_bytes());
        self
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

pub(crate) const fn tag_of(kind: TokenKind) -> u8 {
    match kind {
        TokenKind::AccessManager => 0,
        TokenKind::Crt => 1,
        TokenKind::Oem => 2,
    }
}

pub(crate) const fn kind_of(tag: u8) -> Option<TokenKind> {
    match tag {
        0 => Some(TokenKind::AccessManager),
        1 => Some(TokenKind::Crt),
        2 => Some(TokenKind::Oem),
        _ => None,
    }
}

/// Splits a key into dialect, scope and the rest.
pub(super) fn split(key: &[u8]) -> Option<(TokenKind, &str, &[u8])> {
    let (kind, rest) = key.split_first()?;
    let kind = kind_of(*kind)?;
    let (length, rest) = rest.split_first()?;
    let (scope, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((kind, core::str::from_utf8(scope).ok()?, rest))
}

/// The uuid of a rule's key, `None` for a keyset rule.
pub(super) fn rule_uuid(rest: &[u8]) -> Option<Option<&str>> {
    match rest.split_first()? {
        (0, []) => Some(None),
        (1, uuid) => core::str::from_utf8(uuid).ok().map(Some),
        _ => None,
    }
}
