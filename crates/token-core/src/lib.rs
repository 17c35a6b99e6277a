//! The vocabulary of realtime access tokens.
//!
//! Resources and their kinds, permissions, what a token grants, what it
//! claims, its identity, its times and every bound on them. This crate sees no
//! bytes, does no I/O and reads no clock.
//!
//! ```
//! use token_core::{Claims, Grants, Permission, Permissions, ResourceKind, ResourceName};
//! use token_core::{TtlMinutes, UnixSeconds};
//!
//! let mut grants = Grants::new();
//! grants.allow(
//!     ResourceKind::Channel,
//!     ResourceName::new("room-1")?,
//!     Permissions::from_iter([Permission::Read, Permission::Write]),
//! );
//! let claims = Claims::new(UnixSeconds(1_790_000_000), TtlMinutes(60), grants);
//! assert!(claims.validate().is_ok());
//! # Ok::<(), token_core::InvalidName>(())
//! ```

#![no_std]

extern crate alloc;

mod claims;
mod error;
mod grant;
mod identity;
mod keyset;
pub mod limits;
mod meta;
mod pattern;
mod permission;
mod resource;
mod revocation;
mod time;
mod verified;

pub use claims::{Claims, check_request_uuid};
pub use error::{InvalidClaims, InvalidKey, InvalidName, InvalidPatternText, InvalidTokenId};
pub use grant::Grants;
pub use identity::{TokenId, TokenKind};
pub use keyset::{PublishKey, SubscribeKey};
pub use meta::{Meta, MetaValue};
pub use pattern::PatternText;
pub use permission::{CUSTOMER_PERMISSIONS, Permission, Permissions};
pub use resource::{Category, ResourceKind, ResourceName};
pub use revocation::{NoRevocations, Revocations, RevokedBy, Standing, Subject};
pub use time::{TtlMinutes, UnixSeconds};
pub use verified::VerifiedClaims;
