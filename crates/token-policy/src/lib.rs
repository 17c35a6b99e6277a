//! Which operation needs which permission, and whether a verified token grants
//! it.
//!
//! Three steps, each of which can be used alone: [`classify`] reads a request
//! line, [`authorize`] decides on it, [`explain`] says why. [`Operation`] is the
//! table of what can be asked, [`Operation::requirement`] what each needs.
//!
//! ```
//! # use token_core::{Category, Claims, Grants, Permission, Permissions, ResourceKind};
//! # use token_core::{ResourceName, TokenId, TokenKind, TtlMinutes, UnixSeconds, VerifiedClaims};
//! # struct Verified(Claims);
//! # impl VerifiedClaims for Verified {
//! #     fn kind(&self) -> TokenKind { TokenKind::AccessManager }
//! #     fn scope(&self) -> &str { "sub-c-demo" }
//! #     fn id(&self) -> TokenId { TokenId([7; 16]) }
//! #     fn ancestors(&self) -> impl Iterator<Item = TokenId> + '_ { std::iter::empty() }
//! #     fn issued_at(&self) -> UnixSeconds { self.0.issued_at }
//! #     fn expires_at(&self) -> UnixSeconds {
//! #         self.0.ttl.expires_at(self.0.issued_at).unwrap_or_default()
//! #     }
//! #     fn uuid(&self) -> Option<&str> { self.0.uuid.as_deref() }
//! #     fn named(&self, kind: ResourceKind, name: &str) -> Permissions {
//! #         let found = self.names(kind).find(|(entry, _)| *entry == name);
//! #         found.map_or(Permissions::NONE, |(_, held)| held)
//! #     }
//! #     fn names(&self, kind: ResourceKind) -> impl Iterator<Item = (&str, Permissions)> + '_ {
//! #         self.0.grants.names(kind).map(|(name, held)| (name.as_str(), held))
//! #     }
//! #     fn patterns(&self, kind: ResourceKind) -> impl Iterator<Item = (&str, Permissions)> + '_ {
//! #         self.0.grants.patterns(kind).map(|(text, held)| (text.as_str(), held))
//! #     }
//! #     fn category(&self, category: Category) -> bool { self.0.grants.category(category) }
//! # }
//! # let mut grants = Grants::new();
//! # grants.allow(ResourceKind::Channel, ResourceName::new("room-1")?, Permission::Read.into());
//! # let claims = Claims::new(UnixSeconds(1_790_000_000), TtlMinutes(60), grants);
//! # let token = Verified(claims);
//! use token_policy::{Keyset, NoRevocations, Reason, authorize, classify, explain};
//!
//! // `token` was verified; it grants `read` on the channel `room-1`.
//! let now = UnixSeconds(1_790_000_060);
//! let keyset = Keyset::new("sub-c-demo");
//!
//! let asked = classify("GET", "/v2/subscribe/sub-c-demo/room-1/0?uuid=alice", None)?;
//! assert!(authorize(&token, &asked.request(keyset), now, &NoRevocations).is_allowed());
//!
//! let asked = classify("POST", "/publish/pub-c-demo/sub-c-demo/0/room-1/0", None)?;
//! let request = asked.request(keyset);
//! let response = authorize(&token, &request, now, &NoRevocations);
//! assert_eq!(response.reason, Reason::PermissionMissing);
//!
//! let explanation = explain(&token, &request, &response);
//! let remedy = serde_json::to_string(&explanation.remedy)?;
//! assert_eq!(remedy, r#"{"grant":{"resources":{"channels":{"room-1":2}}}}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is refused
//!
//! A request that could be read in two ways is an error of [`classify`] and must
//! never be forwarded: a raw comma where one name belongs, a raw `+` or `;`, an
//! encoded slash, a parameter that is there twice under any spelling, a route
//! written in escapes. So is one that no row of the table knows. What no entry
//! grants is denied.
//!
//! # Untrusted input
//!
//! Every bound is in [`token_core::limits`]: 1,000 names in a request, 16 of them
//! wildcards, 64 levels of JSON. Patterns match in time linear in the name and
//! are compiled within fixed sizes; simple ones are not compiled at all. Deciding
//! on exact names and simple patterns allocates nothing.

mod body;
mod classify;
mod decision;
mod error;
mod explain;
mod finding;
#[doc(hidden)]
pub mod fuzzing;
mod held;
pub mod json;
mod lint;
mod nearest;
mod operation;
mod pattern;
mod query;
mod request;
mod requirement;
mod response;
mod route;
mod rules;
mod target;

pub use classify::{Classified, Token, classify};
pub use decision::{authorize, authorize_anonymous, in_force};
pub use error::{ClassifyError, InvalidTargets, ParameterFault};
pub use explain::{Explanation, Match, MatchedBy, Remedy, explain};
pub use finding::{Finding, Position, Severity};
pub use lint::lint;
pub use nearest::NearMiss;
pub use operation::Operation;
pub use pattern::{Pattern, PatternCache, PatternEntry, PatternError, PatternSet, RefusedPattern};
pub use request::{Asked, Keyset, ListMode, Request, Target, Targets, is_wildcard};
pub use requirement::{Need, Requirement};
pub use response::{Decision, Missing, Reason, Response, Wanted};
pub use route::Family;
pub use rules::{HeaderFault, Headers, InvalidRules, NoHeaders, RuleSet};
/// What a decision asks of a deny list, from token-core.
pub use token_core::{NoRevocations, Revocations, RevokedBy, Standing, Subject};

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
