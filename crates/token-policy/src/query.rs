//! The parameters of a query that a decision depends on.

use std::borrow::Cow;

use token_core::ResourceKind;

use crate::error::ClassifyError;
use crate::request::Target;
use crate::target::{check_name, decode, decode_name};

/// The raw values of the parameters that the rules know, each at most once.
#[derive(Default)]
pub(crate) struct Query<'a> {
    pub(crate) auth: Option<&'a str>,
    pub(crate) uuid: Option<&'a str>,
    pub(crate) channel_group: Option<&'a str>,
    pub(crate) add: Option<&'a str>,
    pub(crate) remove: Option<&'a str>,
    pub(crate) signature: Option<&'a str>,
    pub(crate) timestamp: Option<&'a str>,
    pub(crate) store: Option<&'a str>,
    pub(crate) norep: Option<&'a str>,
}

impl<'a> Query<'a> {
    /// Reads a raw query. Names are decoded once before they are compared;
    /// parameters that the rules do not know are left alone.
    pub(crate) fn read(query: &'a str) -> Result<Self, ClassifyError> {
        let mut parameters = Self::default();
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let name = decode(name, "the name of a parameter")?;
            let Some((name, slot)) = parameters.slot(&name) else {
                continue;
            };
            if slot.replace(value).is_some() {
                return Err(ClassifyError::RepeatedParameter { name });
            }
        }
        Ok(parameters)
    }

    fn slot(&mut self, name: &str) -> Option<(&'static str, &mut Option<&'a str>)> {
        Some(match name {
            "auth" => ("auth", &mut self.auth),
            "uuid" => ("uuid", &mut self.uuid),
            "channel-group" => ("channel-group", &mut self.channel_group),
            "add" => ("add", &mut self.add),
            "remove" => ("remove", &mut self.remove),
            "signature" => ("signature", &mut self.signature),
            "timestamp" => ("timestamp", &mut self.timestamp),
            "store" => ("store", &mut self.store),
            "norep" => ("norep", &mut self.norep),
            _ => return None,
        })
    }

    /// Whether the query makes a publish a fire (contract 5).
    pub(crate) fn is_fire(&self) -> Result<bool, ClassifyError> {
        let store = self.store.map(|raw| decode(raw, "`store`")).transpose()?;
        let norep = self.norep.map(|raw| decode(raw, "`norep`")).transpose()?;
        Ok(store.as_deref() == Some("0") && matches!(norep.as_deref(), Some("true" | "1")))
    }

    /// Refuses the lists that an operation does not take.
    pub(crate) fn refuse_lists(&self, groups: bool, changes: bool) -> Result<(), ClassifyError> {
        let refused = [
            ("channel-group", self.channel_group.is_some() && !groups),
            ("add", self.add.is_some() && !changes),
            ("remove", self.remove.is_some() && !changes),
        ];
        match refused.into_iter().find(|(_, refused)| *refused) {
            Some((name, _)) => Err(ClassifyError::UnexpectedParameter { name }),
            None => Ok(()),
        }
    }
}

/// The names of a list in a query, decoded once and then split; empty ones are
/// none (contract 5).
pub(crate) fn names<'a>(
    raw: &'a str,
    of: &'static str,
    kind: ResourceKind,
    targets: &mut Vec<Target<'a>>,
) -> Result<(), ClassifyError> {
    let mut push = |name: Cow<'a, str>| {
        if name.is_empty() {
            return Ok(());
        }
        check_name(&name, of)?;
        targets.push(Target { kind, name });
        Ok(())
    };
    match decode_name(raw, of)? {
        Cow::Borrowed(list) => list.split(',').map(Cow::Borrowed).try_for_each(&mut push),
        Cow::Owned(list) => list
            .split(',')
            .map(|name| Cow::Owned(name.to_owned()))
            .try_for_each(&mut push),
    }
}
