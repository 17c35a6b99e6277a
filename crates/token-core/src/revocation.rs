//! The question that a decision asks of a deny list.

use core::fmt;

use crate::identity::{TokenId, TokenKind};
use crate::time::UnixSeconds;

/// A token, as a deny list knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a question needs every field")]
pub struct Subject<'a> {
    /// The dialect.
    pub kind: TokenKind,
    /// Where the id is unique.
    pub scope: &'a str,
    /// The identity.
    pub id: TokenId,
    /// The tokens that it was narrowed from, at most 4. It dies with each.
    pub ancestors: &'a [TokenId],
    /// The uuid that it is bound to: a rule for that uuid applies.
    pub uuid: Option<&'a str>,
    /// When it was issued: a rule denies what was issued until its instant.
    pub issued_at: UnixSeconds,
    /// When it expires.
    pub expires_at: UnixSeconds,
}

/// What denied a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever explains a denial must meet every cause"
)]
pub enum RevokedBy {
    /// Its own entry.
    Token,
    /// The entry of a token that it was narrowed from.
    Ancestor,
    /// A rule for the uuid that it is bound to.
    Uuid,
    /// A rule for the whole keyset.
    Keyset,
}

impl RevokedBy {
    /// The name in JSON: `token`, `ancestor`, `uuid`, `keyset`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Ancestor => "ancestor",
            Self::Uuid => "uuid",
            Self::Keyset => "keyset",
        }
    }
}

impl fmt::Display for RevokedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a token stands with a deny list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new standing must be met by the decision"
)]
pub enum Standing {
    /// It passed every entry and every rule that applies.
    Good,
    /// An entry or a rule denies it.
    Revoked {
        /// Which.
        by: RevokedBy,
        /// Since when; for a rule, its instant. `None` when that is not kept.
        at: Option<UnixSeconds>,
    },
    /// It expired before the horizon of what was pruned, whatever the clock
    /// says.
    Expired,
    /// The deny list is older than the keyset allows.
    Stale,
    /// The deny list has not reached the sequence that the caller asked for.
    Behind,
}

/// A deny list. Answers must come from memory: decisions wait on it.
pub trait Revocations {
    /// How `subject` stands. Its own entry, that of each ancestor, the rule of
    /// its uuid and the rule of its keyset must all be passed.
    fn standing(&self, subject: &Subject<'_>) -> Standing;
}

/// The deny list of a caller that has none: every token stands well. Revoked
/// tokens are then good until they expire, so it has to be written out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing in it")]
pub struct NoRevocations;

impl Revocations for NoRevocations {
    fn standing(&self, _: &Subject<'_>) -> Standing {
        Standing::Good
    }
}

impl<R: Revocations + ?Sized> Revocations for &R {
    fn standing(&self, subject: &Subject<'_>) -> Standing {
        (**self).standing(subject)
    }
}
