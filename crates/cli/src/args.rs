//! The surface: verbs, arguments, options.

use core::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use token_server::{AuditHead, Upstream};

mod account;
mod api_token;
mod tools;

pub(crate) use account::{Account, AccountVerb, ApplicationVerb, CustomerVerb};
pub(crate) use api_token::{ApiTokenVerb, Scope};
pub(crate) use tools::{Bench, Doctor, Replay};

/// Issue, inspect, check and revoke access tokens for realtime resources.
#[derive(Debug, Parser)]
#[command(name = "usher", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 yes, 1 error or usage, 2 denied or revoked (lint, \
                        doctor: warnings; replay: decisions change), \
                        3 invalid token (malformed, forged, foreign, expired)."
)]
pub(crate) struct Cli {
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run the server.
    Serve(Serve),
    /// Create, list, show and change keysets.
    #[command(subcommand)]
    Keyset(KeysetVerb),
    /// Create, list, rotate and remove the keys of the internal API.
    #[command(subcommand)]
    AdminKey(AdminKeyVerb),
    /// Create and show accounts, which issue customer access tokens.
    #[command(subcommand)]
    Account(AccountVerb),
    /// Create applications of an account, and add keysets.
    #[command(subcommand)]
    Application(ApplicationVerb),
    /// Create, show and delete customers of an account.
    #[command(subcommand)]
    Customer(CustomerVerb),
    /// After a leak: renew every key of a keyset and revoke all its tokens.
    Incident(Incident),
    /// Verify and show the audit log, and print its head.
    #[command(subcommand)]
    Audit(AuditVerb),
    /// Check, back up, restore, move, shrink and seal the store.
    #[command(subcommand)]
    Store(StoreVerb),
    /// Issue a token.
    Grant(Box<Grant>),
    /// Revoke a token, a uuid's tokens, or every token of a keyset.
    Revoke(Revoke),
    /// Show what a token says. Needs no key and no server; proves nothing.
    Inspect(Inspect),
    /// Say whether a token is genuine, alive and not revoked.
    Verify(Verify),
    /// Say whether a token allows an operation, and why.
    #[command(
        after_help = "Examples:\n  usher check TOKEN publish --channel room-1\n  \
                            usher check TOKEN GET /v2/subscribe/SUB/room-1/0"
    )]
    Check(Box<Check>),
    /// Check a configuration file, or print one with every key.
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Look for what is wrong, or likely to be, in a grant or a rule file.
    Lint(Lint),
    /// Run policy tests, without a server and without a key.
    Test(Test),
    /// Say which recorded decisions other rules would change.
    Replay(Replay),
    /// Look for what will hurt: clock, disk, data directory, listeners, keys, NATS.
    Doctor(Box<Doctor>),
    /// Measure how fast a running server decides.
    Bench(Box<Bench>),
    /// Write the manual pages.
    Man {
        /// A directory; it is made when it is not there.
        directory: PathBuf,
    },
    /// Print a completion script.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Say everything that is wrong or risky in a file and in USHER_ variables.
    Check {
        /// The file [default: usher.toml, if there is one].
        file: Option<PathBuf>,
    },
    /// Print a commented usher.toml with every key and its default.
    Default,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Serve {
    /// Configuration file [default: usher.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where keysets and the deny list are kept [default: ./usher-data].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address of the public listener [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Address of the internal listener [default: 127.0.0.1:8081].
    #[arg(long, value_name = "ADDR")]
    pub(crate) internal_listen: Option<SocketAddr>,
    /// Where authorised operations go: an http or https URL without a path, or
    /// `sandbox`, which answers them itself and stores nothing.
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Option<Upstream>,
    /// NATS servers through which nodes share revocations and keysets; needs a
    /// feed key and a cluster key (docs/cluster.md).
    #[arg(long, value_name = "URL")]
    pub(crate) nats: Option<String>,
    /// Say, once, that a new cluster has nothing to wait for.
    #[arg(long)]
    pub(crate) seed_epoch: bool,
    /// How records are written to standard error: text or json.
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    pub(crate) log: String,
    /// Print new keys even when standard output is no terminal; with --json, as one line of JSON.
    #[arg(long)]
    pub(crate) print_keys: bool,
    /// Write new keys to this file [default, where standard output is no terminal:
    /// first-keys.txt in a data directory that is not sealed].
    #[arg(long, value_name = "FILE", conflicts_with = "print_keys")]
    pub(crate) keys_file: Option<PathBuf>,
}

/// How to reach the store.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// Data directory of a stopped server [default: ./usher-data]. Wins over --server.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// File with the master key of a sealed data directory [or the variable `USHER_MASTER_KEY`].
    #[arg(long, value_name = "FILE", env = "USHER_MASTER_KEY_FILE")]
    pub(crate) master_key_file: Option<PathBuf>,
    /// Internal address of a running server.
    #[arg(long, value_name = "URL", env = "USHER_SERVER")]
    pub(crate) server: Option<String>,
    /// Certificate authority of an https server, PEM [default: the system's].
    #[arg(long, value_name = "FILE", env = "USHER_CA")]
    pub(crate) ca: Option<PathBuf>,
    /// Admin key of the running server; `-` or `@FILE` reads it.
    #[arg(
        long,
        value_name = "KEY",
        env = "USHER_ADMIN_KEY",
        hide_env_values = true
    )]
    pub(crate) admin_key: Option<String>,
}

/// Which keyset.
#[derive(Debug, Args)]
pub(crate) struct Keyset {
    /// Subscribe key or name of the keyset [default: the only one].
    #[arg(long, value_name = "KEYSET", env = "USHER_KEYSET")]
    pub(crate) keyset: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysetVerb {
    /// Create a keyset; keys that are not given are made.
    Create {
        /// A name for people.
        #[arg(long)]
        name: String,
        /// Bring your own subscribe key.
        #[arg(long, value_name = "KEY")]
        subscribe_key: Option<String>,
        /// Bring your own publish key.
        #[arg(long, value_name = "KEY")]
        publish_key: Option<String>,
        /// Bring your own secret key; `-` or `@FILE` reads it.
        #[arg(
            long,
            value_name = "KEY",
            env = "USHER_SECRET_KEY",
            hide_env_values = true
        )]
        secret_key: Option<String>,
        /// A setting other than the default: `max_ttl=1440`; may be repeated.
        #[arg(long = "set", value_name = "NAME=VALUE")]
        settings: Vec<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// List the keysets.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Show a keyset and its settings.
    Show {
        /// Subscribe key or name.
        keyset: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Change settings: `usher keyset set KEYSET max_ttl=1440 revocation=on`.
    Set {
        /// Subscribe key or name.
        keyset: String,
        /// `NAME=VALUE`; `usher keyset show` lists them.
        #[arg(required = true, value_name = "NAME=VALUE")]
        settings: Vec<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Replace the signing key, after the announced time; tokens stay valid.
    Rotate {
        /// Subscribe key or name.
        keyset: String,
        /// Replace the secret key instead.
        #[arg(long, conflicts_with = "emergency")]
        secret: bool,
        /// How long the old secret key stays good beside the new one, at most 604800.
        #[arg(long, value_name = "SECONDS", requires = "secret", default_value_t = 0)]
        overlap: u64,
        /// Replace the signing key now and revoke every token issued so far.
        #[arg(long)]
        emergency: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// What asks for PubSub and Chat tokens.
    ApiToken {
        #[command(subcommand)]
        verb: ApiTokenVerb,
    },
    /// Print what is needed to verify without a secret, as JSON.
    PublicKeys {
        /// Subscribe key or name [default: every keyset].
        keyset: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Delete a keyset. Its tokens are dead for good.
    Delete {
        /// Subscribe key or name.
        keyset: String,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AdminKeyVerb {
    /// Make a key with a name and a role; it is shown once.
    Create {
        /// A name: letters, digits, `-`, `_` and `.`.
        name: String,
        /// What it opens.
        #[arg(long, value_parser = ["admin", "issuer", "verifier", "auditor"])]
        role: String,
        /// In how many days it expires [default: never].
        #[arg(long, value_name = "DAYS")]
        expires_in: Option<u64>,
        #[command(flatten)]
        connection: Connection,
    },
    /// List the keys: names, roles, expiry.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Replace a key.
    Rotate {
        /// Its name [default: admin].
        name: Option<String>,
        /// How long the old key stays good beside the new one, at most 604800.
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        overlap: u64,
        #[command(flatten)]
        connection: Connection,
    },
    /// Remove a key. The last admin key stays.
    Remove {
        /// Its name.
        name: String,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Incident {
    /// Subscribe key or name.
    pub(crate) keyset: String,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditVerb {
    /// Follow the chain from the first entry to the last.
    Verify {
        /// A head of an earlier time, which the log must still hold.
        #[arg(long, value_name = "SEQ:HASH")]
        head: Option<AuditHead>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Print the head, to be kept elsewhere.
    Head {
        #[command(flatten)]
        connection: Connection,
    },
    /// Print entries, one line of JSON each.
    Show {
        /// Entries after this one [default: the last ones].
        #[arg(long, value_name = "SEQ")]
        after: Option<u64>,
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u64,
        #[command(flatten)]
        connection: Connection,
    },
}

/// The data directory of a stopped server.
#[derive(Debug, Args)]
pub(crate) struct Data {
    /// Data directory of a stopped server [default: ./usher-data].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// File with the master key of a sealed data directory [or the variable `USHER_MASTER_KEY`].
    #[arg(long, value_name = "FILE", env = "USHER_MASTER_KEY_FILE")]
    pub(crate) master_key_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreVerb {
    /// Read every entry and every checksum of a stopped server's store.
    Check {
        #[command(flatten)]
        data: Data,
    },
    /// Write a backup into `backups` of the data directory; the server may run.
    Backup {
        #[command(flatten)]
        connection: Connection,
    },
    /// Make a new data directory from a backup, and revoke all its tokens.
    ///
    /// A backup does not know what was revoked after it was made, so every token
    /// issued before the restore is dead.
    Restore {
        /// The backup.
        file: PathBuf,
        #[command(flatten)]
        data: Data,
    },
    /// Write the store as lines of JSON.
    Export {
        /// A new file; `-` is standard output.
        #[arg(default_value = "-")]
        file: PathBuf,
        /// With secret keys, signing keys and hashes of access keys.
        #[arg(long)]
        secrets: bool,
        #[command(flatten)]
        data: Data,
    },
    /// Add what an export holds; nothing is taken away.
    ///
    /// A keyset that is not here is added with a rule that revokes every token
    /// issued before; one that is here stays as it is.
    Import {
        /// The export.
        file: PathBuf,
        #[command(flatten)]
        data: Data,
    },
    /// Write the database anew, as small as it can be.
    Compact {
        #[command(flatten)]
        data: Data,
    },
    /// Seal the secrets under a master key, for the first time or anew.
    Rekey {
        /// File with the new master key; the present one is given as always.
        #[arg(long, value_name = "FILE")]
        new_master_key_file: PathBuf,
        #[command(flatten)]
        data: Data,
    },
}

/// One resource option of `grant`: entries as `NAME=PERMISSIONS`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Resources, each NAME=PERMISSION[,PERMISSION...]")]
pub(crate) struct GrantResources {
    /// A channel: read, write, manage, delete, create, get, update, join, all.
    #[arg(long, value_name = "ENTRY")]
    pub(crate) channel: Vec<String>,
    /// A channel group: read, manage.
    #[arg(long, value_name = "ENTRY")]
    pub(crate) group: Vec<String>,
    /// User metadata: get, update, delete.
    #[arg(long, value_name = "ENTRY")]
    pub(crate) uuids: Vec<String>,
    /// A DataSync user: create, get, update, delete.
    #[arg(long, value_name = "ENTRY")]
    pub(crate) user: Vec<String>,
    /// A DataSync entity.
    #[arg(long, value_name = "ENTRY")]
    pub(crate) entity: Vec<String>,
    /// A DataSync relationship.
    #[arg(long, value_name = "ENTRY")]
    pub(crate) relationship: Vec<String>,
    /// A DataSync membership.
    #[arg(long, value_name = "ENTRY")]
    pub(crate) membership: Vec<String>,
    /// A category to list: channels or uuids.
    #[arg(long, value_name = "CATEGORY", value_parser = ["channels", "uuids"])]
    pub(crate) category: Vec<String>,
}

/// The same by pattern.
#[derive(Debug, Args)]
#[command(next_help_heading = "Patterns (RE2, unanchored), each PATTERN=PERMISSION[,...]")]
pub(crate) struct GrantPatterns {
    /// Channels by pattern.
    #[arg(long, value_name = "ENTRY")]
    pub(crate) channel_pattern: Vec<String>,
    /// Channel groups by pattern.
    #[arg(long, value_name = "ENTRY")]
    pub(crate) group_pattern: Vec<String>,
    /// User metadata by pattern.
    #[arg(long, value_name = "ENTRY")]
    pub(crate) uuids_pattern: Vec<String>,
    /// DataSync users by pattern.
    #[arg(long, value_name = "ENTRY")]
    pub(crate) user_pattern: Vec<String>,
    /// DataSync entities by pattern.
    #[arg(long, value_name = "ENTRY")]
    pub(crate) entity_pattern: Vec<String>,
    /// DataSync relationships by pattern.
    #[arg(long, value_name = "ENTRY")]
    pub(crate) relationship_pattern: Vec<String>,
    /// DataSync memberships by pattern.
    #[arg(long, value_name = "ENTRY")]
    pub(crate) membership_pattern: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Grant {
    #[command(flatten)]
    pub(crate) keyset: Keyset,
    /// Life in minutes.
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    pub(crate) ttl: u32,
    /// Bind the token to this uuid.
    #[arg(long)]
    pub(crate) uuid: Option<String>,
    /// Metadata to carry, as a JSON object.
    #[arg(long, value_name = "JSON")]
    pub(crate) meta: Option<String>,
    /// A whole grant as JSON; `-` reads standard input. Excludes the options above.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["uuid", "meta", "ttl"])]
    pub(crate) from: Option<PathBuf>,
    /// Print the token and nothing else.
    #[arg(long, conflicts_with_all = ["json", "dry_run"])]
    pub(crate) token_only: bool,
    /// Check the grant and show its warnings; issue nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) resources: GrantResources,
    #[command(flatten)]
    pub(crate) patterns: GrantPatterns,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
#[group(id = "target", required = true, multiple = false, args = ["token", "id", "all_of_uuid", "all"])]
pub(crate) struct Revoke {
    /// The token; `-` or `@FILE` reads it.
    pub(crate) token: Option<String>,
    /// A token by its id.
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// Every token bound to this uuid and issued so far.
    #[arg(long = "uuid", value_name = "UUID")]
    pub(crate) all_of_uuid: Option<String>,
    /// Every token of the keyset issued so far.
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) keyset: Keyset,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The token; `-` or `@FILE` reads it.
    pub(crate) token: String,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The token; `-` or `@FILE` reads it.
    pub(crate) token: String,
    #[command(flatten)]
    pub(crate) keyset: Keyset,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The token; `-` or `@FILE` reads it.
    pub(crate) token: String,
    /// An operation (`publish`, `subscribe`, ...) or a method (`GET`, ...).
    #[arg(value_name = "OPERATION|METHOD")]
    pub(crate) operation: String,
    /// With a method: the path and query, as on the request line.
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<String>,
    /// With a method: the body; `-` or `@FILE` reads it.
    #[arg(long, requires = "path")]
    pub(crate) body: Option<String>,
    /// The uuid of the caller.
    #[arg(long)]
    pub(crate) uuid: Option<String>,
    /// A channel that the operation touches.
    #[arg(long, value_name = "NAME", conflicts_with = "path")]
    pub(crate) channel: Vec<String>,
    /// A channel group.
    #[arg(long, value_name = "NAME", conflicts_with = "path")]
    pub(crate) group: Vec<String>,
    /// User metadata.
    #[arg(long, value_name = "NAME", conflicts_with = "path")]
    pub(crate) uuids: Vec<String>,
    /// A DataSync user.
    #[arg(long, value_name = "NAME", conflicts_with = "path")]
    pub(crate) user: Vec<String>,
    /// A DataSync entity.
    #[arg(long, value_name = "NAME", conflicts_with = "path")]
    pub(crate) entity: Vec<String>,
    /// A DataSync relationship.
    #[arg(long, value_name = "NAME", conflicts_with = "path")]
    pub(crate) relationship: Vec<String>,
    /// A DataSync membership.
    #[arg(long, value_name = "NAME", conflicts_with = "path")]
    pub(crate) membership: Vec<String>,
    #[command(flatten)]
    pub(crate) keyset: Keyset,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// A grant in JSON or a rule file in TOML; `-` reads standard input.
    #[arg(value_name = "FILE|-")]
    pub(crate) file: String,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Policy tests in TOML; the rule files that they name stand beside them.
    pub(crate) file: PathBuf,
}
