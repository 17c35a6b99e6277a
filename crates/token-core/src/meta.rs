//! What an issuer writes into a token for itself: `meta`.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// The map of a token's `meta`, by key.
pub type Meta = BTreeMap<String, MetaValue>;

/// A value in `meta`: what JSON and the token format have in common.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "JSON has no more")]
pub enum MetaValue {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number of 0 or more.
    Unsigned(u64),
    /// A whole number below 0.
    Negative(i64),
    /// Any other number. Finite.
    Float(f64),
    /// Text.
    Text(String),
    /// Values in order.
    Array(Vec<Self>),
    /// Values by key.
    Map(BTreeMap<String, Self>),
}

impl MetaValue {
    /// True for everything but an array and a map.
    #[must_use]
    pub const fn is_scalar(&self) -> bool {
        !matches!(self, Self::Array(_) | Self::Map(_))
    }

    /// How deep the value is nested: 0 for a scalar, 1 for a map of scalars.
    #[must_use]
    pub fn depth(&self) -> usize {
        let deepest = match self {
            Self::Array(values) => values.iter().map(Self::depth).max(),
            Self::Map(values) => values.values().map(Self::depth).max(),
            Self::Null
            | Self::Bool(_)
            | Self::Unsigned(_)
            | Self::Negative(_)
            | Self::Float(_)
            | Self::Text(_) => return 0,
        };
        deepest.unwrap_or(0).saturating_add(1)
    }
}
