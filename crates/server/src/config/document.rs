//! A configuration file, with every mistake in it named at once.

use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::ConfigError;

/// Reads `text`, the content of `path`.
pub(super) fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Vec<ConfigError>> {
    let told = |error: &Error, start: usize| ConfigError::File {
        path: path.to_owned(),
        line: line_of(text, error.span().map_or(start, |span| span.start)),
        cause: cause(error.message()),
    };
    let (document, mut broken) = DeTable::parse_recoverable(text);
    broken.sort_by_key(|error| error.span().map(|span| span.start));
    if !broken.is_empty() {
        return Err(broken.iter().map(|error| told(error, 0)).collect());
    }
    // Serde stops at the first mistake, so each part is read by itself first.
    let mistakes: Vec<ConfigError> = parts(document.get_ref())
        .into_iter()
        .filter_map(|part| {
            let start = part.span().start;
            let read = T::deserialize(Deserializer::from(part));
            read.err().map(|error| told(&error, start))
        })
        .collect();
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    T::deserialize(Deserializer::from(document)).map_err(|error| vec![told(&error, 0)])
}

/// The document as many small ones, one for each key, for each key of a
/// table and for each table of an array.
fn parts<'i>(document: &DeTable<'i>) -> Vec<Spanned<DeTable<'i>>> {
    let mut parts = Vec::new();
    for (key, value) in document {
        let mut part = |value: Spanned<DeValue<'i>>| {
            let span = value.span();
            let mut table = DeTable::new();
            table.insert(key.clone(), value);
            parts.push(Spanned::new(span, table));
        };
        match value.get_ref() {
            DeValue::Table(table) => {
                for (inner, value) in table {
                    let mut alone = DeTable::new();
                    alone.insert(inner.clone(), value.clone());
                    part(Spanned::new(inner.span(), DeValue::Table(alone)));
                }
            }
            DeValue::Array(array) if array.iter().all(|item| item.get_ref().is_table()) => {
                for item in array.iter() {
                    let alone = core::iter::once(item.clone()).collect();
                    part(Spanned::new(item.span(), DeValue::Array(alone)));
                }
            }
            DeValue::Array(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Float(_)
            | DeValue::Integer(_)
            | DeValue::String(_) => part(value.clone()),
        }
    }
    parts
}

/// The line of a byte, from 1.
fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    let ends = before.iter().filter(|byte| **byte == b'\n').count();
    ends.saturating_add(1)
}

/// The message, if it names keys and nothing else: others may quote a value.
fn cause(message: &str) -> String {
    let names_a_key = ["unknown field", "missing field", "duplicate"]
        .iter()
        .any(|start| message.starts_with(start));
    if names_a_key {
        message.to_owned()
    } else {
        "the value or the syntax is not what belongs here".to_owned()
    }
}
