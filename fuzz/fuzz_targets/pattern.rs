//! Any pattern is compiled within its bounds or refused.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| token_policy::fuzzing::pattern(data));
