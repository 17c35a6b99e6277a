//! Why a decision is what it is, and what would change it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeStruct as _, Serializer};
use token_core::{
    Category, Grants, PatternText, Permissions, ResourceKind, ResourceName, VerifiedClaims,
};

use crate::held::{HeldByPattern, covers_everything};
use crate::nearest::{NearMiss, nearest};
use crate::request::{Request, exact_only};
use crate::requirement::Requirement;
use crate::response::{Decision, Missing, PermissionNames, Reason, Response, Wanted};

/// Everything there is to say about a decision.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Explanation<'a> {
    /// The entries of the token that grant something of what is needed.
    pub matched: Vec<Match<'a>>,
    /// What is missing, as in the response.
    pub missing: Vec<Missing<'a>>,
    /// What comes close, closest first. For a request with many names, only
    /// the first few that are missing are looked into.
    pub nearest: Vec<NearMiss<'a>>,
    /// What to grant, when a grant can help.
    pub remedy: Option<Remedy>,
}

/// An entry of the token that grants something of what is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Match<'a> {
    /// On what.
    pub wanted: Wanted<'a>,
    /// What of the needed permissions it grants.
    pub permissions: Permissions,
    /// What sort of entry it is.
    pub by: MatchedBy,
    /// The entry: a name, a pattern or a category.
    pub entry: &'a str,
}

/// What sort of entry of a token grants something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a token has no other entries")]
pub enum MatchedBy {
    /// An entry with exactly that name, or the category.
    Name,
    /// A pattern.
    Pattern,
}

impl MatchedBy {
    /// `name` or `pattern`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Pattern => "pattern",
        }
    }
}

impl Serialize for Match<'_> {
    /// `{"kind":"channel","name":"room","permissions":["read"],"by":"name","entry":"room"}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Match", 5)?;
        object.serialize_field("kind", self.wanted.kind_name())?;
        object.serialize_field("name", self.wanted.name())?;
        object.serialize_field("permissions", &PermissionNames(self.permissions))?;
        object.serialize_field("by", self.by.name())?;
        object.serialize_field("entry", self.entry)?;
        object.end()
    }
}

/// What to add to the token so that exactly this request passes. With any one
/// bit less it would still fail.
///
/// It is written as a fragment of the body of a grant (contract 2.1):
/// `{"resources":{"channels":{"room":1}}}`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Remedy {
    /// The grants to add.
    pub grant: Grants,
}

/// Explains the answer that [`crate::authorize`] gave for the same token and
/// request.
///
/// It may take much longer than the decision: patterns are tried one by one.
#[must_use]
pub fn explain<'a, T: VerifiedClaims>(
    token: &'a T,
    request: &Request<'a>,
    response: &Response<'a>,
) -> Explanation<'a> {
    let grants_were_looked_at =
        response.decision == Decision::Allow || response.reason == Reason::PermissionMissing;
    let matched = if grants_were_looked_at {
        matched(token, request)
    } else {
        Vec::new()
    };
    Explanation {
        matched,
        missing: response.missing.clone(),
        nearest: nearest(token, request, response),
        remedy: Remedy::of(&response.missing),
    }
}

fn matched<'a, T: VerifiedClaims>(token: &'a T, request: &Request<'a>) -> Vec<Match<'a>> {
    let mut matches = Vec::new();
    match request.asked.requirement() {
        Requirement::Public | Requirement::Token | Requirement::SecretKey => {}
        Requirement::Listing(category) => matches.extend(matched_category(token, category)),
        Requirement::Collection(permission) => {
            matched_collection(token, request, permission.into(), &mut matches);
        }
        Requirement::NewRecord(permission) if request.targets.names().is_empty() => {
            matched_collection(token, request, permission.into(), &mut matches);
        }
        Requirement::Customer(needed) => matches.extend(matched_customer(token, needed)),
        Requirement::Names(_)
        | Requirement::Each(_)
        | Requirement::Record(_)
        | Requirement::NewRecord(_) => {
            matched_names(token, request, &mut matches);
        }
    }
    matches
}

fn matched_category<'a, T: VerifiedClaims>(token: &T, category: Category) -> Option<Match<'a>> {
    token.category(category).then(|| Match {
        wanted: Wanted::Category(category),
        permissions: Category::PERMISSIONS,
        by: MatchedBy::Name,
        entry: category.json_name(),
    })
}

fn matched_customer<'a, T: VerifiedClaims>(
    token: &'a T,
    needed: &'a [Box<str>],
) -> impl Iterator<Item = Match<'a>> {
    let held = needed
        .iter()
        .filter(|permission| token.customer_permission(permission));
    held.map(|permission| Match {
        wanted: Wanted::Customer(permission),
        permissions: Permissions::NONE,
        by: MatchedBy::Name,
        entry: permission,
    })
}

fn matched_collection<'a, T: VerifiedClaims>(
    token: &'a T,
    request: &Request<'a>,
    needed: Permissions,
    matches: &mut Vec<Match<'a>>,
) {
    let Some(kind) = request.targets.collection() else {
        return;
    };
    for (entry, held) in token.patterns(kind) {
        let permissions = held & needed;
        if covers_everything(entry) && !permissions.is_empty() {
            matches.push(Match {
                wanted: Wanted::Collection(kind),
                permissions,
                by: MatchedBy::Pattern,
                entry,
            });
        }
    }
}

fn matched_names<'a, T: VerifiedClaims>(
    token: &'a T,
    request: &Request<'a>,
    matches: &mut Vec<Match<'a>>,
) {
    let mut kinds: Vec<(ResourceKind, Vec<HeldByPattern<'_>>)> = Vec::new();
    for (index, target) in request.targets.names().iter().enumerate() {
        let kind = target.kind;
        let Some(needed) = request.needed_on(index, kind) else {
            continue;
        };
        let name = target.name.as_ref();
        let wanted = Wanted::Name { kind, name };
        let mut push = |permissions: Permissions, by, entry| {
            if !permissions.is_empty() {
                matches.push(Match {
                    wanted,
                    permissions,
                    by,
                    entry,
                });
            }
        };
        let named = needed & token.named(kind, name);
        push(named, MatchedBy::Name, name);
        let missing = needed.without(named);
        if missing.is_empty() || exact_only(name) {
            continue;
        }
        if !kinds.iter().any(|(known, _)| *known == kind) {
            let each = HeldByPattern::each(token, kind, request.patterns);
            kinds.push((kind, each));
        }
        let patterns = kinds.iter().find(|(known, _)| *known == kind);
        for pattern in patterns.into_iter().flat_map(|(_, patterns)| patterns) {
            push(missing & pattern.on(name), MatchedBy::Pattern, pattern.text);
        }
    }
}

impl Remedy {
    /// The grants that add everything that is missing; `None` when nothing is,
    /// or when no grant can: a customer is given its permissions elsewhere.
    fn of(missing: &[Missing<'_>]) -> Option<Self> {
        let mut grant = Grants::new();
        for missing in missing {
            match missing.wanted {
                Wanted::Name { kind, name } => {
                    let name = ResourceName::new(name).ok()?;
                    grant.allow(kind, name, missing.permissions);
                }
                Wanted::Collection(kind) => {
                    let everything = PatternText::new(missing.wanted.name()).ok()?;
                    grant.allow_pattern(kind, everything, missing.permissions);
                }
                Wanted::Category(category) => grant.allow_category(category),
                Wanted::Customer(_) => return None,
            }
        }
        (!grant.is_empty()).then_some(Self { grant })
    }
}

impl Serialize for Remedy {
    /// `{"grant":{"resources":{"channels":{"room":1}}}}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fragment = Fragment::default();
        for kind in ResourceKind::ALL {
            let key = kind.json_name();
            for (name, held) in self.grant.names(kind) {
                let section = fragment.resources.entry(key).or_default();
                section.insert(name.as_str(), held.bits());
            }
            for (text, held) in self.grant.patterns(kind) {
                let section = fragment.patterns.entry(key).or_default();
                section.insert(text.as_str(), held.bits());
            }
        }
        for category in Category::ALL {
            if self.grant.category(category) {
                let bits = Category::PERMISSIONS.bits();
                fragment.categories.insert(category.json_name(), bits);
            }
        }
        let mut object = serializer.serialize_struct("Remedy", 1)?;
        object.serialize_field("grant", &fragment)?;
        object.end()
    }
}

/// Bits by name.
type Section<'a> = BTreeMap<&'a str, u8>;

/// A part of `permissions` in the body of a grant (contract 2.1).
#[derive(Default, Serialize)]
struct Fragment<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    resources: BTreeMap<&'static str, Section<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    patterns: BTreeMap<&'static str, Section<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    categories: Section<'static>,
}
