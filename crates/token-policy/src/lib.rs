//! Which operation needs which permission, and whether a verified token grants
//! it.

mod body;
mod classify;
mod decision;
mod error;
mod explain;
mod held;
pub mod json;
mod nearest;
mod operation;
mod pattern;
mod query;
mod request;
mod requirement;
mod response;
mod revocation;
mod route;
mod target;

pub use classify::{Classified, Token, classify};
pub use decision::{authorize, authorize_anonymous};
pub use error::{ClassifyError, InvalidTargets};
pub use explain::{Explanation, Match, MatchedBy, Remedy, explain};
pub use nearest::NearMiss;
pub use operation::Operation;
pub use pattern::{Pattern, PatternEntry, PatternError, PatternSet, RefusedPattern};
pub use request::{Keyset, ListMode, Request, Target, Targets, is_wildcard};
pub use requirement::{Need, Requirement};
pub use response::{Decision, Missing, Reason, Response, Wanted};
pub use revocation::{NoRevocations, Revocations, RevokedBy, Standing, Subject};
pub use route::Family;
