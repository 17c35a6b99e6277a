//! Any grant body becomes claims within the limits, or an answer that names the fault.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| token_server::fuzzing::grant_body(data));
