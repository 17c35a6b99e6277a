//! `meta` (docs/format.md 6): the one part of a token with a free shape.

use token_core::limits::{META_BYTES_MAX, META_NESTING_MAX};
use token_core::{Meta, MetaValue};

use crate::error::{Defect, Malformed};
use crate::layout::key_order;
use crate::reader::{Major, Reader};

/// Walks `meta`, of which nothing is kept.
#[inline(never)]
pub(crate) fn skip(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    let start = reader.position();
    let entries = reader.map()?;
    skip_map(reader, entries, META_NESTING_MAX)?;
    if reader.position().saturating_sub(start) > META_BYTES_MAX {
        return Err(Malformed::new(start, Defect::MetaTooLong));
    }
    Ok(())
}

/// `levels` is how many levels may still open, this one included.
fn skip_map(reader: &mut Reader<'_>, entries: u64, levels: usize) -> Result<(), Malformed> {
    let mut previous: Option<&str> = None;
    for _ in 0..entries {
        let start = reader.position();
        let key = reader.text()?;
        if previous.is_some_and(|previous| key_order(previous.as_bytes(), key.as_bytes()).is_ge()) {
            return Err(Malformed::new(start, Defect::KeyOrder));
        }
        previous = Some(key);
        skip_value(reader, levels.saturating_sub(1))?;
    }
    Ok(())
}

fn skip_value(reader: &mut Reader<'_>, levels: usize) -> Result<(), Malformed> {
    let start = reader.position();
    let (major, number) = reader.head()?;
    match major {
        Major::Unsigned => Ok(()),
        Major::Negative if i64::try_from(number).is_ok() => Ok(()),
        Major::Float if f64::from_bits(number).is_finite() => Ok(()),
        Major::Simple if matches!(number, FALSE | TRUE | NULL) => Ok(()),
        Major::Text => reader.utf8(number).map(drop),
        Major::Array | Major::Map if levels == 0 => Err(Malformed::new(start, Defect::MetaTooDeep)),
        Major::Map => skip_map(reader, number, levels),
        Major::Array => {
            for _ in 0..number {
                skip_value(reader, levels.saturating_sub(1))?;
            }
            Ok(())
        }
        Major::Negative | Major::Bytes | Major::Tag | Major::Simple | Major::Float => {
            Err(Malformed::new(start, Defect::Value))
        }
    }
}

/// Reads a map that was walked before.
pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Meta, Malformed> {
    let entries = reader.map()?;
    read_map(reader, entries)
}

fn read_map(reader: &mut Reader<'_>, entries: u64) -> Result<Meta, Malformed> {
    (0..entries)
        .map(|_| Ok((reader.text()?.to_owned(), read_value(reader)?)))
        .collect()
}

fn read_value(reader: &mut Reader<'_>) -> Result<MetaValue, Malformed> {
    let start = reader.position();
    let (major, number) = reader.head()?;
    match major {
        Major::Unsigned => Ok(MetaValue::Unsigned(number)),
        // The item of number n means -1 - n.
        Major::Negative => i64::try_from(number)
            .map(|number| MetaValue::Negative(!number))
            .map_err(|_| Malformed::new(start, Defect::Value)),
        Major::Float => Ok(MetaValue::Float(f64::from_bits(number))),
        Major::Simple => Ok(match number {
            FALSE => MetaValue::Bool(false),
            TRUE => MetaValue::Bool(true),
            _ => MetaValue::Null,
        }),
        Major::Text => Ok(MetaValue::Text(reader.utf8(number)?.to_owned())),
        Major::Array => (0..number)
            .map(|_| read_value(reader))
            .collect::<Result<_, _>>()
            .map(MetaValue::Array),
        Major::Map => read_map(reader, number).map(MetaValue::Map),
        Major::Bytes | Major::Tag => Err(Malformed::new(start, Defect::Value)),
    }
}

/// The simple values of RFC 8949 section 3.3 that a token can hold.
const FALSE: u64 = 20;
const TRUE: u64 = 21;
const NULL: u64 = 22;
