//! A text to a verified token (docs/format.md 9): the strict walk over the
//! bytes, then the signature.
//!
//! The walk comes first because the time of issue chooses the key. It is one
//! pass without allocation over at most 12 KiB, cheaper than the MAC over the
//! same bytes, and nothing that it finds is used before the MAC matched.

use core::fmt;

use token_core::limits::{
    ANCESTORS_MAX, KEY_ID_BYTES_MAX, NAMES_PER_TOKEN_MAX, PATTERN_BYTES_MAX,
    PATTERNS_PER_TOKEN_MAX, TOKEN_TEXT_BYTES_MAX,
};
use token_core::{Category, InvalidPatternText, ResourceName, TokenId, TtlMinutes, UnixSeconds};

use crate::base64url;
use crate::error::{Defect, Malformed, TextError, VerifyError};
use crate::key::KeyRing;
use crate::layout::{
    CAT, CHAN, ENTITIES, GRP, ID_BYTES, KID, LONG_SIGNATURE_BYTES, MAC_BYTES, MEMBERSHIPS, META,
    PAR, PAT, RELATIONSHIPS, RES, SIG, SPC, T, TTL, USR, UUID, V, VERSION, key_order,
};
use crate::meta;
use crate::reader::{Reader, Span};
use crate::verified::VerifiedToken;

/// Bytes of a token up to which [`verify`] does not allocate.
const INLINE_BYTES: usize = 4 * 1024;

/// The memory that [`verify`] decodes into, to be kept and used again. It is
/// 4 KiB from the start and grows once for a larger token.
pub struct TokenBuffer {
    bytes: Vec<u8>,
}

impl TokenBuffer {
    /// A buffer for tokens of up to 4 KiB.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bytes: vec![0; INLINE_BYTES],
        }
    }

    fn room_for(&mut self, bytes: usize) -> &mut [u8] {
        if self.bytes.len() < bytes {
            self.bytes.resize(bytes, 0);
        }
        &mut self.bytes
    }
}

impl Default for TokenBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TokenBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBuffer").finish_non_exhaustive()
    }
}

/// Verifies that `text` is a token that the keyset of `keys` signed: that it
/// is canonical, within every bound of [`token_core::limits`], and that the
/// key of its time of issue made its signature.
///
/// Whether it is expired, issued in the future or revoked is not looked at:
/// the decision does that.
///
/// # Errors
///
/// [`VerifyError`], which to whoever presented the token always means
/// "Invalid token".
pub fn verify<'b>(
    text: &str,
    keys: &'b KeyRing,
    buffer: &'b mut TokenBuffer,
) -> Result<VerifiedToken<'b>, VerifyError> {
    check_length(text)?;
    let room = buffer.room_for(base64url::decoded_bytes_max(text.len()));
    let bytes = base64url::decode(text, room)?;
    let outline = Outline::of(bytes)?;
    let key_id = outline.key_id.map(|span| span.of(bytes));
    let key = keys
        .key_for(outline.issued_at, key_id)
        .ok_or(VerifyError::UnknownKey)?;
    if !key.verifies(outline.signed.of(bytes), outline.signature.of(bytes)) {
        return Err(VerifyError::Signature);
    }
    Ok(VerifiedToken::new(bytes, outline, keys.scope(), key))
}

/// The first way in which `text` is not a canonical token, the signature
/// apart.
pub(crate) fn defect(text: &str) -> Option<VerifyError> {
    if let Err(error) = check_length(text) {
        return Some(error.into());
    }
    let mut room = vec![0; base64url::decoded_bytes_max(text.len())];
    match base64url::decode(text, &mut room) {
        Err(error) => Some(error.into()),
        Ok(bytes) => Outline::of(bytes).err().map(VerifyError::Malformed),
    }
}

const fn check_length(text: &str) -> Result<(), TextError> {
    match text.len() {
        0 => Err(TextError::Empty),
        1..=TOKEN_TEXT_BYTES_MAX => Ok(()),
        bytes => Err(TextError::TooLong { bytes }),
    }
}

/// What the strict walk keeps: numbers, and where the parts are.
#[derive(Clone, Debug)]
pub(crate) struct Outline {
    pub(crate) issued_at: UnixSeconds,
    pub(crate) ttl: TtlMinutes,
    pub(crate) expires_at: UnixSeconds,
    pub(crate) id: TokenId,
    /// The entries of each kind, without the heads of their maps.
    pub(crate) names: [Span; 8],
    pub(crate) patterns: [Span; 8],
    pub(crate) meta: Span,
    pub(crate) categories: [bool; 2],
    pub(crate) uuid: Option<Span>,
    /// Items of 17 bytes: a head and an id.
    pub(crate) ancestors: Span,
    pub(crate) key_id: Option<Span>,
    signed: Span,
    signature: Span,
}

impl Outline {
    /// Walks the bytes of a whole token.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let reader = &mut reader;
        let entries = reader.map()?;
        reader.key(V, "v")?;
        let start = reader.position();
        if reader.unsigned()? != VERSION {
            return Err(Malformed::new(start, Defect::Version));
        }
        reader.key(T, "t")?;
        let issued_at = UnixSeconds(reader.unsigned()?);
        reader.key(TTL, "ttl")?;
        let (ttl, expires_at) = read_life(reader, issued_at)?;
        reader.key(RES, "res")?;
        let names = read_sections(reader, &NAMES)?;
        reader.key(PAT, "pat")?;
        let patterns = read_sections(reader, &PATTERNS)?;
        reader.key(META, "meta")?;
        let start = reader.position();
        meta::skip(reader)?;
        let meta = reader.span_from(start);
        let mut present = 7;
        let categories = optional(reader, CAT, &mut present, read_categories)?.unwrap_or_default();
        let sections = names.iter().chain(&patterns);
        if sections.clone().all(|section| section.is_empty()) && categories == [false; 2] {
            return Err(reader.defect(Defect::NothingGranted));
        }
        let uuid = optional(reader, UUID, &mut present, read_uuid)?;
        let ancestors = optional(reader, PAR, &mut present, read_ancestors)?.unwrap_or_default();
        let key_id = optional(reader, KID, &mut present, read_key_id)?;
        let signed = reader.span_from(0);
        reader.key(SIG, "sig")?;
        let (signature, id) = read_signature(reader, key_id.is_some())?;
        if entries != present {
            return Err(Malformed::new(0, Defect::EntryCount));
        }
        if !reader.is_at_end() {
            return Err(reader.defect(Defect::TrailingBytes));
        }
        Ok(Self {
            issued_at,
            ttl,
            expires_at,
            id,
            names,
            patterns,
            meta,
            categories,
            uuid,
            ancestors,
            key_id,
            signed,
            signature,
        })
    }
}

/// Reads the value of `key` if it is next, and counts it.
fn optional<T, const N: usize>(
    reader: &mut Reader<'_>,
    key: &[u8; N],
    present: &mut u64,
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, Malformed>,
) -> Result<Option<T>, Malformed> {
    if !reader.literal(key) {
        return Ok(None);
    }
    *present = present.saturating_add(1);
    read(reader).map(Some)
}

fn read_life(
    reader: &mut Reader<'_>,
    issued_at: UnixSeconds,
) -> Result<(TtlMinutes, UnixSeconds), Malformed> {
    let start = reader.position();
    let ttl = match u32::try_from(reader.unsigned()?) {
        Ok(minutes @ 1..) => TtlMinutes(minutes),
        Ok(0) | Err(_) => return Err(Malformed::new(start, Defect::Ttl)),
    };
    let expires_at = ttl
        .expires_at(issued_at)
        .ok_or_else(|| Malformed::new(start, Defect::Expiry))?;
    Ok((ttl, expires_at))
}

/// What may stand in a section.
struct Entries {
    /// In the whole token.
    most: usize,
    too_many: Defect,
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

/// `res` or `pat`: five sections that are always there, three that are there
/// when they hold something.
fn read_sections(reader: &mut Reader<'_>, allowed: &Entries) -> Result<[Span; 8], Malformed> {
    let start = reader.position();
    let sections = reader.map()?;
    let mut left = allowed.most;
    reader.key(CHAN, "chan")?;
    let chan = read_section(reader, allowed, &mut left)?;
    reader.key(GRP, "grp")?;
    let grp = read_section(reader, allowed, &mut left)?;
    reader.key(SPC, "spc")?;
    let spc = read_section(reader, allowed, &mut left)?;
    reader.key(USR, "usr")?;
    let usr = read_section(reader, allowed, &mut left)?;
    reader.key(UUID, "uuid")?;
    let uuid = read_section(reader, allowed, &mut left)?;
    let mut present = 5;
    let mut held = |reader: &mut Reader<'_>| {
        let start = reader.position();
        let section = read_section(reader, allowed, &mut left)?;
        if section.is_empty() {
            return Err(Malformed::new(start, Defect::EmptySection));
        }
        Ok(section)
    };
    let entity = optional(reader, ENTITIES, &mut present, &mut held)?.unwrap_or_default();
    let membership = optional(reader, MEMBERSHIPS, &mut present, &mut held)?.unwrap_or_default();
    let relationship =
        optional(reader, RELATIONSHIPS, &mut present, &mut held)?.unwrap_or_default();
    if sections != present {
        return Err(Malformed::new(start, Defect::EntryCount));
    }
    Ok([chan, grp, spc, usr, uuid, entity, membership, relationship])
}

#[inline]
fn read_section(
    reader: &mut Reader<'_>,
    allowed: &Entries,
    left: &mut usize,
) -> Result<Span, Malformed> {
    if reader.literal(b"\xA0") {
        return Ok(Span::default());
    }
    read_entries(reader, allowed, left)
}

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
    let mut previous: Option<&str> = None;
    for _ in 0..entries {
        let start = reader.position();
        let text = reader.text()?;
        if let Some(defect) = (allowed.check)(text) {
            return Err(Malformed::new(start, defect));
        }
        if previous.is_some_and(|previous| key_order(previous.as_bytes(), text.as_bytes()).is_ge())
        {
            return Err(Malformed::new(start, Defect::KeyOrder));
        }
        previous = Some(text);
        let start = reader.position();
        if !matches!(reader.unsigned()?, 1..=255) {
            return Err(Malformed::new(start, Defect::Permissions));
        }
    }
    Ok(reader.span_from(first))
}

fn read_categories(reader: &mut Reader<'_>) -> Result<[bool; 2], Malformed> {
    let start = reader.position();
    let entries = reader.map()?;
    let mut present = 0;
    let channels = optional(reader, CHAN, &mut present, read_category)?;
    let uuids = optional(reader, UUID, &mut present, read_category)?;
    if present == 0 {
        return Err(Malformed::new(start, Defect::EmptySection));
    }
    if entries != present {
        return Err(Malformed::new(start, Defect::EntryCount));
    }
    Ok([channels.is_some(), uuids.is_some()])
}

fn read_category(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    let start = reader.position();
    if reader.unsigned()? == u64::from(Category::PERMISSIONS.bits()) {
        return Ok(());
    }
    Err(Malformed::new(start, Defect::Category))
}

fn read_uuid(reader: &mut Reader<'_>) -> Result<Span, Malformed> {
    let start = reader.position();
    let uuid = reader.text()?;
    if let Some(defect) = check_name(uuid) {
        return Err(Malformed::new(start, defect));
    }
    Ok(reader.span_from(start))
}

fn read_ancestors(reader: &mut Reader<'_>) -> Result<Span, Malformed> {
    let start = reader.position();
    let ancestors = reader.array_head()?;
    let first = reader.position();
    let count = usize::try_from(ancestors).unwrap_or(usize::MAX);
    if !(1..=ANCESTORS_MAX).contains(&count) {
        return Err(Malformed::new(start, Defect::Ancestors));
    }
    for _ in 0..count {
        if reader.bytes()?.len() != ID_BYTES {
            return Err(Malformed::new(start, Defect::Ancestors));
        }
    }
    Ok(reader.span_from(first))
}

fn read_key_id(reader: &mut Reader<'_>) -> Result<Span, Malformed> {
    let start = reader.position();
    let (key_id, span) = reader.bytes_span()?;
    if !(1..=KEY_ID_BYTES_MAX).contains(&key_id.len()) {
        return Err(Malformed::new(start, Defect::KeyId));
    }
    Ok(span)
}

/// The signature, and the id that its first 16 bytes are.
fn read_signature(reader: &mut Reader<'_>, has_key_id: bool) -> Result<(Span, TokenId), Malformed> {
    let start = reader.position();
    let (signature, span) = reader.bytes_span()?;
    let id = match signature.len() {
        MAC_BYTES => signature.first_chunk(),
        LONG_SIGNATURE_BYTES if has_key_id => signature.first_chunk(),
        _ => None,
    };
    let id = id.ok_or_else(|| Malformed::new(start, Defect::SignatureLength))?;
    Ok((span, TokenId(*id)))
}
