//! The text of a token: base64url (RFC 4648 section 5, docs/format.md 2).
//!
//! Decoding of canonical text is written here, not taken from the base64
//! crate, because it is a good part of the cost of a verification: groups of
//! four digits through four tables, without a branch for each. A token is no
//! secret to its bearer, so the time that a table takes is of no concern.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::URL_SAFE as PADDED;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::error::TextError;

/// Any stray bits in the last character are ignored.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// The one canonical text of `bytes`: with full padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    PADDED.encode(bytes)
}

/// Decodes text of either alphabet, with any padding or none.
pub(crate) fn decode_lenient(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .trim_end_matches('=')
        .bytes()
        .map(|digit| match digit {
            b'+' => b'-',
            b'/' => b'_',
            other => other,
        })
        .collect();
    LENIENT.decode(digits).ok()
}

/// `text` without its padding, when that is what completes it to groups of
/// four. Any other `=` stays, and is no character of the alphabet.
pub(crate) fn without_padding(text: &str) -> &str {
    if !text.len().is_multiple_of(4) {
        return text;
    }
    text.strip_suffix("==")
        .or_else(|| text.strip_suffix('='))
        .unwrap_or(text)
}

/// How many bytes [`decode`] needs room for.
pub(crate) const fn decoded_bytes_max(characters: usize) -> usize {
    characters.div_ceil(4).saturating_mul(3)
}

/// Decodes canonical text: full padding or none, no other alphabet, no white
/// space, no stray bits. The bytes are the beginning of `room`, which has at
/// least [`decoded_bytes_max`].
pub(crate) fn decode<'b>(text: &str, room: &'b mut [u8]) -> Result<&'b [u8], TextError> {
    let digits = without_padding(text).as_bytes();
    let (blocks, rest) = digits.as_chunks::<16>();
    let (outputs, _) = room.as_chunks_mut::<12>();
    let mut wrong = 0;
    for (block, output) in blocks.iter().zip(outputs) {
        wrong |= decode_block(block, output);
    }
    let start = bytes_of(digits.len().saturating_sub(rest.len()));
    let (groups, rest) = rest.as_chunks::<4>();
    let (outputs, _) = room
        .get_mut(start..)
        .unwrap_or_default()
        .as_chunks_mut::<3>();
    for (group, output) in groups.iter().zip(outputs) {
        let bits = bits_of(*group);
        wrong |= bits;
        let [_, bytes @ ..] = bits.to_be_bytes();
        *output = bytes;
    }
    // The last group is completed with digits of value 0, so stray bits show
    // up in the bytes after the last one.
    let mut last = [b'A'; 4];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let bits = bits_of(last);
    if (wrong | bits) & NO_DIGIT != 0 {
        return Err(wrong_character(digits));
    }
    let [_, last @ ..] = bits.to_be_bytes();
    let (last, stray) = last.split_at(bytes_of(rest.len()).min(last.len()));
    if rest.len() == 1 || stray.iter().any(|byte| *byte != 0) {
        return Err(TextError::LastCharacter);
    }
    let size = bytes_of(digits.len());
    let start = size.saturating_sub(last.len());
    for (to, from) in room.iter_mut().skip(start).zip(last) {
        *to = *from;
    }
    Ok(room.get(..size).unwrap_or_default())
}

/// Decodes 16 digits to 12 bytes, written in two moves.
#[inline]
fn decode_block(digits: &[u8; 16], bytes: &mut [u8; 12]) -> u32 {
    let (groups, _) = digits.as_chunks::<4>();
    let mut bits = [0; 4];
    for (bits, group) in bits.iter_mut().zip(groups) {
        *bits = bits_of(*group);
    }
    let [first, second, third, fourth] = bits;
    let head = u64::from(first) << 40 | u64::from(second) << 16 | u64::from(third) >> 8;
    let tail = third << 24 | fourth;
    let (head_bytes, tail_bytes) = bytes.split_at_mut(8);
    head_bytes.copy_from_slice(&head.to_be_bytes());
    tail_bytes.copy_from_slice(&tail.to_be_bytes());
    first | second | third | fourth
}

/// How many whole bytes `digits` digits of 6 bits make.
const fn bytes_of(digits: usize) -> usize {
    digits.saturating_mul(6) / 8
}

/// The 24 bits of four digits; [`NO_DIGIT`] is among them if one is none.
#[inline]
fn bits_of([first, second, third, fourth]: [u8; 4]) -> u32 {
    bits_at(&FIRST, first)
        | bits_at(&SECOND, second)
        | bits_at(&THIRD, third)
        | bits_at(&FOURTH, fourth)
}

/// Every byte has its place in a table of 256.
#[inline]
fn bits_at(table: &[u32; 256], digit: u8) -> u32 {
    table.get(usize::from(digit)).copied().unwrap_or(NO_DIGIT)
}

const NO_DIGIT: u32 = 1 << 24;

static FIRST: [u32; 256] = table(18);
static SECOND: [u32; 256] = table(12);
static THIRD: [u32; 256] = table(6);
static FOURTH: [u32; 256] = table(0);

/// The value of each digit, moved by `shift`.
const fn table(shift: u32) -> [u32; 256] {
    let mut table = [NO_DIGIT; 256];
    let mut rest = table.as_mut_slice();
    let mut byte = 0_u8;
    while let [entry, others @ ..] = rest {
        if let Some(value) = value_of(byte) {
            *entry = value << shift;
        }
        byte = byte.wrapping_add(1);
        rest = others;
    }
    table
}

/// The value of a digit (RFC 4648 section 5).
const fn value_of(digit: u8) -> Option<u32> {
    let (first, value) = match digit {
        b'A'..=b'Z' => (b'A', 0),
        b'a'..=b'z' => (b'a', 26),
        b'0'..=b'9' => (b'0', 52),
        b'-' => (b'-', 62),
        b'_' => (b'_', 63),
        _ => return None,
    };
    let above = u32::from_be_bytes([0, 0, 0, digit.wrapping_sub(first)]);
    Some(above.wrapping_add(value))
}

#[cold]
fn wrong_character(digits: &[u8]) -> TextError {
    let is_wrong = |digit: &u8| value_of(*digit).is_none();
    TextError::Character {
        at: digits.iter().position(is_wrong).unwrap_or(digits.len()),
    }
}
