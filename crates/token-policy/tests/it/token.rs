//! Claims as data, and a token over them. The tests may say that claims are
//! verified; nothing else may.

use std::collections::BTreeMap;

use serde::Deserialize;
use token_core::{
    Category, Claims, Grants, PatternText, Permissions, ResourceKind, ResourceName, TokenId,
    TokenKind, TtlMinutes, UnixSeconds, VerifiedClaims,
};
use token_policy::{Revocations, RevokedBy, Standing, Subject};

pub(crate) const SUBSCRIBE_KEY: &str = "sub-c-demo";
pub(crate) const ISSUED_AT: u64 = 1_790_000_000;
pub(crate) const NOW: u64 = ISSUED_AT + 60;

/// A token that was "verified".
#[derive(Clone, Debug)]
pub(crate) struct TestToken {
    pub(crate) claims: Claims,
    pub(crate) kind: TokenKind,
    pub(crate) scope: String,
    pub(crate) id: TokenId,
    /// The permissions of a customer.
    pub(crate) customer: Vec<String>,
}

impl TestToken {
    pub(crate) fn new(claims: Claims) -> Self {
        Self {
            claims,
            kind: TokenKind::AccessManager,
            scope: SUBSCRIBE_KEY.to_owned(),
            id: TokenId([7; 16]),
            customer: Vec::new(),
        }
    }
}

impl VerifiedClaims for TestToken {
    fn kind(&self) -> TokenKind {
        self.kind
    }

    fn scope(&self) -> &str {
        &self.scope
    }

    fn id(&self) -> TokenId {
        self.id
    }

    fn ancestors(&self) -> impl Iterator<Item = TokenId> + '_ {
        self.claims.ancestors.iter().copied()
    }

    fn issued_at(&self) -> UnixSeconds {
        self.claims.issued_at
    }

    fn expires_at(&self) -> UnixSeconds {
        let expiry = self.claims.ttl.expires_at(self.claims.issued_at);
        expiry.unwrap_or(UnixSeconds(0))
    }

    fn uuid(&self) -> Option<&str> {
        self.claims.uuid.as_deref()
    }

    fn named(&self, kind: ResourceKind, name: &str) -> Permissions {
        let mut names = self.claims.grants.names(kind);
        names
            .find(|(entry, _)| entry.as_str() == name)
            .map_or(Permissions::NONE, |(_, held)| held)
    }

    fn names(&self, kind: ResourceKind) -> impl Iterator<Item = (&str, Permissions)> + '_ {
        let names = self.claims.grants.names(kind);
        names.map(|(name, held)| (name.as_str(), held))
    }

    fn patterns(&self, kind: ResourceKind) -> impl Iterator<Item = (&str, Permissions)> + '_ {
        let patterns = self.claims.grants.patterns(kind);
        patterns.map(|(text, held)| (text.as_str(), held))
    }

    fn category(&self, category: Category) -> bool {
        self.claims.grants.category(category)
    }

    fn customer_permission(&self, permission: &str) -> bool {
        self.customer.iter().any(|held| held == permission)
    }
}

/// Claims as they stand in a test file, in the shape of a grant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ClaimsData {
    resources: BTreeMap<String, BTreeMap<String, u8>>,
    patterns: BTreeMap<String, BTreeMap<String, u8>>,
    categories: BTreeMap<String, u8>,
    uuid: Option<String>,
    issued_at: u64,
    ttl: u32,
    ancestors: Vec<String>,
    id: String,
    kind: String,
    subscribe_key: String,
    /// In place of the subscribe key.
    account: Option<String>,
    customer: Vec<String>,
}

impl Default for ClaimsData {
    fn default() -> Self {
        Self {
            resources: BTreeMap::new(),
            patterns: BTreeMap::new(),
            categories: BTreeMap::new(),
            uuid: None,
            issued_at: ISSUED_AT,
            ttl: 60,
            ancestors: Vec::new(),
            id: "07".repeat(16),
            kind: "access-manager".to_owned(),
            subscribe_key: SUBSCRIBE_KEY.to_owned(),
            account: None,
            customer: Vec::new(),
        }
    }
}

impl ClaimsData {
    pub(crate) fn token(&self) -> TestToken {
        let ttl = TtlMinutes(self.ttl);
        let mut claims = Claims::new(UnixSeconds(self.issued_at), ttl, self.grants());
        claims.uuid.clone_from(&self.uuid);
        claims.ancestors = self
            .ancestors
            .iter()
            .map(|id| id.parse().unwrap())
            .collect();
        let kinds = [TokenKind::AccessManager, TokenKind::Crt, TokenKind::Oem];
        TestToken {
            claims,
            kind: kinds.into_iter().find(|k| k.name() == self.kind).unwrap(),
            scope: self.account.as_ref().unwrap_or(&self.subscribe_key).clone(),
            id: self.id.parse().unwrap(),
            customer: self.customer.clone(),
        }
    }

    fn grants(&self) -> Grants {
        let mut grants = Grants::new();
        for (kind, names) in &self.resources {
            let kind = ResourceKind::from_json_name(kind).unwrap();
            for (name, bits) in names {
                let name = ResourceName::new(name.as_str()).unwrap();
                grants.allow(kind, name, Permissions::from_bits(*bits));
            }
        }
        for (kind, patterns) in &self.patterns {
            let kind = ResourceKind::from_json_name(kind).unwrap();
            for (text, bits) in patterns {
                let text = PatternText::new(text.as_str()).unwrap();
                grants.allow_pattern(kind, text, Permissions::from_bits(*bits));
            }
        }
        for name in self.categories.keys() {
            let category = Category::ALL.into_iter().find(|c| c.json_name() == name);
            grants.allow_category(category.unwrap());
        }
        grants
    }
}

/// The claims of `token` with `more` added.
pub(crate) fn with(token: &TestToken, more: &Grants) -> TestToken {
    let mut token = token.clone();
    let grants = &mut token.claims.grants;
    for kind in ResourceKind::ALL {
        for (name, held) in more.names(kind) {
            grants.allow(kind, name.clone(), held);
        }
        for (text, held) in more.patterns(kind) {
            grants.allow_pattern(kind, text.clone(), held);
        }
    }
    for category in Category::ALL {
        if more.category(category) {
            grants.allow_category(category);
        }
    }
    token
}

/// Every way to take one bit, or one category, away from `grants`.
pub(crate) fn minus_one_bit(grants: &Grants) -> Vec<Grants> {
    let mut entries = Vec::new();
    for kind in ResourceKind::ALL {
        for (name, held) in grants.names(kind) {
            entries.extend(held.iter().map(|bit| (kind, Ok(name), bit)));
        }
        for (text, held) in grants.patterns(kind) {
            entries.extend(held.iter().map(|bit| (kind, Err(text), bit)));
        }
    }
    let categories: Vec<_> = Category::ALL
        .into_iter()
        .filter(|category| grants.category(*category))
        .collect();
    let without = |skipped_entry: Option<usize>, skipped_category: Option<usize>| {
        let mut fewer = Grants::new();
        for (i, (kind, entry, bit)) in entries.iter().enumerate() {
            match entry {
                _ if Some(i) == skipped_entry => {}
                Ok(name) => fewer.allow(*kind, (*name).clone(), (*bit).into()),
                Err(text) => fewer.allow_pattern(*kind, (*text).clone(), (*bit).into()),
            }
        }
        for (i, category) in categories.iter().enumerate() {
            if Some(i) != skipped_category {
                fewer.allow_category(*category);
            }
        }
        fewer
    };
    (0..entries.len())
        .map(|i| without(Some(i), None))
        .chain((0..categories.len()).map(|i| without(None, Some(i))))
        .collect()
}

/// A deny list as data.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DenyList {
    /// Ids.
    pub(crate) tokens: Vec<String>,
    /// Rules: everything of this uuid that was issued until then.
    pub(crate) uuids: BTreeMap<String, u64>,
    /// A rule for everything of this keyset.
    pub(crate) keysets: BTreeMap<String, u64>,
    /// `stale`, `behind` or `horizon`, whatever the token.
    pub(crate) state: Option<String>,
}

impl Revocations for DenyList {
    fn standing(&self, subject: &Subject<'_>) -> Standing {
        match self.state.as_deref() {
            Some("stale") => return Standing::Stale,
            Some("behind") => return Standing::Behind,
            Some("horizon") => return Standing::Expired,
            Some(other) => panic!("no state of a deny list is called {other}"),
            None => {}
        }
        let denied = |id: &TokenId| self.tokens.contains(&id.to_string());
        let covers = |until: &&u64| subject.issued_at.0 <= **until;
        let uuid = subject.uuid.and_then(|uuid| self.uuids.get(uuid));
        let uuid = uuid.filter(covers);
        let keyset = self.keysets.get(subject.scope).filter(covers);
        if denied(&subject.id) {
            Standing::Revoked {
                by: RevokedBy::Token,
                at: None,
            }
        } else if subject.ancestors.iter().any(denied) {
            Standing::Revoked {
                by: RevokedBy::Ancestor,
                at: None,
            }
        } else if let Some(at) = uuid {
            Standing::Revoked {
                by: RevokedBy::Uuid,
                at: Some(UnixSeconds(*at)),
            }
        } else if let Some(at) = keyset {
            Standing::Revoked {
                by: RevokedBy::Keyset,
                at: Some(UnixSeconds(*at)),
            }
        } else {
            Standing::Good
        }
    }
}
