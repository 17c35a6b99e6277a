//! Resources: the kinds, the names, the categories.

use alloc::string::String;
use core::borrow::Borrow;
use core::fmt;

use crate::error::InvalidName;
use crate::limits::NAME_BYTES_MAX;
use crate::permission::Permissions;

/// What a name names. No kind implies another.
///
/// The order is the order of the sections in a token (docs/format.md 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new kind must be met by every rule"
)]
pub enum ResourceKind {
    /// A channel, for messages and as a record.
    Channel,
    /// A channel group.
    Group,
    /// An Objects v1 space. Authorises nothing today.
    Space,
    /// A DataSync user record (once an Objects v1 user).
    User,
    /// User metadata of App Context.
    Uuid,
    /// A DataSync entity.
    Entity,
    /// A DataSync membership.
    Membership,
    /// A DataSync relationship.
    Relationship,
}

/// One row of the table of kinds.
struct KindRow {
    kind: ResourceKind,
    /// In decisions, on the command line.
    name: &'static str,
    /// In the body of a grant (contract sections 2.1 and 10.1).
    json_name: &'static str,
    /// In a token (contract sections 4 and 10.2).
    cbor_key: &'static str,
    /// Bits that authorise some operation.
    meaningful_bits: u8,
}

const KINDS: [KindRow; 8] = [
    KindRow {
        kind: ResourceKind::Channel,
        name: "channel",
        json_name: "channels",
        cbor_key: "chan",
        meaningful_bits: 255,
    },
    KindRow {
        kind: ResourceKind::Group,
        name: "group",
        json_name: "groups",
        cbor_key: "grp",
        meaningful_bits: 1 | 4,
    },
    KindRow {
        kind: ResourceKind::Space,
        name: "space",
        json_name: "spaces",
        cbor_key: "spc",
        meaningful_bits: 0,
    },
    KindRow {
        kind: ResourceKind::User,
        name: "user",
        json_name: "users",
        cbor_key: "usr",
        meaningful_bits: 8 | 16 | 32 | 64,
    },
    KindRow {
        kind: ResourceKind::Uuid,
        name: "uuid",
        json_name: "uuids",
        cbor_key: "uuid",
        meaningful_bits: 8 | 32 | 64,
    },
    KindRow {
        kind: ResourceKind::Entity,
        name: "entity",
        json_name: "datasync:entities",
        cbor_key: "datasync:entities",
        meaningful_bits: 8 | 16 | 32 | 64,
    },
    KindRow {
        kind: ResourceKind::Membership,
        name: "membership",
        json_name: "datasync:memberships",
        cbor_key: "datasync:memberships",
        meaningful_bits: 8 | 16 | 32 | 64,
    },
    KindRow {
        kind: ResourceKind::Relationship,
        name: "relationship",
        json_name: "datasync:relationships",
        cbor_key: "datasync:relationships",
        meaningful_bits: 8 | 16 | 32 | 64,
    },
];

impl ResourceKind {
    /// Every kind, in the order of the sections in a token.
    pub const ALL: [Self; 8] = [
        Self::Channel,
        Self::Group,
        Self::Space,
        Self::User,
        Self::Uuid,
        Self::Entity,
        Self::Membership,
        Self::Relationship,
    ];

    /// The five kinds whose section is always written, even when empty.
    pub const CLASSIC: [Self; 5] = [
        Self::Channel,
        Self::Group,
        Self::Space,
        Self::User,
        Self::Uuid,
    ];

    const fn row(self) -> &'static KindRow {
        let [
            channel,
            group,
            space,
            user,
            uuid,
            entity,
            membership,
            relationship,
        ] = &KINDS;
        match self {
            Self::Channel => channel,
            Self::Group => group,
            Self::Space => space,
            Self::User => user,
            Self::Uuid => uuid,
            Self::Entity => entity,
            Self::Membership => membership,
            Self::Relationship => relationship,
        }
    }

    /// The singular name, as in decisions: `channel`, `entity`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The key of this kind in the body of a grant: `channels`,
    /// `datasync:entities`.
    #[must_use]
    pub const fn json_name(self) -> &'static str {
        self.row().json_name
    }

    /// The key of this kind's section in a token: `chan`, `datasync:entities`.
    #[must_use]
    pub const fn cbor_key(self) -> &'static str {
        self.row().cbor_key
    }

    /// The permissions that authorise something on this kind. Others are kept
    /// in a token and never used.
    #[must_use]
    pub const fn meaningful(self) -> Permissions {
        Permissions::from_bits(self.row().meaningful_bits)
    }

    /// The kind with this singular name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        KINDS
            .iter()
            .find(|row| row.name == name)
            .map(|row| row.kind)
    }

    /// The kind with this key in the body of a grant.
    #[must_use]
    pub fn from_json_name(name: &str) -> Option<Self> {
        KINDS
            .iter()
            .find(|row| row.json_name == name)
            .map(|row| row.kind)
    }

    /// The kind with this key in a token.
    #[must_use]
    pub fn from_cbor_key(key: &[u8]) -> Option<Self> {
        KINDS
            .iter()
            .find(|row| row.cbor_key.as_bytes() == key)
            .map(|row| row.kind)
    }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A right to list every resource of a kind (contract section 10.1). It is
/// apart from the rights on single resources: neither implies the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new category must be met by every rule"
)]
pub enum Category {
    /// List the metadata of all channels.
    Channels,
    /// List the metadata of all users.
    Uuids,
}

impl Category {
    /// Every category, in the order of a token.
    pub const ALL: [Self; 2] = [Self::Channels, Self::Uuids];

    /// The only permissions that a category carries: get.
    pub const PERMISSIONS: Permissions = Permissions::from_bits(32);

    /// The key in the body of a grant.
    #[must_use]
    pub const fn json_name(self) -> &'static str {
        match self {
            Self::Channels => "channels",
            Self::Uuids => "uuids",
        }
    }

    /// The key in a token.
    #[must_use]
    pub const fn cbor_key(self) -> &'static str {
        match self {
            Self::Channels => "chan",
            Self::Uuids => "uuid",
        }
    }
}

/// The name of a resource: 1 to 1,024 bytes of UTF-8 without control
/// characters (U+0000 to U+001F, U+007F). Names are compared byte for byte and
/// never normalised.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceName(String);

impl ResourceName {
    /// A name from text.
    ///
    /// # Errors
    ///
    /// [`InvalidName`] when the text is empty, too long or holds a control
    /// character.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidName> {
        let name = name.into();
        Self::check(&name)?;
        Ok(Self(name))
    }

    /// Whether `name` may be the name of a resource, without keeping it.
    ///
    /// # Errors
    ///
    /// As [`ResourceName::new`].
    pub fn check(name: &str) -> Result<(), InvalidName> {
        if name.is_empty() {
            return Err(InvalidName::Empty);
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(InvalidName::TooLong { bytes: name.len() });
        }
        match name.bytes().position(|b| b < 0x20 || b == 0x7F) {
            Some(at) => Err(InvalidName::ControlCharacter { at }),
            None => Ok(()),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ResourceName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ResourceName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
