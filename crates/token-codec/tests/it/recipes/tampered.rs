//! Tokens that somebody without the key made.

use super::{Recipe, recipe};
use crate::raw::{
    Raw, SIGNING_KEY, array, bytes, demo_mac, mac_key, mac_with, padded, section, sections, text,
};

/// Canonical tokens whose signature is wrong.
#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(crate) fn tampered() -> Vec<Recipe> {
    let token = Raw::new();
    let right = token.bytes();
    let signature = |mac: Vec<u8>| padded(&token.ending_in(&bytes(&mac)));
    let changed = |at: usize| {
        let mut bytes = right.clone();
        bytes[at] ^= 1;
        padded(&bytes)
    };
    let moved = |raw: Raw| {
        let mac = right[right.len() - 32..].to_vec();
        padded(&raw.ending_in(&bytes(&mac)))
    };
    let more = sections(&[("chan", section(&[("room-1", "18ff")]))]);
    let raw_mac = |key: &[u8]| mac_with(key, &token.signed());
    let other_keyset = mac_key(&SIGNING_KEY, "sub-c-other");
    vec![
        recipe(
            "the first byte of the signature",
            "T08",
            changed(right.len() - 32),
        ),
        recipe(
            "the last byte of the signature",
            "T08",
            changed(right.len() - 1),
        ),
        recipe("a signature of zeros", "T08", signature(vec![0; 32])),
        recipe(
            "a later time of issue",
            "format 7",
            moved(Raw::new().with_hex("t", "1a6ab13b81")),
        ),
        recipe(
            "a longer life",
            "format 7",
            moved(Raw::new().with_hex("ttl", "19a8c0")),
        ),
        recipe(
            "more permissions",
            "format 7",
            moved(Raw::new().with("res", more)),
        ),
        recipe(
            "another uuid",
            "format 7",
            moved(Raw::new().and("uuid", text("mallory"))),
        ),
        recipe(
            "an ancestor more",
            "format 9",
            moved(Raw::new().and("par", array(&[text(&"00".repeat(16))]))),
        ),
        recipe(
            "signed with the signing key itself",
            "T13",
            signature(raw_mac(&SIGNING_KEY)),
        ),
        recipe(
            "signed for another keyset with the same signing key",
            "T09",
            signature(raw_mac(&other_keyset)),
        ),
        recipe(
            "the signature covers the key sig too",
            "format 7",
            signature(demo_mac(&[token.signed(), bytes(b"sig")].concat())),
        ),
        recipe(
            "signed with an empty key",
            "format 7",
            signature(raw_mac(b"")),
        ),
    ]
}
