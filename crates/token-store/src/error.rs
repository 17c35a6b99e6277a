//! What can go wrong with a store.

use std::path::PathBuf;

use token_core::limits::{REVOCATIONS_PER_BATCH_MAX, SIGNING_KEYS_MAX};
use token_core::{InvalidKey, UnixSeconds};

/// Why a store does not open. Nothing is changed and nothing is lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory or a file in it cannot be used.
    #[error("cannot {doing} `{path}`: {reason}")]
    File {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Another process has it.
    #[error("`{path}` is in use by another process; ask that server with --server, or stop it")]
    InUse {
        /// The data directory.
        path: PathBuf,
    },
    /// A database without a marker: not made by us, or half copied.
    #[error(
        "`{path}` has a database but no `usher.json`; restore the whole directory from a backup, \
         or move the database away to start empty, which forgets every revocation"
    )]
    NoMarker {
        /// The directory.
        path: PathBuf,
    },
    /// A marker without a database.
    #[error(
        "`{path}` is gone although `usher.json` says that it was there; restore it from a backup: \
         starting without it would forget every revocation"
    )]
    NoDatabase {
        /// The database.
        path: PathBuf,
    },
    /// The marker cannot be read.
    #[error("`{path}` is no marker of a data directory; restore it from a backup")]
    BadMarker {
        /// The marker.
        path: PathBuf,
    },
    /// Written by a newer version.
    #[error(
        "`{path}` has format {found} and this version reads up to {supported}; use the version \
         that wrote it, or a newer one"
    )]
    Newer {
        /// The marker.
        path: PathBuf,
        /// What it says.
        found: u64,
        /// What we read.
        supported: u64,
    },
    /// Marker and database are of two different stores.
    #[error(
        "`{path}` belongs to another data directory than its `usher.json`; restore both together"
    )]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// The database holds less than was acknowledged.
    #[error(
        "`{path}` holds changes up to {found}, and {noted} were acknowledged: it is an older copy \
         or damaged; restore the whole directory from a backup, and revoke all tokens of each \
         keyset if revocations may be missing"
    )]
    RolledBack {
        /// The database.
        path: PathBuf,
        /// The sequence that it holds.
        found: u64,
        /// The sequence that was acknowledged.
        noted: u64,
    },
    /// The secrets are sealed, and there is no key to open them.
    #[error(
        "the secrets in `{path}` are sealed under the master key {needed}, and none is given; \
         give it by USHER_MASTER_KEY or master_key_file"
    )]
    Sealed {
        /// The database.
        path: PathBuf,
        /// The id of the key.
        needed: String,
    },
    /// The secrets are sealed under another key.
    #[error(
        "the secrets in `{path}` are sealed under the master key {needed}, and the one given is \
         {given}"
    )]
    WrongMasterKey {
        /// The database.
        path: PathBuf,
        /// The id of its key.
        needed: String,
        /// The id of the key that was given.
        given: String,
    },
    /// A master key is given, and the secrets are in plain.
    #[error(
        "a master key is given, and the secrets in `{path}` are not sealed; stop the server and \
         seal them by `usher store rekey`"
    )]
    NotSealed {
        /// The database.
        path: PathBuf,
    },
    /// The database is damaged.
    #[error("`{path}` is damaged ({reason}); restore the data directory from a backup")]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
}

/// Why a master key is none. Quotes nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMasterKey {
    /// Not 64 hexadecimal digits.
    #[error("a master key is 64 hexadecimal digits, such as `openssl rand -hex 32` prints")]
    Digits,
    /// One digit 64 times.
    #[error("this master key is one digit 64 times; take a random one")]
    OneDigit,
}

/// Why a change was not made, or not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk did not take it. It may be asked for again.
    #[error("the store cannot write: {reason}; nothing was acknowledged, try again")]
    Unavailable {
        /// What the system says.
        reason: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// No keyset has this subscribe key.
    #[error("no keyset has the subscribe key `{subscribe_key}`")]
    UnknownKeyset {
        /// The key.
        subscribe_key: String,
    },
    /// A keyset has this subscribe key already.
    #[error("a keyset has the subscribe key `{subscribe_key}` already")]
    KeysetExists {
        /// The key.
        subscribe_key: String,
    },
    /// The keyset has as many signing keys as it may.
    #[error(
        "the keyset has {SIGNING_KEYS_MAX} signing keys whose tokens are alive; rotate again \
         after {after}, or rotate in an emergency"
    )]
    TooManySigningKeys {
        /// When the oldest is of no use any more.
        after: UnixSeconds,
    },
    /// The next signing key is announced already.
    #[error("the next signing key is announced for {from} already")]
    RotationPending {
        /// When it starts.
        from: UnixSeconds,
    },
    /// A setting that is none.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// A keyset that is none.
    #[error(transparent)]
    Keyset(#[from] InvalidKeyset),
    /// An account, or something of one, that is none.
    #[error(transparent)]
    Account(#[from] InvalidAccount),
    /// A project, or an API token of one, that is none.
    #[error(transparent)]
    Project(#[from] InvalidProject),
    /// More revocations than a batch may have.
    #[error(
        "a batch may have at most {REVOCATIONS_PER_BATCH_MAX} revocations, this one has {items}"
    )]
    TooManyRevocations {
        /// How many there are.
        items: usize,
    },
    /// A scope or uuid that is longer than any can be.
    #[error("a scope has at most 255 bytes and a uuid at most 1024")]
    TooLong,
    /// Two tables of the database contradict each other.
    #[error("the database contradicts itself: {what}; export it, and restore it into a new one")]
    Inconsistent {
        /// How.
        what: &'static str,
    },
    /// No access key has this name.
    #[error("no access key has this name")]
    UnknownAccessKey,
    /// An access key has this name already.
    #[error("an access key has this name already; rotate it, or take another name")]
    AccessKeyExists,
    /// An access key that is none.
    #[error("the access key cannot be made: {what}")]
    AccessKey {
        /// What is wrong.
        what: &'static str,
    },
    /// Nobody could administer the server any more.
    #[error("this is the last admin key that is good; make another one first")]
    LastAdminKey,
    /// There are as many access keys as there may be.
    #[error("there are {keys_max} access keys; remove one first")]
    TooManyAccessKeys {
        /// How many there may be.
        keys_max: usize,
    },
    /// Two keys are to be good for too long.
    #[error("a key is good beside its successor for at most {seconds_max} seconds")]
    Overlap {
        /// How long they may be.
        seconds_max: u64,
    },
    /// A cursor that no listing gave out.
    #[error("the cursor is not one that a listing gave out")]
    Cursor,
}

/// Why a setting is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSetting {
    /// There is none of this name.
    #[error("there is no setting `{name}`")]
    Unknown {
        /// The name.
        name: String,
    },
    /// It does not take the value.
    #[error("`{name}` takes {values}")]
    Value {
        /// The name.
        name: &'static str,
        /// What it takes.
        values: &'static str,
    },
    /// Long lives and revocation exclude each other.
    #[error(
        "a max_ttl above 43200 and revocation exclude each other; lower max_ttl or switch \
         revocation off"
    )]
    Conflict,
}

/// Why a keyset is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKeyset {
    /// The name is empty or too long.
    #[error("a keyset's name has 1 to 255 bytes and no control character")]
    Name,
    /// The subscribe key is none.
    #[error("the subscribe key is no key: {0}")]
    SubscribeKey(InvalidKey),
    /// The publish key is none.
    #[error("the publish key is no key: {0}")]
    PublishKey(InvalidKey),
    /// Blanks, a line end or a byte order mark around the secret key.
    #[error("the secret key starts or ends with a blank, a line end or a byte order mark")]
    SecretKeyEdges,
    /// A short secret key.
    #[error("a secret key has at least {bytes_min} bytes; leave it out to have one made")]
    SecretKeyShort {
        /// How many it needs.
        bytes_min: usize,
    },
    /// Something else than visible ASCII in the secret key.
    #[error("a secret key is made of visible ASCII characters")]
    SecretKeyCharacter,
    /// A secret key that everybody knows.
    #[error("this secret key stands in tutorials; leave it out to have one made")]
    SecretKeyWellKnown,
}

/// Why a change of an account is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAccount {
    /// No account has this id.
    #[error("no account has this id")]
    UnknownAccount,
    /// The account has no such application.
    #[error("the account has no application of this id")]
    UnknownApplication,
    /// The account has no such keyset.
    #[error("the account has no keyset of this id; add one to an application first")]
    UnknownKeyset,
    /// The account has no such customer.
    #[error("the account has no such customer")]
    UnknownCustomer,
    /// The account has no such API key.
    #[error("the account has no API key of this id")]
    UnknownApiKey,
    /// A name is empty or too long.
    #[error("a name has 1 to 255 characters and no control character")]
    Name,
    /// The external id is none (oem 2).
    #[error("an external id has 1 to 255 characters of A-Z a-z 0-9 _ -")]
    ExternalId,
    /// Another customer has the external id.
    #[error("a customer of the account has this external id already")]
    ExternalIdTaken,
    /// Another customer of the account, or another account, has the keyset.
    #[error("the keyset is assigned already, and it can be only once")]
    KeysetTaken,
    /// An API key that may not be one.
    #[error("an API key has at least 16 bytes of visible ASCII and stands in no tutorial")]
    ApiKey,
    /// An account has the API key.
    #[error("an account has this API key already; leave it out to have one made")]
    ApiKeyTaken,
    /// The account holds as many of something as it may.
    #[error("there may be at most {most} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        most: usize,
    },
}

/// Why a change of a project is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidProject {
    /// The id is none.
    #[error("a project id is a UUID, such as 7b981d06-0000-4000-8000-000000000000")]
    Id,
    /// Another keyset has it.
    #[error("another keyset has the project already")]
    Taken,
    /// The keyset has no such project.
    #[error("the keyset has no project of this id")]
    Unknown,
    /// An API token that may not be one.
    #[error("an API token has at least 16 bytes of visible ASCII and stands in no tutorial")]
    ApiToken,
    /// The project has the API token.
    #[error("the project has this API token already; leave it out to have one made")]
    ApiTokenTaken,
    /// The project has no such API token.
    #[error("the project has no API token of this id")]
    UnknownApiToken,
    /// There are as many of something as there may be.
    #[error("there may be at most {most} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        most: usize,
    },
}
