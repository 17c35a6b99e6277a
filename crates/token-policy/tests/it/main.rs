//! Everything about decisions that can be seen from outside.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

mod allocation;
mod cases;
mod classification;
mod json;
mod kinds;
mod lint;
mod model;
mod normalization;
mod pattern_cache;
mod pattern_cases;
mod pattern_corpus;
mod pattern_everyday;
mod pattern_grammar;
mod pattern_names;
mod pattern_oracle;
mod pattern_random;
mod pattern_re2;
mod pattern_set;
mod pattern_simple;
mod random;
mod reference;
mod regressions;
mod remedy;
mod rules;
mod token;
