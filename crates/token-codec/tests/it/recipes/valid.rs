//! Claims that become tokens.

use serde_json::Value;

/// Name, what it covers, claims as JSON. Where nothing else is said, a token
/// is issued at 1,790,000,000 for 60 minutes and grants `room-1`.
pub(crate) fn valid() -> Vec<(&'static str, &'static str, Value)> {
    let long = format!(
        r#"{{"names": {{"channel": {{"{}": 23}}}}}}"#,
        "n".repeat(256)
    );
    let lines = CLAIMS.lines().filter(|line| !line.trim().is_empty());
    let mut all: Vec<_> = lines
        .map(|line| {
            let (name, rest) = line.trim().split_once(" | ").unwrap();
            let (covers, claims) = rest.split_once(" | ").unwrap();
            (name.trim(), covers.trim(), complete(claims))
        })
        .collect();
    all.push(("a name of 256 bytes", "format 3", complete(&long)));
    all
}

fn complete(claims: &str) -> Value {
    let claims = claims
        .replace(
            "KINDS",
            r#"{"channel": SOME, "group": SOME, "space": SOME, "user": SOME, "uuid": SOME,
                "entity": SOME, "membership": SOME, "relationship": SOME}"#,
        )
        .replace("SOME", r#"{"id:1": 239, "é": 1, "b": 255}"#);
    let mut claims: Value = serde_json::from_str(&claims).expect(&claims);
    let fields = claims.as_object_mut().unwrap();
    let grants = ["names", "patterns", "categories"];
    if !grants.iter().any(|field| fields.contains_key(*field)) || fields.contains_key("room") {
        fields.remove("room");
        let room = serde_json::json!({"channel": {"room-1": 3}});
        fields.insert("names".to_owned(), room);
    }
    for (field, usual) in [("issued_at", 1_790_000_000_u64), ("ttl", 60)] {
        fields.entry(field).or_insert_with(|| usual.into());
    }
    claims
}

const CLAIMS: &str = r#"
    one channel                    | format 4 | {}
    a bound uuid                   | format 4 | {"uuid": "alice"}
    one pattern                    | format 5 | {"patterns": {"channel": {"^room-[0-9]+$": 1}}}
    the empty pattern              | format 5 | {"patterns": {"group": {"": 4}}}
    every kind, names and patterns | format 5, contract 10.2 | {"names": KINDS, "patterns": KINDS}
    shorter names come first       | format 5 | {"names": {"channel": {"b": 1, "aa": 1, "aaa": 1, "ab": 1, "Z": 1}}}
    DataSync memberships only      | format 5 | {"patterns": {"membership": {"^user-1:": 120}}}
    users of DataSync              | format 5 | {"names": {"user": {"user-1": 120}}}
    both categories                | format 4 | {"categories": ["channels", "uuids"]}
    a category and a name          | format 4 | {"room": true, "categories": ["uuids"]}
    a category and a bound uuid    | format 4 | {"categories": ["channels"], "uuid": "alice"}
    numbers of meta                | format 6 | {"meta": {"0": 0, "23": 23, "24": 24, "big": 18446744073709551615, "minus": -1, "least": -9223372036854775808, "half": 0.5, "tiny": 5e-324}}
    texts and lists of meta        | format 6 | {"meta": {"null": null, "no": false, "yes": true, "text": "é\u0000", "": "", "list": [1, "a", [], {}]}}
    the order of keys in meta      | format 6 | {"meta": {"bb": {"ab": 1, "b": 2, "aa": 3}, "a": 1, "c": 2, "aa": 3}}
    projections                    | format 6, contract 10.1 | {"meta": {"pn-projections": {"res": {"datasync:entities:e-1": "admin"}, "pat": {"datasync:users:^u-.*$": "public"}}}}
    ttl of 1 minute                | format 4, X01 | {"ttl": 1}
    ttl of 30 days                 | format 4, X01 | {"ttl": 43200}
    ttl of 2^32-1 minutes          | format 4, X01 | {"ttl": 4294967295}
    issued in second 0             | format 4, X02 | {"issued_at": 0}
    issued in second 2^63          | format 4, X02 | {"issued_at": 9223372036854775808}
    expires in the last second     | format 4, X01 | {"ttl": 1, "issued_at": 18446744073709551555}
    four ancestors                 | format 9 | {"uuid": "alice", "ancestors": ["00112233445566778899aabbccddeeff", "ffffffffffffffffffffffffffffffff", "00000000000000000000000000000000", "0123456789abcdef0123456789abcdef"]}
    a name of 24 bytes             | format 3 | {"names": {"channel": {"abcdefghijklmnopqrstuvwx": 24}}}
"#;
