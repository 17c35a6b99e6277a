//! What a token grants on a name.

use std::sync::Arc;

use token_core::{Permissions, ResourceKind, VerifiedClaims};

use crate::pattern::{PatternCache, PatternSet, simple};
use crate::request::exact_only;

/// The grants of one token while one request is decided. Simple patterns are
/// answered from their text; the others are compiled, or found compiled, when
/// the first name needs them, and only those that could help.
pub(crate) struct Held<'t, T> {
    token: &'t T,
    cache: Option<&'t PatternCache>,
    /// By kind and what they could help with.
    sets: Vec<(ResourceKind, Permissions, Arc<PatternSet>)>,
}

impl<'t, T: VerifiedClaims> Held<'t, T> {
    pub(crate) const fn of(token: &'t T, cache: Option<&'t PatternCache>) -> Self {
        Self {
            token,
            cache,
            sets: Vec::new(),
        }
    }

    /// What of `needed` is not granted on `name`.
    pub(crate) fn missing(
        &mut self,
        kind: ResourceKind,
        name: &str,
        needed: Permissions,
    ) -> Permissions {
        let mut missing = needed.without(self.token.named(kind, name));
        if missing.is_empty() || exact_only(name) {
            return missing;
        }
        let mut all_simple = true;
        for (pattern, held) in self.token.patterns(kind) {
            if (held & missing).is_empty() {
                continue;
            }
            match simple::matches(kind, pattern, name) {
                Some(true) => missing = missing.without(held),
                Some(false) => {}
                None => all_simple = false,
            }
            if missing.is_empty() {
                return missing;
            }
        }
        if all_simple {
            return missing;
        }
        missing.without(self.compiled(kind, needed).held(name))
    }

    /// The patterns of a kind that could help and are not simple, compiled.
    fn compiled(&mut self, kind: ResourceKind, needed: Permissions) -> Arc<PatternSet> {
        let known = |(of, with, _): &&(_, _, _)| *of == kind && *with == needed;
        if let Some((_, _, set)) = self.sets.iter().find(known) {
            return Arc::clone(set);
        }
        let helps = |(pattern, held): &(&str, Permissions)| {
            !(*held & needed).is_empty() && !simple::is_simple(kind, pattern)
        };
        let patterns: Vec<_> = self.token.patterns(kind).filter(helps).collect();
        let set = match self.cache {
            Some(cache) => cache.set(kind, &patterns),
            None => Arc::new(PatternSet::new(kind, patterns)),
        };
        self.sets.push((kind, needed, Arc::clone(&set)));
        set
    }
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
