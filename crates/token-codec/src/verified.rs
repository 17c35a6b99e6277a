//! A token whose signature was verified, read where it lies.

use core::fmt;
use std::sync::Arc;

use token_core::{
    Category, Claims, Grants, PatternText, Permissions, ResourceKind, ResourceName, SubscribeKey,
    TokenId, TokenKind, TtlMinutes, UnixSeconds, VerifiedClaims,
};

use crate::key::{Fingerprint, TokenKey};
use crate::layout::{key_order, of_kind};
use crate::meta;
use crate::outline::Outline;
use crate::outline::read_id;
use crate::reader::{Reader, Span};
use crate::verify::TokenBuffer;

/// A token whose signature was verified; the one thing that decisions accept.
///
/// Only [`crate::verify`] makes one:
///
/// ```compile_fail
/// let forged = token_codec::VerifiedToken { };
/// ```
///
/// It borrows the buffer that it was decoded into and the keys that verified
/// it, and reads its parts where they lie. [`VerifiedToken::into_owned`] makes
/// one that can be kept.
#[derive(Clone)]
pub struct VerifiedToken<'b> {
    token: Token<'b>,
    scope: Scope<'b>,
    fingerprint: Fingerprint,
}

#[derive(Clone)]
enum Token<'b> {
    Borrowed(&'b TokenBuffer),
    Owned(Arc<TokenBuffer>),
}

#[derive(Clone)]
enum Scope<'b> {
    Borrowed(&'b Arc<SubscribeKey>),
    Owned(Arc<SubscribeKey>),
}

impl<'b> VerifiedToken<'b> {
    /// For `verify`, once the signature matched what is in `token`.
    #[inline]
    pub(crate) fn new(
        token: &'b TokenBuffer,
        scope: &'b Arc<SubscribeKey>,
        key: &TokenKey,
    ) -> Self {
        Self {
            token: Token::Borrowed(token),
            scope: Scope::Borrowed(scope),
            fingerprint: key.fingerprint(),
        }
    }

    /// The same token with a copy of its bytes, for a cache.
    #[must_use]
    pub fn into_owned(self) -> VerifiedToken<'static> {
        let token = match self.token {
            Token::Borrowed(token) => Arc::new(token.to_exact()),
            Token::Owned(token) => token,
        };
        let scope = match self.scope {
            Scope::Borrowed(scope) => Arc::clone(scope),
            Scope::Owned(scope) => scope,
        };
        VerifiedToken {
            token: Token::Owned(token),
            scope: Scope::Owned(scope),
            fingerprint: self.fingerprint,
        }
    }

    fn token(&self) -> &TokenBuffer {
        match &self.token {
            Token::Borrowed(token) => token,
            Token::Owned(token) => token,
        }
    }

    fn outline(&self) -> &Outline {
        self.token().outline()
    }

    fn part(&self, span: Span) -> &[u8] {
        span.of(self.token().bytes())
    }

    /// The keyset whose key signed it.
    #[must_use]
    pub fn subscribe_key(&self) -> &SubscribeKey {
        match &self.scope {
            Scope::Borrowed(scope) => scope,
            Scope::Owned(scope) => scope,
        }
    }

    /// How long it lives.
    #[must_use]
    pub fn ttl(&self) -> TtlMinutes {
        TtlMinutes(self.outline().ttl)
    }

    /// How many bytes it has, the text decoded.
    #[must_use]
    pub fn size(&self) -> usize {
        self.outline().size()
    }

    /// Everything that it says, as plain data.
    #[must_use]
    pub fn claims(&self) -> Claims {
        // Verification read every part, so none of them fails here; a part
        // that did would be left out, which grants less.
        let mut grants = Grants::new();
        for kind in ResourceKind::ALL {
            for (name, permissions) in self.names(kind) {
                if let Ok(name) = ResourceName::new(name) {
                    grants.allow(kind, name, permissions);
                }
            }
            for (pattern, permissions) in self.patterns(kind) {
                if let Ok(pattern) = PatternText::new(pattern) {
                    grants.allow_pattern(kind, pattern, permissions);
                }
            }
        }
        for category in Category::ALL {
            if self.category(category) {
                grants.allow_category(category);
            }
        }
        let mut meta = Reader::new(self.part(self.outline().meta));
        Claims {
            issued_at: self.outline().issued_at,
            ttl: self.ttl(),
            grants,
            meta: meta::read(&mut meta).unwrap_or_default(),
            uuid: self.uuid().map(str::to_owned),
            ancestors: self.ancestors().collect(),
            key_id: self.key_id().map(str::to_owned),
        }
    }

    pub(crate) fn issued_at_time(&self) -> UnixSeconds {
        self.outline().issued_at
    }

    pub(crate) fn key_id(&self) -> Option<&str> {
        Reader::new(self.part(self.outline().key_id?)).text().ok()
    }

    pub(crate) const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn entries(&self, section: Span) -> Entries<'_> {
        Entries(Reader::new(self.part(section)))
    }
}

impl VerifiedClaims for VerifiedToken<'_> {
    fn kind(&self) -> TokenKind {
        TokenKind::AccessManager
    }

    fn scope(&self) -> &str {
        self.subscribe_key().as_str()
    }

    fn id(&self) -> TokenId {
        TokenId(self.outline().id)
    }

    fn ancestors(&self) -> impl Iterator<Item = TokenId> + '_ {
        let mut reader = Reader::new(self.part(self.outline().ancestors));
        core::iter::from_fn(move || reader.text().ok().and_then(read_id))
    }

    fn issued_at(&self) -> UnixSeconds {
        self.outline().issued_at
    }

    fn expires_at(&self) -> UnixSeconds {
        self.outline().expires_at
    }

    fn uuid(&self) -> Option<&str> {
        core::str::from_utf8(self.part(self.outline().uuid?)).ok()
    }

    fn named(&self, kind: ResourceKind, name: &str) -> Permissions {
        let wanted = name.as_bytes();
        for (found, permissions) in self.entries(of_kind(&self.outline().names, kind)) {
            match key_order(found, wanted) {
                core::cmp::Ordering::Less => {}
                core::cmp::Ordering::Equal => return permissions,
                // Sorted: what is not here does not come later.
                core::cmp::Ordering::Greater => break,
            }
        }
        Permissions::NONE
    }

    fn names(&self, kind: ResourceKind) -> impl Iterator<Item = (&str, Permissions)> + '_ {
        as_text(self.entries(of_kind(&self.outline().names, kind)))
    }

    fn patterns(&self, kind: ResourceKind) -> impl Iterator<Item = (&str, Permissions)> + '_ {
        as_text(self.entries(of_kind(&self.outline().patterns, kind)))
    }

    fn category(&self, category: Category) -> bool {
        let [channels, uuids] = self.outline().categories;
        match category {
            Category::Channels => channels,
            Category::Uuids => uuids,
        }
    }
}

impl fmt::Debug for VerifiedToken<'_> {
    /// The id and the keyset: neither is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken")
            .field("id", &TokenId(self.outline().id))
            .field("subscribe_key", &self.subscribe_key().as_str())
            .finish_non_exhaustive()
    }
}

/// The entries of a section that was walked before.
struct Entries<'b>(Reader<'b>);

impl<'b> Iterator for Entries<'b> {
    type Item = (&'b [u8], Permissions);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_at_end() {
            return None;
        }
        let text = self.0.text_bytes().ok()?;
        let bits = u8::try_from(self.0.unsigned().ok()?).ok()?;
        Some((text, Permissions::from_bits(bits)))
    }
}

fn as_text(entries: Entries<'_>) -> impl Iterator<Item = (&str, Permissions)> {
    entries.map_while(|(text, permissions)| {
        core::str::from_utf8(text)
            .ok()
            .map(|text| (text, permissions))
    })
}
