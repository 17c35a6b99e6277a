//! The store from outside: what it keeps, what it refuses, and that nothing
//! acknowledged is ever lost.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "a test may panic"
)]

mod access_keys;
mod accounts;
mod clocks;
mod damage;
mod disk;
mod exports;
mod faults;
mod fixture;
mod formats;
mod horizons;
mod keysets;
mod kill;
mod log;
mod open;
mod power;
mod projects;
mod refusals;
mod revocations;
mod scale;
mod sealed;
mod sharing;
mod steps;
