//! Tokens of others and of later times.

use super::{Recipe, recipe};
use crate::raw::{Raw, array, bytes, padded, section, sections, text, unhex};

/// Texts of which inspection shows something, whoever made them.
#[expect(clippy::too_many_lines, reason = "a table of cases")]
pub(crate) fn foreign() -> Vec<Recipe> {
    let id = text(&"11".repeat(16));
    let long_signature = bytes(&[0xAB; 64]);
    let reserved = Raw::new().and("par", array(&[id.clone(), id]));
    let reserved = reserved.and("kid", text("edge-1"));
    let example = "qEF2AkF0GmqxO4BDdHRsGDxDcmVzpURjaGFuoWZyb29tLTEDQ2dycKBDc3BjoEN1c3KgRHV1aWSgQ3BhdKVEY2hhbqBDZ3JwoENzcGOgQ3VzcqBEdXVpZKBEbWV0YaBEdXVpZGVhbGljZUNzaWdYIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    let real = "p0F2AkF0GmgvHt5DdHRsAUNyZXOlRGNoYW6hbHRlc3RfY2hhbm5lbAFDZ3JwoENzcGOhbHRlc3RfY2hhbm5lbAFDdXNyoER1dWlkoENwYXSlRGNoYW6gQ2dycKBDc3BjoEN1c3KgRHV1aWSgRG1ldGGgQ3NpZ1gg5SbDTbpbomw6t5qehALR-zenMHZBS7Nv1N-IxeMhp0s=";
    let unsorted = section(&[("zz", "01"), ("a", "03"), ("a", "1818")]);
    let without_uuid = unhex("a4 4463 68616e a0 43 677270 a0 43 737063 a0 43 757372 a0");
    let text_keys = unhex(
        "a8 6176 02 6174 1a6ab13b80 6374746c 0f 63726573 a1 6463 68616e a1 61 61 01 63706174 a0
         63636174 a2 646368616e 1820 6475756964 1820 646d657461 a0 64 75756964 61 75",
    );
    let odd_meta = unhex("a5 6162 42 00ff 6163 42 6869 6164 f93c00 6165 c1 05 07 f7");
    vec![
        recipe("the example of contract 4", "contract 4", example),
        recipe("a token of the real service", "contract 4", real),
        recipe(
            "the same without padding",
            "contract 4",
            real.trim_end_matches('='),
        ),
        recipe(
            "the same between blanks",
            "contract 4",
            format!("\n  {real}\t\n"),
        ),
        recipe(
            "the same in the standard alphabet",
            "contract 4",
            real.replace('-', "+").replace('_', "/"),
        ),
        recipe(
            "names unsorted and repeated",
            "contract 4",
            Raw::new()
                .with("res", sections(&[("chan", unsorted)]))
                .text(),
        ),
        recipe(
            "sections in the order of 2021",
            "contract 4",
            Raw::new()
                .with_hex(
                    "pat",
                    "a5 4463 68616e a0 43 677270 a0 43 757372 a0 43 737063 a0 4475756964 a0",
                )
                .text(),
        ),
        recipe(
            "no uuid section",
            "contract 4",
            Raw::new().with("pat", without_uuid).text(),
        ),
        recipe(
            "an unknown section and an unknown key",
            "contract 10.2",
            Raw::new()
                .with("pat", sections(&[("new", section(&[("a", "01")]))]))
                .and("new", unhex("83010203"))
                .text(),
        ),
        recipe(
            "text keys, categories, no signature",
            "contract 10.2",
            padded(&text_keys),
        ),
        recipe(
            "indefinite lengths",
            "contract 4",
            Raw::new().with_hex("meta", "bf 6161 9f 01 02 ff ff").text(),
        ),
        recipe(
            "bytes, half floats and tags in meta",
            "contract 4",
            Raw::new().with("meta", odd_meta).text(),
        ),
        recipe(
            "version 3",
            "contract 4",
            Raw::new().with_hex("v", "03").text(),
        ),
        recipe(
            "a byte after the token",
            "contract 4",
            padded(&[Raw::new().bytes(), vec![0]].concat()),
        ),
        recipe(
            "reserved: ancestors, a key id, a signature of 64 bytes",
            "format 9",
            padded(&reserved.ending_in(&long_signature)),
        ),
        recipe(
            "reserved: a key id and a signature of 32 bytes",
            "format 9",
            Raw::new().and("kid", text("sixteen-bytes-id")).text(),
        ),
    ]
}
