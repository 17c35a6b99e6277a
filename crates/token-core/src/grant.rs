//! What a token grants: names, patterns and categories with their permissions.

use alloc::collections::BTreeMap;

use crate::pattern::PatternText;
use crate::permission::Permissions;
use crate::resource::{Category, ResourceKind, ResourceName};

/// The names and patterns of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Section {
    names: BTreeMap<ResourceName, Permissions>,
    patterns: BTreeMap<PatternText, Permissions>,
}

/// What a token grants. Granting twice on one entry grants the union.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    sections: BTreeMap<ResourceKind, Section>,
    categories: [bool; 2],
}

impl Grants {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Grants `permissions` on exactly `name`.
    pub fn allow(&mut self, kind: ResourceKind, name: ResourceName, permissions: Permissions) {
        *self
            .sections
            .entry(kind)
            .or_default()
            .names
            .entry(name)
            .or_default() |= permissions;
    }

    /// Grants `permissions` on every name that `pattern` matches.
    pub fn allow_pattern(
        &mut self,
        kind: ResourceKind,
        pattern: PatternText,
        permissions: Permissions,
    ) {
        *self
            .sections
            .entry(kind)
            .or_default()
            .patterns
            .entry(pattern)
            .or_default() |= permissions;
    }

    /// Grants the listing of `category`.
    pub fn allow_category(&mut self, category: Category) {
        let [channels, uuids] = &mut self.categories;
        match category {
            Category::Channels => *channels = true,
            Category::Uuids => *uuids = true,
        }
    }

    /// The names of `kind`, sorted by their bytes.
    pub fn names(
        &self,
        kind: ResourceKind,
    ) -> impl Iterator<Item = (&ResourceName, Permissions)> + '_ {
        self.sections
            .get(&kind)
            .into_iter()
            .flat_map(|section| &section.names)
            .map(|(name, permissions)| (name, *permissions))
    }

    /// The patterns of `kind`, sorted by their bytes.
    pub fn patterns(
        &self,
        kind: ResourceKind,
    ) -> impl Iterator<Item = (&PatternText, Permissions)> + '_ {
        self.sections
            .get(&kind)
            .into_iter()
            .flat_map(|section| &section.patterns)
            .map(|(pattern, permissions)| (pattern, *permissions))
    }

    /// Whether the listing of `category` is granted.
    #[must_use]
    pub const fn category(&self, category: Category) -> bool {
        let [channels, uuids] = self.categories;
        match category {
            Category::Channels => channels,
            Category::Uuids => uuids,
        }
    }

    /// How many names there are, over all kinds.
    #[must_use]
    pub fn name_count(&self) -> usize {
        self.sections
            .values()
            .map(|section| section.names.len())
            .sum()
    }

    /// How many patterns there are, over all kinds.
    #[must_use]
    pub fn pattern_count(&self) -> usize {
        self.sections
            .values()
            .map(|section| section.patterns.len())
            .sum()
    }

    /// True when there is no name, no pattern and no category.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.name_count() == 0 && self.pattern_count() == 0 && self.categories == [false; 2]
    }
}
