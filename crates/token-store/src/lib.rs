#![doc = include_str!("../README.md")]

mod access_key;
mod account;
mod backup;
mod database;
mod directory;
mod error;
mod export;
mod import;
mod keyset;
mod log;
mod maintenance;
mod master_key;
mod memory;
mod notice;
mod progress;
mod project;
mod prune;
mod record;
mod revocation;
mod secret;
mod settings;
mod store;
mod writer;

pub use access_key::{AccessKey, AccessKeyChange, ChangedAccessKey, Role};
pub use account::{
    API_KEYS_MAX, APPLICATIONS_MAX, Account, AccountChange, AccountChanged, AccountKeyset,
    AccountStep, ApiKey, Application, CUSTOMER_KEYSETS_MAX, CUSTOMERS_MAX, Customer,
};
pub use backup::{Backup, Checked};
pub use database::Counts;
pub use directory::{FORMAT, OpenOptions, Rewritten, WrapBackend};
pub use error::{
    InvalidAccount, InvalidKeyset, InvalidMasterKey, InvalidProject, InvalidSetting, OpenError,
    StoreError,
};
pub use export::{ExportError, ExportFile, ExportSecrets, Exported};
pub use import::{Imported, restore};
pub use keyset::{Keyset, KeysetChange, NewKeyset, Rotation, SigningKey};
pub use log::{LogEntry, LogKey, LogPosition, Merge, Merged, Unpublished};
pub use maintenance::{compact, rekey};
pub use master_key::MasterKey;
pub use notice::{Notice, Revoked};
pub use progress::Progress;
pub use project::{API_TOKENS_MAX, ApiToken, ApiTokenScope, NewApiToken, PROJECTS_MAX, Project};
pub use prune::Pruned;
pub use revocation::{Listed, Listing, Outcome, Revocation};
pub use secret::Secret;
pub use settings::{
    ListAccess, MetaMode, OnStale, SETTINGS, SettingRow, Settings, SigningAlgorithm,
};
pub use store::Store;
/// What a decision asks of this store, from token-core.
pub use token_core::{Revocations, RevokedBy, Standing, Subject};
pub use token_deny_list::Clock;
