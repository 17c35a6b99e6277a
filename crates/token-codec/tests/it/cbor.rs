//! Malformed CBOR (RFC 8949 appendix F): format 3, attack cases C02 to C08
//! and C10. The corpus is generated; each item is tried as a whole token, as a
//! value of `meta` and as the value of `res`, with a right signature.

use minicbor::Decoder;
use token_codec::{TokenBuffer, UntrustedToken, verify};

use crate::raw::{Raw, bytes, demo_keys, demo_mac, padded, unhex};

/// Items that are not well-formed, or not valid.
fn malformed() -> Vec<Vec<u8>> {
    let mut items = Vec::new();
    for major in 0..8_u8 {
        let head = |info: u8| major << 5 | info;
        // Reserved heads, with and without bytes that could be theirs.
        for info in 28..=30 {
            items.push(vec![head(info)]);
            items.push(vec![head(info), 0]);
            items.push([vec![head(info)], vec![0; 16]].concat());
        }
        // Heads that end too early.
        for (info, size) in [(24, 1), (25, 2), (26, 4), (27, 8)] {
            items.extend((0..size).map(|cut| [vec![head(info)], vec![1; cut]].concat()));
        }
        // Contents that end too early.
        if (2..=5).contains(&major) {
            for count in [
                1_u64,
                2,
                5,
                23,
                24,
                255,
                256,
                65_535,
                65_536,
                1 << 32,
                (1 << 63) - 1,
                1 << 63,
                u64::MAX,
            ] {
                for held in [0, 1, count / 2, count - 1]
                    .into_iter()
                    .filter(|held| *held < count)
                {
                    let content = vec![0; usize::try_from(held.min(300)).unwrap()];
                    items.push([minimal(major, count), content].concat());
                }
            }
        }
    }
    // Indefinite numbers and tags, a break alone or inside.
    items.extend(
        [
            "1f",
            "3f",
            "df",
            "ff",
            "81ff",
            "8200ff",
            "a1ff",
            "a100ff",
            "a1ff00",
            "a20000ff00",
        ]
        .map(unhex),
    );
    items.extend(
        [
            "bf00ff",
            "bf000000ff",
            "9f81ff",
            "9f829f819f9fffffffff",
            "c1ff",
            "9fc1ff",
        ]
        .map(unhex),
    );
    // Indefinite lists and texts without an end.
    for head in ["9f", "bf", "5f", "7f"] {
        items.push(unhex(head));
        items.push([unhex(head), unhex("9f")].concat());
        items.push([unhex(head), unhex("6161")].concat());
        items.push([unhex(head), unhex("4161")].concat());
        items.push([unhex(head), unhex("0000")].concat());
    }
    // Chunks of another type, and chunks of chunks.
    for outer in [0x5F_u8, 0x7F] {
        for inner in [
            "00", "20", "6100", "4100", "80", "a0", "c000", "f6", "5f4100ff", "7f6100ff", "f97e00",
        ] {
            let fits = (outer == 0x5F && inner == "4100") || (outer == 0x7F && inner == "6100");
            if !fits {
                items.push([vec![outer], unhex(inner), vec![0xFF]].concat());
                items.push([vec![outer], unhex(inner)].concat());
            }
        }
    }
    // Simple values that have a shorter form, tags without content.
    items.extend((0..32).map(|value| vec![0xF8, value]));
    items.extend((0..24).map(|tag| vec![0xC0 | tag]));
    items.extend((24..=255).step_by(7).map(|tag| vec![0xD8, tag]));
    // Text that is not UTF-8.
    for text in [
        "ff", "c0af", "c1bf", "e080af", "eda080", "edbfbf", "f08080af", "f4908080", "f8888080",
        "80", "c2", "e282", "f09f98",
    ] {
        let text = unhex(text);
        items.push([minimal(3, u64::try_from(text.len()).unwrap()), text.clone()].concat());
        items.push([vec![0x7F], minimal(3, u64::try_from(text.len()).unwrap()), text, vec![0xFF]].concat());
    }
    items
}

/// Well-formed items that no token holds.
fn not_canonical() -> Vec<Vec<u8>> {
    let mut items = Vec::new();
    for major in 0..6_u8 {
        for number in [0_u64, 1, 23, 24, 255, 256, 65_535, 65_536, (1 << 32) - 1] {
            for size in [1_u32, 2, 4, 8] {
                let padded = number.to_be_bytes();
                let (zeros, number_bytes) = padded.split_at(8 - size as usize);
                let head = vec![major << 5 | (24 + size.ilog2() as u8)];
                let head = [head, number_bytes.to_vec()].concat();
                let fits = zeros.iter().all(|byte| *byte == 0);
                let longer = head.len() > minimal(major, number).len();
                if fits && longer && number < 300 {
                    let each = if major == 5 { "6161" } else { "61" };
                    let content = match major {
                        0 | 1 => Vec::new(),
                        2..=4 => vec![0x61; number as usize],
                        _ => unhex(each).repeat(number as usize),
                    };
                    items.push([head, content].concat());
                }
            }
        }
    }
    let tags = [
        "c0",
        "c1",
        "c2",
        "c3",
        "d818",
        "d9d9f7",
        "da00010000",
        "db0000000100000000",
    ];
    items.extend(tags.map(|tag| [unhex(tag), unhex("6161")].concat()));
    items.extend(
        [
            "9fff",
            "bfff",
            "5fff",
            "7fff",
            "7f6161ff",
            "5f4161ff",
            "9f00ff",
            "bf616100ff",
        ]
        .map(unhex),
    );
    items.extend((0..20).map(|value| vec![0xE0 | value]));
    items.extend((32..=255).map(|value| vec![0xF8, value]));
    items.extend(
        [
            "f7",
            "f93c00",
            "f97e00",
            "f97c00",
            "fa3f800000",
            "fa7fc00000",
        ]
        .map(unhex),
    );
    items.extend(
        [
            "fb7ff8000000000000",
            "fb7ff0000000000000",
            "fbfff0000000000000",
        ]
        .map(unhex),
    );
    items.extend(["4161", "40", "3bffffffffffffffff", "3b8000000000000000"].map(unhex));
    items.push([vec![0x81; 5_000], vec![0]].concat());
    items.push([vec![0xC1; 5_000], vec![0]].concat());
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
