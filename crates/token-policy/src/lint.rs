//! What a grant that is legal may still get wrong.

use std::collections::BTreeMap;

use token_core::{Category, Claims, Permission, Permissions, ResourceKind};

use crate::finding::{Finding, Severity};
use crate::pattern::Pattern;

/// Longest life that the service recommends, in minutes (contract 2.1).
const TTL_RECOMMENDED_MINUTES: u32 = 60;

/// Longest token that fits a request line of 8 KiB, which is all that many
/// servers and proxies take, beside a path of 1 KiB.
const TOKEN_IN_LINE_BYTES: usize = 7 * 1024;

/// So many names that begin alike are better said as one pattern.
const ALIKE_NAMES: usize = 8;

/// Looks for what is legal in `claims` and probably not meant. `token_bytes` is
/// the length of the token's text, where it is known.
///
/// The codes are stable: `unanchored_pattern`, `matches_everything`,
/// `never_matches`, `invalid_pattern`, `unused_permissions`,
/// `group_manage_with_read`, `only_users_and_spaces`, `nested_meta`,
/// `token_too_large`; and, as notes, `ttl_above_recommended`, `unbound`,
/// `could_be_pattern`.
///
/// Patterns are compiled and walked, so this takes up to milliseconds for each.
#[must_use]
pub fn lint(claims: &Claims, token_bytes: Option<usize>) -> Vec<Finding> {
    let mut found = Vec::new();
    for kind in ResourceKind::ALL {
        for (text, _) in claims.grants.patterns(kind) {
            let at = field("patterns", kind, text.as_str());
            found.extend(pattern(text.as_str(), at));
        }
        entries(claims, kind, &mut found);
        alike(claims, kind, &mut found);
    }
    found.extend(only_users_and_spaces(claims));
    for (key, _) in claims.meta.iter().filter(|(_, value)| !value.is_scalar()) {
        let message = "one SDK cannot read tokens with nested values in meta";
        let at = format!("permissions.meta.{key}");
        found.push(warning("nested_meta", at, message));
    }
    if let Some(bytes) = token_bytes.filter(|bytes| *bytes > TOKEN_IN_LINE_BYTES) {
        let message = format!(
            "the token has {bytes} bytes; many servers refuse a request line of more than 8 KiB"
        );
        found.push(warning("token_too_large", "permissions", message));
    }
    if claims.ttl.0 > TTL_RECOMMENDED_MINUTES {
        let message = format!(
            "the token lives {} minutes; 10 to {TTL_RECOMMENDED_MINUTES} are recommended",
            claims.ttl.0
        );
        found.push(note("ttl_above_recommended", "ttl", message));
    }
    if claims.uuid.is_none() {
        let message = "whoever has the token may use it; `uuid` binds it to one caller";
        found.push(note("unbound", "permissions.uuid", message));
    }
    found
}

fn warning(code: &'static str, at: impl Into<String>, message: impl Into<String>) -> Finding {
    Finding::new(Severity::Warning, code, at, message)
}

fn note(code: &'static str, at: impl Into<String>, message: impl Into<String>) -> Finding {
    Finding::new(Severity::Note, code, at, message)
}

fn field(part: &str, kind: ResourceKind, entry: &str) -> String {
    format!("permissions.{part}.{}.{entry}", kind.json_name())
}

fn pattern(text: &str, at: String) -> Option<Finding> {
    let pattern = match Pattern::parse(text) {
        Ok(pattern) => pattern,
        Err(error) => {
            let message = format!("this pattern matches nothing: {error}");
            return Some(warning("invalid_pattern", at, message));
        }
    };
    if pattern.matches_everything() {
        let message = "this pattern matches every name";
        return Some(warning("matches_everything", at, message));
    }
    if pattern.matches_nothing() {
        let message = "this pattern matches no name";
        return Some(warning("never_matches", at, message));
    }
    let message = match (pattern.is_anchored_start(), pattern.is_anchored_end()) {
        (true, true) => return None,
        (true, false) => "this pattern also matches longer names; `$` ties it to the end",
        (false, true) => "this pattern also matches longer names; `^` ties it to the start",
        (false, false) => {
            "this pattern also matches inside longer names; `^` and `$` tie it to the ends"
        }
    };
    Some(warning("unanchored_pattern", at, message))
}

/// What is odd about the permissions of single entries.
fn entries(claims: &Claims, kind: ResourceKind, found: &mut Vec<Finding>) {
    let names = claims.grants.names(kind);
    let names = names.map(|(name, held)| ("resources", name.as_str(), held));
    let patterns = claims.grants.patterns(kind);
    let patterns = patterns.map(|(text, held)| ("patterns", text.as_str(), held));
    for (part, entry, held) in names.chain(patterns) {
        let unused = held.without(kind.meaningful());
        if !unused.is_empty() {
            let message = format!("{unused} means nothing on a {kind}");
            found.push(warning(
                "unused_permissions",
                field(part, kind, entry),
                message,
            ));
        }
        let both = Permissions::from_iter([Permission::Read, Permission::Manage]);
        if kind == ResourceKind::Group && held.contains(both) {
            let message = "whoever manages a group puts channels into it, and so reads any channel";
            found.push(warning(
                "group_manage_with_read",
                field(part, kind, entry),
                message,
            ));
        }
    }
}

/// Names that one pattern would say shorter: many with one beginning, up to a
/// separator, and the same permissions.
fn alike(claims: &Claims, kind: ResourceKind, found: &mut Vec<Finding>) {
    let mut groups: BTreeMap<(&str, u8), usize> = BTreeMap::new();
    for (name, held) in claims.grants.names(kind) {
        let name = name.as_str();
        let end = name.rfind(['-', '.', '_', ':', '/']);
        let prefix = end.and_then(|end| name.get(..=end));
        if let Some(prefix) = prefix.filter(|_| !name.contains('*')) {
            let count = groups.entry((prefix, held.bits())).or_default();
            *count = count.saturating_add(1);
        }
    }
    for ((prefix, _), count) in groups {
        if count >= ALIKE_NAMES {
            let pattern = format!("^{}.+$", regex_syntax::escape(prefix));
            let message = format!(
                "{count} names begin with `{prefix}`; a pattern such as `{pattern}` is shorter, \
                 and grants the others too"
            );
            let at = format!("permissions.resources.{}", kind.json_name());
            found.push(note("could_be_pattern", at, message));
        }
    }
}

fn only_users_and_spaces(claims: &Claims) -> Option<Finding> {
    let grants = &claims.grants;
    let granted = |kind| {
        let names = grants.names(kind).next().is_some();
        names || grants.patterns(kind).next().is_some()
    };
    let legacy = [ResourceKind::User, ResourceKind::Space];
    let others = ResourceKind::ALL
        .into_iter()
        .any(|kind| !legacy.contains(&kind) && granted(kind));
    let categories = Category::ALL
        .into_iter()
        .any(|category| grants.category(category));
    (legacy.into_iter().any(granted) && !others && !categories).then(|| {
        let message = "only users and spaces are granted, which messages and App Context never ask \
                       for; user metadata is `uuids`, rooms are `channels`";
        warning("only_users_and_spaces", "permissions", message)
    })
}
