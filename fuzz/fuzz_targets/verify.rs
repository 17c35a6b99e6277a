//! What verifies is canonical, and is what was signed.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| token_codec::fuzzing::verify(data));
