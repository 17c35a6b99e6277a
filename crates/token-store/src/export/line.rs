//! The lines of an export.

use serde::{Deserialize, Serialize};
use token_core::{TokenId, TokenKind};

use crate::access_key::Role;
use crate::account::AccountEntry;
use crate::record::Record;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The version of the format.
    pub(crate) usher_export: u64,
    /// The id of the store.
    pub(crate) store: String,
    /// The last commit that is in it.
    pub(crate) sequence: u64,
    /// When it was made, in seconds since 1970.
    pub(crate) made_at: u64,
    pub(crate) secrets: Secrets,
    /// The id of the master key of sealed secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sealed_by: Option<String>,
}

/// How secrets are in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Secrets {
    None,
    Plain,
    Sealed,
}

/// One entry, or the end.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Line {
    Horizon {
        kind: Kind,
        scope: String,
        from: u64,
        until: u64,
    },
    Rule {
        kind: Kind,
        scope: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        uuid: Option<String>,
        until: u64,
    },
    Token {
        kind: Kind,
        scope: String,
        id: Id,
        #[serde(skip_serializing_if = "Option::is_none")]
        issued_at: Option<u64>,
        expires_at: u64,
    },
    AccessKey {
        kind: KeyKind,
        /// None in version 1, which had one key of a kind.
        #[serde(default)]
        name: Option<String>,
        #[serde(default)]
        created_at: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<u64>,
        sha256: String,
    },
    Account {
        account: u64,
        name: String,
        entry: AccountEntry,
    },
    Keyset {
        subscribe_key: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// None without secrets.
        #[serde(skip_serializing_if = "Option::is_none")]
        record: Option<Record>,
    },
    /// The last line: how many entries there are, and the SHA-256 of every byte
    /// before it.
    End { entries: u64, sha256: String },
}

/// A dialect by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub(crate) struct Kind(pub(crate) TokenKind);

impl From<Kind> for &'static str {
    fn from(kind: Kind) -> Self {
        kind.0.name()
    }
}

impl TryFrom<String> for Kind {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        [TokenKind::AccessManager, TokenKind::Crt, TokenKind::Oem]
            .into_iter()
            .find(|kind| kind.name() == name)
            .map(Self)
            .ok_or("no dialect has this name")
    }
}

/// The role of an access key by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub(crate) struct KeyKind(pub(crate) Role);

impl From<KeyKind> for &'static str {
    fn from(kind: KeyKind) -> Self {
        kind.0.name()
    }
}

impl TryFrom<String> for KeyKind {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Role::named(&name)
            .map(Self)
            .ok_or("no access key is of this kind")
    }
}

/// The id of a token as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Id(pub(crate) TokenId);

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0.to_string()
    }
}

impl TryFrom<String> for Id {
    type Error = token_core::InvalidTokenId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_key_of_version_1_has_the_name_of_its_role() {
        let line = r#"{"access_key":{"kind":"verifier","sha256":"00"}}"#;
        let line = serde_json::from_str(line).unwrap();
        let Line::AccessKey { kind, name, .. } = line else {
            panic!("it is an access key");
        };
        assert_eq!((kind.0, name), (Role::Verifier, None));
        let hash = "0".repeat(64);
        let known = crate::access_key::AccessKey::known(kind.0, None, 0, None, hash).unwrap();
        assert_eq!(known.name, "verifier");
    }
}
