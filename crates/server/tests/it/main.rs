//! The server from the outside: signatures, listeners, both APIs.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

mod attacks;
mod dialect;
mod harness;
mod listener;
mod signatures;
