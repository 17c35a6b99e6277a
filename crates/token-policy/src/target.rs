//! The text of a request target: what may be in it, and decoding, once.

use std::borrow::Cow;

use token_core::limits::KEY_CHARS_MAX;
use token_core::{InvalidKey, ResourceName};

use crate::error::ClassifyError;

/// A raw request target, split at the first `?`, whose bytes are all legal and
/// whose escapes are all whole.
pub(crate) struct RawTarget<'a> {
    pub(crate) path: &'a str,
    /// Empty when there is no `?`.
    pub(crate) query: &'a str,
}

impl<'a> RawTarget<'a> {
    pub(crate) fn new(target: &'a str) -> Result<Self, ClassifyError> {
        if !target.starts_with('/') {
            return Err(ClassifyError::NotOriginForm);
        }
        check_bytes(target)?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Ok(Self { path, query })
    }
}

fn check_bytes(target: &str) -> Result<(), ClassifyError> {
    // Without an early exit, so that many bytes are looked at at a time.
    let forbidden = target
        .bytes()
        .fold(false, |found, byte| found | is_forbidden(byte));
    if forbidden {
        let at = target.bytes().position(is_forbidden).unwrap_or(0);
        return Err(match target.as_bytes().get(at) {
            Some(b';') => ClassifyError::Semicolon { at },
            _ => ClassifyError::Character { at },
        });
    }
    for (at, _) in target.match_indices('%') {
        let digits = target.as_bytes().get(at.saturating_add(1)..);
        if !digits.is_some_and(begins_with_hex_pair) {
            return Err(ClassifyError::Escape { at });
        }
    }
    Ok(())
}

const fn is_forbidden(byte: u8) -> bool {
    (byte <= b' ') | (byte >= 0x7F) | (byte == b';') | (byte == b'#') | (byte == b'\\')
}

const fn begins_with_hex_pair(bytes: &[u8]) -> bool {
    matches!(bytes, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// The value of `raw`, whose escapes are whole, decoded once. A `+` stays.
pub(crate) fn decode<'a>(raw: &'a str, of: &'static str) -> Result<Cow<'a, str>, ClassifyError> {
    let Some((plain, escaped)) = raw.split_once('%') else {
        return Ok(Cow::Borrowed(raw));
    };
    let mut bytes = Vec::with_capacity(raw.len());
    bytes.extend_from_slice(plain.as_bytes());
    for part in escaped.split('%') {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        let byte = u8::from_str_radix(digits, 16).map_err(|_| ClassifyError::NotUtf8 { of })?;
        bytes.push(byte);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes)
        .map(Cow::Owned)
        .map_err(|_| ClassifyError::NotUtf8 { of })
}

/// As [`decode`], for a value that holds a name: a raw `+` is refused.
pub(crate) fn decode_name<'a>(
    raw: &'a str,
    of: &'static str,
) -> Result<Cow<'a, str>, ClassifyError> {
    if raw.contains('+') {
        return Err(ClassifyError::Plus { of });
    }
    decode(raw, of)
}

/// Whether `name` may name a resource.
pub(crate) fn check_name(name: &str, of: &'static str) -> Result<(), ClassifyError> {
    ResourceName::check(name).map_err(|cause| ClassifyError::Name { of, cause })
}

/// Whether another reader could take this decoded segment for more than one,
/// or for none.
pub(crate) fn check_segment(decoded: &str, number: usize) -> Result<(), ClassifyError> {
    if decoded.contains(['/', '\\']) || matches!(decoded, "." | "..") {
        return Err(ClassifyError::Segment { number });
    }
    Ok(())
}

/// Whether another reader could drop this raw segment.
pub(crate) fn check_dots(raw: &str, number: usize) -> Result<(), ClassifyError> {
    const DOTS: [&str; 6] = [".", "..", "%2e", "%2e%2e", ".%2e", "%2e."];
    if DOTS.iter().any(|dots| raw.eq_ignore_ascii_case(dots)) {
        return Err(ClassifyError::Segment { number });
    }
    Ok(())
}

/// A key of a path, where the automaton has let only legal characters through.
pub(crate) fn check_key(raw: &str) -> Result<&str, ClassifyError> {
    if raw.len() > KEY_CHARS_MAX {
        let characters = raw.len();
        return Err(ClassifyError::Key(InvalidKey::Length { characters }));
    }
    Ok(raw)
}
