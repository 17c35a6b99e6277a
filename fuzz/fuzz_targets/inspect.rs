//! Any text can be inspected without harm.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| token_codec::fuzzing::inspect(data));
