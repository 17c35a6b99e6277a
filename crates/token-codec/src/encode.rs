//! Claims to a token (docs/format.md 2 to 7).

use minicbor::Encoder;
use minicbor::encode::Write as _;
use minicbor::encode::write::{Cursor, EndOfSlice};
use token_core::limits::{META_BYTES_MAX, TOKEN_TEXT_BYTES_MAX};
use token_core::{Category, Claims, Grants, Meta, MetaValue, Permissions, ResourceKind};

use crate::base64url;
use crate::error::EncodeError;
use crate::key::TokenKey;
use crate::layout::{
    CAT, KID, META, PAR, PAT, RES, SIG, T, TTL, UUID, V, VERSION, key_order, section_key,
};

/// Most bytes of a token: what 16 KiB of text stand for.
pub(crate) const TOKEN_BYTES_MAX: usize = base64url::decoded_bytes_max(TOKEN_TEXT_BYTES_MAX);

/// Makes the token that says `claims`, signed by `key`. Equal claims and keys
/// make equal tokens. The token names a key that has an [id](TokenKey::id),
/// whether the claims do or not.
///
/// # Errors
///
/// [`EncodeError`] when the claims break a bound of [`token_core::limits`],
/// when the text would exceed 16 KiB, when they name another key, or when the
/// key only verifies.
pub fn encode(claims: &Claims, key: &TokenKey) -> Result<String, EncodeError> {
    claims.validate()?;
    let named = claims.key_id.as_deref();
    if named.is_some_and(|named| Some(named) != key.id()) {
        return Err(EncodeError::KeyId);
    }
    let mut bytes = signed_bytes(claims, key)?;
    let signature = key.sign(&bytes).ok_or(EncodeError::VerifiesOnly)?;
    bytes.extend_from_slice(SIG);
    bytes.push(0x58);
    bytes.extend(u8::try_from(signature.len()));
    bytes.extend_from_slice(&signature);
    Ok(base64url::encode(&bytes))
}

/// What the signature covers: everything before the key `sig`.
pub(crate) fn signed_bytes(claims: &Claims, key: &TokenKey) -> Result<Vec<u8>, EncodeError> {
    // The key `sig` and the head of its value follow, and the signature.
    let after = SIG.len().saturating_add(2);
    let after = after.saturating_add(key.signature_bytes());
    let mut bytes = vec![0; TOKEN_BYTES_MAX.saturating_sub(after)];
    let mut writer = Writer::new(Cursor::new(bytes.as_mut_slice()));
    write_claims(&mut writer, claims, key.id())?;
    let written = writer.writer().position();
    bytes.truncate(written);
    Ok(bytes)
}

type Writer<'b> = Encoder<Cursor<&'b mut [u8]>>;

fn write_claims(
    writer: &mut Writer<'_>,
    claims: &Claims,
    key_id: Option<&str>,
) -> Result<(), EncodeError> {
    let grants = &claims.grants;
    let categories = Category::ALL
        .into_iter()
        .filter(|category| grants.category(*category));
    let optional = [
        categories.clone().next().is_some(),
        claims.uuid.is_some(),
        !claims.ancestors.is_empty(),
        key_id.is_some(),
    ];
    // v, t, ttl, res, pat, meta and sig are always there.
    let entries = optional.into_iter().filter(|present| *present).count();
    writer.map(count(entries.saturating_add(7)))?;
    key(writer, V)?;
    writer.u64(VERSION)?;
    key(writer, T)?;
    writer.u64(claims.issued_at.0)?;
    key(writer, TTL)?;
    writer.u32(claims.ttl.0)?;
    write_names(writer, grants)?;
    write_patterns(writer, grants)?;
    write_meta(writer, &claims.meta)?;
    if categories.clone().next().is_some() {
        key(writer, CAT)?;
        writer.map(count(categories.clone().count()))?;
        for category in categories {
            writer.bytes(category.cbor_key().as_bytes())?;
            writer.u8(Category::PERMISSIONS.bits())?;
        }
    }
    if let Some(uuid) = &claims.uuid {
        key(writer, UUID)?;
        writer.str(uuid)?;
    }
    if !claims.ancestors.is_empty() {
        key(writer, PAR)?;
        writer.array(count(claims.ancestors.len()))?;
        for ancestor in &claims.ancestors {
            writer.str(&ancestor.to_string())?;
        }
    }
    if let Some(key_id) = key_id {
        key(writer, KID)?;
        writer.str(key_id)?;
    }
    Ok(())
}

fn write_names(writer: &mut Writer<'_>, grants: &Grants) -> Result<(), EncodeError> {
    let sections = ResourceKind::ALL.map(|kind| {
        let names = grants.names(kind);
        (kind, names.map(|(name, held)| (name.as_str(), held)))
    });
    key(writer, RES)?;
    write_sections(writer, &sections.map(|(kind, names)| (kind, sorted(names))))
}

fn write_patterns(writer: &mut Writer<'_>, grants: &Grants) -> Result<(), EncodeError> {
    let sections = ResourceKind::ALL.map(|kind| {
        let patterns = grants.patterns(kind);
        (kind, patterns.map(|(text, held)| (text.as_str(), held)))
    });
    key(writer, PAT)?;
    write_sections(
        writer,
        &sections.map(|(kind, patterns)| (kind, sorted(patterns))),
    )
}

/// The five classic sections always, the others when they hold something.
fn write_sections(
    writer: &mut Writer<'_>,
    sections: &[(ResourceKind, Vec<(&str, Permissions)>); 8],
) -> Result<(), EncodeError> {
    let written = sections
        .iter()
        .filter(|(kind, entries)| ResourceKind::CLASSIC.contains(kind) || !entries.is_empty());
    writer.map(count(written.clone().count()))?;
    for (kind, entries) in written {
        key(writer, section_key(*kind))?;
        writer.map(count(entries.len()))?;
        for (entry, permissions) in entries {
            writer.str(entry)?;
            writer.u8(permissions.bits())?;
        }
    }
    Ok(())
}

fn sorted<'c, V>(entries: impl Iterator<Item = (&'c str, V)>) -> Vec<(&'c str, V)> {
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by(|(left, _), (right, _)| key_order(left.as_bytes(), right.as_bytes()));
    entries
}

fn write_meta(writer: &mut Writer<'_>, meta: &Meta) -> Result<(), EncodeError> {
    key(writer, META)?;
    let start = writer.writer().position();
    write_meta_map(writer, meta)?;
    let bytes = writer.writer().position().saturating_sub(start);
    if bytes > META_BYTES_MAX {
        return Err(EncodeError::MetaTooLong { bytes });
    }
    Ok(())
}

fn write_meta_map(writer: &mut Writer<'_>, map: &Meta) -> Result<(), EncodeError> {
    writer.map(count(map.len()))?;
    for (name, value) in sorted(map.iter().map(|(name, value)| (name.as_str(), value))) {
        writer.str(name)?;
        write_meta_value(writer, value)?;
    }
    Ok(())
}

fn write_meta_value(writer: &mut Writer<'_>, value: &MetaValue) -> Result<(), EncodeError> {
    match value {
        MetaValue::Null => writer.null()?.ok()?,
        MetaValue::Bool(value) => writer.bool(*value)?.ok()?,
        MetaValue::Unsigned(number) => writer.u64(*number)?.ok()?,
        MetaValue::Negative(number) if *number < 0 => writer.i64(*number)?.ok()?,
        MetaValue::Float(number) if number.is_finite() => writer.f64(*number)?.ok()?,
        MetaValue::Text(text) => writer.str(text)?.ok()?,
        MetaValue::Array(values) => {
            writer.array(count(values.len()))?;
            for value in values {
                write_meta_value(writer, value)?;
            }
        }
        MetaValue::Map(map) => write_meta_map(writer, map)?,
        // Not finite, or not below 0.
        MetaValue::Negative(_) | MetaValue::Float(_) => return Err(EncodeError::MetaNumber),
    }
    Ok(())
}

fn key(writer: &mut Writer<'_>, encoded: &[u8]) -> Result<(), EncodeError> {
    writer
        .writer_mut()
        .write_all(encoded)
        .map_err(|_| EncodeError::TooLong)
}

fn count(entries: usize) -> u64 {
    u64::try_from(entries).unwrap_or(u64::MAX)
}

impl From<minicbor::encode::Error<EndOfSlice>> for EncodeError {
    /// The buffer is as long as a token may be, so its end is the one thing
    /// that can stop the writer.
    fn from(_: minicbor::encode::Error<EndOfSlice>) -> Self {
        Self::TooLong
    }
}
