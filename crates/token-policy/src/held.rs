//! What a token grants on a name.

use core::cell::OnceCell;
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
        let set = compiled(self.cache, kind, &patterns);
        self.sets.push((kind, needed, Arc::clone(&set)));
        set
    }
}

/// One pattern of a token, to say what it alone grants.
pub(crate) struct HeldByPattern<'t> {
    pub(crate) text: &'t str,
    kind: ResourceKind,
    permissions: Permissions,
    cache: Option<&'t PatternCache>,
    compiled: OnceCell<Arc<PatternSet>>,
}

impl<'t> HeldByPattern<'t> {
    /// Each pattern of a kind.
    pub(crate) fn each<T: VerifiedClaims>(
        token: &'t T,
        kind: ResourceKind,
        cache: Option<&'t PatternCache>,
    ) -> Vec<Self> {
        let one = |(text, permissions)| Self {
            text,
            kind,
            permissions,
            cache,
            compiled: OnceCell::new(),
        };
        token.patterns(kind).map(one).collect()
    }

    /// What the pattern grants on `name`.
    pub(crate) fn on(&self, name: &str) -> Permissions {
        match simple::matches(self.kind, self.text, name) {
            Some(true) => self.permissions,
            Some(false) => Permissions::NONE,
            None => self.compiled.get_or_init(|| self.compile()).held(name),
        }
    }

    fn compile(&self) -> Arc<PatternSet> {
        compiled(self.cache, self.kind, &[(self.text, self.permissions)])
    }
}

/// Whether `pattern`, which no token holds, matches `name`.
pub(crate) fn would_match(kind: ResourceKind, pattern: &str, name: &str) -> bool {
    simple::matches(kind, pattern, name).unwrap_or_else(|| {
        let set = PatternSet::new(kind, [(pattern, Permissions::ALL)]);
        !set.held(name).is_empty()
    })
}

/// The compiled form of `patterns`, from the cache if there is one.
fn compiled(
    cache: Option<&PatternCache>,
    kind: ResourceKind,
    patterns: &[(&str, Permissions)],
) -> Arc<PatternSet> {
    cache.map_or_else(
        || Arc::new(PatternSet::new(kind, patterns.iter().copied())),
        |cache| cache.set(kind, patterns),
    )
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
