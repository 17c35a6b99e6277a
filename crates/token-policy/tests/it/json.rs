//! Strict JSON (attack H05): cases as data, in the manner of the well-known
//! parser suites.

use serde::Deserialize;
use token_core::MetaValue;
use token_core::limits::JSON_NESTING_MAX;
use token_policy::json::parse;

use crate::cases::read;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    /// Texts that are JSON.
    accept: Vec<String>,
    /// Texts that are not.
    refuse: Vec<String>,
    /// Bytes in hexadecimal that are not.
    refuse_bytes: Vec<String>,
}

#[test]
fn what_is_json_is_read_and_what_is_not_is_refused() {
    let cases: Cases = read("json.toml");
    for text in &cases.accept {
        assert!(parse(text.as_bytes()).is_ok(), "{text:?}");
        let nested = format!("{{\"meta\": [{text}]}}");
        assert!(parse(nested.as_bytes()).is_ok(), "{text:?}");
    }
    for text in &cases.refuse {
        assert!(parse(text.as_bytes()).is_err(), "{text:?}");
    }
    for hex in &cases.refuse_bytes {
        let digits: Vec<_> = hex.bytes().filter(|b| *b != b' ').collect();
        let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16);
        let bytes: Vec<_> = digits.chunks(2).map(|pair| byte(pair).unwrap()).collect();
        assert!(parse(&bytes).is_err(), "{hex}");
    }
}

#[test]
fn whole_numbers_keep_every_digit() {
    for (text, value) in [
        ("18446744073709551615", MetaValue::Unsigned(u64::MAX)),
        (
            "9007199254740993",
            MetaValue::Unsigned(9_007_199_254_740_993),
        ),
        ("-9223372036854775808", MetaValue::Negative(i64::MIN)),
        ("-1", MetaValue::Negative(-1)),
        ("0", MetaValue::Unsigned(0)),
        ("1.0", MetaValue::Float(1.0)),
        ("1e3", MetaValue::Float(1_000.0)),
        (
            "\"\\ud83d\\ude00\"",
            MetaValue::Text("\u{1F600}".to_owned()),
        ),
        ("null", MetaValue::Null),
        ("true", MetaValue::Bool(true)),
    ] {
        assert_eq!(parse(text.as_bytes()).unwrap(), value, "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(JSON_NESTING_MAX).as_bytes()).is_ok());
    let error = parse(nested(JSON_NESTING_MAX + 1).as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "is not valid JSON: more than 64 arrays and objects inside each other at line 1 column 66"
    );
    let objects = |depth| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert!(parse(objects(JSON_NESTING_MAX).as_bytes()).is_ok());
    assert!(parse(objects(JSON_NESTING_MAX + 1).as_bytes()).is_err());
    assert!(parse("[".repeat(100_000).as_bytes()).is_err());
    assert!(parse("{\"a\":".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn an_error_says_where() {
    let error = parse(b"{\n  \"ttl\": 1,\n  \"ttl\": 2\n}").unwrap_err();
    assert_eq!((error.line(), error.column()), (3, 7));
    assert_eq!(
        error.to_string(),
        "is not valid JSON: the key \"ttl\" is there more than once at line 3 column 7"
    );
}
