//! What a decision reads of a token whose signature was verified.

use crate::identity::{TokenId, TokenKind};
use crate::permission::Permissions;
use crate::resource::{Category, ResourceKind};
use crate::time::UnixSeconds;

/// The claims of a token that somebody verified.
///
/// This trait is the border between "what the bytes say" and "what we decide
/// on": decisions take it and nothing else. Implement it only for a type that
/// cannot be made without a signature check, as token-codec does; claims as
/// plain data must never implement it.
///
/// A name stands at most once in a kind, and so does a pattern.
pub trait VerifiedClaims {
    /// Which dialect the token speaks.
    fn kind(&self) -> TokenKind;

    /// Where the id is unique and what the token is good for: the subscribe
    /// key, the project or the account whose key verified it.
    fn scope(&self) -> &str;

    /// The identity within kind and scope.
    fn id(&self) -> TokenId;

    /// The tokens that this one was narrowed from.
    fn ancestors(&self) -> impl Iterator<Item = TokenId> + '_;

    /// When the token was issued.
    fn issued_at(&self) -> UnixSeconds;

    /// When the token expires; it is expired at this instant.
    fn expires_at(&self) -> UnixSeconds;

    /// The uuid that the token is bound to.
    fn uuid(&self) -> Option<&str>;

    /// The name under which its tokens are revoked together: the uuid, or the
    /// customer of a token of one.
    fn revoked_as(&self) -> Option<&str> {
        self.uuid()
    }

    /// The permissions of the entry that is exactly `name`, or none.
    fn named(&self, kind: ResourceKind, name: &str) -> Permissions;

    /// Every name of a kind, for explanations.
    fn names(&self, kind: ResourceKind) -> impl Iterator<Item = (&str, Permissions)> + '_;

    /// Every pattern of a kind, in a stable order.
    fn patterns(&self, kind: ResourceKind) -> impl Iterator<Item = (&str, Permissions)> + '_;

    /// Whether the listing of `category` is granted.
    fn category(&self, category: Category) -> bool;

    /// Whether a customer's permission is granted, one of
    /// [`CUSTOMER_PERMISSIONS`](crate::CUSTOMER_PERMISSIONS). Only tokens of
    /// customers grant any.
    fn customer_permission(&self, permission: &str) -> bool {
        let _ = permission;
        false
    }
}
