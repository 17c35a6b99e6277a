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
        check_bytes(target.as_bytes())?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Ok(Self { path, query })
    }
}

fn check_bytes(target: &[u8]) -> Result<(), ClassifyError> {
    for (at, byte) in target.iter().enumerate() {
        match byte {
            b'%' => {
                let digits = target.get(at.saturating_add(1)..at.saturating_add(3));
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(ClassifyError::Escape { at });
                }
            }
            b';' => return Err(ClassifyError::Semicolon { at }),
            b'#' | b'\\' | 0..=b' ' | 0x7F.. => return Err(ClassifyError::Character { at }),
            _ => {}
        }
    }
    Ok(())
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
    if decoded.contains(['/', '\\']) {
        return Err(ClassifyError::Segment { number });
    }
    check_dots(decoded, number)
}

/// Whether another reader could drop this decoded segment.
pub(crate) fn check_dots(decoded: &str, number: usize) -> Result<(), ClassifyError> {
    match decoded {
        "." | ".." => Err(ClassifyError::Segment { number }),
        _ => Ok(()),
    }
}

/// A key of a path, where the automaton has let only legal characters through.
pub(crate) fn check_key(raw: &str) -> Result<&str, ClassifyError> {
    if raw.len() > KEY_CHARS_MAX {
        let characters = raw.len();
        return Err(ClassifyError::Key(InvalidKey::Length { characters }));
    }
    Ok(raw)
}
