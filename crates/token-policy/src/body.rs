//! What a decision reads of a body: members, memberships, a new record.

use std::borrow::Cow;

use token_core::{MetaValue, ResourceKind};

use crate::error::ClassifyError;
use crate::json;
use crate::request::Target;
use crate::target::check_name;

/// A body of `{"set":[..],"delete":[..]}`.
pub(crate) struct Changes {
    /// Whether anything is set.
    pub(crate) sets: bool,
    /// The ids of both lists.
    pub(crate) ids: Vec<String>,
}

/// Reads a change of members or memberships: items of `{key: {"id": ..}}`.
pub(crate) fn changes(body: &[u8], key: &'static str) -> Result<Changes, ClassifyError> {
    let MetaValue::Map(mut object) = json::parse(body).map_err(ClassifyError::Json)? else {
        return Err(expected("an object with the lists `set` and `delete`"));
    };
    let set = list(object.remove("set"))?;
    let delete = list(object.remove("delete"))?;
    if !object.is_empty() {
        return Err(expected("only the lists `set` and `delete`"));
    }
    Ok(Changes {
        sets: !set.is_empty(),
        ids: set
            .into_iter()
            .chain(delete)
            .map(|item| item_id(item, key))
            .collect::<Result<_, _>>()?,
    })
}

fn list(value: Option<MetaValue>) -> Result<Vec<MetaValue>, ClassifyError> {
    match value {
        None => Ok(Vec::new()),
        Some(MetaValue::Array(items)) => Ok(items),
        Some(_) => Err(expected("`set` and `delete` must be lists")),
    }
}

fn item_id(item: MetaValue, key: &'static str) -> Result<String, ClassifyError> {
    let shape = || expected("each item must hold an object with a text `id`");
    let MetaValue::Map(mut item) = item else {
        return Err(shape());
    };
    let Some(MetaValue::Map(mut inner)) = item.remove(key) else {
        return Err(shape());
    };
    match inner.remove("id") {
        Some(MetaValue::Text(id)) => {
            check_name(&id, "an id in the body")?;
            Ok(id)
        }
        _ => Err(shape()),
    }
}

/// The id of a record that is created, if the body says one (contract 10.4).
pub(crate) fn new_record(
    body: &[u8],
    kind: ResourceKind,
) -> Result<Option<Target<'static>>, ClassifyError> {
    let shape = || expected("an object with an object `data`, whose `id` is a text if it is there");
    let MetaValue::Map(mut object) = json::parse(body).map_err(ClassifyError::Json)? else {
        return Err(shape());
    };
    let Some(MetaValue::Map(mut data)) = object.remove("data") else {
        return Err(shape());
    };
    match data.remove("id") {
        None => Ok(None),
        Some(MetaValue::Text(id)) => {
            check_name(&id, "the id in the body")?;
            Ok(Some(Target {
                kind,
                name: Cow::Owned(id),
            }))
        }
        Some(_) => Err(shape()),
    }
}

const fn expected(expected: &'static str) -> ClassifyError {
    ClassifyError::Body { expected }
}
