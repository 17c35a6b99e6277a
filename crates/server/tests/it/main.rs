//! The server from the outside: signatures, listeners, both APIs.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod attacks;
mod attempts;
mod audit;
mod case_file;
mod clocks;
mod cluster;
mod configuration;
mod dialect;
mod feed;
mod follower;
mod forward_auth;
mod gateway;
mod harness;
mod held;
mod http2;
mod internal;
mod listener;
mod log;
mod memory;
mod metrics;
#[path = "../../../token-replication/tests/it/nats.rs"]
#[expect(dead_code, reason = "the tests of replication need more of it")]
mod nats;
mod oem;
mod overload;
mod panics;
mod proxies;
mod public_keys;
mod pubsub;
mod regressions;
mod reload;
mod remedy;
mod roles;
mod rotation;
mod rules;
mod secrets;
mod signatures;
mod sockets;
mod tls;
