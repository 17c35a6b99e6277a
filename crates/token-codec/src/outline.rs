//! The strict walk over the bytes of a token (docs/format.md 3 to 6): the
//! format field by field, in its order.

use token_core::limits::{
    ANCESTORS_MAX, KEY_ID_BYTES_MAX, NAMES_PER_TOKEN_MAX, PATTERN_BYTES_MAX, PATTERNS_PER_TOKEN_MAX,
};
use token_core::{Category, InvalidPatternText, ResourceName, TokenId, TtlMinutes, UnixSeconds};

use crate::error::{Defect, Malformed};
use crate::layout::{
    CAT, CHAN, EMPTY_AFTER_CHAN, EMPTY_SECTIONS, ENTITIES, GRP, ID_BYTES, KID,
    LONG_SIGNATURE_BYTES, MAC_BYTES, MEMBERSHIPS, META, PAR, PAT, RELATIONSHIPS, RES, SIG, SPC, T,
    TTL, USR, UUID, V, VERSION, key_order,
};
use crate::meta;
use crate::reader::{Reader, Span};

/// What the walk keeps: numbers, and where the parts are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outline {
    pub(crate) issued_at: UnixSeconds,
    pub(crate) ttl: u32,
    pub(crate) expires_at: UnixSeconds,
    pub(crate) id: [u8; ID_BYTES],
    /// The entries of each kind, without the heads of their maps.
    pub(crate) names: [Span; 8],
    pub(crate) patterns: [Span; 8],
    pub(crate) meta: Span,
    pub(crate) categories: [bool; 2],
    /// Without its head.
    pub(crate) uuid: Option<Span>,
    /// Items of 17 bytes: a head and an id.
    pub(crate) ancestors: Span,
    pub(crate) key_id: Option<Span>,
    /// Everything before the key `sig`.
    pub(crate) signed: Span,
    pub(crate) signature: Span,
}

impl Outline {
    /// Walks the bytes of a whole token. Nothing of an earlier walk stays.
    ///
    /// What nearly every token has is read by one function, this one with all
    /// that is inlined into it, so that the cursor stays in registers. The rest
    /// is read [apart](Reader::apart).
    #[inline(never)]
    pub(crate) fn walk(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        *self = Self::default();
        let reader = &mut Reader::new(bytes);
        let entries = reader.map()?;
        self.read_head(reader)?;
        reader.key(RES, "res")?;
        read_sections(reader, &NAMES, &mut self.names)?;
        reader.key(PAT, "pat")?;
        if !reader.literal(EMPTY_SECTIONS) {
            reader.apart(|reader| read_patterns(reader, &mut self.patterns))?;
        }
        reader.key(META, "meta")?;
        let start = reader.position();
        // Nearly every token has an empty one.
        if !reader.literal(b"\xA0") {
            reader.apart(meta::skip)?;
        }
        self.meta = reader.span_from(start);
        let optional = self.read_optional(reader)?;
        if entries != optional.saturating_add(7) {
            return Err(Malformed::new(0, Defect::EntryCount));
        }
        self.signed = reader.span_from(0);
        reader.key(SIG, "sig")?;
        self.read_signature(reader)?;
        if !reader.is_at_end() {
            return Err(reader.defect(Defect::TrailingBytes));
        }
        Ok(())
    }

    /// How many bytes the token has: the signature is its end.
    pub(crate) fn size(&self) -> usize {
        self.signature.end()
    }

    /// `v`, `t` and `ttl`.
    #[inline(always)]
    fn read_head(&mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        reader.key(V, "v")?;
        let start = reader.position();
        if reader.unsigned()? != VERSION {
            return Err(Malformed::new(start, Defect::Version));
        }
        reader.key(T, "t")?;
        self.issued_at = UnixSeconds(reader.unsigned()?);
        reader.key(TTL, "ttl")?;
        let start = reader.position();
        self.ttl = match u32::try_from(reader.unsigned()?) {
            Ok(minutes @ 1..) => minutes,
            Ok(0) | Err(_) => return Err(Malformed::new(start, Defect::Ttl)),
        };
        self.expires_at = TtlMinutes(self.ttl)
            .expires_at(self.issued_at)
            .ok_or_else(|| Malformed::new(start, Defect::Expiry))?;
        Ok(())
    }

    /// `cat`, `uuid`, `par` and `kid`, and how many of them there are.
    #[inline(always)]
    fn read_optional(&mut self, reader: &mut Reader<'_>) -> Result<u64, Malformed> {
        let mut present = 0_u64;
        if reader.literal(CAT) {
            present = present.saturating_add(1);
            self.categories = reader.apart(read_categories)?;
        }
        let mut sections = self.names.iter().chain(&self.patterns);
        if self.categories == [false; 2] && sections.all(|section| section.is_empty()) {
            return Err(reader.defect(Defect::NothingGranted));
        }
        if reader.literal(UUID) {
            present = present.saturating_add(1);
            self.uuid = Some(read_uuid(reader)?);
        }
        if reader.literal(PAR) {
            present = present.saturating_add(1);
            self.ancestors = reader.apart(read_ancestors)?;
        }
        if reader.literal(KID) {
            present = present.saturating_add(1);
            self.key_id = Some(reader.apart(read_key_id)?);
        }
        Ok(present)
    }

    /// The key that the token names.
    pub(crate) fn key_id<'b>(&self, bytes: &'b [u8]) -> Option<&'b str> {
        Reader::new(self.key_id?.of(bytes)).text().ok()
    }

    /// The value of `sig`; its first 16 bytes are the id.
    #[inline(always)]
    fn read_signature(&mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        let start = reader.position();
        let (signature, span) = reader.bytes_span()?;
        let id = match signature.len() {
            MAC_BYTES => signature.first_chunk(),
            LONG_SIGNATURE_BYTES if self.key_id.is_some() => signature.first_chunk(),
            _ => None,
        };
        self.id = *id.ok_or_else(|| Malformed::new(start, Defect::SignatureLength))?;
        self.signature = span;
        Ok(())
    }
}

/// What may stand in a section.
struct Entries {
    /// In the whole token.
    most: usize,
    too_many: Defect,
    /// For text that is not [`is_plain`].
    check: fn(&str) -> Option<Defect>,
}

const NAMES: Entries = Entries {
    most: NAMES_PER_TOKEN_MAX,
    too_many: Defect::TooManyNames,
    check: check_name,
};

const PATTERNS: Entries = Entries {
    most: PATTERNS_PER_TOKEN_MAX,
    too_many: Defect::TooManyPatterns,
    check: check_pattern,
};

fn check_name(name: &str) -> Option<Defect> {
    ResourceName::check(name).err().map(Defect::Name)
}

const fn check_pattern(pattern: &str) -> Option<Defect> {
    let bytes = pattern.len();
    if bytes > PATTERN_BYTES_MAX {
        return Some(Defect::Pattern(InvalidPatternText::TooLong { bytes }));
    }
    None
}

/// Whether `text` is short and all printable ASCII, as nearly every name and
/// pattern is: then it is UTF-8 and within every bound, whatever it names.
///
/// Chunks of a fixed size become vectors; those at the end may overlap.
#[inline(always)]
fn is_plain(text: &[u8]) -> bool {
    if let Some(last) = text.last_chunk::<16>() {
        let (chunks, _) = text.as_chunks::<16>();
        return text.len() <= PLAIN_BYTES_MAX
            && is_printable(last)
            && chunks.iter().all(is_printable);
    }
    match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(first), Some(last)) => is_printable(first) && is_printable(last),
        _ => !text.is_empty() && text.iter().all(|byte| is_printable(&[*byte])),
    }
}

#[inline]
fn is_printable<const N: usize>(bytes: &[u8; N]) -> bool {
    bytes
        .iter()
        .fold(true, |all, byte| all & matches!(byte, 0x20..=0x7E))
}

/// At most [`NAME_BYTES_MAX`](token_core::limits::NAME_BYTES_MAX) and
/// [`PATTERN_BYTES_MAX`].
const PLAIN_BYTES_MAX: usize = 256;

/// Checks text that ends at `end`, as part of an item that starts at `start`.
#[cold]
fn check_text(
    end: usize,
    text: &[u8],
    start: usize,
    check: fn(&str) -> Option<Defect>,
) -> Result<(), Malformed> {
    let text = core::str::from_utf8(text).map_err(|error| {
        let valid = end
            .saturating_sub(text.len())
            .saturating_add(error.valid_up_to());
        Malformed::new(valid, Defect::NotUtf8)
    })?;
    check(text).map_or(Ok(()), |defect| Err(Malformed::new(start, defect)))
}

#[inline(never)]
fn read_patterns(reader: &mut Reader<'_>, found: &mut [Span; 8]) -> Result<(), Malformed> {
    read_sections(reader, &PATTERNS, found)
}

/// `res` or `pat`: five sections that are always there, three that are there
/// when they hold something.
#[inline(always)]
fn read_sections(
    reader: &mut Reader<'_>,
    allowed: &Entries,
    found: &mut [Span; 8],
) -> Result<(), Malformed> {
    let start = reader.position();
    let sections = reader.map()?;
    let [chan, others @ ..] = found;
    let mut left = allowed.most;
    reader.key(CHAN, "chan")?;
    *chan = read_section(reader, allowed, &mut left)?;
    if sections == 5 && reader.literal(EMPTY_AFTER_CHAN) {
        return Ok(());
    }
    let present = reader.apart(|reader| read_after_chan(reader, allowed, left, others))?;
    if sections != present.saturating_add(1) {
        return Err(Malformed::new(start, Defect::EntryCount));
    }
    Ok(())
}

/// The sections after the channels, and how many there are.
#[inline(never)]
fn read_after_chan(
    reader: &mut Reader<'_>,
    allowed: &Entries,
    mut left: usize,
    found: &mut [Span; 7],
) -> Result<u64, Malformed> {
    let [grp, spc, usr, uuid, rare @ ..] = found;
    let left = &mut left;
    reader.key(GRP, "grp")?;
    *grp = read_other_section(reader, allowed, left)?;
    reader.key(SPC, "spc")?;
    *spc = read_other_section(reader, allowed, left)?;
    reader.key(USR, "usr")?;
    *usr = read_other_section(reader, allowed, left)?;
    reader.key(UUID, "uuid")?;
    *uuid = read_other_section(reader, allowed, left)?;
    Ok(read_rare(reader, allowed, left, rare)?.saturating_add(4))
}

/// The sections that are left out when they are empty, and how many there are.
fn read_rare(
    reader: &mut Reader<'_>,
    allowed: &Entries,
    left: &mut usize,
    found: &mut [Span; 3],
) -> Result<u64, Malformed> {
    let [entity, membership, relationship] = found;
    let mut present = 0_u64;
    let mut read = |reader: &mut Reader<'_>| {
        present = present.saturating_add(1);
        let start = reader.position();
        let section = read_other_section(reader, allowed, left)?;
        if section.is_empty() {
            return Err(Malformed::new(start, Defect::EmptySection));
        }
        Ok(section)
    };
    if reader.literal(ENTITIES) {
        *entity = read(reader)?;
    }
    if reader.literal(MEMBERSHIPS) {
        *membership = read(reader)?;
    }
    if reader.literal(RELATIONSHIPS) {
        *relationship = read(reader)?;
    }
    Ok(present)
}

/// A section that most tokens have no entries in.
#[inline(never)]
fn read_other_section(
    reader: &mut Reader<'_>,
    allowed: &Entries,
    left: &mut usize,
) -> Result<Span, Malformed> {
    reader.apart(|reader| read_section(reader, allowed, left))
}

#[inline(always)]
fn read_section(
    reader: &mut Reader<'_>,
    allowed: &Entries,
    left: &mut usize,
) -> Result<Span, Malformed> {
    if reader.literal(b"\xA0") {
        return Ok(Span::default());
    }
    reader.apart(|reader| read_entries(reader, allowed, left))
}

#[inline(never)]
fn read_entries(
    reader: &mut Reader<'_>,
    allowed: &Entries,
    left: &mut usize,
) -> Result<Span, Malformed> {
    let start = reader.position();
    let entries = reader.map()?;
    *left = usize::try_from(entries)
        .ok()
        .and_then(|entries| left.checked_sub(entries))
        .ok_or_else(|| Malformed::new(start, allowed.too_many.clone()))?;
    let first = reader.position();
    let mut previous: Option<&[u8]> = None;
    reader.apart(|reader| {
        for _ in 0..entries {
            previous = Some(read_entry(reader, allowed, previous)?);
        }
        Ok(())
    })?;
    Ok(reader.span_from(first))
}

/// One entry, and its name or pattern. It comes after that of the entry before.
#[inline(always)]
fn read_entry<'b>(
    reader: &mut Reader<'b>,
    allowed: &Entries,
    previous: Option<&[u8]>,
) -> Result<&'b [u8], Malformed> {
    let start = reader.position();
    let text = reader.text_bytes()?;
    if !is_plain(text) {
        check_text(reader.position(), text, start, allowed.check)?;
    }
    if previous.is_some_and(|previous| key_order(previous, text).is_ge()) {
        return Err(Malformed::new(start, Defect::KeyOrder));
    }
    let start = reader.position();
    if !matches!(reader.unsigned()?, 1..=255) {
        return Err(Malformed::new(start, Defect::Permissions));
    }
    Ok(text)
}

#[inline(never)]
fn read_categories(reader: &mut Reader<'_>) -> Result<[bool; 2], Malformed> {
    let start = reader.position();
    let entries = reader.map()?;
    let channels = reader.literal(CHAN);
    if channels {
        read_category(reader)?;
    }
    // The same key may follow this map, for the bound uuid.
    let uuids = u64::from(channels) < entries && reader.literal(UUID);
    if uuids {
        read_category(reader)?;
    }
    match u64::from(channels).saturating_add(u64::from(uuids)) {
        0 => Err(Malformed::new(start, Defect::EmptySection)),
        present if present == entries => Ok([channels, uuids]),
        _ => Err(Malformed::new(start, Defect::EntryCount)),
    }
}

fn read_category(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    let start = reader.position();
    if reader.unsigned()? == u64::from(Category::PERMISSIONS.bits()) {
        return Ok(());
    }
    Err(Malformed::new(start, Defect::Category))
}

#[inline(always)]
fn read_uuid(reader: &mut Reader<'_>) -> Result<Span, Malformed> {
    let start = reader.position();
    let uuid = reader.text_bytes()?;
    if !is_plain(uuid) {
        check_text(reader.position(), uuid, start, check_name)?;
    }
    Ok(reader.span_of_last(uuid))
}

#[inline(never)]
fn read_ancestors(reader: &mut Reader<'_>) -> Result<Span, Malformed> {
    let start = reader.position();
    let ancestors = reader.array_head()?;
    let first = reader.position();
    let count = usize::try_from(ancestors).unwrap_or(usize::MAX);
    if !(1..=ANCESTORS_MAX).contains(&count) {
        return Err(Malformed::new(start, Defect::Ancestors));
    }
    for _ in 0..count {
        if read_id(reader.text()?).is_none() {
            return Err(Malformed::new(start, Defect::Ancestors));
        }
    }
    Ok(reader.span_from(first))
}

#[inline(never)]
fn read_key_id(reader: &mut Reader<'_>) -> Result<Span, Malformed> {
    let start = reader.position();
    let key_id = reader.text()?;
    if key_id.len() > KEY_ID_BYTES_MAX || check_name(key_id).is_some() {
        return Err(Malformed::new(start, Defect::KeyId));
    }
    Ok(reader.span_from(start))
}

/// The id that 32 lower-case hexadecimal digits stand for.
pub(crate) fn read_id(digits: &str) -> Option<TokenId> {
    let lower = !digits.bytes().any(|digit| digit.is_ascii_uppercase());
    digits.parse().ok().filter(|_| lower)
}
