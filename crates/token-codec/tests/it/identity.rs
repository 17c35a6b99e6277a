//! One token, one text, one identity: format 2, format 7, attack cases T01 to
//! T08, T11 and T13. Every text here is a form of a token that verifies.

use std::collections::HashSet;

use token_codec::{KeyRing, TextError, TokenBuffer, VerifyError, encode, verify};
use token_core::{TokenId, VerifiedClaims as _};

use crate::raw::{Raw, bytes, decoded, demo_key, demo_keys, demo_mac, padded, text};
use crate::recipes;

fn id_of(text: &str, keys: &KeyRing, buffer: &mut TokenBuffer) -> Result<TokenId, VerifyError> {
    verify(text, keys, buffer).map(|token| token.id())
}

/// Tokens with no, one and two characters of padding.
fn tokens() -> [String; 3] {
    let tokens = ["bo", "bob", "bobo"].map(|uuid| Raw::new().and("uuid", text(uuid)).text());
    let padding: HashSet<usize> = tokens
        .iter()
        .map(|token| token.len() - token.trim_end_matches('=').len())
        .collect();
    assert_eq!(padding.len(), 3);
    tokens
}

#[test]
fn full_padding_and_none_are_one_identity() {
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    for token in tokens() {
        let id = id_of(&token, &keys, &mut buffer).unwrap();
        let bare = id_of(token.trim_end_matches('='), &keys, &mut buffer).unwrap();
        assert_eq!(id, bare);
    }
}

#[test]
fn t01_no_other_last_character_is_accepted() {
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    for token in tokens() {
        let bare = token.trim_end_matches('=');
        let padding = &token[bare.len()..];
        let (start, last) = bare.split_at(bare.len() - 1);
        for other in (0..=255).map(char::from).filter(|c| !last.contains(*c)) {
            for text in [
                format!("{start}{other}"),
                format!("{start}{other}{padding}"),
            ] {
                assert!(verify(&text, &keys, &mut buffer).is_err(), "{text:?}");
            }
        }
    }
}

#[test]
fn t02_no_other_padding_is_accepted() {
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    for token in tokens() {
        let bare = token.trim_end_matches('=');
        for count in 0..9 {
            let text = format!("{bare}{}", "=".repeat(count));
            let expected = count == 0 || text == token;
            assert_eq!(
                verify(&text, &keys, &mut buffer).is_ok(),
                expected,
                "{text}"
            );
        }
        for more in [
            "%3D", "%3D%3D", "%3d", ".", "A", "AA", "AAA", "AAAA", "=A", "A===",
        ] {
            for text in [format!("{token}{more}"), format!("{bare}{more}")] {
                assert!(verify(&text, &keys, &mut buffer).is_err(), "{text}");
            }
        }
    }
}

#[test]
fn t03_no_other_alphabet_is_accepted() {
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    let with_both = (0..200_u32)
        .map(|t| {
            Raw::new().with(
                "t",
                [vec![0x1A], (1_790_000_000 + t).to_be_bytes().to_vec()].concat(),
            )
        })
        .map(|raw| raw.text())
        .find(|text| text.contains('-') && text.contains('_'))
        .unwrap();
    assert!(verify(&with_both, &keys, &mut buffer).is_ok());
    for (from, to) in [
        ("-", "+"),
        ("_", "/"),
        ("-", " "),
        ("-", "%2B"),
        ("-", "%2D"),
        ("_", "."),
        ("-", "_"),
    ] {
        for text in [with_both.replace(from, to), with_both.replacen(from, to, 1)] {
            assert!(verify(&text, &keys, &mut buffer).is_err(), "{text}");
        }
    }
}

/// Tokens of every length within a block of 16 characters.
#[test]
fn t03_every_character_is_looked_at_wherever_it_stands() {
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    for length in 1..=16 {
        let token = Raw::new().and("uuid", text(&"u".repeat(length))).text();
        let bare = token.trim_end_matches('=');
        assert!(verify(bare, &keys, &mut buffer).is_ok());
        for at in 0..bare.len() {
            for odd in ["+", "/", "=", " ", "\0", "@", "[", "`", "{", "\u{7F}", "."] {
                let text = format!("{}{odd}{}", &bare[..at], &bare[at + 1..]);
                let error = verify(&text, &keys, &mut buffer).err();
                // `=` that completes the text is padding: what is left is cut.
                let padding = odd == "=" && at + 1 == bare.len() && bare.len().is_multiple_of(4);
                let expected = VerifyError::Text(TextError::Character { at });
                assert!(padding || error == Some(expected), "{at} {odd:?} {error:?}");
                assert!(error.is_some());
            }
        }
    }
}

#[test]
fn t04_nothing_may_be_inserted_anywhere() {
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    let odd = [
        "\n", "\r\n", " ", "\t", "\0", "\u{FEFF}", "=", "%", "\u{AD}", "\u{200B}", "é", "\u{212A}",
    ];
    for token in tokens() {
        for at in 0..=token.len() {
            for odd in odd {
                let text = format!("{}{odd}{}", &token[..at], &token[at..]);
                // One more `=` after the padding would be T02; before it, too.
                assert!(verify(&text, &keys, &mut buffer).is_err(), "{at} {odd:?}");
            }
        }
    }
}

#[test]
fn t06_the_same_claims_in_other_bytes_do_not_verify() {
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    let mut seen = 0;
    for recipe in recipes::malformed() {
        if recipe.covers.contains("T06") || recipe.covers.contains("C03") {
            seen += 1;
            assert!(
                verify(&recipe.text, &keys, &mut buffer).is_err(),
                "{}",
                recipe.name
            );
        }
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn t08_no_part_of_a_token_verifies() {
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    for token in tokens() {
        let bare = token.trim_end_matches('=');
        for cut in 1..bare.len() {
            assert!(verify(&bare[..cut], &keys, &mut buffer).is_err(), "{cut}");
            assert!(verify(&bare[cut..], &keys, &mut buffer).is_err(), "{cut}");
        }
        let whole = decoded(&token);
        for cut in 1..whole.len() {
            assert!(
                verify(&padded(&whole[..cut]), &keys, &mut buffer).is_err(),
                "{cut}"
            );
        }
    }
    // Every length but the right one, with the right beginning.
    let raw = Raw::new();
    let mac = demo_mac(&raw.signed());
    for length in 0..100 {
        let signature: Vec<u8> = mac.iter().copied().cycle().take(length).collect();
        let text = padded(&raw.ending_in(&bytes(&signature)));
        assert_eq!(
            verify(&text, &keys, &mut buffer).is_ok(),
            length == 32,
            "{length}"
        );
    }
}

#[test]
fn every_flipped_bit_of_a_token_is_noticed() {
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    let whole = Raw::new().bytes();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            assert!(
                verify(&padded(&bytes), &keys, &mut buffer).is_err(),
                "{at} {bit}"
            );
        }
    }
}

/// T07: of 1e6 mutations (`USHER_T07_CASES` for another number) none has the
/// identity of the token that it was made of.
#[test]
fn t07_no_mutation_of_a_token_has_its_identity() {
    #[expect(clippy::disallowed_methods, reason = "a knob of this test alone")]
    let cases = std::env::var("USHER_T07_CASES").map_or(1_000_000, |cases| cases.parse().unwrap());
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    let tokens: Vec<(String, TokenId)> = recipes::valid()
        .iter()
        .map(|(_, _, claims)| encode(&crate::claims_json::from_json(claims), &demo_key()).unwrap())
        .filter(|text| text.len() < 1_000)
        .map(|text| {
            let id = id_of(&text, &keys, &mut buffer).unwrap();
            (text, id)
        })
        .collect();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut refusals = [0_u64; 3];
    let mut mutant = Vec::new();
    for case in 0..cases {
        let (token, id) = &tokens[random.below(tokens.len())];
        let (other, _) = &tokens[random.below(tokens.len())];
        mutant.clear();
        mutant.extend_from_slice(token.as_bytes());
        for _ in 0..=random.below(3) {
            mutate(&mut mutant, other.as_bytes(), &mut random);
        }
        let Ok(text) = core::str::from_utf8(&mutant) else {
            continue;
        };
        match id_of(text, &keys, &mut buffer) {
            Ok(found) if found == *id => {
                let same = text == token || text == token.trim_end_matches('=');
                assert!(same, "case {case}: {text} is {token}");
            }
            Ok(_) | Err(VerifyError::UnknownKey) => {}
            Err(VerifyError::Text(_)) => refusals[0] += 1,
            Err(VerifyError::Malformed(_)) => refusals[1] += 1,
            Err(VerifyError::Signature) => refusals[2] += 1,
            Err(other) => panic!("{other}"),
        }
    }
    // Each barrier stopped its share, or the property would say little.
    for count in refusals {
        assert!(count > cases / 50, "{refusals:?} of {cases}");
    }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }
}

fn mutate(text: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const ODD: &[u8; 12] = b"=+/ \n\t\0%.,~A";
    if text.len() < 8 {
        return;
    }
    let at = random.below(text.len());
    let digit = DIGITS[random.below(64)];
    match random.below(12) {
        0..=3 => text[at] = digit,
        4 => text[at] = ODD[random.below(12)],
        5 => text.insert(at, digit),
        6 => text.insert(at, ODD[random.below(12)]),
        7 => drop(text.remove(at)),
        8 => text.swap(at, at.saturating_sub(1)),
        9 => {
            let last = text.len() - 1;
            let last = if text[last] == b'=' { last - 1 } else { last };
            text[last] = digit;
        }
        10 => {
            while text.last() == Some(&b'=') {
                text.pop();
            }
            text.extend_from_slice(&b"=="[..random.below(3)]);
        }
        _ => {
            let end = at.min(other.len());
            text.truncate(at);
            text.extend_from_slice(&other[end..]);
        }
    }
}

#[test]
fn t11_no_change_of_case_verifies() {
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    for token in tokens() {
        for text in [token.to_uppercase(), token.to_lowercase()] {
            assert!(verify(&text, &keys, &mut buffer).is_err());
        }
        for (at, c) in token
            .char_indices()
            .filter(|(_, c)| c.is_ascii_alphabetic())
        {
            let mut other = token.clone().into_bytes();
            other[at] = u8::try_from(c).unwrap() ^ 0x20;
            let other = String::from_utf8(other).unwrap();
            assert!(verify(&other, &keys, &mut buffer).is_err(), "{at}");
        }
    }
}

/// T13: the signature of a request, over whatever bytes, is none of a token.
#[test]
fn t13_signatures_of_other_things_do_not_verify() {
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    let raw = Raw::new();
    let signed = raw.signed();
    let request = [
        b"POST\npub-c-demo\n/v3/pam/sub-c-demo/grant\n\n".as_slice(),
        &signed,
    ]
    .concat();
    let macs = [
        crate::raw::mac_with(&crate::raw::SIGNING_KEY, &signed),
        crate::raw::mac_with(&crate::raw::SIGNING_KEY, &request),
        demo_mac(&request),
        demo_mac(b""),
        demo_mac(padded(&signed).as_bytes()),
    ];
    for mac in macs {
        let text = padded(&raw.ending_in(&bytes(&mac)));
        assert_eq!(
            verify(&text, &keys, &mut buffer).err(),
            Some(VerifyError::Signature)
        );
    }
}
