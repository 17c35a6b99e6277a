//! Replication against a real NATS server: nodes are stores with a log between
//! them.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    reason = "a test may panic"
)]

mod epochs;
mod faults;
mod link;
mod nats;
mod node;
mod reach;
mod refusals;
mod scale;
mod tls;
