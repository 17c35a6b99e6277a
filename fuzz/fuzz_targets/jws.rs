//! What verifies as a JWS says what its own claims, signed again, say.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| token_codec::fuzzing::jws(data));
