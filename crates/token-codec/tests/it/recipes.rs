//! How the tokens of testdata/tokens are made. The files hold the outcome.

use serde_json::{Value, json};

use crate::raw::{Raw, array, bytes, decoded, demo_mac, padded, section, sections, text, unhex};

/// A text and what it is about.
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    /// Sections of docs/format.md and attack cases.
    pub(crate) covers: &'static str,
    pub(crate) text: String,
}

fn recipe(name: &'static str, covers: &'static str, text: impl Into<String>) -> Recipe {
    let text = text.into();
    Recipe { name, covers, text }
}

/// Claims by name, as JSON.
pub(crate) fn valid() -> Vec<(&'static str, &'static str, Value)> {
    let all: Value = [
        "channel",
        "group",
        "space",
        "user",
        "uuid",
        "entity",
        "membership",
        "relationship",
    ]
    .iter()
    .map(|kind| ((*kind).to_owned(), json!({"id:1": 239, "é": 1, "b": 255})))
    .collect();
    let with = |fields: Value| {
        let mut claims = json!({"issued_at": 1_790_000_000_u64, "ttl": 60});
        for (name, value) in fields.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let room = json!({"channel": {"room-1": 3}});
    let projections = json!({"pn-projections": {
        "res": {"datasync:entities:e-1": "admin"},
        "pat": {"datasync:users:^u-.*$": "public"}
    }});
    vec![
        ("one channel", "format 4", with(json!({"names": room}))),
        (
            "a bound uuid",
            "format 4",
            with(json!({"names": room, "uuid": "alice"})),
        ),
        (
            "one pattern",
            "format 5",
            with(json!({"patterns": {"channel": {"^room-[0-9]+$": 1}}})),
        ),
        (
            "the empty pattern",
            "format 5",
            with(json!({"patterns": {"group": {"": 4}}})),
        ),
        (
            "every kind, names and patterns",
            "format 5, contract 10.2",
            with(json!({"names": all, "patterns": all})),
        ),
        (
            "shorter names come first",
            "format 5",
            with(json!({"names": {"channel": {"b": 1, "aa": 1, "aaa": 1, "ab": 1, "Z": 1}}})),
        ),
        (
            "DataSync memberships only",
            "format 5",
            with(json!({"patterns": {"membership": {"^user-1:": 120}}})),
        ),
        (
            "users of DataSync",
            "format 5",
            with(json!({"names": {"user": {"user-1": 120}}})),
        ),
        (
            "both categories",
            "format 4",
            with(json!({"categories": ["channels", "uuids"]})),
        ),
        (
            "one category and a name",
            "format 4",
            with(json!({"names": room, "categories": ["uuids"]})),
        ),
        (
            "every value of meta",
            "format 6",
            with(json!({"names": room, "meta": {
            "null": null, "no": false, "yes": true, "0": 0, "23": 23, "24": 24, "big": u64::MAX,
            "minus": -1, "least": i64::MIN, "half": 0.5, "tiny": 5e-324, "text": "é\u{0}", "": "",
            "list": [1, "a", [], {}], "map": {"bb": 1, "a": 2, "c": 3}}})),
        ),
        (
            "projections",
            "format 6, contract 10.1",
            with(json!({"names": room, "meta": projections})),
        ),
        (
            "ttl of 1 minute",
            "format 4, X01",
            with(json!({"names": room, "ttl": 1})),
        ),
        (
            "ttl of 30 days",
            "format 4, X01",
            with(json!({"names": room, "ttl": 43200})),
        ),
        (
            "ttl of 2^32-1 minutes",
            "format 4, X01",
            with(json!({"names": room, "ttl": u32::MAX})),
        ),
        (
            "issued in second 0",
            "format 4, X02",
            with(json!({"names": room, "issued_at": 0})),
        ),
        (
            "issued in second 2^63",
            "format 4, X02",
            with(json!({"names": room, "issued_at": 1_u64 << 63})),
        ),
        (
            "expires in the last second",
            "format 4, X01",
            with(json!({"names": room, "ttl": 1, "issued_at": u64::MAX - 60})),
        ),
        (
            "four ancestors",
            "format 9",
            with(json!({"names": room, "uuid": "alice", "ancestors": [
            "00112233445566778899aabbccddeeff", "ffffffffffffffffffffffffffffffff",
            "00000000000000000000000000000000", "0123456789abcdef0123456789abcdef"]})),
        ),
        (
            "a name of 24 bytes",
            "format 3",
            with(json!({"names": {"channel": {"abcdefghijklmnopqrstuvwx": 24}}})),
        ),
        (
            "a name of 256 bytes",
            "format 3",
            with(json!({"names": {"channel": {"n".repeat(256): 23}}})),
        ),
    ]
}

/// Texts of which inspection shows something, whoever made them.
pub(crate) fn foreign() -> Vec<Recipe> {
    let id = bytes(&[0x11; 16]);
    let long_signature = bytes(&[0xAB; 64]);
    let reserved = Raw::new().and("par", array(&[id.clone(), id]));
    let reserved = reserved.and("kid", bytes(b"edge-1"));
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
            Raw::new().and("kid", bytes(&[1; 16])).text(),
        ),
    ]
}

/// Canonical tokens whose signature is wrong.
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
    let raw_mac = |key: &[u8]| crate::raw::mac_with(key, &token.signed());
    let other_keyset = crate::raw::mac_key(&crate::raw::SIGNING_KEY, "sub-c-other");
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
            moved(Raw::new().and("par", array(&[bytes(&[0; 16])]))),
        ),
        recipe(
            "signed with the signing key itself",
            "T13",
            signature(raw_mac(&crate::raw::SIGNING_KEY)),
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

/// What is not canonical. Each has a right signature where it can have one.
pub(crate) fn malformed() -> Vec<Recipe> {
    let mut all = malformed_text();
    all.extend(malformed_frame());
    all.extend(malformed_head());
    all.extend(malformed_sections());
    all.extend(malformed_meta());
    all.extend(malformed_optional());
    all
}

fn malformed_text() -> Vec<Recipe> {
    // One byte beyond groups of three: two characters of padding.
    let token = Raw::new().and("uuid", text("bob")).text();
    let bare = token.trim_end_matches('=').to_owned();
    assert_eq!((token.len() - bare.len(), bare.len() % 4), (2, 2));
    let last = |c: char| {
        let mut text = bare.clone();
        text.pop();
        format!("{text}{c}")
    };
    let insert = |at: usize, what: &str| format!("{}{what}{}", &bare[..at], &bare[at..]);
    vec![
        recipe("nothing", "format 2", ""),
        recipe("only padding", "format 2, T02", "===="),
        recipe("half of the padding", "format 2, T02", format!("{bare}=")),
        recipe("one padding more", "format 2, T02", format!("{token}=")),
        recipe("two paddings more", "format 2, T02", format!("{token}==")),
        recipe(
            "padding as it stands in a URL",
            "format 2, T02",
            format!("{bare}%3D%3D"),
        ),
        recipe("padding inside", "format 2, T02", insert(4, "==")),
        recipe(
            "stray bits in the last character",
            "format 2, T01",
            last('B'),
        ),
        recipe(
            "one character left over",
            "format 2, T08",
            bare[..bare.len() - 1].to_owned(),
        ),
        recipe("a plus", "format 2, T03", insert(8, "+")),
        recipe("a slash", "format 2, T03", insert(8, "/")),
        recipe("a leading blank", "format 2, T04", format!(" {token}")),
        recipe(
            "a trailing line feed",
            "format 2, T04",
            format!("{token}\n"),
        ),
        recipe("a blank inside", "format 2, T04", insert(8, " ")),
        recipe("a tab inside", "format 2, T04", insert(8, "\t")),
        recipe(
            "a carriage return inside",
            "format 2, T04",
            insert(76, "\r\n"),
        ),
        recipe("a NUL inside", "format 2, T04", insert(8, "\0")),
        recipe(
            "a byte order mark",
            "format 2, T04",
            format!("\u{FEFF}{token}"),
        ),
        recipe(
            "a percent-encoded letter",
            "format 2, T04",
            bare.replacen('p', "%70", 1),
        ),
        recipe(
            "a Kelvin sign",
            "format 2, T11",
            bare.replacen('A', "\u{212A}", 1),
        ),
        recipe("upper case", "T11", bare.to_uppercase()),
        recipe("lower case", "T11", bare.to_lowercase()),
        recipe(
            "a JWT",
            "T13",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.0000000000000000000000000000000000000000000",
        ),
        recipe("16,385 characters", "format 8", "A".repeat(16_385)),
    ]
}

fn malformed_frame() -> Vec<Recipe> {
    let token = Raw::new();
    let whole = token.bytes();
    let cut = |bytes: usize| padded(&whole[..whole.len() - bytes]);
    let after = |more: &[u8]| padded(&[whole.as_slice(), more].concat());
    let end = |end: &[u8]| padded(&token.ending_in(end));
    let mac = demo_mac(&token.signed());
    let twice = [mac.as_slice(), &mac].concat();
    vec![
        recipe("one byte cut off", "T08", cut(1)),
        recipe("the signature cut off", "T08", cut(32)),
        recipe("the key sig cut off", "T08", cut(38)),
        recipe("only the head", "T08", padded(&whole[..1])),
        recipe("a byte after the map", "format 4, C04", after(&[0])),
        recipe("a second map", "format 4, C04", after(&whole)),
        recipe(
            "a self-described tag before it",
            "format 3, T06",
            padded(&[unhex("d9d9f7"), whole.clone()].concat()),
        ),
        recipe(
            "a map in an array",
            "format 4",
            padded(&[vec![0x81], whole.clone()].concat()),
        ),
        recipe(
            "an indefinite map",
            "format 3, C02",
            padded(&[token.clone().head("bf").bytes(), vec![0xFF]].concat()),
        ),
        recipe(
            "the head of the map too long",
            "format 3, C03",
            token.clone().head("b807").text(),
        ),
        recipe(
            "too few entries declared",
            "format 4",
            token.clone().head("a6").text(),
        ),
        recipe(
            "too many entries declared",
            "format 4",
            token.clone().head("a8").text(),
        ),
        recipe(
            "2^64-1 entries declared",
            "format 3, C06",
            token.clone().head("bbffffffffffffffff").text(),
        ),
        recipe("no signature", "format 7, T08", end(&unhex("40"))),
        recipe(
            "a signature of 1 byte",
            "format 7, T08",
            end(&bytes(&mac[..1])),
        ),
        recipe(
            "a signature of 16 bytes",
            "format 7, T08",
            end(&bytes(&mac[..16])),
        ),
        recipe(
            "a signature of 31 bytes",
            "format 7, T08",
            end(&bytes(&mac[..31])),
        ),
        recipe(
            "a signature of 33 bytes",
            "format 7, T08",
            end(&bytes(&twice[..33])),
        ),
        recipe(
            "a signature of 64 bytes without a key id",
            "format 7, T08",
            end(&bytes(&twice)),
        ),
        recipe("the signature as null", "format 7, T08", end(&unhex("f6"))),
        recipe(
            "the signature as text",
            "format 7, T08",
            end(&text(&"a".repeat(32))),
        ),
        recipe(
            "the signature with a long head",
            "format 3, C03",
            end(&[unhex("590020"), mac.clone()].concat()),
        ),
        recipe(
            "the signature in chunks",
            "format 3, C02",
            end(&[unhex("5f5820"), mac.clone(), vec![0xFF]].concat()),
        ),
        recipe(
            "2^63-1 bytes of signature declared",
            "format 3, C06",
            end(&unhex("5b7fffffffffffffff")),
        ),
        recipe(
            "a second sig",
            "format 4, T06",
            padded(&[token.clone().head("a8").bytes(), bytes(b"sig"), bytes(&mac)].concat()),
        ),
        recipe(
            "a key after sig",
            "format 4, T06",
            padded(&[token.clone().head("a8").bytes(), bytes(b"x"), vec![0]].concat()),
        ),
    ]
}

fn malformed_head() -> Vec<Recipe> {
    let token = Raw::new();
    let value = |key: &str, value: &str| token.clone().with_hex(key, value).text();
    vec![
        recipe("version 1", "format 4, T12", value("v", "01")),
        recipe("version 3", "format 4, T12", value("v", "03")),
        recipe("version 2 as text", "format 4, T12", value("v", "6132")),
        recipe(
            "version 2.0",
            "format 4, T12",
            value("v", "fb4000000000000000"),
        ),
        recipe(
            "no version",
            "format 4, T12",
            token.clone().without("v").text(),
        ),
        recipe(
            "version 2 in two bytes",
            "format 3, C03",
            value("v", "1802"),
        ),
        recipe(
            "a key as text",
            "format 4",
            token.clone().rename("t", text("t")).text(),
        ),
        recipe(
            "a key with a long head",
            "format 3, C03",
            token.clone().rename("t", unhex("580174")).text(),
        ),
        recipe(
            "a key in chunks",
            "format 3, C02",
            token.clone().rename("t", unhex("5f4174ff")).text(),
        ),
        recipe(
            "t and ttl in the other order",
            "format 4, T06",
            token.clone().swap("t", "ttl").text(),
        ),
        recipe(
            "res and pat in the other order",
            "format 4, T06",
            token.clone().swap("res", "pat").text(),
        ),
        recipe(
            "an unknown key",
            "format 4, T06",
            token.clone().and("x", unhex("00")).text(),
        ),
        recipe(
            "res twice",
            "format 4, C01",
            token.clone().rename("pat", bytes(b"res")).text(),
        ),
        recipe("no meta", "format 4", token.clone().without("meta").text()),
        recipe(
            "t in eight bytes",
            "format 3, C03",
            value("t", "1b000000006ab13b80"),
        ),
        recipe("t below 0", "format 4, X02", value("t", "20")),
        recipe("t as a date", "format 3, C08", value("t", "c11a6ab13b80")),
        recipe("t as a bignum", "format 3, C08", value("t", "c2446ab13b80")),
        recipe("ttl 0", "format 4, X01", value("ttl", "00")),
        recipe("ttl -1", "format 4, X01", value("ttl", "20")),
        recipe("ttl 1.5", "format 4, X01", value("ttl", "f93e00")),
        recipe("ttl as text", "format 4, X01", value("ttl", "623630")),
        recipe(
            "ttl 2^32",
            "format 4, X01",
            value("ttl", "1b0000000100000000"),
        ),
        recipe(
            "ttl 2^63",
            "format 4, X01",
            value("ttl", "1b8000000000000000"),
        ),
        recipe(
            "ttl in three bytes",
            "format 3, C03",
            value("ttl", "19003c"),
        ),
        recipe(
            "an expiry beyond 2^64",
            "format 4, X01",
            value("t", "1bffffffffffffffff"),
        ),
        recipe("ttl with a reserved head", "format 3", value("ttl", "1c3c")),
    ]
}

fn malformed_sections() -> Vec<Recipe> {
    let token = Raw::new();
    let res = |value: &str| token.clone().with_hex("res", value).text();
    let chan = |entries: &[(&str, &str)]| {
        let res = sections(&[("chan", section(entries))]);
        token.clone().with("res", res).text()
    };
    let chan_hex = |value: &str| {
        let res = sections(&[("chan", unhex(value))]);
        token.clone().with("res", res).text()
    };
    let pat = |entries: &[(&str, &str)]| {
        let pat = sections(&[("chan", section(entries))]);
        token.clone().with("pat", pat).text()
    };
    let rest = "43677270a043737063a043757372a04475756964a0";
    let many = |count: usize, into: fn(Raw, Vec<u8>) -> Raw| {
        let names: Vec<String> = (0..count).map(|i| format!("{i:04}")).collect();
        let entries: Vec<_> = names.iter().map(|name| (name.as_str(), "01")).collect();
        into(token.clone(), sections(&[("chan", section(&entries))])).text()
    };
    vec![
        recipe("nothing granted", "format 5", chan(&[])),
        recipe("no permission", "format 5, C09", chan(&[("a", "00")])),
        recipe("permissions 256", "format 5, C09", chan(&[("a", "190100")])),
        recipe(
            "permissions 2^32",
            "format 5, C09",
            chan(&[("a", "1b0000000100000000")]),
        ),
        recipe(
            "permissions 2^64-1",
            "format 5, C09",
            chan(&[("a", "1bffffffffffffffff")]),
        ),
        recipe("permissions -1", "format 5, C09", chan(&[("a", "20")])),
        recipe("permissions 2.0", "format 5, C08", chan(&[("a", "f94000")])),
        recipe("permissions true", "format 5, C08", chan(&[("a", "f5")])),
        recipe(
            "permissions as a bignum",
            "format 5, C08",
            chan(&[("a", "c24103")]),
        ),
        recipe(
            "permissions in two bytes",
            "format 3, C03",
            chan(&[("a", "1801")]),
        ),
        recipe(
            "a name twice",
            "format 5, C01",
            chan(&[("a", "01"), ("a", "18ff")]),
        ),
        recipe(
            "names out of order",
            "format 5",
            chan(&[("b", "01"), ("a", "01")]),
        ),
        recipe(
            "names in the order of a dictionary",
            "format 5",
            chan(&[("aa", "01"), ("b", "01")]),
        ),
        recipe("an empty name", "format 5, C07", chan(&[("", "01")])),
        recipe("a NUL in a name", "format 5, C07", chan(&[("a\0b", "01")])),
        recipe(
            "a DEL in a name",
            "format 5, C07",
            chan(&[("a\u{7F}", "01")]),
        ),
        recipe(
            "a line feed in a long name",
            "format 5, C07",
            chan(&[(&format!("{}\n", "n".repeat(300)), "01")]),
        ),
        recipe(
            "a name of 1,025 bytes",
            "format 8",
            chan(&[(&"n".repeat(1_025), "01")]),
        ),
        recipe(
            "a name that is not UTF-8",
            "format 5, C07",
            chan_hex("a1 62 61ff 01"),
        ),
        recipe(
            "a surrogate in a name",
            "format 5, C07",
            chan_hex("a1 63 eda080 01"),
        ),
        recipe(
            "an overlong form in a name",
            "format 5, C07",
            chan_hex("a1 62 c0af 01"),
        ),
        recipe("a name as bytes", "format 5", chan_hex("a1 4161 01")),
        recipe(
            "a name with a long head",
            "format 3, C03",
            chan_hex("a1 780161 01"),
        ),
        recipe(
            "a name in chunks",
            "format 3, C02",
            chan_hex("a1 7f6161ff 01"),
        ),
        recipe("a number as a name", "format 5", chan_hex("a1 01 01")),
        recipe(
            "a section as an array",
            "format 5, C08",
            chan_hex("82 6161 01"),
        ),
        recipe(
            "an indefinite section",
            "format 3, C02",
            chan_hex("bf 6161 01 ff"),
        ),
        recipe(
            "a section with a long head",
            "format 3, C03",
            chan_hex("b801 6161 01"),
        ),
        recipe(
            "2^63-1 names declared",
            "format 3, C06",
            chan_hex("bb7fffffffffffffff 6161 01"),
        ),
        recipe(
            "2^63-1 bytes of a name declared",
            "format 3, C06",
            chan_hex("a1 7b7fffffffffffffff 6161 01"),
        ),
        recipe(
            "2,001 names",
            "format 8",
            many(2_001, |raw, it| raw.with("res", it)),
        ),
        recipe(
            "201 patterns",
            "format 8",
            many(201, |raw, it| raw.with("pat", it)),
        ),
        recipe(
            "a pattern of 513 bytes",
            "format 8",
            pat(&[(&"p".repeat(513), "01")]),
        ),
        recipe(
            "a pattern that is not UTF-8",
            "format 5, C07",
            token
                .clone()
                .with("pat", sections(&[("chan", unhex("a1 61ff 01"))]))
                .text(),
        ),
        recipe(
            "patterns out of order",
            "format 5",
            pat(&[("b", "01"), ("a", "01")]),
        ),
        recipe(
            "no uuid section",
            "format 5",
            res("a4 446368616ea0 43677270a0 43737063a0 43757372a0"),
        ),
        recipe(
            "the section order of 2021",
            "format 5, T06",
            res("a5 446368616ea1616101 43677270a0 43757372a0 43737063a0 4475756964a0"),
        ),
        recipe(
            "a sixth section that is unknown",
            "format 5",
            res(&format!("a6 446368616ea1616101 {rest} 4178a0")),
        ),
        recipe(
            "a section twice",
            "format 5, C01",
            res(&format!(
                "a6 446368616ea1616101 446368616ea16161 18ff {rest}"
            )),
        ),
        recipe(
            "an empty DataSync section",
            "format 5",
            res(&format!(
                "a6 446368616ea1616101 {rest} 51{}a0",
                crate::raw::hex(b"datasync:entities")
            )),
        ),
        recipe(
            "DataSync sections out of order",
            "format 5",
            token
                .clone()
                .with(
                    "res",
                    sections(&[
                        ("datasync:relationships", section(&[("a", "01")])),
                        ("datasync:entities", section(&[("a", "01")])),
                    ]),
                )
                .text(),
        ),
        recipe(
            "a section fewer than declared",
            "format 5",
            res(&format!("a6 446368616ea1616101 {rest}")),
        ),
        recipe(
            "a section more than declared",
            "format 5",
            res(&format!(
                "a5 446368616ea1616101 {rest} 51{}a1616101",
                crate::raw::hex(b"datasync:entities")
            )),
        ),
        recipe("res as null", "format 5, C08", res("f6")),
    ]
}

fn malformed_meta() -> Vec<Recipe> {
    let meta = |value: &str| Raw::new().with_hex("meta", value).text();
    let deep = |levels: usize| format!("{}00", "81".repeat(levels));
    let text_of = |bytes: u16| format!("79{bytes:04x}{}", "61".repeat(usize::from(bytes)));
    vec![
        recipe("meta as null", "format 6, C08", meta("f6")),
        recipe("meta as an array", "format 6", meta("80")),
        recipe("a key that is a number", "format 6", meta("a1 01 01")),
        recipe("a key that is bytes", "format 6", meta("a1 4161 01")),
        recipe(
            "a key twice in meta",
            "format 6, C01",
            meta("a2 6161 01 6161 02"),
        ),
        recipe(
            "keys of meta out of order",
            "format 6",
            meta("a2 6162 01 6161 02"),
        ),
        recipe(
            "keys of a map in meta out of order",
            "format 6",
            meta("a1 6161 a2 626161 01 6162 02"),
        ),
        recipe("bytes in meta", "format 6, C08", meta("a1 6161 4100")),
        recipe("a tag in meta", "format 6, C08", meta("a1 6161 c000")),
        recipe("undefined in meta", "format 6, C08", meta("a1 6161 f7")),
        recipe(
            "simple value 16 in meta",
            "format 6, C08",
            meta("a1 6161 f0"),
        ),
        recipe(
            "simple value 255 in meta",
            "format 6, C08",
            meta("a1 6161 f8ff"),
        ),
        recipe("true in two bytes", "format 3, C08", meta("a1 6161 f815")),
        recipe(
            "a float of 16 bits",
            "format 6, C08",
            meta("a1 6161 f93c00"),
        ),
        recipe(
            "a float of 32 bits",
            "format 6, C08",
            meta("a1 6161 fa3f800000"),
        ),
        recipe(
            "not a number",
            "format 6",
            meta("a1 6161 fb7ff8000000000000"),
        ),
        recipe("infinity", "format 6", meta("a1 6161 fb7ff0000000000000")),
        recipe(
            "a number below -2^63",
            "format 6",
            meta("a1 6161 3b8000000000000000"),
        ),
        recipe(
            "a number of meta too long",
            "format 3, C03",
            meta("a1 6161 1817"),
        ),
        recipe(
            "an indefinite array in meta",
            "format 3, C02",
            meta("a1 6161 9f01ff"),
        ),
        recipe(
            "an indefinite text in meta",
            "format 3, C02",
            meta("a1 6161 7f6161ff"),
        ),
        recipe("a break in meta", "format 3, C02", meta("a1 6161 ff")),
        recipe(
            "text of meta that is not UTF-8",
            "format 6, C07",
            meta("a1 6161 61ff"),
        ),
        recipe(
            "a key of meta that is not UTF-8",
            "format 6, C07",
            meta("a1 61ff 01"),
        ),
        recipe(
            "meta nested 9 levels deep",
            "format 8, C05",
            meta(&format!("a1 6161 {}", deep(8))),
        ),
        recipe(
            "meta nested 5,000 levels deep",
            "format 8, C05",
            meta(&format!("a1 6161 {}", deep(5_000))),
        ),
        recipe(
            "2^63-1 values declared",
            "format 3, C06",
            meta("a1 6161 9b7fffffffffffffff 00"),
        ),
        recipe(
            "meta of 4,097 bytes",
            "format 8",
            meta(&format!("a1 6161 {}", text_of(4_091))),
        ),
    ]
}

fn malformed_optional() -> Vec<Recipe> {
    let token = Raw::new();
    let and = |key: &str, value: &str| token.clone().and(key, unhex(value)).text();
    let id = "50".to_owned() + &"11".repeat(16);
    vec![
        recipe("an empty cat", "format 4", and("cat", "a0")),
        recipe(
            "a category with 1",
            "format 4, C09",
            and("cat", "a1 446368616e 01"),
        ),
        recipe(
            "a category with 255",
            "format 4, C09",
            and("cat", "a1 446368616e 18ff"),
        ),
        recipe(
            "an unknown category",
            "format 4",
            and("cat", "a1 4178 1820"),
        ),
        recipe(
            "categories out of order",
            "format 4",
            and("cat", "a2 4475756964 1820 446368616e 1820"),
        ),
        recipe(
            "a category twice",
            "format 4, C01",
            and("cat", "a2 446368616e 1820 446368616e 1820"),
        ),
        recipe("an empty uuid", "format 4, C07", and("uuid", "60")),
        recipe("uuid as bytes", "format 4", and("uuid", "4161")),
        recipe("uuid as null", "format 4, C08", and("uuid", "f6")),
        recipe(
            "a control character in uuid",
            "format 4, C07",
            and("uuid", "626107"),
        ),
        recipe(
            "uuid before cat",
            "format 4, T06",
            token
                .clone()
                .and("uuid", text("a"))
                .and("cat", unhex("a1446368616e1820"))
                .text(),
        ),
        recipe(
            "uuid twice",
            "format 4, C01",
            token
                .clone()
                .and("uuid", text("a"))
                .and("uuid", text("b"))
                .text(),
        ),
        recipe("no ancestor", "format 9", and("par", "80")),
        recipe(
            "five ancestors",
            "format 9",
            and("par", &format!("85{}", id.repeat(5))),
        ),
        recipe(
            "an ancestor of 15 bytes",
            "format 9",
            and("par", &format!("81 4f{}", "11".repeat(15))),
        ),
        recipe(
            "2^63-1 ancestors declared",
            "format 9, C06",
            and("par", "9b7fffffffffffffff"),
        ),
        recipe("an empty key id", "format 9", and("kid", "40")),
        recipe(
            "a key id of 17 bytes",
            "format 9",
            and("kid", &format!("51{}", "11".repeat(17))),
        ),
        recipe("a key id as text", "format 9", and("kid", "6161")),
        recipe(
            "kid before par",
            "format 9, T06",
            token
                .clone()
                .and("kid", bytes(b"k"))
                .and("par", unhex(&format!("81{id}")))
                .text(),
        ),
        recipe(
            "a key id and a signature of 63 bytes",
            "format 9",
            padded(&token.and("kid", bytes(b"k")).ending_in(&bytes(&[0; 63]))),
        ),
    ]
}

/// The bytes that a canonical text stands for.
pub(crate) fn bytes_of(text: &str) -> Vec<u8> {
    decoded(text)
}
