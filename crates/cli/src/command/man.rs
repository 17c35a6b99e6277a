//! `usher man`.

use std::path::Path;

use clap::CommandFactory as _;
use serde_json::json;

use crate::api::Failure;
use crate::args::Cli;
use crate::exit::Exit;
use crate::output::Output;

/// Writes `usher.1` and a page for each verb.
pub(super) fn run(directory: &Path, output: &Output) -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| {
        Failure::local(format!("cannot write `{}`: {error}", directory.display()))
    };
    std::fs::create_dir_all(directory).map_err(failed)?;
    // Without the verb `help`, whose pages would say everything twice.
    let command = Cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, directory).map_err(failed)?;
    output.answer(&json!({ "directory": directory }), || {
        format!("man {}\n", directory.join("usher.1").display())
    })?;
    Ok(Exit::Yes)
}
