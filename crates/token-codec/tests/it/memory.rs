//! What verification and inspection allocate: format 3, attack case C06.

use allocation_counter::measure;
use token_codec::{TokenBuffer, UntrustedToken, verify};
use token_core::{ResourceKind, VerifiedClaims as _};

use crate::raw::{Raw, demo_keys, section, sections};
use crate::recipes;

/// A token of `names` names of 4 bytes.
fn token(names: usize) -> String {
    let names: Vec<String> = (0..names).map(|i| format!("{i:04}")).collect();
    let entries: Vec<_> = names.iter().map(|name| (name.as_str(), "01")).collect();
    let res = sections(&[("chan", section(&entries))]);
    Raw::new().with("res", res).text()
}

#[test]
fn a_token_of_4_kib_is_verified_and_asked_without_allocation() {
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    for names in [1, 600] {
        let text = token(names);
        let used = measure(|| {
            let token = verify(&text, &keys, &mut buffer).unwrap();
            assert!(!token.named(ResourceKind::Channel, "0000").is_empty());
            assert!(token.named(ResourceKind::Channel, "none").is_empty());
            assert_eq!(token.names(ResourceKind::Channel).count(), names);
            assert_eq!(token.patterns(ResourceKind::Group).count(), 0);
            assert_eq!(token.uuid(), None);
        });
        assert_eq!(
            used.count_total,
            0,
            "{names} names, {} characters",
            text.len()
        );
    }
    assert!(token(600).len() > 4_800 && token(600).len() <= 4_096 / 3 * 4);
}

#[test]
fn a_larger_token_grows_the_buffer_once() {
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    let text = token(1_900);
    let grow = measure(|| assert!(verify(&text, &keys, &mut buffer).is_ok()));
    assert!(
        grow.count_total <= 1 && grow.bytes_max <= 16 * 1_024,
        "{grow:?}"
    );
    let again = measure(|| assert!(verify(&text, &keys, &mut buffer).is_ok()));
    assert_eq!(again.count_total, 0);
}

#[test]
fn c06_no_declared_length_is_allocated() {
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    let cases = recipes::malformed();
    let declared = cases.iter().filter(|case| case.covers.contains("C06"));
    let mut seen = 0;
    for case in declared {
        seen += 1;
        let verifying = measure(|| assert!(verify(&case.text, &keys, &mut buffer).is_err()));
        assert_eq!(verifying.count_total, 0, "{}", case.name);
        let inspecting = measure(|| drop(UntrustedToken::parse(&case.text)));
        assert!(inspecting.bytes_max < 64 * 1_024, "{}", case.name);
    }
    assert!(seen >= 7, "{seen}");
}

/// Whatever 32 KiB hold, inspection takes a bounded multiple of it.
#[test]
fn inspection_is_bounded_by_the_text() {
    for item in ["00", "80", "6100", "a10000"] {
        let item = crate::raw::unhex(item);
        let count = 24_000 / item.len();
        let head = [
            vec![0x99],
            u16::try_from(count).unwrap().to_be_bytes().to_vec(),
        ]
        .concat();
        let meta = [b"\xA1\x61k".to_vec(), head, item.repeat(count)].concat();
        let text = Raw::new().with("meta", meta).text();
        let used = measure(|| drop(UntrustedToken::parse(&text)));
        assert!(used.bytes_max < 8 << 20, "{used:?}");
    }
}
