//! Permissions: single rights and sets of them (contract section 2.2).

use core::fmt;
use core::ops::{BitAnd, BitOr, BitOrAssign, Not};

/// One right on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(clippy::exhaustive_enums, reason = "a byte has eight bits")]
pub enum Permission {
    /// Receive messages, presence and history.
    Read = 1,
    /// Publish.
    Write = 2,
    /// Change the members of a group or a channel.
    Manage = 4,
    /// Delete messages, files or metadata.
    Delete = 8,
    /// Create a record.
    Create = 16,
    /// Read metadata.
    Get = 32,
    /// Change metadata.
    Update = 64,
    /// Become a member.
    Join = 128,
}

impl Permission {
    /// Every permission, by ascending bit.
    pub const ALL: [Self; 8] = [
        Self::Read,
        Self::Write,
        Self::Manage,
        Self::Delete,
        Self::Create,
        Self::Get,
        Self::Update,
        Self::Join,
    ];

    /// The bit of this permission.
    #[must_use]
    pub const fn bit(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Write => 2,
            Self::Manage => 4,
            Self::Delete => 8,
            Self::Create => 16,
            Self::Get => 32,
            Self::Update => 64,
            Self::Join => 128,
        }
    }

    /// The name, as it stands in JSON and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Manage => "manage",
            Self::Delete => "delete",
            Self::Create => "create",
            Self::Get => "get",
            Self::Update => "update",
            Self::Join => "join",
        }
    }

    /// The permission with this name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of permissions. Every byte is one; 0 is the empty set.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permissions(u8);

impl Permissions {
    /// No permission.
    pub const NONE: Self = Self(0);
    /// All eight.
    pub const ALL: Self = Self(255);

    /// The set whose bits are `bits`.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The set of exactly one permission.
    #[must_use]
    pub const fn only(permission: Permission) -> Self {
        Self(permission.bit())
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// True when the set has no permission.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True when every permission of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// This set with the permissions of `other`.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without the permissions of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The permissions of the set, by ascending bit.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL
            .into_iter()
            .filter(move |p| self.0 & p.bit() != 0)
    }
}

impl From<Permission> for Permissions {
    fn from(permission: Permission) -> Self {
        Self::only(permission)
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(iter: I) -> Self {
        iter.into_iter()
            .fold(Self::NONE, |set, p| set | Self::only(p))
    }
}

impl BitOr for Permissions {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl BitOrAssign for Permissions {
    fn bitor_assign(&mut self, other: Self) {
        *self = self.union(other);
    }
}

impl BitAnd for Permissions {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Permissions {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permissions({self})")
    }
}

impl fmt::Display for Permissions {
    /// `read,write`, or `none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (i, permission) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            f.write_str(permission.name())?;
        }
        Ok(())
    }
}

/// The permissions of a customer (oem 2): they are on no resource, and none
/// implies another.
pub const CUSTOMER_PERMISSIONS: [&str; 16] = [
    "business-object:read",
    "business-object:write",
    "business-object:update:activation",
    "business-object:write:config",
    "business-object:update:map",
    "dashboard:read",
    "dashboard:write",
    "decision:read",
    "decision:read:config",
    "decision:read:rule",
    "decision:write",
    "decision:update:activation",
    "decision:write:config",
    "decision:update:rule",
    "metric:read",
    "metric:write",
];
