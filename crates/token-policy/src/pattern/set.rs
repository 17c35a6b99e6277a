//! The patterns of a token for one kind of resource.

use core::fmt;

use token_core::limits::PATTERN_SET_NFA_BYTES_MAX;
use token_core::{Permissions, ResourceKind};

use super::program::Compiler;
use super::{Pattern, PatternError};

/// What an entry of a set takes beside its text and its compiled form, in
/// bytes: it and what the automaton knows of itself.
const ENTRY_BYTES: usize = 512;

/// What a refused pattern takes beside its text, in bytes.
const REFUSED_BYTES: usize = 128;

/// The patterns of one kind with their permissions, compiled, together at most
/// 256 KiB.
///
/// A pattern that does not compile, or for which no room is left, matches
/// nothing and takes nothing from the others; [`PatternSet::refused`] lists it.
#[derive(Clone, Default)]
pub struct PatternSet {
    groups: bool,
    members: Vec<PatternEntry>,
    refused: Vec<RefusedPattern>,
}

/// A pattern of a set with what it grants.
#[derive(Clone, Debug)]
pub struct PatternEntry {
    pattern: Pattern,
    permissions: Permissions,
}

/// A pattern of a set that matches nothing, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedPattern {
    text: String,
    error: PatternError,
}

impl PatternSet {
    /// The set of `patterns` for names of `kind`, in their order.
    pub fn new<'p>(
        kind: ResourceKind,
        patterns: impl IntoIterator<Item = (&'p str, Permissions)>,
    ) -> Self {
        let mut set = Self {
            groups: kind == ResourceKind::Group,
            ..Self::default()
        };
        let compiler = Compiler::new();
        let mut room = PATTERN_SET_NFA_BYTES_MAX;
        for (text, permissions) in patterns {
            let compiled = Pattern::compile(text, &compiler).and_then(|pattern| {
                room = room
                    .checked_sub(pattern.bytes())
                    .ok_or(PatternError::SetTooLarge)?;
                Ok(pattern)
            });
            match compiled {
                Ok(pattern) => set.members.push(PatternEntry {
                    pattern,
                    permissions,
                }),
                Err(error) => set.refused.push(RefusedPattern {
                    text: text.to_owned(),
                    error,
                }),
            }
        }
        set
    }

    /// Everything that the matching patterns grant on `name` together.
    #[must_use]
    pub fn held(&self, name: &str) -> Permissions {
        self.matching(name)
            .fold(Permissions::NONE, |held, entry| held | entry.permissions)
    }

    /// The patterns that match `name`, in the order of the set.
    ///
    /// The name of a group is also tried with a `:` before it, by those
    /// patterns whose every match begins with a literal `:` at the start of
    /// the text ([`Pattern::group_form`]).
    pub fn matching<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s PatternEntry> + 's {
        let mut scratch = None;
        let mut with_colon = String::new();
        self.members.iter().filter(move |entry| {
            let program = &entry.pattern.program;
            let scratch = scratch.get_or_insert_with(|| program.scratch());
            if program.matches(scratch, name) {
                return true;
            }
            if !(self.groups && entry.pattern.group_form()) {
                return false;
            }
            if with_colon.is_empty() {
                with_colon.push(':');
                with_colon.push_str(name);
            }
            program.matches(scratch, &with_colon)
        })
    }

    /// The patterns that compiled, in the order of the set.
    #[must_use]
    pub fn entries(&self) -> &[PatternEntry] {
        &self.members
    }

    /// The patterns that match nothing because they did not compile.
    #[must_use]
    pub fn refused(&self) -> &[RefusedPattern] {
        &self.refused
    }

    /// Heap that the compiled patterns take, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.members
            .iter()
            .fold(0, |sum, entry| sum.saturating_add(entry.pattern.bytes()))
    }

    /// No less than all heap that the set takes, in bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        let members = self.members.iter();
        let refused = self.refused.iter();
        members
            .map(|entry| entry.pattern.text.len().saturating_add(ENTRY_BYTES))
            .chain(refused.map(|refused| refused.text.len().saturating_add(REFUSED_BYTES)))
            .fold(self.bytes(), usize::saturating_add)
    }
}

impl fmt::Debug for PatternSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PatternSet")
            .field("members", &self.members)
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}

impl PatternEntry {
    /// The pattern.
    #[must_use]
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// What it grants.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        self.permissions
    }
}

impl RefusedPattern {
    /// The text of the pattern.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Why it is refused.
    #[must_use]
    pub fn error(&self) -> &PatternError {
        &self.error
    }
}
