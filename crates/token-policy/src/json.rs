//! Strict JSON (RFC 8259), for bodies that a decision or a grant is read from.
//!
//! Two readers must not find two meanings in one body, so a key that stands
//! twice in an object is an error at every level. So are a byte order mark,
//! anything after the value, a lone surrogate, a number too large for a float
//! and nesting beyond [`token_core::limits::JSON_NESTING_MAX`].

use core::fmt;
use std::collections::BTreeMap;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use token_core::MetaValue;
use token_core::limits::JSON_NESTING_MAX;

/// Why bytes are no JSON that is taken. Says what and where, not what it read,
/// except for the name of a key that is there twice.
#[derive(Debug)]
pub struct InvalidJson(serde_json::Error);

impl InvalidJson {
    /// The line of the error, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.0.line()
    }

    /// The column of the error in bytes, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.0.column()
    }
}

impl fmt::Display for InvalidJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "is not valid JSON: {}", self.0)
    }
}

impl core::error::Error for InvalidJson {}

/// Reads one JSON value.
///
/// Whole numbers that fit keep every digit; other numbers become floats. The
/// order of keys is not kept.
///
/// # Errors
///
/// [`InvalidJson`] for anything that is not exactly one value under the rules
/// of this module.
pub fn parse(bytes: &[u8]) -> Result<MetaValue, InvalidJson> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Level(JSON_NESTING_MAX)
        .deserialize(&mut reader)
        .map_err(InvalidJson)?;
    reader.end().map_err(InvalidJson)?;
    Ok(value)
}

/// A value that may still open this many arrays and objects inside each other.
#[derive(Clone, Copy)]
struct Level(usize);

impl Level {
    fn inner<E: Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| {
            E::custom(format_args!(
                "more than {JSON_NESTING_MAX} arrays and objects inside each other"
            ))
        })
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = MetaValue;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<MetaValue, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = MetaValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<MetaValue, E> {
        Ok(MetaValue::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<MetaValue, E> {
        Ok(MetaValue::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<MetaValue, E> {
        Ok(MetaValue::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<MetaValue, E> {
        Ok(u64::try_from(value).map_or(MetaValue::Negative(value), MetaValue::Unsigned))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<MetaValue, E> {
        if value.is_finite() {
            Ok(MetaValue::Float(value))
        } else {
            Err(E::custom("number out of range"))
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<MetaValue, E> {
        Ok(MetaValue::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<MetaValue, E> {
        Ok(MetaValue::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<MetaValue, A::Error> {
        let inner = self.inner()?;
        let mut values = Vec::new();
        while let Some(value) = array.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(MetaValue::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<MetaValue, A::Error> {
        let inner = self.inner()?;
        let mut values = BTreeMap::new();
        while let Some(key) = object.next_key::<String>()? {
            if values.contains_key(&key) {
                let key: String = key.chars().take(64).collect();
                return Err(A::Error::custom(format_args!(
                    "the key {key:?} is there more than once"
                )));
            }
            let value = object.next_value_seed(inner)?;
            values.insert(key, value);
        }
        Ok(MetaValue::Map(values))
    }
}
