//! A request, read by the rule that it is of.

use std::borrow::Cow;

use token_core::check_request_uuid;

use crate::classify::{Classified, Token, What};
use crate::error::{ClassifyError, ParameterFault};
use crate::request::{Target, check_targets};
use crate::route::Family;
use crate::target::{RawTarget, check_name, check_segment, decode, decode_name};

use super::source::{self, Headers};
use super::{Caller, Capture, Rule, RuleFile, RuleSet};

const PATH: &str = "the path";
const CAPTURE: &str = "a capture of the path";
const PARAMETER: &str = "a parameter";
const UUID: &str = "the uuid of the caller";

pub(super) fn classify<'a>(
    rules: &'a RuleSet,
    method: &str,
    target: &'a str,
    headers: impl Headers<'a>,
) -> Result<Classified<'a>, ClassifyError> {
    let raw = RawTarget::new(target)?;
    let number = rules.find(method, raw.path.as_bytes());
    let number = number.ok_or(ClassifyError::UnknownOperation)?;
    let rule = rules.rules.get(number);
    let file = rule.and_then(|rule| rules.files.get(rule.file));
    let (Some(rule), Some(file)) = (rule, file) else {
        return Err(ClassifyError::UnknownOperation);
    };
    let decoded = decoded_path(raw.path)?;
    if let Cow::Owned(decoded) = &decoded
        && rules.find(method, decoded.as_bytes()) != Some(number)
    {
        return Err(ClassifyError::EscapedRoute);
    }
    for name in rules.uuid_headers() {
        source::refuse(headers, name)?;
    }
    let query = Query::read(raw.query, &file.parameters)?;
    let values = values(rule, raw.path, &query)?;
    let (targets, needed) = targets(rule, &values)?;
    Ok(Classified {
        family: Family::Http,
        subscribe_key: file.owner.keyset(),
        account: file.owner.account(),
        publish_key: None,
        uuid: uuid(file, rule, &values, &query, headers)?,
        token: token(file, &query, headers)?,
        signature: None,
        timestamp: None,
        caller_is_token: file.caller_is_token(),
        uuid_header: match &file.caller {
            Some(Caller::Token { pass }) => Some(pass),
            Some(Caller::Query(_) | Caller::Header(_) | Caller::Capture(_)) | None => None,
        },
        upgrade: rule.upgrade,
        what: What::Rule {
            name: &rule.name,
            access: rule.access,
            needed,
            customer: &rule.customer,
        },
        targets,
        collection: None,
    })
}

/// The path with its escapes decoded, where no other reader could see other
/// segments.
fn decoded_path(path: &str) -> Result<Cow<'_, str>, ClassifyError> {
    let segments = path.split('/').skip(1);
    let last = segments.clone().count();
    for (number, segment) in (1..).zip(segments) {
        let segment = decode(segment, PATH)?;
        check_segment(&segment, number)?;
        let empty = segment.is_empty() && number != last;
        if empty || segment.contains(char::is_control) {
            return Err(ClassifyError::Segment { number });
        }
    }
    decode(path, PATH)
}

/// The raw values of the parameters that the rules of a file know.
struct Query<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Query<'a> {
    /// Each may be there once, and nothing that another reader could take for
    /// it.
    fn read(query: &'a str, known: &'a [Box<str>]) -> Result<Self, ClassifyError> {
        let mut found: Vec<(&str, &str)> = Vec::new();
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let name = decode(name, "the name of a parameter")?;
            let of = known.iter().find(|known| plain(known) == plain(&name));
            let Some(of) = of else { continue };
            let fault = if **of != *name {
                ParameterFault::Lookalike
            } else if found.iter().any(|(known, _)| *known == &**of) {
                ParameterFault::Repeated
            } else {
                found.push((of, value));
                continue;
            };
            let name = of.clone();
            return Err(ClassifyError::Parameter { name, fault });
        }
        Ok(Self(found))
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    }
}

/// What the most careless reader makes of the name of a parameter: the text
/// before a bracket, in one case, with `_` for a blank, a dot, a plus.
pub(super) fn plain(name: &str) -> String {
    let name = name.split(['[', '\0']).next().unwrap_or(name).trim();
    let plain = |c: char| match c {
        ' ' | '.' | '+' | '-' => '_',
        c => c.to_ascii_lowercase(),
    };
    name.chars().map(plain).collect()
}

/// The names that a capture stands for; one, unless it is a list.
type Values<'a> = Option<Vec<Cow<'a, str>>>;

fn values<'a>(
    rule: &'a Rule,
    path: &'a str,
    query: &Query<'a>,
) -> Result<Vec<Values<'a>>, ClassifyError> {
    let cut = rule.path.cut(path).ok_or(ClassifyError::UnknownOperation)?;
    let mut parts = cut.into_iter();
    let captures = rule.captures.iter();
    captures
        .map(|capture| match &capture.parameter {
            None => {
                let raw = parts.next().ok_or(ClassifyError::UnknownOperation)?;
                of_path(capture, raw).map(Some)
            }
            Some(parameter) => match query.get(parameter) {
                Some(raw) => of_query(capture, raw).map(Some),
                None if capture.optional => Ok(None),
                None => Err(ClassifyError::Parameter {
                    name: parameter.clone(),
                    fault: ParameterFault::Missing,
                }),
            },
        })
        .collect()
}

/// In a path, lists are split and then decoded.
fn of_path<'a>(capture: &Capture, raw: &'a str) -> Result<Vec<Cow<'a, str>>, ClassifyError> {
    let one = |raw| {
        let value = decode_name(raw, CAPTURE)?;
        check_name(&value, CAPTURE)?;
        Ok(value)
    };
    if capture.list {
        return raw.split(',').map(one).collect();
    }
    if raw.contains(',') {
        return Err(ClassifyError::List { of: CAPTURE });
    }
    Ok(vec![one(raw)?])
}

/// In a query, lists are decoded and then split.
fn of_query<'a>(capture: &Capture, raw: &'a str) -> Result<Vec<Cow<'a, str>>, ClassifyError> {
    let value = decode_name(raw, PARAMETER)?;
    let values: Vec<Cow<'a, str>> = match (capture.list, value) {
        (false, value) => vec![value],
        (true, Cow::Borrowed(list)) => list.split(',').map(Cow::Borrowed).collect(),
        (true, Cow::Owned(list)) => list
            .split(',')
            .map(|name| Cow::Owned(name.to_owned()))
            .collect(),
    };
    for value in &values {
        check_name(value, PARAMETER)?;
    }
    Ok(values)
}

type Needed<'a> = (Vec<Target<'a>>, Vec<token_core::Permissions>);

/// Every name that is needed, with what is needed on it. A name whose optional
/// capture is not there is not needed.
fn targets<'a>(rule: &'a Rule, values: &[Values<'a>]) -> Result<Needed<'a>, ClassifyError> {
    let mut targets = Vec::new();
    let mut needed = Vec::new();
    for need in &rule.needs {
        let lengths = need.name.captures().map(|number| {
            let values = values.get(number).and_then(Option::as_ref);
            values.map_or(0, Vec::len)
        });
        // One list at most: everything else has one value.
        for nth in 0..lengths.max().unwrap_or(1) {
            let value = |number: usize| {
                let values = values.get(number)?.as_ref()?;
                let value = values.get(nth).or_else(|| values.first());
                value.cloned()
            };
            let Some(name) = need.name.fill(value) else {
                continue;
            };
            let name = name.map_err(|fault| {
                let capture = rule.captures.get(fault.capture);
                ClassifyError::RunsTogether {
                    name: capture.map_or_else(Box::default, |capture| capture.name.clone()),
                }
            })?;
            targets.push(Target::new(need.kind, name));
            needed.push(need.permissions);
        }
    }
    check_targets(&targets).map_err(ClassifyError::Targets)?;
    Ok((targets, needed))
}

fn uuid<'a>(
    file: &'a RuleFile,
    rule: &'a Rule,
    values: &[Values<'a>],
    query: &Query<'a>,
    headers: impl Headers<'a>,
) -> Result<Option<Cow<'a, str>>, ClassifyError> {
    let found = match &file.caller {
        None | Some(Caller::Token { .. }) => None,
        Some(Caller::Query(name)) => query
            .get(name)
            .map(|raw| decode_name(raw, UUID))
            .transpose()?,
        Some(Caller::Header(name)) => source::one(headers, name)?.map(Cow::Borrowed),
        Some(Caller::Capture(name)) => {
            let number = rule.captures.iter().position(|known| known.name == *name);
            let values = number.and_then(|number| values.get(number)?.as_ref());
            values.and_then(|values| values.first()).cloned()
        }
    };
    if let Some(uuid) = &found {
        check_request_uuid(uuid).map_err(|cause| ClassifyError::Name { of: UUID, cause })?;
    }
    Ok(found)
}

fn token<'a>(
    file: &'a RuleFile,
    query: &Query<'a>,
    headers: impl Headers<'a>,
) -> Result<Option<Token<'a>>, ClassifyError> {
    let from = &file.token;
    let bearer = if from.bearer {
        source::bearer(headers)?
    } else {
        None
    };
    let header = match &from.header {
        Some(name) => source::token(headers, name)?,
        None => None,
    };
    let cookie = match &from.cookie {
        Some(name) => source::cookie(headers, name)?,
        None => None,
    };
    let parameter = from.query.as_ref().and_then(|name| query.get(name));
    let parameter = parameter.map(|raw| decode(raw, PARAMETER)).transpose()?;
    let given = [bearer, header, cookie].into_iter().flatten();
    let mut given = given.map(Cow::Borrowed).chain(parameter);
    let first = given.next();
    match given.next() {
        Some(_) => Err(ClassifyError::TwoTokens),
        None => Ok(first.map(Token)),
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn what_a_careless_reader_takes_for_one_parameter_is_one() {
        for alike in ["room", "Room", "room[]", "room[0][x]", " room", "room\0x"] {
            assert_eq!(plain(alike), "room", "{alike:?}");
        }
        assert_eq!(plain("room.id"), plain("room_id"));
        assert_ne!(plain("rooms"), plain("room"));
    }
}
