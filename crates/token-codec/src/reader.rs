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

    pub(crate) fn end(self) -> usize {
        usize::from(self.end)
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

    /// The place of `bytes`, which were read last.
    #[inline]
    pub(crate) fn span_of_last(&self, bytes: &[u8]) -> Span {
        self.span_from(self.position().saturating_sub(bytes.len()))
    }

    #[inline]
    pub(crate) const fn defect(&self, defect: Defect) -> Malformed {
        Malformed::new(self.position(), defect)
    }

    /// Reads on with a copy of this cursor, so that the address of this one is
    /// not known to `read`, which is not inlined.
    #[inline(always)]
    pub(crate) fn apart<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        let mut copy = self.clone();
        let value = read(&mut copy)?;
        *self = copy;
        Ok(value)
    }

    /// Reads `bytes` if they are next.
    #[inline(always)]
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
    #[inline(always)]
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

    /// Reads the number of an item whose head is not one byte long: `N` bytes,
    /// and at least `least` or it would have a shorter form.
    #[inline]
    fn long_number<const N: usize>(
        &mut self,
        least: u64,
        from_be_bytes: impl FnOnce([u8; N]) -> u64,
    ) -> Result<u64, Defect> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Defect::Truncated)?;
        let number = from_be_bytes(*bytes);
        if number < least {
            return Err(Defect::NotShortest);
        }
        self.rest = rest;
        Ok(number)
    }

    /// Reads the head of an item: its major type and its number.
    pub(crate) fn head(&mut self) -> Result<(Major, u64), Malformed> {
        let start = self.position();
        self.head_or_defect()
            .map_err(|defect| Malformed::new(start, defect))
    }

    #[inline]
    fn head_or_defect(&mut self) -> Result<(Major, u64), Defect> {
        let (first, rest) = self.rest.split_first().ok_or(Defect::Truncated)?;
        self.rest = rest;
        let major = major_of(*first);
        let number = match (major, first & 0x1F) {
            (_, small @ 0..=23) => u64::from(small),
            // The bits of a float have no shorter form.
            (Major::Float, _) => self.long_number(0, u64::from_be_bytes)?,
            // Other simple values, floats of 16 and 32 bits.
            (Major::Simple, 24..=26) => return Err(Defect::Value),
            (_, 24) => self.long_number(24, |bytes| u8::from_be_bytes(bytes).into())?,
            (_, 25) => self.long_number(1 << 8, |bytes| u16::from_be_bytes(bytes).into())?,
            (_, 26) => self.long_number(1 << 16, |bytes| u32::from_be_bytes(bytes).into())?,
            (_, 27) => self.long_number(1 << 32, u64::from_be_bytes)?,
            (_, 31) => return Err(Defect::Indefinite),
            _ => return Err(Defect::Reserved),
        };
        Ok((major, number))
    }

    #[inline(always)]
    fn number_of(&mut self, wanted: Major, name: &'static str) -> Result<u64, Malformed> {
        // Nearly every head is one byte or two.
        match *self.rest {
            [first, ref rest @ ..] if first & 0x1F < 24 && major_of(first) == wanted => {
                self.rest = rest;
                Ok(u64::from(first & 0x1F))
            }
            [first, second, ref rest @ ..]
                if first & 0x1F == 24 && second >= 24 && major_of(first) == wanted =>
            {
                self.rest = rest;
                Ok(u64::from(second))
            }
            _ => self.apart(|reader| reader.number_of_any(wanted, name)),
        }
    }

    #[inline(never)]
    fn number_of_any(&mut self, wanted: Major, name: &'static str) -> Result<u64, Malformed> {
        let start = self.position();
        let (major, number) = self.head()?;
        if major == wanted {
            return Ok(number);
        }
        Err(Malformed::new(start, Defect::Expected(name)))
    }

    /// Reads a whole number of 0 or more.
    #[inline(always)]
    pub(crate) fn unsigned(&mut self) -> Result<u64, Malformed> {
        self.number_of(Major::Unsigned, "a whole number of 0 or more")
    }

    /// Reads the head of a map: how many entries follow.
    #[inline(always)]
    pub(crate) fn map(&mut self) -> Result<u64, Malformed> {
        self.number_of(Major::Map, "a map")
    }

    /// Reads the head of an array: how many values follow.
    #[inline]
    pub(crate) fn array_head(&mut self) -> Result<u64, Malformed> {
        self.number_of(Major::Array, "an array")
    }

    /// Reads a byte string.
    #[inline(always)]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.number_of(Major::Bytes, "a byte string")?;
        self.take(length)
    }

    /// Reads a byte string and says where its content is.
    #[inline(always)]
    pub(crate) fn bytes_span(&mut self) -> Result<(&'a [u8], Span), Malformed> {
        let bytes = self.bytes()?;
        Ok((bytes, self.span_of_last(bytes)))
    }

    /// Reads a text string.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = self.text_length()?;
        self.utf8(length)
    }

    /// Reads the bytes of a text string, which are UTF-8 only if somebody
    /// checked that.
    #[inline(always)]
    pub(crate) fn text_bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.text_length()?;
        self.take(length)
    }

    #[inline(always)]
    fn text_length(&mut self) -> Result<u64, Malformed> {
        self.number_of(Major::Text, "text")
    }

    /// Reads `length` bytes of UTF-8.
    #[inline]
    pub(crate) fn utf8(&mut self, length: u64) -> Result<&'a str, Malformed> {
        let bytes = self.take(length)?;
        core::str::from_utf8(bytes).map_err(|error| {
            let start = self.position().saturating_sub(bytes.len());
            let at = start.saturating_add(error.valid_up_to());
            Malformed::new(at, Defect::NotUtf8)
        })
    }

    /// Reads `length` bytes.
    #[inline(always)]
    fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let (head, rest) = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length))
            .ok_or_else(|| self.defect(Defect::Truncated))?;
        self.rest = rest;
        Ok(head)
    }
}

#[inline]
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
