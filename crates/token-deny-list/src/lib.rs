#![doc = include_str!("../README.md")]

mod clock;
mod deny_list;

pub use clock::{Clock, SystemClock};
pub use deny_list::{DenyList, Scope};
