//! What a grant that is legal may still get wrong.

use serde::Serialize;
use token_core::ResourceKind;
use token_policy::Pattern;

use crate::grant_body::GrantBody;

/// A hint for whoever grants. `code` is stable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Warning {
    code: &'static str,
    message: String,
    at: String,
}

pub(super) fn warnings(grant: &GrantBody) -> Vec<Warning> {
    let mut found = Vec::new();
    for kind in ResourceKind::ALL {
        for (pattern, _) in grant.grants().patterns(kind) {
            let at = format!("permissions.patterns.{}.{pattern}", kind.json_name());
            found.extend(pattern_warning(pattern.as_str(), at));
        }
        unused_bits(grant, kind, &mut found);
    }
    let nested = grant.meta().iter().filter(|(_, value)| !value.is_scalar());
    found.extend(nested.map(|(key, _)| Warning {
        code: "nested_meta",
        message: "one SDK cannot read tokens with nested values in meta".to_owned(),
        at: format!("permissions.meta.{key}"),
    }));
    found
}

fn pattern_warning(text: &str, at: String) -> Option<Warning> {
    let pattern = Pattern::parse(text).ok()?;
    if pattern.matches_everything() {
        let message = "this pattern matches every name".to_owned();
        return Some(Warning {
            code: "matches_everything",
            message,
            at,
        });
    }
    (!pattern.is_anchored()).then(|| Warning {
        code: "unanchored_pattern",
        message: "this pattern also matches inside longer names; `^` and `$` tie it to the ends"
            .to_owned(),
        at,
    })
}

fn unused_bits(grant: &GrantBody, kind: ResourceKind, found: &mut Vec<Warning>) {
    let names = grant
        .grants()
        .names(kind)
        .map(|(name, bits)| ("resources", name.as_str(), bits));
    let patterns = grant
        .grants()
        .patterns(kind)
        .map(|(pattern, bits)| ("patterns", pattern.as_str(), bits));
    for (part, name, bits) in names.chain(patterns) {
        let unused = bits.without(kind.meaningful());
        if !unused.is_empty() {
            found.push(Warning {
                code: "unused_permissions",
                message: format!("{unused} means nothing on a {kind}"),
                at: format!("permissions.{part}.{}.{name}", kind.json_name()),
            });
        }
    }
}
