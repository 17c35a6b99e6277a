//! What a request asks for (signalwire 3), with everything that is wrong at once.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Request;
use serde::Deserialize;
use serde_json::value::RawValue;
use token_codec::{ChannelAccess, Product};
use token_core::limits::{
    CRT_CHANNELS_MAX, CRT_MEMBER_CHARS_MAX, CRT_NAME_CHARS_MAX, CRT_STATE_CHARS_MAX,
    TTL_MINUTES_MAX,
};
use token_core::{MetaValue, ResourceName, TtlMinutes};

use crate::grant_body::parse_object;
use crate::internal::is_json;

/// Names that the service keeps for itself, in Chat (signalwire 1).
const RESERVED: &str = "sw_";

/// A request that is well formed.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) ttl: TtlMinutes,
    pub(super) channels: BTreeMap<String, ChannelAccess>,
    pub(super) member_id: Option<String>,
    /// A JSON object, as it was sent but for blanks.
    pub(super) state: String,
}

/// Why a body asks for nothing.
#[derive(Debug)]
pub(super) enum Unusable {
    NotJson,
    Invalid(Vec<Invalid>),
}

/// One thing that is wrong (signalwire 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Invalid {
    pub(super) code: &'static str,
    pub(super) message: &'static str,
    pub(super) attribute: &'static str,
}

const fn invalid(attribute: &'static str, code: &'static str, message: &'static str) -> Invalid {
    Invalid {
        code,
        message,
        attribute,
    }
}

const fn missing(attribute: &'static str) -> Invalid {
    let message = "A required parameter is missing from the request. Please refer to the technical \
                   reference for a complete list of parameters.";
    invalid(attribute, "missing_required_parameter", message)
}

const fn not_json(attribute: &'static str) -> Invalid {
    invalid(
        attribute,
        "not_a_valid_json",
        "This value must be valid JSON.",
    )
}

type Object = BTreeMap<String, MetaValue>;

impl Wanted {
    /// What else stands in the body is ignored.
    pub(super) fn read(product: Product, request: &Request<Bytes>) -> Result<Self, Unusable> {
        let body = request.body();
        if !is_json(request) {
            return Err(Unusable::NotJson);
        }
        let mut object = parse_object(body).map_err(|_| Unusable::NotJson)?;
        let mut faults = Vec::new();
        let ttl = ttl(object.remove("ttl")).map_err(|fault| faults.push(fault));
        let channels = channels(product, object.remove("channels"), &mut faults);
        let member_id = member_id(object.remove("member_id")).map_err(|fault| faults.push(fault));
        let state = state(&object, body).map_err(|fault| faults.push(fault));
        match (ttl, channels, member_id, state) {
            (Ok(ttl), Some(channels), Ok(member_id), Ok(state)) if faults.is_empty() => Ok(Self {
                ttl,
                channels,
                member_id,
                state,
            }),
            _ => Err(Unusable::Invalid(faults)),
        }
    }
}

/// Whether a required value is not there, or blank.
fn is_blank(value: &MetaValue) -> bool {
    match value {
        MetaValue::Null => true,
        MetaValue::Text(text) => text.trim().is_empty(),
        MetaValue::Bool(_)
        | MetaValue::Unsigned(_)
        | MetaValue::Negative(_)
        | MetaValue::Float(_)
        | MetaValue::Array(_)
        | MetaValue::Map(_) => false,
    }
}

/// Whole minutes.
fn ttl(value: Option<MetaValue>) -> Result<TtlMinutes, Invalid> {
    match value {
        None => return Err(missing("ttl")),
        Some(value) if is_blank(&value) => return Err(missing("ttl")),
        Some(MetaValue::Unsigned(minutes)) => u32::try_from(minutes)
            .ok()
            .filter(|minutes| (1..=TTL_MINUTES_MAX).contains(minutes))
            .map(TtlMinutes),
        Some(_) => None,
    }
    .ok_or_else(|| {
        invalid(
            "ttl",
            "invalid_parameter",
            "Ttl must be between 1 and 43200",
        )
    })
}

fn channels(
    product: Product,
    value: Option<MetaValue>,
    faults: &mut Vec<Invalid>,
) -> Option<BTreeMap<String, ChannelAccess>> {
    let whole = match value {
        None => Err(missing("channels")),
        Some(value) if is_blank(&value) => Err(missing("channels")),
        Some(MetaValue::Map(channels)) if channels.is_empty() => Err(invalid(
            "channels",
            "no_channel_specified",
            "You must specify a channel.",
        )),
        Some(MetaValue::Map(channels)) if channels.len() > CRT_CHANNELS_MAX => Err(invalid(
            "channels",
            "channel_size_limit_exceeded",
            "The number of channels exceeds the allowed limit.",
        )),
        Some(MetaValue::Map(channels)) => Ok(channels),
        Some(_) => Err(not_json("channels")),
    };
    let whole = whole.map_err(|fault| faults.push(fault)).ok()?;
    let mut channels = BTreeMap::new();
    // However many names have it: each kind of fault once.
    let mut note = |fault: Invalid| {
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    };
    for (name, value) in whole {
        if let Err(fault) = check_name(product, &name) {
            note(fault);
        }
        match access(value) {
            Ok(access) => drop(channels.insert(name, access)),
            Err(fault) => note(fault),
        }
    }
    Some(channels)
}

fn check_name(product: Product, name: &str) -> Result<(), Invalid> {
    if name.chars().count() > CRT_NAME_CHARS_MAX {
        let message = "The channel name exceeds the maximum allowed length.";
        return Err(invalid(
            "channels",
            "channel_name_size_limit_exceeded",
            message,
        ));
    }
    if product == Product::Chat && name.starts_with(RESERVED) {
        let message = "The channel name uses a reserved prefix.";
        return Err(invalid("channels", "channel_name_is_reserved", message));
    }
    ResourceName::check(name).map_err(|_| {
        let message = "Channel name must not be empty and must not have control characters";
        invalid("channels", "invalid_parameter", message)
    })
}

/// What one name allows: `read`, `write` or both, and nothing else.
fn access(value: MetaValue) -> Result<ChannelAccess, Invalid> {
    let MetaValue::Map(mut flags) = value else {
        return Err(neither());
    };
    let (read, write) = (flags.remove("read"), flags.remove("write"));
    if !flags.is_empty() {
        let message = "Channel must have no other property than read and write";
        return Err(invalid("channels", "invalid_parameter", message));
    }
    if read.is_none() && write.is_none() {
        return Err(neither());
    }
    let flag = |value: Option<MetaValue>| match value {
        None => Ok(false),
        Some(MetaValue::Bool(flag)) => Ok(flag),
        Some(_) => Err(invalid(
            "channels",
            "not_a_boolean",
            "Value must be true or false.",
        )),
    };
    Ok(ChannelAccess {
        read: flag(read)?,
        write: flag(write)?,
    })
}

const fn neither() -> Invalid {
    let message = "Channel must have read or write property.";
    invalid("channels", "channel_has_missing_properties", message)
}

fn member_id(value: Option<MetaValue>) -> Result<Option<String>, Invalid> {
    let id = match value {
        None => return Ok(None),
        Some(MetaValue::Text(id)) => id,
        Some(_) => {
            let message = "Value must be formatted as a string.";
            return Err(invalid("member_id", "not_a_string", message));
        }
    };
    if id.chars().count() > CRT_MEMBER_CHARS_MAX || ResourceName::check(&id).is_err() {
        let message = "Member must have 1 to 250 characters, none of them a control character";
        return Err(invalid("member_id", "invalid_parameter", message));
    }
    Ok(Some(id))
}

/// The state as it was sent, without blanks: the order of its keys and the digits
/// of its numbers are the sender's.
fn state(object: &Object, body: &[u8]) -> Result<String, Invalid> {
    #[derive(Deserialize)]
    struct State<'a> {
        #[serde(borrow)]
        state: &'a RawValue,
    }
    match object.get("state") {
        None => return Ok("{}".to_owned()),
        Some(MetaValue::Map(_)) => {}
        Some(_) => return Err(not_json("state")),
    }
    let read: State<'_> = serde_json::from_slice(body).map_err(|_| not_json("state"))?;
    let state = compact(read.state.get());
    if state.chars().count() > CRT_STATE_CHARS_MAX {
        let message = "The state size exceeds the maximum allowed limit.";
        return Err(invalid("state", "state_size_limit_exceeded", message));
    }
    Ok(state)
}

/// JSON without the blanks between its parts.
fn compact(json: &str) -> String {
    let (mut in_text, mut escaped) = (false, false);
    let keeps = |letter: &char| {
        if in_text {
            let ends = *letter == '"' && !escaped;
            escaped = *letter == '\\' && !escaped;
            in_text = !ends;
            return true;
        }
        in_text = *letter == '"';
        !letter.is_ascii_whitespace()
    };
    json.chars().filter(keeps).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_between_the_parts_go_and_those_in_texts_stay() {
        let json = "{ \"a b\" :\t[ 1.50 , \"\\\" x \\\\\" ],\n\"c\": { } }";
        assert_eq!(compact(json), "{\"a b\":[1.50,\"\\\" x \\\\\"],\"c\":{}}");
    }
}
