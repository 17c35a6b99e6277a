#![doc = include_str!("../README.md")]

mod event;
mod follower;
mod item;
mod lists;
mod session;
mod source;

pub use follower::{Followed, Follower, OnStale, Options, StartError, Status};
pub use source::{FetchError, InvalidSource, Source, SourceOptions};
/// What a decision asks of a follower, from token-core.
pub use token_core::{Revocations, RevokedBy, Standing, Subject};
pub use token_deny_list::{Clock, SystemClock};
