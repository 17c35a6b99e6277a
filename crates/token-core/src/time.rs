//! Units as types: seconds since the epoch, minutes of life.

use core::fmt;

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number with its unit")]
pub struct UnixSeconds(pub u64);

impl UnixSeconds {
    /// The latest instant that can be expressed.
    pub const MAX: Self = Self(u64::MAX);

    /// This instant plus `seconds`, or the last instant if that overflows.
    #[must_use]
    pub const fn saturating_add(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// This instant minus `seconds`, or the epoch if that would be before it.
    #[must_use]
    pub const fn saturating_sub(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }

    /// How many seconds `self` is after `earlier`; 0 if it is not.
    #[must_use]
    pub const fn seconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The life of a token, in minutes.
///
/// The type holds what a token can carry; how long a keyset lets a token live
/// is its own setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number with its unit")]
pub struct TtlMinutes(pub u32);

impl TtlMinutes {
    /// When a token issued at `issued_at` expires, or `None` when that instant
    /// cannot be expressed. A token is expired *at* this instant.
    #[must_use]
    pub fn expires_at(self, issued_at: UnixSeconds) -> Option<UnixSeconds> {
        let seconds = u64::from(self.0).checked_mul(60)?;
        issued_at.0.checked_add(seconds).map(UnixSeconds)
    }
}

impl fmt::Display for TtlMinutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
