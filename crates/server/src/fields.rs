//! The fields of a JSON object in a body of the internal API.
//!
//! Read one by one, so that an error names its field and never quotes the
//! value, which may be a token.

use std::collections::BTreeMap;

use token_core::{MetaValue, UnixSeconds};

use crate::error::{ApiError, ErrorCode};
use crate::grant_body::{BodyFault, parse_object};

/// Fields that were not read yet.
#[derive(Debug)]
pub(crate) struct Fields {
    /// In front of the name of a field in an error.
    prefix: String,
    object: BTreeMap<String, MetaValue>,
}

impl Fields {
    /// The fields of a body: one JSON object, no key twice.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        match parse_object(body) {
            Ok(object) => Ok(Self {
                prefix: String::new(),
                object,
            }),
            Err(BodyFault::Json(what)) => Err(ErrorCode::InvalidJson.because(what)),
            Err(fault) => Err(ApiError::grant(&[fault])),
        }
    }

    /// Everything that is left, for a body with a reader of its own.
    pub(crate) fn rest(self) -> BTreeMap<String, MetaValue> {
        self.object
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    fn wrong(&self, name: &str, expected: &str) -> ApiError {
        let at = format!("{}{name}", self.prefix);
        ErrorCode::InvalidRequest
            .because(format!("`{at}` must be {expected}"))
            .at(at)
    }

    /// Something else is wrong with a field: `message` says what.
    pub(crate) fn refuse(&self, name: &str, message: &'static str) -> ApiError {
        let at = format!("{}{name}", self.prefix);
        ErrorCode::InvalidRequest.because(message).at(at)
    }

    pub(crate) fn missing(&self, name: &str) -> ApiError {
        let at = format!("{}{name}", self.prefix);
        ErrorCode::InvalidRequest
            .because(format!("`{at}` is required"))
            .at(at)
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.object.remove(name) {
            None => Ok(None),
            Some(MetaValue::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "a string")),
        }
    }

    pub(crate) fn required_text(&mut self, name: &str) -> Result<String, ApiError> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    /// A boolean; absent is false.
    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, ApiError> {
        match self.object.remove(name) {
            None => Ok(false),
            Some(MetaValue::Bool(flag)) => Ok(flag),
            Some(_) => Err(self.wrong(name, "true or false")),
        }
    }

    pub(crate) fn seconds(&mut self, name: &str) -> Result<Option<UnixSeconds>, ApiError> {
        match self.object.remove(name) {
            None => Ok(None),
            Some(MetaValue::Unsigned(seconds)) => Ok(Some(UnixSeconds(seconds))),
            Some(_) => Err(self.wrong(name, "a whole number of seconds since 1970")),
        }
    }

    pub(crate) fn required_number(&mut self, name: &str) -> Result<u64, ApiError> {
        match self.object.remove(name) {
            None => Err(self.missing(name)),
            Some(MetaValue::Unsigned(number)) => Ok(number),
            Some(_) => Err(self.wrong(name, "a whole number")),
        }
    }

    /// A list of whole numbers; absent is empty.
    pub(crate) fn numbers(&mut self, name: &str) -> Result<Vec<u64>, ApiError> {
        let Some(value) = self.object.remove(name) else {
            return Ok(Vec::new());
        };
        let MetaValue::Array(values) = value else {
            return Err(self.wrong(name, "a list of whole numbers"));
        };
        let numbers = values.into_iter().map(|value| {
            let MetaValue::Unsigned(number) = value else {
                return Err(self.wrong(name, "a list of whole numbers"));
            };
            Ok(number)
        });
        numbers.collect()
    }

    /// A list of strings; absent is empty.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Vec<String>, ApiError> {
        let Some(value) = self.object.remove(name) else {
            return Ok(Vec::new());
        };
        let MetaValue::Array(values) = value else {
            return Err(self.wrong(name, "a list of strings"));
        };
        let texts = values.into_iter().map(|value| {
            let MetaValue::Text(text) = value else {
                return Err(self.wrong(name, "a list of strings"));
            };
            Ok(text)
        });
        texts.collect()
    }

    pub(crate) fn object(
        &mut self,
        name: &str,
    ) -> Result<Option<BTreeMap<String, MetaValue>>, ApiError> {
        match self.object.remove(name) {
            None => Ok(None),
            Some(MetaValue::Map(object)) => Ok(Some(object)),
            Some(_) => Err(self.wrong(name, "an object")),
        }
    }

    /// A list of objects, at most `most`.
    pub(crate) fn items(
        &mut self,
        name: &str,
        most: usize,
    ) -> Result<Vec<Result<Self, ApiError>>, ApiError> {
        let Some(MetaValue::Array(values)) = self.object.remove(name) else {
            return Err(self.wrong(name, "a list of objects"));
        };
        if values.len() > most {
            return Err(ErrorCode::TooManyItems
                .because(format!("`{name}` may have at most {most} items"))
                .at(name));
        }
        let items = values.into_iter().enumerate().map(|(i, value)| {
            let MetaValue::Map(object) = value else {
                return Err(self.wrong(&format!("{name}[{i}]"), "an object"));
            };
            let prefix = format!("{name}[{i}].");
            Ok(Self { prefix, object })
        });
        Ok(items.collect())
    }

    /// That every field was read.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        match self.object.into_keys().next() {
            None => Ok(()),
            Some(name) => {
                let at = format!("{}{name}", self.prefix);
                Err(ErrorCode::InvalidRequest
                    .because(format!("there is no field `{at}`"))
                    .at(at))
            }
        }
    }
}
