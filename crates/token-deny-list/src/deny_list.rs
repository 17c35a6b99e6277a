//! The deny list in memory: what decisions ask.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;

use arc_swap::ArcSwap;
use papaya::{HashMap, ResizeMode};
use token_core::{RevokedBy, Standing, Subject, TokenId, TokenKind, UnixSeconds};

/// Every scope of every dialect. Reads take no lock and allocate nothing.
#[derive(Debug, Default)]
pub struct DenyList {
    access_manager: HashMap<Box<str>, Arc<Scope>>,
    crt: HashMap<Box<str>, Arc<Scope>>,
    oem: HashMap<Box<str>, Arc<Scope>>,
}

/// What is denied in one scope.
#[derive(Debug)]
pub struct Scope {
    /// By id as a number, which is hashed as 16 bytes without their length. Ids
    /// are hashed with the keyed hash of the standard library: whoever may
    /// revoke by id, and who issues a JWS, chooses them.
    tokens: HashMap<u128, u64>,
    uuid_rules: HashMap<Box<str>, u64>,
    /// Whether there ever was a rule for a uuid: most scopes never have one, and
    /// then no decision looks for it.
    has_uuid_rules: AtomicBool,
    /// The instant of the rule plus 1; 0 is no rule.
    keyset_rule: AtomicU64,
    /// By the first instant of a signing key's period, ascending.
    horizons: ArcSwap<Vec<(u64, u64)>>,
    /// The latest `t` that this node issued.
    latest_issued: AtomicU64,
}

impl DenyList {
    const fn scopes(&self, kind: TokenKind) -> &HashMap<Box<str>, Arc<Scope>> {
        match kind {
            TokenKind::AccessManager => &self.access_manager,
            TokenKind::Crt => &self.crt,
            TokenKind::Oem => &self.oem,
        }
    }

    /// The scope, made if there is none.
    #[must_use]
    pub fn scope(&self, kind: TokenKind, scope: &str) -> Arc<Scope> {
        let scopes = self.scopes(kind).pin();
        if let Some(found) = scopes.get(scope) {
            return Arc::clone(found);
        }
        Arc::clone(scopes.get_or_insert_with(scope.into(), Arc::default))
    }

    /// How a token stands. Its own entry, that of each ancestor, the rule of its
    /// uuid, that of its scope and the horizon must all be passed.
    #[must_use]
    pub fn standing(&self, subject: &Subject<'_>) -> Standing {
        let scopes = self.scopes(subject.kind).pin();
        scopes
            .get(subject.scope)
            .map_or(Standing::Good, |scope| scope.standing(subject))
    }

    /// The latest `t` that was issued in each scope.
    #[must_use]
    pub fn latest_issued(&self) -> Vec<(TokenKind, String, UnixSeconds)> {
        let mut latest = Vec::new();
        for kind in [TokenKind::AccessManager, TokenKind::Crt, TokenKind::Oem] {
            let scopes = self.scopes(kind).pin();
            let of_kind = scopes
                .iter()
                .map(|(name, scope)| (kind, name.to_string(), scope.latest_issued()));
            latest.extend(of_kind.filter(|(_, _, at)| at.0 > 0));
        }
        latest
    }

    /// Assumes that a token was issued right after every rule, as a native
    /// grant does: true of a node that did not come to say what it issued.
    pub fn assume_issued_after_rules(&self) {
        for kind in [TokenKind::AccessManager, TokenKind::Crt, TokenKind::Oem] {
            for scope in self.scopes(kind).pin().values() {
                let of_uuids = scope.uuid_rules.pin().values().copied().max();
                let rule = scope.keyset_rule().max(of_uuids.map(UnixSeconds));
                if let Some(rule) = rule {
                    scope.note_issued(rule.saturating_add(1));
                }
            }
        }
    }

    /// How many tokens are denied, over all scopes.
    #[must_use]
    pub fn token_count(&self) -> usize {
        [TokenKind::AccessManager, TokenKind::Crt, TokenKind::Oem]
            .into_iter()
            .map(|kind| {
                self.scopes(kind)
                    .pin()
                    .values()
                    .map(|scope| scope.tokens.len())
                    .sum::<usize>()
            })
            .sum()
    }

    /// The instant up to which tokens of a scope, and of a uuid in it, are
    /// dead.
    #[must_use]
    pub fn rule(&self, kind: TokenKind, scope: &str, uuid: Option<&str>) -> Option<UnixSeconds> {
        let scopes = self.scopes(kind).pin();
        let scope = scopes.get(scope)?;
        let of_uuid = uuid.and_then(|uuid| scope.uuid_rule(uuid));
        scope.keyset_rule().max(of_uuid)
    }
}

impl Default for Scope {
    /// With maps that grow at once: the one thread that writes may wait, and no
    /// reader does. While a map grows little by little, readers search every
    /// table that is not emptied yet: 2.1 us after 1e6 entries, not 0.1.
    fn default() -> Self {
        Self {
            tokens: HashMap::builder().resize_mode(ResizeMode::Blocking).build(),
            uuid_rules: HashMap::builder().resize_mode(ResizeMode::Blocking).build(),
            has_uuid_rules: AtomicBool::default(),
            keyset_rule: AtomicU64::default(),
            horizons: ArcSwap::default(),
            latest_issued: AtomicU64::default(),
        }
    }
}

impl Scope {
    fn standing(&self, subject: &Subject<'_>) -> Standing {
        let tokens = self.tokens.pin();
        let denied = |id: &TokenId| tokens.contains_key(&number(*id));
        let revoked = |by, at| Standing::Revoked { by, at };
        if denied(&subject.id) {
            return revoked(RevokedBy::Token, None);
        }
        if subject.ancestors.iter().any(denied) {
            return revoked(RevokedBy::Ancestor, None);
        }
        let covers = |until: &UnixSeconds| subject.issued_at <= *until;
        if let Some(until) = subject
            .uuid
            .and_then(|uuid| self.uuid_rule(uuid))
            .filter(covers)
        {
            return revoked(RevokedBy::Uuid, Some(until));
        }
        if let Some(until) = self.keyset_rule().filter(covers) {
            return revoked(RevokedBy::Keyset, Some(until));
        }
        if subject.expires_at <= self.horizon_at(subject.issued_at) {
            return Standing::Expired;
        }
        Standing::Good
    }

    fn uuid_rule(&self, uuid: &str) -> Option<UnixSeconds> {
        if !self.has_uuid_rules.load(Ordering::Acquire) {
            return None;
        }
        self.uuid_rules.pin().get(uuid).copied().map(UnixSeconds)
    }

    fn keyset_rule(&self) -> Option<UnixSeconds> {
        self.keyset_rule
            .load(Ordering::Acquire)
            .checked_sub(1)
            .map(UnixSeconds)
    }

    /// The horizon of the signing key whose period holds `issued_at`.
    fn horizon_at(&self, issued_at: UnixSeconds) -> UnixSeconds {
        let horizons = self.horizons.load();
        let of_key = horizons.iter().rev().find(|(from, _)| *from <= issued_at.0);
        UnixSeconds(of_key.map_or(0, |(_, horizon)| *horizon))
    }

    /// Denies a token; of two expiries the later counts.
    pub fn deny(&self, id: TokenId, expires_at: UnixSeconds) {
        self.tokens.pin().update_or_insert(
            number(id),
            |held| (*held).max(expires_at.0),
            expires_at.0,
        );
    }

    /// [`Self::deny`] of many, with room made for them first.
    pub fn deny_all(&self, entries: &[(TokenId, UnixSeconds)]) {
        let tokens = self.tokens.pin();
        tokens.reserve(entries.len().saturating_sub(tokens.len()));
        for (id, expires_at) in entries {
            tokens.update_or_insert(number(*id), |held| (*held).max(expires_at.0), expires_at.0);
        }
    }

    /// Forgets a token. Raise the horizon of its key first.
    pub fn forget(&self, id: TokenId) {
        self.tokens.pin().remove(&number(id));
    }

    /// Adds a rule. Rules merge by their maximum.
    pub fn add_rule(&self, uuid: Option<&str>, until: UnixSeconds) {
        match uuid {
            None => {
                self.keyset_rule
                    .fetch_max(until.0.saturating_add(1), Ordering::AcqRel);
            }
            Some(uuid) => {
                // Before the rule, so that whoever was told of it is told here.
                self.has_uuid_rules.store(true, Ordering::Release);
                self.uuid_rules.pin().update_or_insert(
                    uuid.into(),
                    |held| (*held).max(until.0),
                    until.0,
                );
            }
        }
    }

    /// Forgets a rule. Raise the horizons of its keys first.
    pub fn drop_rule(&self, uuid: Option<&str>) {
        match uuid {
            None => self.keyset_rule.store(0, Ordering::Release),
            Some(uuid) => {
                self.uuid_rules.pin().remove(uuid);
            }
        }
    }

    /// Raises the horizon of the signing key that starts at `from`.
    pub fn raise_horizon(&self, from: u64, horizon: u64) {
        let mut horizons = Vec::clone(&self.horizons.load());
        match horizons.binary_search_by_key(&from, |(from, _)| *from) {
            Ok(at) => {
                if let Some((_, held)) = horizons.get_mut(at) {
                    *held = (*held).max(horizon);
                }
            }
            Err(at) => horizons.insert(at, (from, horizon)),
        }
        self.horizons.store(Arc::new(horizons));
    }

    /// Keeps a horizon for each of these signing keys, given by the ascending
    /// starts of their periods, and for no other: what an old key's tokens
    /// left behind says nothing about a new key's.
    pub fn set_signing_keys(&self, starts: &[u64]) {
        let held = self.horizons.load();
        let horizon = |from: &u64| {
            let at = held.binary_search_by_key(from, |(from, _)| *from).ok();
            at.and_then(|at| held.get(at))
                .map_or(0, |(_, horizon)| *horizon)
        };
        let horizons = starts.iter().map(|from| (*from, horizon(from)));
        self.horizons.store(Arc::new(horizons.collect()));
    }

    /// Notes that a token was issued at `at`.
    pub fn note_issued(&self, at: UnixSeconds) {
        self.latest_issued.fetch_max(at.0, Ordering::AcqRel);
    }

    /// The latest `t` that was noted.
    #[must_use]
    pub fn latest_issued(&self) -> UnixSeconds {
        UnixSeconds(self.latest_issued.load(Ordering::Acquire))
    }
}

const fn number(id: TokenId) -> u128 {
    u128::from_ne_bytes(id.0)
}
