#![doc = include_str!("../README.md")]

mod access_key;
mod clock;
mod database;
mod deny_list;
mod directory;
mod error;
mod keyset;
mod memory;
mod prune;
mod revocation;
mod secret;
mod settings;
mod store;
mod writer;

pub use access_key::{AccessKeyKind, MadeAccessKey};
pub use clock::Clock;
pub use directory::{OpenOptions, WrapBackend};
pub use error::{InvalidKeyset, InvalidSetting, OpenError, StoreError};
pub use keyset::{Keyset, KeysetChange, NewKeyset, Rotation, SigningKey};
pub use prune::Pruned;
pub use revocation::{Listed, Listing, Outcome, Revocation};
pub use secret::Secret;
pub use settings::{ListAccess, MetaMode, OnStale, SETTINGS, SettingRow, Settings};
pub use store::Store;
/// What a decision asks of this store, from token-core.
pub use token_core::{Revocations, RevokedBy, Standing, Subject};
