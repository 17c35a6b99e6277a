//! What comes close to a denied request.

use core::fmt;

use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use token_core::{Permissions, ResourceKind, RevokedBy, UnixSeconds, VerifiedClaims};

use crate::held::{HeldByPattern, would_match};
use crate::pattern::PatternCache;
use crate::request::{Request, exact_only};
use crate::response::{Reason, Response, Wanted};

/// A thing that would have allowed the request, had it been a little different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NearMiss<'a> {
    /// A pattern that would match if it were not tied to an end of the name.
    Anchoring {
        /// The name.
        name: &'a str,
        /// The pattern.
        pattern: &'a str,
    },
    /// The token is bound to another uuid.
    BoundUuid {
        /// The uuid of the token.
        bound: &'a str,
        /// That of the request.
        given: Option<&'a str>,
    },
    /// An entry whose name differs in upper and lower case only.
    Case {
        /// The name.
        name: &'a str,
        /// The entry.
        entry: &'a str,
    },
    /// The token has expired.
    Expired {
        /// How long ago.
        seconds_ago: u64,
    },
    /// An entry with a `*`, which is the name of one resource and no pattern.
    Literal {
        /// The name.
        name: &'a str,
        /// The entry.
        entry: &'a str,
    },
    /// The token is from the future.
    NotYetValid {
        /// How far.
        seconds_ahead: u64,
    },
    /// The same name is granted in another kind.
    OtherKind {
        /// The name.
        name: &'a str,
        /// The kind of the entry.
        kind: ResourceKind,
        /// What it grants.
        held: Permissions,
    },
    /// An entry for this name that grants other permissions.
    OtherPermissions {
        /// The name.
        name: &'a str,
        /// The entry.
        entry: &'a str,
        /// What it grants.
        held: Permissions,
    },
    /// A pattern that would match if case did not matter.
    PatternCase {
        /// The name.
        name: &'a str,
        /// The pattern.
        pattern: &'a str,
    },
    /// The channel is granted and its presence is not, or the other way round.
    Presence {
        /// The name.
        name: &'a str,
        /// The entry.
        entry: &'a str,
    },
    /// The token was revoked.
    Revoked {
        /// What denied it.
        by: RevokedBy,
        /// Since when.
        at: Option<UnixSeconds>,
    },
    /// A pattern that matches the text of a wildcard name, which only an entry
    /// with exactly that name grants.
    Wildcard {
        /// The name.
        name: &'a str,
        /// The pattern.
        pattern: &'a str,
    },
}

impl NearMiss<'_> {
    /// The stable code, in snake case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Anchoring { .. } => "anchoring",
            Self::BoundUuid { .. } => "bound_uuid",
            Self::Case { .. } => "case",
            Self::Expired { .. } => "expired",
            Self::Literal { .. } => "literal",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::OtherKind { .. } => "other_kind",
            Self::OtherPermissions { .. } => "other_permissions",
            Self::PatternCase { .. } => "pattern_case",
            Self::Presence { .. } => "presence",
            Self::Revoked { .. } => "revoked",
            Self::Wildcard { .. } => "wildcard",
        }
    }
}

impl fmt::Display for NearMiss<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anchoring { name, pattern } => write!(
                f,
                "the pattern {pattern:?} matches a part of {name:?} and not all of it"
            ),
            Self::BoundUuid { bound, given } => match given {
                Some(given) => write!(
                    f,
                    "the token is bound to {bound:?}, the caller is {given:?}"
                ),
                None => write!(
                    f,
                    "the token is bound to {bound:?}, the request has no uuid"
                ),
            },
            Self::Case { name, entry } => {
                write!(f, "{entry:?} is granted; {name:?} differs in case")
            }
            Self::Expired { seconds_ago } => {
                write!(f, "the token expired {seconds_ago} seconds ago")
            }
            Self::Literal { name, entry } => write!(
                f,
                "{entry:?} is granted as the name of one resource; to cover {name:?} grant a pattern"
            ),
            Self::NotYetValid { seconds_ahead } => {
                write!(f, "the token will be good in about {seconds_ahead} seconds")
            }
            Self::OtherKind { name, kind, held } => {
                write!(f, "{held} is granted on the {kind} {name:?}")
            }
            Self::OtherPermissions { name, entry, held } => {
                write!(f, "the entry {entry:?} for {name:?} grants {held}")
            }
            Self::PatternCase { name, pattern } => write!(
                f,
                "the pattern {pattern:?} would match {name:?} if case did not matter"
            ),
            Self::Presence { name, entry } => write!(
                f,
                "{entry:?} is granted; presence needs a grant of its own, so {name:?} is not"
            ),
            Self::Revoked { by, at } => Reason::Revoked { by: *by, at: *at }.fmt(f),
            Self::Wildcard { name, pattern } => write!(
                f,
                "the pattern {pattern:?} matches the text {name:?}; a wildcard needs an entry with exactly that name"
            ),
        }
    }
}

impl Serialize for NearMiss<'_> {
    /// `{"code":"case","message":".."}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("NearMiss", 2)?;
        object.serialize_field("code", self.code())?;
        object.serialize_field("message", &self.to_string())?;
        object.end()
    }
}

/// How many missing names are looked into.
const NAMES_MAX: usize = 16;

/// What comes close to the request, closest first.
pub(crate) fn nearest<'a, T: VerifiedClaims>(
    token: &'a T,
    request: &Request<'a>,
    response: &Response<'a>,
) -> Vec<NearMiss<'a>> {
    match response.reason {
        Reason::Expired { seconds_ago } => vec![NearMiss::Expired { seconds_ago }],
        Reason::NotYetValid { seconds_ahead } => vec![NearMiss::NotYetValid { seconds_ahead }],
        Reason::Revoked { by, at } => vec![NearMiss::Revoked { by, at }],
        Reason::UuidMismatch => token
            .uuid()
            .map(|bound| NearMiss::BoundUuid {
                bound,
                given: request.uuid,
            })
            .into_iter()
            .collect(),
        Reason::PermissionMissing => near_missing(token, request, response),
        Reason::AccessManagerDisabled
        | Reason::Allowed
        | Reason::AmbiguousRequest
        | Reason::Behind
        | Reason::BodyRequired
        | Reason::InvalidRequest
        | Reason::InvalidToken
        | Reason::SecretKeyRequired
        | Reason::StaleDenyList
        | Reason::TargetRequired
        | Reason::TargetUnexpected
        | Reason::TokenRequired
        | Reason::UnknownOperation
        | Reason::UuidRequired
        | Reason::WrongKeyset => Vec::new(),
    }
}

fn near_missing<'a, T: VerifiedClaims>(
    token: &'a T,
    request: &Request<'a>,
    response: &Response<'a>,
) -> Vec<NearMiss<'a>> {
    let mut misses = Vec::new();
    for missing in response.missing.iter().take(NAMES_MAX) {
        if let Wanted::Name { kind, name } = missing.wanted {
            near_names(token, kind, name, &mut misses);
            near_patterns(token, kind, name, request.patterns, &mut misses);
        }
    }
    misses
}

fn near_names<'a, T: VerifiedClaims>(
    token: &'a T,
    wanted: ResourceKind,
    name: &'a str,
    misses: &mut Vec<NearMiss<'a>>,
) {
    let held = token.named(wanted, name);
    if !held.is_empty() {
        misses.push(NearMiss::OtherPermissions {
            name,
            entry: name,
            held,
        });
    }
    for kind in ResourceKind::ALL.into_iter().filter(|kind| *kind != wanted) {
        let held = token.named(kind, name);
        if !held.is_empty() {
            misses.push(NearMiss::OtherKind { name, kind, held });
        }
    }
    for (entry, _) in token.names(wanted).filter(|(entry, _)| *entry != name) {
        if name.strip_suffix("-pnpres") == Some(entry)
            || entry.strip_suffix("-pnpres") == Some(name)
        {
            misses.push(NearMiss::Presence { name, entry });
        } else if name.to_lowercase() == entry.to_lowercase() {
            misses.push(NearMiss::Case { name, entry });
        } else if looks_covered(entry, name) {
            misses.push(NearMiss::Literal { name, entry });
        }
    }
}

/// Whether a reader who takes the first `*` of `entry` for "anything" would
/// think that it covers `name`.
fn looks_covered(entry: &str, name: &str) -> bool {
    entry.split_once('*').is_some_and(|(before, after)| {
        name.strip_prefix(before)
            .is_some_and(|rest| rest.ends_with(after))
    })
}

fn near_patterns<'a, T: VerifiedClaims>(
    token: &'a T,
    kind: ResourceKind,
    name: &'a str,
    cache: Option<&'a PatternCache>,
    misses: &mut Vec<NearMiss<'a>>,
) {
    for one in HeldByPattern::each(token, kind, cache) {
        let (pattern, held) = (one.text, one.on(name));
        if !held.is_empty() {
            misses.push(if exact_only(name) {
                NearMiss::Wildcard { name, pattern }
            } else {
                NearMiss::OtherPermissions {
                    name,
                    entry: pattern,
                    held,
                }
            });
        } else if would_match(kind, &format!("(?i:{pattern})"), name) {
            misses.push(NearMiss::PatternCase { name, pattern });
        } else if would_match(kind, loose(pattern), name) {
            misses.push(NearMiss::Anchoring { name, pattern });
        }
    }
}

/// A pattern without the anchors at its ends.
fn loose(pattern: &str) -> &str {
    let pattern = pattern.strip_prefix('^').unwrap_or(pattern);
    let pattern = pattern.strip_prefix(r"\A").unwrap_or(pattern);
    let pattern = pattern.strip_suffix('$').unwrap_or(pattern);
    pattern.strip_suffix(r"\z").unwrap_or(pattern)
}
