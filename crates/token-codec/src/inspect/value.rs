//! Any CBOR as a tree, read with minicbor: bounded in depth, and never larger
//! than the input has items.

use core::fmt::Write as _;

use minicbor::data::Type;
use minicbor::decode::Decoder;
use token_core::{Meta, MetaValue, Permissions};

use crate::error::InspectError;

/// Deepest nesting of a token that is inspected, tags included. `meta` may
/// take 8 levels below the outermost map; others allow more.
const DEPTH_MAX: usize = 32;

/// A CBOR item. Lists grow as items are read, never by their declared length,
/// so a tree has at most one item for each byte of the input.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Unsigned(u64),
    Negative(i128),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Bool(bool),
    Float(f64),
    /// Null, undefined and simple values without a meaning.
    Null,
}

/// Reads the first item of `bytes`. What follows it is not looked at.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, InspectError> {
    read_value(&mut Decoder::new(bytes), DEPTH_MAX)
}

fn read_value(decoder: &mut Decoder<'_>, levels: usize) -> Result<Value, InspectError> {
    let at = decoder.position();
    let bad = |_: minicbor::decode::Error| InspectError::Cbor { at };
    let levels = levels.checked_sub(1).ok_or(InspectError::TooDeep { at })?;
    let value = match decoder.datatype().map_err(bad)? {
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => {
            Value::Unsigned(decoder.u64().map_err(bad)?)
        }
        Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => {
            Value::Negative(decoder.int().map_err(bad)?.into())
        }
        Type::Bytes | Type::BytesIndef => Value::Bytes(
            decoder
                .bytes_iter()
                .and_then(|chunks| chunks.collect::<Result<Vec<_>, _>>())
                .map_err(bad)?
                .concat(),
        ),
        Type::String | Type::StringIndef => Value::Text(
            decoder
                .str_iter()
                .and_then(Iterator::collect)
                .map_err(bad)?,
        ),
        Type::Array | Type::ArrayIndef => Value::Array(read_array(decoder, levels)?),
        Type::Map | Type::MapIndef => Value::Map(read_map(decoder, levels)?),
        Type::Bool => Value::Bool(decoder.bool().map_err(bad)?),
        Type::F16 => Value::Float(read_half(decoder).ok_or(InspectError::Cbor { at })?),
        Type::F32 => Value::Float(decoder.f32().map_err(bad)?.into()),
        Type::F64 => Value::Float(decoder.f64().map_err(bad)?),
        Type::Tag => {
            decoder.tag().map_err(bad)?;
            read_value(decoder, levels)?
        }
        Type::Null => {
            decoder.null().map_err(bad)?;
            Value::Null
        }
        Type::Undefined => {
            decoder.undefined().map_err(bad)?;
            Value::Null
        }
        Type::Simple => {
            decoder.simple().map_err(bad)?;
            Value::Null
        }
        Type::Break | Type::Unknown(_) => return Err(InspectError::Cbor { at }),
    };
    Ok(value)
}

fn read_array(decoder: &mut Decoder<'_>, levels: usize) -> Result<Vec<Value>, InspectError> {
    let at = decoder.position();
    let mut left = decoder.array().map_err(|_| InspectError::Cbor { at })?;
    let mut values = Vec::new();
    while has_next(decoder, &mut left)? {
        values.push(read_value(decoder, levels)?);
    }
    Ok(values)
}

fn read_map(decoder: &mut Decoder<'_>, levels: usize) -> Result<Vec<(Value, Value)>, InspectError> {
    let at = decoder.position();
    let mut left = decoder.map().map_err(|_| InspectError::Cbor { at })?;
    let mut entries = Vec::new();
    while has_next(decoder, &mut left)? {
        let key = read_value(decoder, levels)?;
        entries.push((key, read_value(decoder, levels)?));
    }
    Ok(entries)
}

/// A float of 16 bits (RFC 8949 appendix D).
fn read_half(decoder: &mut Decoder<'_>) -> Option<f64> {
    let at = decoder.position();
    let item: &[u8; 3] = decoder.input().get(at..)?.first_chunk()?;
    decoder.set_position(at.saturating_add(item.len()));
    let [_, high, low] = *item;
    let bits = u16::from_be_bytes([high, low]);
    let fraction = f64::from(bits & 0x3FF);
    let size = match i32::from(bits >> 10 & 0x1F) {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1024.0 + fraction) * 2_f64.powi(exponent.saturating_sub(25)),
    };
    Some(if bits >> 15 == 0 { size } else { -size })
}

/// Whether a list goes on: `left` counts a definite one down, an indefinite
/// one ends in a break.
fn has_next(decoder: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, InspectError> {
    let at = decoder.position();
    match left {
        Some(left) => {
            let goes_on = *left > 0;
            *left = left.saturating_sub(1);
            Ok(goes_on)
        }
        None => match decoder.datatype() {
            Ok(Type::Break) => {
                decoder.set_position(at.saturating_add(1));
                Ok(false)
            }
            Ok(_) => Ok(true),
            Err(_) => Err(InspectError::Cbor { at }),
        },
    }
}

impl Value {
    pub(crate) fn entries(&self) -> Option<&[(Self, Self)]> {
        if let Self::Map(entries) = self {
            return Some(entries);
        }
        None
    }

    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self {
            return Some(bytes);
        }
        None
    }

    pub(crate) fn array(&self) -> Option<&[Self]> {
        if let Self::Array(values) = self {
            return Some(values);
        }
        None
    }

    /// A key of the format: a byte string, or as others write it, text.
    pub(crate) fn key_bytes(&self) -> Option<&[u8]> {
        if let Self::Text(text) = self {
            return Some(text.as_bytes());
        }
        self.bytes()
    }

    pub(crate) fn is_key(&self, key: &str) -> bool {
        self.key_bytes() == Some(key.as_bytes())
    }

    /// Text, or bytes that are text.
    pub(crate) fn text(&self) -> Option<String> {
        let bytes = self.key_bytes()?;
        core::str::from_utf8(bytes).ok().map(str::to_owned)
    }

    pub(crate) const fn unsigned(&self) -> Option<u64> {
        if let Self::Unsigned(number) = self {
            return Some(*number);
        }
        None
    }

    pub(crate) fn permissions(&self) -> Option<Permissions> {
        let bits = u8::try_from(self.unsigned()?).ok()?;
        Some(Permissions::from_bits(bits))
    }

    /// A map as `meta`.
    pub(crate) fn to_meta(&self) -> Option<Meta> {
        self.entries().map(entries_to_meta)
    }

    fn to_meta_value(&self) -> MetaValue {
        match self {
            Self::Unsigned(number) => MetaValue::Unsigned(*number),
            Self::Negative(number) => i64::try_from(*number)
                .map_or_else(|_| MetaValue::Text(number.to_string()), MetaValue::Negative),
            Self::Bytes(bytes) => MetaValue::Text(bytes_to_text(bytes)),
            Self::Text(text) => MetaValue::Text(text.clone()),
            Self::Array(values) => {
                MetaValue::Array(values.iter().map(Self::to_meta_value).collect())
            }
            Self::Map(entries) => MetaValue::Map(entries_to_meta(entries)),
            Self::Bool(value) => MetaValue::Bool(*value),
            Self::Float(number) if number.is_finite() => MetaValue::Float(*number),
            Self::Float(_) | Self::Null => MetaValue::Null,
        }
    }

    fn to_key(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Bytes(bytes) => bytes_to_text(bytes),
            Self::Unsigned(number) => number.to_string(),
            Self::Negative(number) => number.to_string(),
            Self::Bool(value) => value.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Null => "null".to_owned(),
            Self::Array(_) => "array".to_owned(),
            Self::Map(_) => "map".to_owned(),
        }
    }
}

fn entries_to_meta(entries: &[(Value, Value)]) -> Meta {
    entries
        .iter()
        .map(|(key, value)| (key.to_key(), value.to_meta_value()))
        .collect()
}

fn bytes_to_text(bytes: &[u8]) -> String {
    if let Ok(text) = core::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut text = String::from("h'");
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\'');
    text
}
