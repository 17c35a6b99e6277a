//! Malformed CBOR (RFC 8949 appendix F): format 3, attack cases C02 to C08
//! and C10. The corpus is generated; each item is tried as a whole token, as a
//! value of `meta` and as the value of `res`, with a right signature.

use minicbor::Decoder;
use token_codec::{TokenBuffer, UntrustedToken, verify};

use crate::raw::{Raw, bytes, demo_keys, demo_mac, padded, unhex};

/// Items that are not well-formed, or not valid.
fn malformed() -> Vec<Vec<u8>> {
    let mut items: Vec<_> = (0..8).flat_map(bad_heads).collect();
    items.extend((2..6).flat_map(cut_contents));
    items.extend(bad_indefinite());
    items.extend(bad_texts());
    // Simple values that have a shorter form, tags without content.
    items.extend((0..32).map(|value| vec![0xF8, value]));
    items.extend((0..24).map(|tag| vec![0xC0 | tag]));
    items.extend((24..=255).step_by(7).map(|tag| vec![0xD8, tag]));
    items
}

/// Reserved heads, with and without bytes that could be theirs, and heads that
/// end too early.
fn bad_heads(major: u8) -> Vec<Vec<u8>> {
    let head = |info: u8| major << 5 | info;
    let mut items = Vec::new();
    for info in 28..=30 {
        items.extend([0, 1, 16].map(|zeros| [vec![head(info)], vec![0; zeros]].concat()));
    }
    for (info, size) in [(24, 1), (25, 2), (26, 4), (27, 8)] {
        items.extend((0..size).map(|cut| [vec![head(info)], vec![1; cut]].concat()));
    }
    items
}

/// Strings and lists of which some is missing.
fn cut_contents(major: u8) -> Vec<Vec<u8>> {
    let small = [1, 2, 5, 23, 24, 255, 256, 65_535, 65_536];
    let large = [1 << 32, (1 << 63) - 1, 1 << 63, u64::MAX];
    let mut items = Vec::new();
    for count in small.into_iter().chain(large) {
        let held = [0, 1, count / 2, count - 1].into_iter();
        for held in held.filter(|held| *held < count) {
            let content = vec![0; usize::try_from(held.min(300)).unwrap()];
            items.push([minimal(major, count), content].concat());
        }
    }
    items
}

/// Breaks where none can be, indefinite lists without an end, chunks of
/// another type and chunks of chunks.
fn bad_indefinite() -> Vec<Vec<u8>> {
    let breaks = "1f 3f df ff 81ff 8200ff a1ff a100ff a1ff00 a20000ff00 bf00ff bf000000ff
        9f81ff 9f829f819f9fffffffff c1ff 9fc1ff";
    let mut items: Vec<_> = breaks.split_whitespace().map(unhex).collect();
    for head in ["9f", "bf", "5f", "7f"] {
        let contents = ["", "9f", "6161", "4161", "0000"];
        items.extend(contents.map(|content| [unhex(head), unhex(content)].concat()));
    }
    let chunks = "00 20 6100 4100 80 a0 c000 f6 5f4100ff 7f6100ff f97e00";
    for (head, right) in [(0x5F, "4100"), (0x7F, "6100")] {
        for chunk in chunks.split_whitespace().filter(|chunk| *chunk != right) {
            items.push([vec![head], unhex(chunk)].concat());
            items.push([vec![head], unhex(chunk), vec![0xFF]].concat());
        }
    }
    items
}

/// Text that is not UTF-8, whole and as a chunk.
fn bad_texts() -> Vec<Vec<u8>> {
    let texts = "ff c0af c1bf e080af eda080 edbfbf f08080af f4908080 f8888080 80 c2 e282 f09f98";
    let mut items = Vec::new();
    for text in texts.split_whitespace().map(unhex) {
        let item = [minimal(3, u64::try_from(text.len()).unwrap()), text].concat();
        items.push([vec![0x7F], item.clone(), vec![0xFF]].concat());
        items.push(item);
    }
    items
}

/// Well-formed items that no token holds.
fn not_canonical() -> Vec<Vec<u8>> {
    let mut items: Vec<_> = (0..6).flat_map(long_heads).collect();
    let tags = "c0 c1 c2 c3 d818 d9d9f7 da00010000 db0000000100000000";
    let tagged = |tag| [unhex(tag), unhex("6161")].concat();
    items.extend(tags.split_whitespace().map(tagged));
    items.extend((0..20).map(|value| vec![0xE0 | value]));
    items.extend((32..=255).map(|value| vec![0xF8, value]));
    let others = "9fff bfff 5fff 7fff 7f6161ff 5f4161ff 9f00ff bf616100ff
        f7 f93c00 f97e00 f97c00 fa3f800000 fa7fc00000
        fb7ff8000000000000 fb7ff0000000000000 fbfff0000000000000
        40 4161 3b8000000000000000 3bffffffffffffffff";
    items.extend(others.split_whitespace().map(unhex));
    items.push([vec![0x81; 5_000], vec![0]].concat());
    items.push([vec![0xC1; 5_000], vec![0]].concat());
    items
}

/// Numbers and lengths in more bytes than they need.
fn long_heads(major: u8) -> Vec<Vec<u8>> {
    let mut items = Vec::new();
    for count in [0_usize, 1, 23, 24, 255, 256] {
        let number = u64::try_from(count).unwrap();
        let content = match major {
            0 | 1 => Vec::new(),
            5 => unhex("616100").repeat(count),
            _ => vec![0x60; count],
        };
        let [.., high, low] = number.to_be_bytes();
        let heads = [
            vec![24, low],
            vec![25, high, low],
            vec![26, 0, 0, high, low],
            vec![27, 0, 0, 0, 0, 0, 0, high, low],
        ];
        for mut head in heads {
            head[0] |= major << 5;
            let is_whole = high == 0 || head.len() > 2;
            if is_whole && head.len() > minimal(major, number).len() {
                items.push([head, content.clone()].concat());
            }
        }
    }
    items
}

fn minimal(major: u8, number: u64) -> Vec<u8> {
    let mut head = Vec::new();
    minicbor::Encoder::new(&mut head).u64(number).unwrap();
    head[0] |= major << 5;
    head
}

fn wrapped(item: &[u8]) -> [String; 5] {
    let meta = [b"\xA1\x61k".as_slice(), item].concat();
    let last = [b"\xA1\x61k\x82\x00".as_slice(), item].concat();
    let signed = [item, &bytes(b"sig"), &bytes(&demo_mac(item))].concat();
    [
        padded(item),
        padded(&signed),
        Raw::new().with("meta", meta).text(),
        Raw::new().with("meta", last).text(),
        Raw::new().with("res", item.to_vec()).text(),
    ]
}

fn assert_refused(item: &[u8]) {
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    for text in wrapped(item) {
        assert!(
            verify(&text, &keys, &mut buffer).is_err(),
            "{}",
            crate::raw::hex(item)
        );
        // Shown or not, it ends, and is never called canonical.
        if let Ok(shown) = UntrustedToken::parse(&text) {
            assert!(!shown.is_canonical(), "{}", crate::raw::hex(item));
        }
    }
}

#[test]
fn c10_nothing_malformed_is_accepted() {
    let items = malformed();
    assert!(items.len() >= 312, "{}", items.len());
    for item in &items {
        assert_refused(item);
    }
    // minicbor agrees on nearly all of it; what it lets pass we do not.
    let is_well_formed = |item: &Vec<u8>| {
        let mut decoder = Decoder::new(item);
        decoder.skip().is_ok() && decoder.position() == item.len()
    };
    let lenient = items.iter().filter(|item| is_well_formed(item)).count();
    assert!(lenient * 4 < items.len(), "{lenient} of {}", items.len());
}

#[test]
fn c02_c03_c05_c08_nothing_that_is_not_canonical_is_accepted() {
    let items = not_canonical();
    assert!(items.len() > 250, "{}", items.len());
    for item in &items {
        assert_refused(item);
    }
}

/// The other side: what is canonical is accepted in the place where it may
/// stand, and minicbor reads the same value there.
#[test]
fn canonical_values_of_meta_are_accepted() {
    let numbers = [
        0_u64,
        23,
        24,
        255,
        256,
        65_535,
        65_536,
        (1 << 32) - 1,
        1 << 32,
        u64::MAX,
    ];
    let mut items: Vec<_> = numbers.iter().map(|number| minimal(0, *number)).collect();
    let negative = numbers.iter().filter(|number| **number < 1 << 63);
    items.extend(negative.map(|number| minimal(1, *number)));
    items.extend(
        [
            "f4",
            "f5",
            "f6",
            "60",
            "6161",
            "80",
            "a0",
            "820081f6",
            "a2616100616201",
        ]
        .map(unhex),
    );
    items.extend(
        [
            "fb3ff0000000000000",
            "fb8000000000000000",
            "fb7fefffffffffffff",
            "fb0000000000000014",
        ]
        .map(unhex),
    );
    let (keys, mut buffer) = (demo_keys(), TokenBuffer::new());
    for item in items {
        let meta = [b"\xA1\x61k".as_slice(), &item].concat();
        let text = Raw::new().with("meta", meta).text();
        let token = verify(&text, &keys, &mut buffer).unwrap();
        let shown = UntrustedToken::parse(&text).unwrap();
        assert_eq!(token.claims().meta, shown.claims_untrusted().meta);
        assert_eq!(token.claims().meta.len(), 1);
        assert_eq!(
            token_codec::encode(&token.claims(), &crate::raw::demo_key()).unwrap(),
            text
        );
    }
}
