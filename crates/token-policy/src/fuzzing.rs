//! The properties that the fuzz targets and the tests share. Not part of the
//! interface.

use core::fmt::Write as _;

use token_core::{ResourceKind, check_request_uuid};

use crate::pattern::simple;
use crate::route::{self, Segment};
use crate::{Pattern, Targets, classify};

/// A line of `METHOD target`, and after a line feed a body, is classified or
/// refused without a panic; what is classified is within every bound; and the
/// line reads the same with its names and its query escaped.
pub fn path(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (line, body) = match text.split_once('\n') {
        Some((line, body)) => (line, Some(body.as_bytes())),
        None => (text.as_ref(), None),
    };
    let (method, target) = line.split_once(' ').unwrap_or(("GET", line));
    let escaped = escape_target(method, target);
    match (
        classify(method, target, body),
        classify(method, &escaped, body),
    ) {
        (Ok(found), Ok(again)) => {
            assert_eq!(found, again, "one request, read in two ways");
            assert!(Targets::new(found.targets().names()).is_ok());
            let uuid = found.uuid.as_deref();
            assert!(uuid.is_none_or(|uuid| check_request_uuid(uuid).is_ok()));
        }
        (Err(found), Err(again)) => assert_eq!(found.reason(), again.reason()),
        (found, again) => assert_eq!(found.is_ok(), again.is_ok(), "{target:?} {escaped:?}"),
    }
}

/// Any text is compiled or refused without a panic, and matches without one,
/// the same whether it is compiled or answered from its text.
pub fn pattern(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let compiled = Pattern::parse(&text);
    for name in [&*text, "", "a-1"] {
        let matched = compiled.as_ref().is_ok_and(|it| it.matches(name));
        let simple = simple(ResourceKind::Channel, &text, name);
        assert!(simple.is_none_or(|simple| simple == matched), "{text:?}");
    }
}

/// What a decision says of a pattern without compiling it; `None` when it has
/// to be compiled.
#[must_use]
pub fn simple(kind: ResourceKind, pattern: &str, name: &str) -> Option<bool> {
    let answer = simple::matches(kind, pattern, name);
    if simple::is_simple(kind, pattern) {
        assert!(
            answer.is_some(),
            "`{pattern}` is simple, but not on {name:?}"
        );
    } else {
        assert_ne!(answer, Some(true), "`{pattern}` is not simple");
    }
    answer
}

/// How many places of `name` are looked at to answer a simple pattern.
#[must_use]
pub fn simple_looks(pattern: &str, name: &str) -> Option<usize> {
    simple::looks(pattern, name)
}

/// The same target in other letters: what is decoded before it is used is
/// written in escapes.
fn escape_target(method: &str, target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut escaped = String::new();
    match route::find(method, path) {
        None => escaped.push_str(path),
        Some(row) => {
            for (segment, raw) in row.segments.iter().zip(path.split('/').skip(1)) {
                escaped.push('/');
                match segment {
                    Segment::Literal
                    | Segment::SubscribeKey
                    | Segment::PublishKey
                    | Segment::Collection => escaped.push_str(raw),
                    Segment::Channel
                    | Segment::Channels
                    | Segment::ChannelsOrNone
                    | Segment::Group
                    | Segment::Uuid
                    | Segment::Record
                    | Segment::Other
                    | Segment::FileName
                    | Segment::Message => escape(raw, &mut escaped),
                }
            }
        }
    }
    if target.contains('?') {
        escaped.push('?');
        escape(query, &mut escaped);
    }
    escaped
}

/// Escapes letters, digits and dots that are not in an escape already.
fn escape(raw: &str, escaped: &mut String) {
    let mut in_escape = 0_u8;
    for c in raw.chars() {
        if in_escape == 0 && (c.is_ascii_alphanumeric() || c == '.') {
            let _ = write!(escaped, "%{:02x}", u32::from(c));
        } else {
            escaped.push(c);
        }
        in_escape = if c == '%' {
            2
        } else {
            in_escape.saturating_sub(1)
        };
    }
}
