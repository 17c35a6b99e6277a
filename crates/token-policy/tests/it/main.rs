//! Tests of the policy.

mod pattern_cases;
mod pattern_grammar;
mod pattern_oracle;
mod pattern_random;
mod pattern_re2;
mod pattern_set;
