//! Compiled patterns that decisions share.

use core::fmt;
use core::hash::{Hash, Hasher};
use std::hash::RandomState;
use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, Weighter};
use token_core::{Permissions, ResourceKind};

use super::PatternSet;

/// What an entry takes beside its key and its set, in bytes.
const ENTRY_BYTES: usize = 256;

/// What an entry of the key takes beside its text, in bytes.
const KEY_BYTES: usize = 32;

/// The cache counts on entries of this size, in bytes, and gives each of its
/// parts room for 32 of them: several of the largest sets.
const ENTRY_BYTES_EXPECTED: u64 = 64 * 1024;

/// Compiled patterns that decisions share: sets of them, found by kind, texts
/// and what they grant, so that tokens with the same patterns share one.
///
/// It never holds more bytes than it was made for. What is not used makes room,
/// and sets that are used once do not displace those that are used often. Only
/// decisions and their explanations put something into it, so only what a
/// verified token says gets there, and simple patterns do not, as they are not
/// compiled.
///
/// A process makes one for all its decisions and names it in each request
/// ([`Request::sharing`](crate::Request::sharing)); there is none behind the
/// scenes, so who embeds decisions knows what they keep. The hash is seeded at
/// random.
pub struct PatternCache {
    sets: Cache<Key, Arc<PatternSet>, Bytes, RandomState>,
}

impl PatternCache {
    /// A cache of at most `bytes` of heap. A set that is larger than a cache of
    /// less than 512 KiB is compiled for each decision.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let entries = usize::try_from(bytes / ENTRY_BYTES_EXPECTED).unwrap_or(usize::MAX);
        let hash = RandomState::new();
        Self {
            sets: Cache::with(entries, bytes, Bytes, hash, DefaultLifecycle::default()),
        }
    }

    /// Heap that the cached sets take, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.sets.weight()
    }

    /// How many sets are cached.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sets.len()
    }

    /// Whether nothing is cached.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// The compiled form of `patterns`, made if it is not there.
    pub(crate) fn set(
        &self,
        kind: ResourceKind,
        patterns: &[(&str, Permissions)],
    ) -> Arc<PatternSet> {
        let groups = kind == ResourceKind::Group;
        let lookup = Lookup { groups, patterns };
        if let Some(set) = self.sets.get(&lookup) {
            return set;
        }
        let set = Arc::new(PatternSet::new(kind, patterns.iter().copied()));
        self.sets.insert(Key::from(&lookup), Arc::clone(&set));
        set
    }
}

impl fmt::Debug for PatternCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PatternCache")
            .field("len", &self.len())
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

/// A cache is equal to itself only.
impl PartialEq for PatternCache {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }
}

impl Eq for PatternCache {}

/// An entry is found by all of its content, which is compared in full.
#[derive(PartialEq, Eq)]
struct Key {
    groups: bool,
    patterns: Box<[(Box<str>, Permissions)]>,
}

/// A [`Key`] that owns nothing.
struct Lookup<'p> {
    groups: bool,
    patterns: &'p [(&'p str, Permissions)],
}

impl From<&Lookup<'_>> for Key {
    fn from(lookup: &Lookup<'_>) -> Self {
        let owned = |(text, held): &(&str, Permissions)| (Box::from(*text), *held);
        Self {
            groups: lookup.groups,
            patterns: lookup.patterns.iter().map(owned).collect(),
        }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let patterns = self.patterns.iter().map(|(text, held)| (&**text, *held));
        hash(self.groups, patterns, state);
    }
}

impl Hash for Lookup<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(self.groups, self.patterns.iter().copied(), state);
    }
}

fn hash<'p, H: Hasher>(
    groups: bool,
    patterns: impl Iterator<Item = (&'p str, Permissions)>,
    state: &mut H,
) {
    groups.hash(state);
    for (text, held) in patterns {
        text.hash(state);
        held.bits().hash(state);
    }
}

impl Equivalent<Key> for Lookup<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        let same =
            |((a, held_a), (b, held_b)): (&(&str, Permissions), &(Box<str>, Permissions))| {
                **a == **b && held_a == held_b
            };
        self.groups == key.groups
            && self.patterns.len() == key.patterns.len()
            && self.patterns.iter().zip(&key.patterns).all(same)
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<PatternSet>> for Bytes {
    fn weight(&self, key: &Key, set: &Arc<PatternSet>) -> u64 {
        let texts = key.patterns.iter().fold(0_usize, |sum, (text, _)| {
            sum.saturating_add(text.len()).saturating_add(KEY_BYTES)
        });
        let bytes = texts
            .saturating_add(set.heap_bytes())
            .saturating_add(ENTRY_BYTES);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}
