//! The verbs about API tokens of a keyset.

use clap::{Subcommand, ValueEnum};

use super::Connection;

/// What an API token may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scope {
    /// PubSub tokens.
    Pubsub,
    /// Chat tokens.
    Chat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApiTokenVerb {
    /// Add an API token, which is shown once.
    Create {
        /// Subscribe key or name of the keyset [default: the only one].
        #[arg(long, value_name = "KEYSET")]
        keyset: Option<String>,
        /// The project, a UUID; a new one is made with its first token
        /// [default: a random UUID].
        #[arg(long, value_name = "UUID")]
        project_id: Option<String>,
        /// Bring your own token; `-` or `@FILE` reads it.
        #[arg(long, value_name = "TOKEN")]
        token: Option<String>,
        /// What it may ask for; may be repeated [default: both].
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<Scope>,
        #[command(flatten)]
        connection: Connection,
    },
    /// List the API tokens of a keyset.
    List {
        /// Subscribe key or name of the keyset [default: the only one].
        #[arg(long, value_name = "KEYSET")]
        keyset: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Remove an API token. Tokens that it asked for stay good.
    Remove {
        /// Its id, as `usher keyset api-token list` shows it.
        id: String,
        /// Subscribe key or name of the keyset [default: the only one].
        #[arg(long, value_name = "KEYSET")]
        keyset: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
}
