//! One cursor over the bytes of a token: strict CBOR, and nothing else here
//! knows an offset.
//!
//! It reads the subset of RFC 8949 that docs/format.md 3 allows: definite
//! lengths, shortest heads, no tags. It never allocates, and a declared length
//! only ever takes bytes that are there.

use crate::error::{Defect, Malformed};

/// The place of a part of a token within its bytes. A token has fewer than
/// 2^16 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    start: u16,
    end: u16,
}

impl Span {
    /// The part of `bytes` that this span is the place of.
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes
            .get(usize::from(self.start)..usize::from(self.end))
            .unwrap_or_default()
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.start >= self.end
    }
}

/// The major type of a CBOR item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Major {
    Unsigned,
    Negative,
    Bytes,
    Text,
    Array,
    Map,
    Tag,
    /// False, true, null and what a token cannot hold.
    Simple,
    /// A float of 64 bits; its number is its bits.
    Float,
}

/// A cursor over bytes.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    whole: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            whole: bytes,
            rest: bytes,
        }
    }

    /// How many bytes were read.
    #[inline]
    pub(crate) const fn position(&self) -> usize {
        self.whole.len().saturating_sub(self.rest.len())
    }

    #[inline]
    pub(crate) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// From `start`, a position of this reader, to here.
    #[inline]
    pub(crate) fn span_from(&self, start: usize) -> Span {
        let place = |position: usize| u16::try_from(position).unwrap_or(u16::MAX);
        Span {
            start: place(start),
            end: place(self.position()),
        }
    }

    #[cold]
    pub(crate) const fn defect(&self, defect: Defect) -> Malformed {
        Malformed::new(self.position(), defect)
    }

    /// Reads `bytes` if they are next.
    #[inline]
    pub(crate) fn literal<const N: usize>(&mut self, bytes: &[u8; N]) -> bool {
        match self.rest.split_first_chunk::<N>() {
            Some((head, rest)) if head == bytes => {
                self.rest = rest;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Reads the bytes of `key`, which must be next.
    #[inline]
    pub(crate) fn key<const N: usize>(
        &mut self,
        key: &[u8; N],
        name: &'static str,
    ) -> Result<(), Malformed> {
        if self.literal(key) {
            return Ok(());
        }
        Err(self.defect(Defect::KeyExpected(name)))
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or_else(|| self.defect(Defect::Truncated))?;
        self.rest = rest;
        Ok(*head)
    }

    /// Reads the head of an item: its major type and its number.
    #[inline]
    pub(crate) fn head(&mut self) -> Result<(Major, u64), Malformed> {
        let start = self.position();
        let [first] = self.array()?;
        let major = major_of(first);
        let number = match first & 0x1F {
            small @ 0..=23 => return Ok((major, u64::from(small))),
            24 => u64::from(u8::from_be_bytes(self.array()?)),
            25 => u64::from(u16::from_be_bytes(self.array()?)),
            26 => u64::from(u32::from_be_bytes(self.array()?)),
            27 => u64::from_be_bytes(self.array()?),
            31 => return Err(Malformed::new(start, Defect::Indefinite)),
            _ => return Err(Malformed::new(start, Defect::Reserved)),
        };
        let least = match first & 0x1F {
            24 => 24,
            25 => 1 << 8,
            26 => 1 << 16,
            _ => 1 << 32,
        };
        if major == Major::Simple {
            // A simple value beyond the first 24, a float of 16 or 32 bits.
            return Err(Malformed::new(start, Defect::Value));
        }
        // The bits of a float have no shorter form.
        if number < least && major != Major::Float {
            return Err(Malformed::new(start, Defect::NotShortest));
        }
        Ok((major, number))
    }

    #[inline]
    fn number_of(&mut self, wanted: Major, name: &'static str) -> Result<u64, Malformed> {
        let start = self.position();
        let (major, number) = self.head()?;
        if major == wanted {
            return Ok(number);
        }
        Err(Malformed::new(start, Defect::Expected(name)))
    }

    /// Reads a whole number of 0 or more.
    #[inline]
    pub(crate) fn unsigned(&mut self) -> Result<u64, Malformed> {
        self.number_of(Major::Unsigned, "a whole number of 0 or more")
    }

    /// Reads the head of a map: how many entries follow.
    #[inline]
    pub(crate) fn map(&mut self) -> Result<u64, Malformed> {
        self.number_of(Major::Map, "a map")
    }

    /// Reads the head of an array: how many values follow.
    #[inline]
    pub(crate) fn array_head(&mut self) -> Result<u64, Malformed> {
        self.number_of(Major::Array, "an array")
    }

    /// Reads a byte string.
    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.number_of(Major::Bytes, "a byte string")?;
        self.take(length)
    }

    /// Reads a byte string and says where its content is.
    #[inline]
    pub(crate) fn bytes_span(&mut self) -> Result<(&'a [u8], Span), Malformed> {
        let bytes = self.bytes()?;
        let start = self.position().saturating_sub(bytes.len());
        Ok((bytes, self.span_from(start)))
    }

    /// Reads a text string.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = self.number_of(Major::Text, "text")?;
        self.utf8(length)
    }

    /// Reads `length` bytes of UTF-8.
    #[inline]
    pub(crate) fn utf8(&mut self, length: u64) -> Result<&'a str, Malformed> {
        let start = self.position();
        let bytes = self.take(length)?;
        core::str::from_utf8(bytes).map_err(|error| {
            Malformed::new(start.saturating_add(error.valid_up_to()), Defect::NotUtf8)
        })
    }

    /// Reads `length` bytes.
    #[inline]
    fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let (head, rest) = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length))
            .ok_or_else(|| self.defect(Defect::Truncated))?;
        self.rest = rest;
        Ok(head)
    }

    /// Reads the text of an item whose bytes were walked before.
    #[inline]
    pub(crate) fn text_bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number_of(Major::Text, "text").ok()?;
        self.take(length).ok()
    }
}

const fn major_of(first: u8) -> Major {
    match first >> 5 {
        0 => Major::Unsigned,
        1 => Major::Negative,
        2 => Major::Bytes,
        3 => Major::Text,
        4 => Major::Array,
        5 => Major::Map,
        6 => Major::Tag,
        _ if first == 0xFB => Major::Float,
        _ => Major::Simple,
    }
}
