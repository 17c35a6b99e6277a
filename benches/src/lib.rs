//! What the benches measure on: one keyset, tokens of exact sizes, a deny list
//! of a real store, and the same grant as a JWT.

mod deny_list;
mod jwt;
mod token;

use std::time::Duration;

use criterion::Criterion;

pub use deny_list::DenyList;
pub use jwt::Jwt;
pub use token::{
    ISSUED_AT, Issued, NOW, SUBSCRIBE_KEY, keys, keys_of_another_time, mac_key, subscribe,
};

/// A second to warm up, two to measure.
#[must_use]
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args()
}
