//! A request, as a decision sees it.

use std::borrow::Cow;

use token_core::limits::{NAMES_PER_REQUEST_MAX, WILDCARDS_PER_REQUEST_MAX};
use token_core::{Permissions, ResourceKind, ResourceName, TokenKind};

use crate::error::InvalidTargets;
use crate::operation::Operation;
use crate::pattern::PatternCache;
use crate::requirement::Requirement;

/// Who may list all channels or all users of a keyset (contract 10.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the decision must meet every mode")]
pub enum ListMode {
    /// A token that grants the category.
    #[default]
    Granted,
    /// Any valid token of the keyset.
    Open,
    /// The secret key only.
    Off,
}

impl ListMode {
    /// The name in settings: `granted`, `open`, `off`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Open => "open",
            Self::Off => "off",
        }
    }

    /// The mode with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Granted, Self::Open, Self::Off]
            .into_iter()
            .find(|mode| mode.name() == name)
    }
}

/// What a decision knows of the keyset that a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keyset<'a> {
    /// The subscribe key: an Access Manager token of another one is denied.
    /// Empty where only the tokens of an account are good.
    pub subscribe_key: &'a str,
    /// The project whose CRT tokens are good for it, if there is one.
    pub project: Option<&'a str>,
    /// The account whose customer access tokens are good for it, if there is
    /// one.
    pub account: Option<&'a str>,
    /// Whether Access Manager is on. Off, every decision is a denial.
    pub access_manager: bool,
    /// Who may list all users.
    pub list_users: ListMode,
    /// Who may list all channels.
    pub list_channels: ListMode,
}

impl<'a> Keyset<'a> {
    /// A keyset with the default settings: Access Manager on, listing by
    /// category.
    #[must_use]
    pub const fn new(subscribe_key: &'a str) -> Self {
        Self {
            subscribe_key,
            project: None,
            account: None,
            access_manager: true,
            list_users: ListMode::Granted,
            list_channels: ListMode::Granted,
        }
    }

    /// Where tokens of `kind` must be good to be good for this keyset.
    pub(crate) const fn scope_of(&self, kind: TokenKind) -> Option<&'a str> {
        match kind {
            TokenKind::AccessManager => Some(self.subscribe_key),
            TokenKind::Crt => self.project,
            TokenKind::Oem => self.account,
        }
    }
}

/// One name that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a kind and a name")]
pub struct Target<'a> {
    /// Its kind.
    pub kind: ResourceKind,
    /// The name, decoded.
    pub name: Cow<'a, str>,
}

impl<'a> Target<'a> {
    /// A target from a kind and a name.
    #[must_use]
    pub fn new(kind: ResourceKind, name: impl Into<Cow<'a, str>>) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }
}

/// The names that a request asks for: at most 1,000, of which at most 16 are
/// wildcards, each a legal name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Targets<'a> {
    names: &'a [Target<'a>],
    collection: Option<ResourceKind>,
}

impl<'a> Targets<'a> {
    /// No name at all.
    pub const NONE: Self = Self {
        names: &[],
        collection: None,
    };

    /// Targets from names.
    ///
    /// # Errors
    ///
    /// [`InvalidTargets`] when there are too many names, too many wildcards, or
    /// one that is no name.
    pub fn new(names: &'a [Target<'a>]) -> Result<Self, InvalidTargets> {
        check_targets(names)?;
        Ok(Self {
            names,
            collection: None,
        })
    }

    /// The same names, in the DataSync collection of records of `kind`. It must
    /// be said for `datasync-list`, and for `datasync-create` without an id.
    #[must_use]
    pub const fn in_collection(mut self, kind: ResourceKind) -> Self {
        self.collection = Some(kind);
        self
    }

    /// The names.
    #[must_use]
    pub const fn names(&self) -> &'a [Target<'a>] {
        self.names
    }

    /// The kind of the records, when the request is for a DataSync collection.
    #[must_use]
    pub const fn collection(&self) -> Option<ResourceKind> {
        self.collection
    }

    /// Targets that [`check_targets`] has passed.
    pub(crate) const fn checked(names: &'a [Target<'a>], collection: Option<ResourceKind>) -> Self {
        Self { names, collection }
    }
}

/// The bounds of [`Targets`].
pub(crate) fn check_targets(names: &[Target<'_>]) -> Result<(), InvalidTargets> {
    if names.len() > NAMES_PER_REQUEST_MAX {
        return Err(InvalidTargets::TooManyNames { names: names.len() });
    }
    let mut wildcards = 0_usize;
    for target in names {
        ResourceName::check(&target.name).map_err(|cause| InvalidTargets::Name {
            kind: target.kind,
            cause,
        })?;
        if is_wildcard(&target.name) {
            wildcards = wildcards.saturating_add(1);
        }
    }
    if wildcards > WILDCARDS_PER_REQUEST_MAX {
        return Err(InvalidTargets::TooManyWildcards { wildcards });
    }
    Ok(())
}

/// What is to be done: an operation of the built-in table, or what a rule of a
/// rule file stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever names what was asked must meet both"
)]
pub enum Asked<'a> {
    /// An operation.
    Operation(Operation),
    /// A rule.
    Rule {
        /// Its name.
        name: &'a str,
        /// What it requires.
        requirement: Requirement<'a>,
    },
}

impl<'a> Asked<'a> {
    /// The name of the operation, or that of the rule.
    #[must_use]
    pub const fn name(self) -> &'a str {
        match self {
            Self::Operation(operation) => operation.name(),
            Self::Rule { name, .. } => name,
        }
    }

    /// What it requires.
    #[must_use]
    pub const fn requirement(self) -> Requirement<'a> {
        match self {
            Self::Operation(operation) => operation.requirement(),
            Self::Rule { requirement, .. } => requirement,
        }
    }
}

impl From<Operation> for Asked<'_> {
    fn from(operation: Operation) -> Self {
        Self::Operation(operation)
    }
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request<'a> {
    /// The keyset that it is for.
    pub keyset: Keyset<'a>,
    /// What is to be done.
    pub asked: Asked<'a>,
    /// Who the caller says that it is: the one `uuid` of the request.
    pub uuid: Option<&'a str>,
    /// Whether the caller is whoever the token is bound to, rather than
    /// [`Request::uuid`]. A token that is bound to nobody is then denied.
    pub caller_is_token: bool,
    /// The names that it is to be done to.
    pub targets: Targets<'a>,
    /// Where compiled patterns are kept from one decision to the next.
    pub patterns: Option<&'a PatternCache>,
}

impl<'a> Request<'a> {
    /// A request without a uuid.
    #[must_use]
    pub fn new(keyset: Keyset<'a>, asked: impl Into<Asked<'a>>, targets: Targets<'a>) -> Self {
        Self {
            keyset,
            asked: asked.into(),
            uuid: None,
            caller_is_token: false,
            targets,
            patterns: None,
        }
    }

    /// The same request by a caller that says it is `uuid`.
    #[must_use]
    pub const fn by(mut self, uuid: Option<&'a str>) -> Self {
        self.uuid = uuid;
        self
    }

    /// The same request by the uuid that its token is bound to.
    #[must_use]
    pub const fn by_token(mut self) -> Self {
        self.caller_is_token = true;
        self
    }

    /// The same request, decided with the compiled patterns in `cache`, which
    /// also keeps what the decision compiles. It changes no answer.
    #[must_use]
    pub const fn sharing(mut self, cache: &'a PatternCache) -> Self {
        self.patterns = Some(cache);
        self
    }

    /// The permissions that are needed on a name of `kind`, the target at
    /// `index`, or `None` when there is no use for one.
    pub(crate) fn needed_on(&self, index: usize, kind: ResourceKind) -> Option<Permissions> {
        match self.asked.requirement() {
            Requirement::Each(needed) => needed.get(index).copied(),
            Requirement::Names(needs) => needs
                .iter()
                .find(|need| need.kind == kind)
                .map(|need| need.permissions),
            Requirement::Record(permission) | Requirement::NewRecord(permission) => {
                (self.record_kind() == Some(kind)).then_some(permission.into())
            }
            Requirement::Public
            | Requirement::Token
            | Requirement::SecretKey
            | Requirement::Listing(_)
            | Requirement::Customer(_)
            | Requirement::Collection(_) => None,
        }
    }

    /// The kind of the DataSync records that are named, if any is.
    pub(crate) fn record_kind(&self) -> Option<ResourceKind> {
        let first = self.targets.names.first()?;
        Some(self.targets.collection.unwrap_or(first.kind))
    }
}

/// Whether `name` asks for everything under a prefix: `P*` or `P*-pnpres`,
/// where P is empty or ends in a dot.
#[must_use]
pub fn is_wildcard(name: &str) -> bool {
    let name = name.strip_suffix("-pnpres").unwrap_or(name);
    name.strip_suffix('*')
        .is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
}

/// Whether only an exact entry can grant `name`: a wildcard asks for more than
/// the name that a pattern would match, and a `*` elsewhere may be meant as one.
pub(crate) fn exact_only(name: &str) -> bool {
    name.contains('*')
}
