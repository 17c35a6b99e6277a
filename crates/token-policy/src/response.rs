//! What a decision answers.

use core::fmt;

use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use token_core::{Category, Permissions, ResourceKind, RevokedBy};

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third answer")]
pub enum Decision {
    /// The request may be carried out.
    Allow,
    /// It must not be.
    Deny,
}

impl Decision {
    /// `allow` or `deny`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a decision is what it is. [`Reason::code`] is stable; the text is for
/// people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Access Manager is off for the keyset.
    AccessManagerDisabled,
    /// Everything that is needed is held.
    Allowed,
    /// The request can be read in two ways, or says a thing twice.
    AmbiguousRequest,
    /// The deny list has not reached the sequence that the caller asked for.
    Behind,
    /// What the operation touches is in the body, which is not at hand.
    BodyRequired,
    /// The token has expired.
    Expired {
        /// How long ago, in seconds; 0 at the very instant, and when the deny
        /// list's horizon says so rather than the clock.
        seconds_ago: u64,
    },
    /// The request breaks a bound or a rule of form.
    InvalidRequest,
    /// The token cannot be read, or its signature is wrong.
    InvalidToken,
    /// The token says that it was issued further in the future than clocks may
    /// differ.
    NotYetValid {
        /// How far ahead of now, in seconds.
        seconds_ahead: u64,
    },
    /// A permission is missing.
    PermissionMissing,
    /// The token was revoked.
    Revoked {
        /// What denied it.
        by: RevokedBy,
        /// Since when.
        at: Option<token_core::UnixSeconds>,
    },
    /// No token is enough for the operation.
    SecretKeyRequired,
    /// The deny list is older than the keyset allows.
    StaleDenyList,
    /// The operation needs a name that the request does not have.
    TargetRequired,
    /// The request names a kind that the operation has no use for.
    TargetUnexpected,
    /// The request carries no token.
    TokenRequired,
    /// Nothing known is asked for.
    UnknownOperation,
    /// The token is bound to a uuid that is not the caller's.
    UuidMismatch,
    /// The caller is to be whoever the token is bound to, and it is bound to
    /// nobody.
    UuidRequired,
    /// The token belongs to another keyset.
    WrongKeyset,
}

impl Reason {
    /// The stable code, in snake case.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AccessManagerDisabled => "access_manager_disabled",
            Self::Allowed => "allowed",
            Self::AmbiguousRequest => "ambiguous_request",
            Self::Behind => "behind",
            Self::BodyRequired => "body_required",
            Self::Expired { .. } => "expired",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::PermissionMissing => "permission_missing",
            Self::Revoked { .. } => "revoked",
            Self::SecretKeyRequired => "secret_key_required",
            Self::StaleDenyList => "stale_deny_list",
            Self::TargetRequired => "target_required",
            Self::TargetUnexpected => "target_unexpected",
            Self::TokenRequired => "token_required",
            Self::UnknownOperation => "unknown_operation",
            Self::UuidMismatch => "uuid_mismatch",
            Self::UuidRequired => "uuid_required",
            Self::WrongKeyset => "wrong_keyset",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessManagerDisabled => f.write_str("access manager is off for this keyset"),
            Self::Allowed => f.write_str("everything that is needed is held"),
            Self::AmbiguousRequest => f.write_str("the request can be read in more than one way"),
            Self::Behind => {
                f.write_str("the deny list has not yet reached the sequence that was asked for")
            }
            Self::BodyRequired => f.write_str("the body of the request is needed to decide"),
            Self::Expired { seconds_ago } => {
                write!(f, "the token expired {seconds_ago} seconds ago")
            }
            Self::InvalidRequest => f.write_str("the request is not well formed"),
            Self::InvalidToken => f.write_str("the token is malformed or its signature is wrong"),
            Self::NotYetValid { seconds_ahead } => write!(
                f,
                "the token says that it is issued {seconds_ahead} seconds from now"
            ),
            Self::PermissionMissing => f.write_str("a permission is missing"),
            Self::Revoked { by, at } => {
                f.write_str(match by {
                    RevokedBy::Token => "the token is revoked",
                    RevokedBy::Ancestor => "a token that it was narrowed from is revoked",
                    RevokedBy::Uuid => "the tokens of its uuid are revoked",
                    RevokedBy::Keyset => "the tokens of its keyset are revoked",
                })?;
                at.map_or(Ok(()), |at| write!(f, " as of {at}"))
            }
            Self::SecretKeyRequired => f.write_str("this operation needs the secret key"),
            Self::StaleDenyList => f.write_str("the deny list is older than this keyset allows"),
            Self::TargetRequired => {
                f.write_str("the operation needs a name that the request does not have")
            }
            Self::TargetUnexpected => {
                f.write_str("the request names something that the operation has no use for")
            }
            Self::TokenRequired => f.write_str("the request carries no token"),
            Self::UnknownOperation => f.write_str("the request is no known operation"),
            Self::UuidMismatch => f.write_str("the token is bound to another uuid"),
            Self::UuidRequired => f.write_str("the token must be bound to a uuid"),
            Self::WrongKeyset => f.write_str("the token belongs to another keyset"),
        }
    }
}

/// What a permission is needed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever explains a denial must meet every case"
)]
pub enum Wanted<'a> {
    /// A name.
    Name {
        /// Its kind.
        kind: ResourceKind,
        /// The name.
        name: &'a str,
    },
    /// Every record of a DataSync collection: a pattern such as `.*`.
    Collection(ResourceKind),
    /// A category.
    Category(Category),
    /// A permission of a customer, which is on nothing: `dashboard:read`.
    Customer(&'a str),
}

impl<'a> Wanted<'a> {
    /// The kind in JSON: that of the resource, `category`, or `customer` for a
    /// permission of a customer.
    #[must_use]
    pub const fn kind_name(&self) -> &'static str {
        match self {
            Self::Name { kind, .. } | Self::Collection(kind) => kind.name(),
            Self::Category(_) => "category",
            Self::Customer(_) => "customer",
        }
    }

    /// The name in JSON: that of the resource, `.*` for a whole collection,
    /// `channels` or `uuids` for a category, the permission of a customer.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        match self {
            Self::Name { name, .. } | Self::Customer(name) => name,
            Self::Collection(_) => ".*",
            Self::Category(category) => category.json_name(),
        }
    }
}

/// Permissions that a request needs and the token does not grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missing<'a> {
    /// On what.
    pub wanted: Wanted<'a>,
    /// Which; none only for a permission of a customer, which names itself.
    pub permissions: Permissions,
}

impl Serialize for Missing<'_> {
    /// `{"kind":"channel","name":"room","permissions":["read"]}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Missing", 3)?;
        object.serialize_field("kind", self.wanted.kind_name())?;
        object.serialize_field("name", self.wanted.name())?;
        object.serialize_field("permissions", &PermissionNames(self.permissions))?;
        object.end()
    }
}

/// Permissions as a list of names.
pub(crate) struct PermissionNames(pub(crate) Permissions);

impl Serialize for PermissionNames {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(token_core::Permission::name))
    }
}

/// The answer of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response<'a> {
    /// Yes or no.
    pub decision: Decision,
    /// Why.
    pub reason: Reason,
    /// Everything that is missing, in the order of the request, each once.
    /// Empty unless the reason is [`Reason::PermissionMissing`].
    pub missing: Vec<Missing<'a>>,
}

impl<'a> Response<'a> {
    pub(crate) const fn allow() -> Self {
        Self {
            decision: Decision::Allow,
            reason: Reason::Allowed,
            missing: Vec::new(),
        }
    }

    pub(crate) const fn lacking(missing: Vec<Missing<'a>>) -> Self {
        Self {
            decision: Decision::Deny,
            reason: Reason::PermissionMissing,
            missing,
        }
    }

    /// A denial, for whoever finds out before there is a token to decide on.
    #[must_use]
    pub const fn deny(reason: Reason) -> Self {
        Self {
            decision: Decision::Deny,
            reason,
            missing: Vec::new(),
        }
    }

    /// True when the request may be carried out.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self.decision, Decision::Allow)
    }
}
