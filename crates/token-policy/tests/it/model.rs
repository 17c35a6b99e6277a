//! The oracle: the decision once more, as naively as it can be written, over
//! claims as data. It shares the vocabulary with the crate and, one pattern at
//! a time, the meaning of a pattern; nothing else
//! (contract 5, contract 9, contract 10.4, contract 10.5, contract 10.8).

use ResourceKind::{Channel, Group, Uuid};
use token_core::{Category, ResourceKind, TokenId};
use token_policy::Pattern;

use crate::token::{DenyList, TestToken};

/// A request as data.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) operation: &'static str,
    /// The bits that a rule needs on each name, when a rule is asked for.
    pub(crate) rule: Option<Vec<u8>>,
    /// Whether the caller is whoever the token is bound to.
    pub(crate) caller_is_token: bool,
    pub(crate) names: Vec<(ResourceKind, String)>,
    pub(crate) collection: Option<ResourceKind>,
    pub(crate) uuid: Option<String>,
    pub(crate) subscribe_key: &'static str,
    pub(crate) access_manager: bool,
    pub(crate) list_users: &'static str,
    pub(crate) list_channels: &'static str,
}

pub(crate) type Lack = (String, String, u8);

/// What an operation needs: the bit on every name of a kind, and whether there
/// must be one.
pub(crate) fn needs(operation: &str) -> &'static [(ResourceKind, u8, bool)] {
    match operation {
        "publish" | "fire" | "signal" | "add-message-action" | "upload-file" | "publish-file" => {
            &[(Channel, 2, true)]
        }
        "subscribe" | "heartbeat" | "here-now" | "get-state" | "set-state" => {
            &[(Channel, 1, false), (Group, 1, false)]
        }
        "history"
        | "history-with-actions"
        | "message-counts"
        | "get-message-actions"
        | "list-files"
        | "download-file"
        | "add-push-channels"
        | "remove-push-channels" => &[(Channel, 1, true)],
        "delete-messages" | "remove-message-action" | "delete-file" | "remove-channel" => {
            &[(Channel, 8, true)]
        }
        "add-group-channels" | "remove-group-channels" | "list-group-channels" | "delete-group" => {
            &[(Group, 4, true)]
        }
        "get-user" | "get-memberships" => &[(Uuid, 32, true)],
        "set-user" => &[(Uuid, 64, true)],
        "remove-user" => &[(Uuid, 8, true)],
        "get-channel" | "get-members" => &[(Channel, 32, true)],
        "set-channel" => &[(Channel, 64, true)],
        "set-members" | "remove-members" => &[(Channel, 4, true)],
        "set-memberships" | "remove-memberships" => &[(Uuid, 64, true), (Channel, 128, true)],
        other => panic!("{other} needs no names"),
    }
}

/// A thing that must be granted.
#[derive(Clone, Copy)]
enum Want<'a> {
    Name(ResourceKind, &'a str, u8),
    Everything(ResourceKind, u8),
    Category(Category),
}

/// The code of the reason, and what is missing.
pub(crate) fn model(
    token: &TestToken,
    ask: &Ask,
    now: u64,
    deny: &DenyList,
) -> (&'static str, Vec<Lack>) {
    let claims = &token.claims;
    let issued = claims.issued_at.0;
    if token.scope != ask.subscribe_key {
        return ("wrong_keyset", vec![]);
    }
    if !ask.access_manager {
        return ("access_manager_disabled", vec![]);
    }
    if issued > now + 125 {
        return ("not_yet_valid", vec![]);
    }
    if now >= issued + u64::from(claims.ttl.0) * 60 {
        return ("expired", vec![]);
    }
    let listed = |id: &TokenId| deny.tokens.iter().any(|text| *text == id.to_string());
    let uuid_rule = claims.uuid.as_ref().and_then(|uuid| deny.uuids.get(uuid));
    let keyset_rule = deny.keysets.get(&token.scope);
    if listed(&token.id)
        || claims.ancestors.iter().any(listed)
        || uuid_rule.is_some_and(|until| issued <= *until)
        || keyset_rule.is_some_and(|until| issued <= *until)
    {
        return ("revoked", vec![]);
    }
    if ask.caller_is_token {
        let public = ask.rule.is_none() && ask.operation == "time";
        if claims.uuid.is_none() && !public {
            return ("uuid_required", vec![]);
        }
    } else if claims.uuid.is_some() && claims.uuid != ask.uuid {
        return ("uuid_mismatch", vec![]);
    }
    let wants = match wants(ask) {
        Ok(wants) => wants,
        Err(reason) => return (reason, vec![]),
    };
    let mut lacks: Vec<Lack> = vec![];
    for want in wants {
        let Some(lack) = lack(token, want) else {
            continue;
        };
        let same = |known: &&mut Lack| known.0 == lack.0 && known.1 == lack.1;
        match lacks.iter_mut().find(same) {
            Some(known) => known.2 |= lack.2,
            None => lacks.push(lack),
        }
    }
    match lacks.is_empty() {
        true => ("allowed", lacks),
        false => ("permission_missing", lacks),
    }
}

/// What must be granted for a request, or the reason why no grant helps.
fn wants(ask: &Ask) -> Result<Vec<Want<'_>>, &'static str> {
    let listing = |mode, category| match mode {
        "off" => Err("secret_key_required"),
        "open" => Ok(vec![]),
        _ => Ok(vec![Want::Category(category)]),
    };
    if let Some(rule) = &ask.rule {
        return rule_wants(ask, rule);
    }
    match ask.operation {
        "time" | "leave" | "where-now" | "list-push-channels" | "remove-push-device" => Ok(vec![]),
        "here-now-global" | "list-groups" => Err("secret_key_required"),
        "list-users" => listing(ask.list_users, Category::Uuids),
        "list-channels" => listing(ask.list_channels, Category::Channels),
        "datasync-list" | "datasync-get" => record_wants(ask, 32),
        "datasync-create" => record_wants(ask, 16),
        "datasync-update" => record_wants(ask, 64),
        "datasync-delete" => record_wants(ask, 8),
        operation => {
            let needs = needs(operation);
            let named = |kind| ask.names.iter().any(|(of, _)| *of == kind);
            if ask.names.is_empty() || needs.iter().any(|(k, _, must)| *must && !named(*k)) {
                return Err("target_required");
            }
            let mut wants = vec![];
            for (kind, name) in &ask.names {
                let need = needs.iter().find(|(of, ..)| of == kind);
                let (_, bit, _) = need.ok_or("target_unexpected")?;
                wants.push(Want::Name(*kind, name, *bit));
            }
            Ok(wants)
        }
    }
}

/// Every bit that a rule needs, one by one.
fn rule_wants<'a>(ask: &'a Ask, rule: &[u8]) -> Result<Vec<Want<'a>>, &'static str> {
    if rule.is_empty() {
        return Err("target_required");
    }
    if rule.len() != ask.names.len() {
        return Err("target_unexpected");
    }
    let mut wants = vec![];
    for ((kind, name), bits) in ask.names.iter().zip(rule) {
        for bit in [1, 2, 4, 8, 16, 32, 64, 128] {
            if bits & bit != 0 {
                wants.push(Want::Name(*kind, name, bit));
            }
        }
    }
    Ok(wants)
}

fn record_wants(ask: &Ask, bit: u8) -> Result<Vec<Want<'_>>, &'static str> {
    let kind = ask.collection.unwrap();
    match (ask.operation, ask.names.is_empty()) {
        ("datasync-list", false) => return Err("target_unexpected"),
        ("datasync-list" | "datasync-create", true) => {
            return Ok(vec![Want::Everything(kind, bit)]);
        }
        (_, true) => return Err("target_required"),
        _ => {}
    }
    let mut wants = vec![];
    for (of, name) in &ask.names {
        if *of != kind {
            return Err("target_unexpected");
        }
        wants.push(Want::Name(kind, name, bit));
    }
    Ok(wants)
}

fn lack(token: &TestToken, want: Want<'_>) -> Option<Lack> {
    let grants = &token.claims.grants;
    let (granted, kind, name, bit) = match want {
        Want::Name(kind, name, bit) => (holds(token, kind, name, bit), kind.name(), name, bit),
        Want::Category(Category::Uuids) => {
            let granted = grants.category(Category::Uuids);
            (granted, "category", "uuids", 32)
        }
        Want::Category(Category::Channels) => {
            let granted = grants.category(Category::Channels);
            (granted, "category", "channels", 32)
        }
        Want::Everything(kind, bit) => {
            let texts = [".*", "^.*$", ".+", "^.+$"];
            let granted = grants
                .patterns(kind)
                .any(|(text, held)| texts.contains(&text.as_str()) && held.bits() & bit != 0);
            (granted, kind.name(), ".*", bit)
        }
    };
    (!granted).then(|| (kind.to_owned(), name.to_owned(), bit))
}

fn holds(token: &TestToken, kind: ResourceKind, name: &str, bit: u8) -> bool {
    let grants = &token.claims.grants;
    for (entry, held) in grants.names(kind) {
        if entry.as_str() == name && held.bits() & bit != 0 {
            return true;
        }
    }
    if name.contains('*') {
        return false;
    }
    for (text, held) in grants.patterns(kind) {
        if held.bits() & bit != 0
            && let Ok(pattern) = Pattern::parse(text.as_str())
            && (pattern.matches(name)
                || (kind == Group && pattern.group_form() && pattern.matches(&format!(":{name}"))))
        {
            return true;
        }
    }
    false
}
