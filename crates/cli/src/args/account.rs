//! The verbs about accounts and what is in them.

use clap::{Args, Subcommand};

use super::Connection;

/// Which account.
#[derive(Debug, Args)]
pub(crate) struct Account {
    /// Id or name of the account [default: the only one].
    #[arg(long, value_name = "ACCOUNT", env = "USHER_ACCOUNT")]
    pub(crate) account: Option<String>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountVerb {
    /// Create an account with an API key, which is shown once.
    Create {
        /// A name for people.
        #[arg(long)]
        name: String,
        /// Bring your own API key; `-` or `@FILE` reads it.
        #[arg(
            long,
            value_name = "KEY",
            env = "USHER_API_KEY",
            hide_env_values = true
        )]
        api_key: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// List the accounts.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Show an account.
    Show {
        #[command(flatten)]
        account: Account,
    },
    /// Announce the next signing key; tokens stay valid.
    Rotate {
        /// Replace the signing key now and revoke every token issued so far.
        #[arg(long)]
        emergency: bool,
        #[command(flatten)]
        account: Account,
    },
    /// Add an API key, which is shown once; an account has at most 3.
    AddKey {
        /// Bring your own API key; `-` or `@FILE` reads it.
        #[arg(
            long,
            value_name = "KEY",
            env = "USHER_API_KEY",
            hide_env_values = true
        )]
        api_key: Option<String>,
        #[command(flatten)]
        account: Account,
    },
    /// Remove an API key.
    RemoveKey {
        /// Its id, as `usher account show` lists it.
        id: String,
        #[command(flatten)]
        account: Account,
    },
    /// Delete an account. Its tokens are dead for good.
    Delete {
        #[command(flatten)]
        account: Account,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApplicationVerb {
    /// Create an application; the answer has its id, the `appId` of requests.
    Create {
        /// A name for people.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        account: Account,
    },
    /// List the applications.
    List {
        #[command(flatten)]
        account: Account,
    },
    /// Add a keyset to an application; the answer has its id in the account.
    AddKeyset {
        /// Id of the application.
        application: u64,
        /// Subscribe key of the keyset.
        #[arg(long, value_name = "SUBSCRIBE_KEY")]
        keyset: String,
        #[command(flatten)]
        account: Account,
    },
    /// List the keysets of the account, and who has them.
    Keysets {
        #[command(flatten)]
        account: Account,
    },
    /// Remove a keyset from the account; it stays in the store.
    RemoveKeyset {
        /// Id of the keyset in the account.
        keyset: u64,
        #[command(flatten)]
        account: Account,
    },
    /// Delete an application; its keysets leave the account.
    Delete {
        /// Id of the application.
        application: u64,
        #[command(flatten)]
        account: Account,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CustomerVerb {
    /// Create a customer.
    Create {
        /// What the account calls it: letters, digits, `-` and `_`.
        #[arg(long, value_name = "ID")]
        external_id: String,
        /// A name for people.
        #[arg(long)]
        name: String,
        /// Id of a keyset in the account to assign; at most 5.
        #[arg(long = "keyset", value_name = "ID")]
        keysets: Vec<u64>,
        #[command(flatten)]
        account: Account,
    },
    /// List the customers.
    List {
        #[command(flatten)]
        account: Account,
    },
    /// Show a customer and its keysets.
    Show {
        /// Its id.
        customer: String,
        #[command(flatten)]
        account: Account,
    },
    /// Assign keysets to a customer.
    Assign {
        /// Its id.
        customer: String,
        /// Id of a keyset in the account.
        #[arg(long = "keyset", value_name = "ID", required = true)]
        keysets: Vec<u64>,
        #[command(flatten)]
        account: Account,
    },
    /// Revoke every token of a customer issued so far.
    Revoke {
        /// Its id, also of one that was deleted.
        customer: String,
        #[command(flatten)]
        account: Account,
    },
    /// Delete a customer; its keysets are free again, its tokens stay good.
    Delete {
        /// Its id.
        customer: String,
        #[command(flatten)]
        account: Account,
    },
}
