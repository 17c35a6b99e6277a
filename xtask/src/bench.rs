//! `cargo xtask bench`: measures, with the peers in the same run.

mod http;

use std::process::ExitCode;

use anyhow::{Result, bail};
use xshell::cmd;

use crate::repository::Repository;
use crate::steps::Tally;

pub(crate) fn run(repository: &Repository, names: &[&str]) -> Result<ExitCode> {
    if names == ["http"] {
        return http::run(repository);
    }
    let sh = &repository.shell;
    let manifest = "benches/Cargo.toml";
    if !repository.root.join(manifest).is_file() {
        return Ok(Tally::skipped(repository, "benches/, which this tree does not have").exit());
    }
    let which = match names {
        [] => Vec::new(),
        [name] => vec!["--bench", *name],
        _ => bail!("one bench at a time, or none for all"),
    };
    cmd!(
        sh,
        "cargo bench --locked --manifest-path {manifest} {which...}"
    )
    .run()?;
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => target.into(),
        None => repository.root.join("benches/target"),
    };
    println!("results: {}", target.join("criterion").display());
    Ok(ExitCode::SUCCESS)
}
