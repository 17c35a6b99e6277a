//! Which operation needs which permission, and whether a verified token grants
//! it.

mod pattern;

pub use pattern::{Pattern, PatternEntry, PatternError, PatternSet, RefusedPattern};
