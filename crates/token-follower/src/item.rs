//! What a feed says, item by item (docs/feed.md).

use std::borrow::Cow;

use serde::Deserialize;
use token_core::{TokenId, TokenKind, UnixSeconds};
use token_deny_list::DenyList;

/// One thing that is revoked. One that is not known here is an error: to pass
/// over it could let something live that the server denies.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Item<'a> {
    Token {
        #[serde(borrow)]
        kind: Cow<'a, str>,
        #[serde(borrow)]
        scope: Cow<'a, str>,
        #[serde(borrow)]
        id: Cow<'a, str>,
        expires_at: u64,
    },
    Rule {
        #[serde(borrow)]
        kind: Cow<'a, str>,
        #[serde(borrow)]
        scope: Cow<'a, str>,
        #[serde(borrow, default)]
        uuid: Option<Cow<'a, str>>,
        until: u64,
    },
    Horizon {
        #[serde(borrow)]
        kind: Cow<'a, str>,
        #[serde(borrow)]
        scope: Cow<'a, str>,
        from: u64,
        until: u64,
    },
}

/// The data of an event `heartbeat`.
#[derive(Debug, Deserialize)]
pub(crate) struct Heartbeat {
    /// How long after the stream began everything up to its id was all there was,
    /// in milliseconds of the server's clock.
    pub(crate) after_ms: u64,
}

/// A dialect or an id that is none.
#[derive(Debug)]
pub(crate) struct Unknown;

impl Item<'_> {
    /// Adds it to a list.
    pub(crate) fn apply(&self, list: &DenyList) -> Result<(), Unknown> {
        match self {
            Self::Token {
                kind,
                scope,
                id,
                expires_at,
            } => {
                let id: TokenId = id.parse().map_err(|_| Unknown)?;
                list.scope(kind_of(kind)?, scope)
                    .deny(id, UnixSeconds(*expires_at));
            }
            Self::Rule {
                kind,
                scope,
                uuid,
                until,
            } => {
                list.scope(kind_of(kind)?, scope)
                    .add_rule(uuid.as_deref(), UnixSeconds(*until));
            }
            Self::Horizon {
                kind,
                scope,
                from,
                until,
            } => list
                .scope(kind_of(kind)?, scope)
                .raise_horizon(*from, *until),
        }
        Ok(())
    }

    /// Whether it revokes every token of a scope: then its keys were replaced, or
    /// may be.
    pub(crate) const fn is_about_a_scope(&self) -> bool {
        matches!(self, Self::Rule { uuid: None, .. })
    }
}

fn kind_of(name: &str) -> Result<TokenKind, Unknown> {
    [TokenKind::AccessManager, TokenKind::Crt, TokenKind::Oem]
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or(Unknown)
}
