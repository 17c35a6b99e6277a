//! Tokens that were verified lately.
//!
//! A hit saves decoding and the MAC, nothing else: expiry, rules and deny list
//! are looked at every time, and so is whether the key that verified the token
//! is still the key of its time of issue.

use core::cell::RefCell;
use core::hash::{Hash, Hasher};
use std::fmt;
use std::sync::Arc;

use crate::metrics::CacheMetrics;
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};
use token_codec::{KeyRing, TokenBuffer, VerifiedToken, VerifyError, verify};

/// How much memory verified tokens may take, in bytes.
pub(crate) const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// How much memory compiled patterns may take, in bytes: some thousand sets.
/// Simple patterns are not compiled.
pub(crate) const PATTERN_CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// What an entry takes beside its text and its bytes.
const ENTRY_BYTES: u64 = 256;

/// An entry is found by the keyset and the exact text; both are compared in
/// full.
#[derive(PartialEq, Eq)]
struct Key {
    subscribe_key: Box<str>,
    text: Box<str>,
}

/// A [`Key`] that owns nothing.
struct Lookup<'a> {
    subscribe_key: &'a str,
    text: &'a str,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&*self.subscribe_key, &*self.text).hash(state);
    }
}

impl Hash for Lookup<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.subscribe_key, self.text).hash(state);
    }
}

impl Equivalent<Key> for Lookup<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.subscribe_key == *key.subscribe_key && *self.text == *key.text
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<VerifiedToken<'static>>> for Bytes {
    fn weight(&self, key: &Key, token: &Arc<VerifiedToken<'static>>) -> u64 {
        let own = key.text.len().saturating_add(token.size());
        u64::try_from(own)
            .unwrap_or(u64::MAX)
            .saturating_add(ENTRY_BYTES)
    }
}

/// The cache. Seeded at random, so nobody chooses which entries collide.
pub(crate) struct VerifiedTokens {
    cache: Cache<Key, Arc<VerifiedToken<'static>>, Bytes>,
    metrics: CacheMetrics,
}

impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedTokens")
            .field("len", &self.cache.len())
            .finish_non_exhaustive()
    }
}

thread_local! {
    static BUFFER: RefCell<TokenBuffer> = RefCell::new(TokenBuffer::new());
}

impl VerifiedTokens {
    /// A cache of at most `bytes`.
    pub(crate) fn new(bytes: u64, metrics: CacheMetrics) -> Self {
        let entries = usize::try_from(bytes / 512).unwrap_or(usize::MAX);
        Self {
            cache: Cache::with_weighter(entries, bytes, Bytes),
            metrics,
        }
    }

    /// Brings the gauges up to date.
    pub(crate) fn measure(&self) {
        let entries = i64::try_from(self.cache.len()).unwrap_or(i64::MAX);
        self.metrics.entries.set(entries);
        let bytes = i64::try_from(self.cache.weight()).unwrap_or(i64::MAX);
        self.metrics.bytes.set(bytes);
    }

    /// The token that `text` is under `keys`.
    pub(crate) fn verify(
        &self,
        text: &str,
        keys: &KeyRing,
    ) -> Result<Arc<VerifiedToken<'static>>, VerifyError> {
        let subscribe_key = keys.subscribe_key().as_str();
        let lookup = Lookup {
            subscribe_key,
            text,
        };
        if let Some(token) = self.cache.get(&lookup)
            && keys.still_verifies(&token)
        {
            self.metrics.hits.inc();
            return Ok(token);
        }
        self.metrics.misses.inc();
        let token = BUFFER.with_borrow_mut(|buffer| {
            verify(text, keys, buffer).map(|token| Arc::new(token.into_owned()))
        })?;
        let key = Key {
            subscribe_key: subscribe_key.into(),
            text: text.into(),
        };
        self.cache.insert(key, Arc::clone(&token));
        Ok(token)
    }
}
