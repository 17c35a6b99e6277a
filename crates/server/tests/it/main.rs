//! The server from the outside: signatures, listeners, both APIs.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

mod listener;
mod signatures;
