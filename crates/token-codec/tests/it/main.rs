//! Tokens from outside: what is made, what verifies, what is shown.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "a test may panic"
)]

mod cbor;
mod claims_json;
mod ed25519;
mod identity;
mod inspection;
mod jws;
mod keys;
mod limits;
mod memory;
mod normalization;
mod raw;
mod recipes;
mod regressions;
mod round_trip;
mod vectors;
