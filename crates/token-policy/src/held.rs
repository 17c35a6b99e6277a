//! What a token grants on a name.

use token_core::{Permissions, ResourceKind, VerifiedClaims};

use crate::pattern::PatternSet;
use crate::request::exact_only;

/// The grants of one token while one request is decided. Patterns are compiled
/// when the first name needs them, and only those that could help.
pub(crate) struct Held<'t, T> {
    token: &'t T,
    sets: Vec<(ResourceKind, PatternSet)>,
}

impl<'t, T: VerifiedClaims> Held<'t, T> {
    pub(crate) const fn of(token: &'t T) -> Self {
        Self {
            token,
            sets: Vec::new(),
        }
    }

    /// What of `needed` is not granted on `name`. One request needs the same
    /// permissions on every name of a kind.
    pub(crate) fn missing(
        &mut self,
        kind: ResourceKind,
        name: &str,
        needed: Permissions,
    ) -> Permissions {
        let missing = needed.without(self.token.named(kind, name));
        if missing.is_empty() || exact_only(name) {
            return missing;
        }
        let known = self.sets.iter().find(|(of, _)| *of == kind);
        if let Some((_, set)) = known {
            return missing.without(set.held(name));
        }
        let set = helpful_patterns(self.token, kind, needed);
        let missing = missing.without(set.held(name));
        self.sets.push((kind, set));
        missing
    }
}

fn helpful_patterns<T: VerifiedClaims>(
    token: &T,
    kind: ResourceKind,
    needed: Permissions,
) -> PatternSet {
    let helps = |(_, held): &(&str, Permissions)| !(*held & needed).is_empty();
    PatternSet::new(kind, token.patterns(kind).filter(helps))
}

/// What of `needed` is not granted on every record of `kind`: only a pattern
/// whose text says so grants that (contract 10.8).
pub(crate) fn missing_on_all<T: VerifiedClaims>(
    token: &T,
    kind: ResourceKind,
    needed: Permissions,
) -> Permissions {
    token
        .patterns(kind)
        .filter(|(pattern, _)| covers_everything(pattern))
        .fold(needed, |missing, (_, held)| missing.without(held))
}

/// The texts that say "everything" (contract 10.8). It is the text that counts:
/// what else matches every name is not looked into.
pub(crate) fn covers_everything(pattern: &str) -> bool {
    matches!(pattern, ".*" | "^.*$" | ".+" | "^.+$")
}
