//! The vocabulary from outside: names, sets, bounds, identities.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod limits;
