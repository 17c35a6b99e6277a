//! What inspection makes of anything: format 10. Tokens of others are in
//! testdata/tokens/foreign.toml (contract 4, contract 10.2).

use token_codec::{InspectError, UntrustedToken, fuzzing};

use crate::raw::{Raw, padded, unhex};

fn refusal(text: &str) -> InspectError {
    UntrustedToken::parse(text).err().unwrap()
}

#[test]
fn what_is_no_token_is_refused_with_its_reason() {
    let missing = |key| InspectError::Missing { key };
    let value = |key| InspectError::Value { key };
    let with = |key: &str, hex: &str| Raw::new().with_hex(key, hex).text();
    let cases = [
        (String::new(), InspectError::Empty),
        (" \n".to_owned(), InspectError::Empty),
        ("not a token".to_owned(), InspectError::Text),
        (
            "eyJhbGciOiJIUzI1NiJ9.e30.AAAA".to_owned(),
            InspectError::Text,
        ),
        ("====".to_owned(), InspectError::Cbor { at: 0 }),
        (padded(&[0x83, 1, 2, 3]), InspectError::NotAMap),
        (padded(&[0xA1]), InspectError::Cbor { at: 1 }),
        (padded(&[0xFF]), InspectError::Cbor { at: 0 }),
        (padded(&[0x81; 100]), InspectError::TooDeep { at: 32 }),
        (
            padded(&unhex("bb7fffffffffffffff")),
            InspectError::Cbor { at: 9 },
        ),
        (padded(&unhex("a0")), missing("ttl")),
        (Raw::new().without("v").text(), missing("v")),
        (Raw::new().without("t").text(), missing("t")),
        (with("v", "6132"), value("v")),
        (with("t", "20"), value("t")),
        (with("ttl", "1b0000000100000000"), value("ttl")),
        (with("res", "80"), value("res")),
        (with("pat", "a1 4463 68616e 01"), value("chan")),
        (with("pat", "a1 4463 68616e a1 6161 190100"), value("chan")),
        (with("meta", "01"), value("meta")),
        (Raw::new().and("uuid", vec![1]).text(), value("uuid")),
        (Raw::new().and("cat", vec![1]).text(), value("cat")),
        (Raw::new().and("par", unhex("814100")).text(), value("par")),
        (Raw::new().and("kid", vec![1]).text(), value("kid")),
        (padded(&Raw::new().ending_in(&[0xF6])), value("sig")),
    ];
    for (text, error) in cases {
        assert_eq!(refusal(&text), error, "{text}");
        let message = error.to_string();
        assert!(
            !message.ends_with('.') && !message.contains("Some("),
            "{message}"
        );
    }
}

#[test]
fn a_deep_or_endless_text_is_refused_at_once() {
    for item in ["81", "a100", "c1", "9f", "bf00", "5f", "7f", "d9d9f7"] {
        let bytes = unhex(item).repeat(12_000 / unhex(item).len());
        assert!(UntrustedToken::parse(&padded(&bytes)).is_err(), "{item}");
        assert!(
            UntrustedToken::parse(&Raw::new().with("meta", bytes).text()).is_err(),
            "{item}"
        );
    }
}

/// What a fuzz target runs, on mutations of real tokens.
#[test]
fn the_properties_of_the_fuzz_targets_hold_near_real_tokens() {
    let mut seed = 7_u64;
    let mut below = |end: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % end
    };
    let full = crate::recipes::valid();
    let bodies: Vec<Vec<u8>> = full
        .iter()
        .map(|(_, _, json)| {
            token_codec::encode(
                &crate::claims_json::from_json(json),
                &crate::raw::demo_key(),
            )
            .unwrap()
        })
        .map(|text| crate::raw::decoded(&text))
        .map(|bytes| bytes[..bytes.len() - 38].to_vec())
        .filter(|bytes| bytes.len() < 1_000)
        .collect();
    for _ in 0..40_000 {
        let mut body = bodies[below(bodies.len())].clone();
        for _ in 0..below(3) {
            let at = below(body.len());
            match below(4) {
                0 => body[at] ^= 1 << below(8),
                1 => body[at] = u8::try_from(below(256)).unwrap(),
                2 => drop(body.remove(at)),
                _ => body.insert(at, u8::try_from(below(256)).unwrap()),
            }
        }
        fuzzing::verify(&body);
        fuzzing::inspect(&body);
    }
}
