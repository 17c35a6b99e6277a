//! Any request line is classified or refused, and reads one way.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| token_policy::fuzzing::path(data));
