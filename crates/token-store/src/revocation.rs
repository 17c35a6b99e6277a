//! Revocations: what can be asked for, and what comes of it.

use token_core::{TokenId, TokenKind, UnixSeconds};

/// Something to revoke.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new kind of revocation must be met everywhere"
)]
pub enum Revocation {
    /// One token.
    Token {
        /// Its dialect.
        kind: TokenKind,
        /// Where its id is unique.
        scope: String,
        /// Its id.
        id: TokenId,
        /// When it was issued, if that is known: then its entry, once pruned,
        /// moves the horizon of one signing key only.
        issued_at: Option<UnixSeconds>,
        /// When it expires; its entry is kept until then.
        expires_at: UnixSeconds,
    },
    /// Every token bound to a uuid and issued up to an instant.
    Uuid {
        /// The dialect of the tokens.
        kind: TokenKind,
        /// Where they are good.
        scope: String,
        /// The uuid.
        uuid: String,
        /// The instant; `None` is now. A later one than now is not taken.
        until: Option<UnixSeconds>,
    },
    /// Every token of a scope issued up to an instant.
    Keyset {
        /// The dialect of the tokens.
        kind: TokenKind,
        /// Where they are good.
        scope: String,
        /// The instant; `None` is now. A later one than now is not taken.
        until: Option<UnixSeconds>,
    },
}

/// What came of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an answer must be found for each")]
pub enum Outcome {
    /// It is new. For a rule, with its instant.
    Revoked {
        /// The instant of the rule.
        until: Option<UnixSeconds>,
    },
    /// It was revoked before. For a rule, with the instant that holds.
    Already {
        /// The instant of the rule.
        until: Option<UnixSeconds>,
    },
    /// The token has expired; nothing is kept.
    Expired,
}

/// A revocation in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a listing must show each")]
pub enum Listed {
    /// A token.
    Token {
        /// Its id.
        id: TokenId,
        /// When it expires.
        expires_at: UnixSeconds,
    },
    /// A rule for a uuid.
    Uuid {
        /// The uuid.
        uuid: String,
        /// Tokens issued up to here are dead.
        until: UnixSeconds,
    },
    /// A rule for the scope.
    Keyset {
        /// Tokens issued up to here are dead.
        until: UnixSeconds,
    },
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// The revocations, rules first.
    pub items: Vec<Listed>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<String>,
}
