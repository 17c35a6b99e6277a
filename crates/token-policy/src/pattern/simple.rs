//! Simple patterns: answered from their text, without compiling them.
//!
//! The text is read once, from left to right. What is kept is the set of places
//! in the name that some way of matching what was read so far has come to, so
//! the answer needs no memory but that set, and every piece of the pattern
//! costs at most one look at each place: time is linear in both.
//!
//! Read are literals, classes of ASCII characters, `.`, anchors, `\b`,
//! alternations, groups that are not repeated (but may be optional), the flags
//! `i` and `s`, and repeated characters. What else there is in RE2 is not
//! guessed: such a pattern is compiled.

mod class;
mod counted;
mod places;
mod scanner;

use token_core::ResourceKind;
use token_core::limits::PATTERN_BYTES_MAX;

use self::class::is_plain;
pub(crate) use self::counted::looks;
use self::places::{NARROW_MAX, Places as _, WIDE_MAX, Wide};
use self::scanner::{Scanner, is_repeat};

/// Whether `pattern` matches `name` for names of `kind`: what compiling it
/// would answer, including that a refused pattern matches nothing. `None` when
/// that cannot be told from the text.
pub(crate) fn matches(kind: ResourceKind, pattern: &str, name: &str) -> Option<bool> {
    if kind != ResourceKind::Group {
        return scan(pattern, name.as_bytes());
    }
    match group_form(pattern)? {
        true if !scan(pattern, name.as_bytes())? => scan_with_colon(pattern, name.as_bytes()),
        true => Some(true),
        false => scan(pattern, name.as_bytes()),
    }
}

/// Whether [`matches`] can answer for every name of `kind`.
pub(crate) fn is_simple(kind: ResourceKind, pattern: &str) -> bool {
    if pattern.len() > PATTERN_BYTES_MAX
        || (kind == ResourceKind::Group && group_form(pattern).is_none())
    {
        return false;
    }
    Scanner::<u128>::reading(pattern).run(&0).is_some()
}

fn scan(pattern: &str, name: &[u8]) -> Option<bool> {
    if begins_otherwise(pattern.as_bytes(), name) {
        Some(false)
    } else if pattern.len() > PATTERN_BYTES_MAX {
        None
    } else if name.len() <= NARROW_MAX {
        let start = u128::borders(name);
        Scanner::answering(pattern, name).run(&start)
    } else if name.len() <= WIDE_MAX {
        let start = Wide::borders(name);
        Scanner::answering(pattern, name).run(&start)
    } else {
        None
    }
}

/// Whether the pattern asks for a beginning that is not the name's: most
/// patterns of a token are about other names, and need no more than this.
///
/// What follows need not be looked at, unless it begins another branch: were it
/// no pattern, there would be no match either.
fn begins_otherwise(pattern: &[u8], name: &[u8]) -> bool {
    let Some(mut rest) = pattern.strip_prefix(b"^") else {
        return false;
    };
    let mut name = name.iter();
    while let [byte, behind @ ..] = rest {
        if !is_plain(*byte) || is_repeat(behind) {
            return false;
        }
        if name.next() != Some(byte) {
            return !behind.contains(&b'|');
        }
        rest = behind;
    }
    false
}

/// The answer for `:name`.
fn scan_with_colon(pattern: &str, name: &[u8]) -> Option<bool> {
    let mut with_colon = [b':'; WIDE_MAX];
    let room = with_colon.get_mut(1..=name.len())?;
    room.copy_from_slice(name);
    scan(pattern, with_colon.get(..=name.len())?)
}

/// Whether every match of the pattern begins with a literal `:` at the start
/// of the text, where the spelling tells.
fn group_form(pattern: &str) -> Option<bool> {
    let bytes = pattern.as_bytes();
    let literal = bytes
        .strip_prefix(b"^:")
        .or_else(|| bytes.strip_prefix(b"\\A:"));
    if let Some(rest) = literal {
        let repeated = matches!(rest.first(), Some(b'*' | b'+' | b'?' | b'{'));
        return (!repeated && !rest.contains(&b'|')).then_some(true);
    }
    // A colon that opens a group is none that is matched.
    let open = |before: &[u8]| {
        let before = before.strip_suffix(b"i").unwrap_or(before);
        let before = before.strip_suffix(b"s").unwrap_or(before);
        before.ends_with(b"(?") && !before.ends_with(b"\\(?")
    };
    let mut colons = bytes.iter().enumerate().filter(|(_, byte)| **byte == b':');
    colons
        .all(|(at, _)| bytes.get(..at).is_some_and(open))
        .then_some(false)
}
