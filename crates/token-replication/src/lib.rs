#![doc = include_str!("../README.md")]

mod error;
mod freshness;
mod key;
mod message;
mod plan;
mod publish;
mod replication;
mod session;
mod stream;

pub use error::{InvalidKey, NotPublished, StartError};
pub use freshness::{Freshness, Instant};
pub use key::{ClusterKey, FeedKey};
pub use plan::{Found, Plan, Why, plan};
pub use replication::{Options, Replication, Status};
