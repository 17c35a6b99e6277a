//! The arguments of what people use around a server: replay, doctor, bench.

use std::path::PathBuf;

use clap::Args;

use super::{Connection, Keyset};

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Recorded requests, one JSON object a line (docs/replay.md); `-` reads
    /// standard input.
    #[arg(value_name = "FILE|-")]
    pub(crate) file: PathBuf,
    /// A rule file that would be in force; may be repeated.
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) rules: Vec<PathBuf>,
    /// A rule file that is in force, which decides what was; may be repeated
    /// [default: the decisions in the recording].
    #[arg(long, value_name = "FILE")]
    pub(crate) before: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Configuration file [default: usher.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// For how long, in seconds: 1 to 60.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(crate) seconds: u64,
    /// How many connections ask at the same time: 1 to 64.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(crate) connections: u64,
    /// Ask a server that is not on this machine: it will be busy.
    #[arg(long)]
    pub(crate) remote: bool,
    /// A token that may subscribe to the channel `bench`; `-` or `@FILE` reads
    /// it [default: one is granted, which needs an admin or issuer key].
    #[arg(long)]
    pub(crate) token: Option<String>,
    #[command(flatten)]
    pub(crate) keyset: Keyset,
    #[command(flatten)]
    pub(crate) connection: Connection,
}
