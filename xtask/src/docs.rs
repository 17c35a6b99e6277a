//! `cargo xtask docs`: the book, built.

use std::process::ExitCode;

use anyhow::{Result, bail};
use xshell::cmd;

use crate::repository::Repository;

/// Builds `docs/` into `target/book`. What a page must be is checked by tidy, which
/// needs no mdbook.
pub(crate) fn run(repository: &Repository) -> Result<ExitCode> {
    let sh = &repository.shell;
    let has_mdbook = cmd!(sh, "mdbook --version")
        .quiet()
        .ignore_stdout()
        .ignore_stderr();
    if has_mdbook.run().is_err() {
        bail!("needs mdbook: cargo install --locked mdbook");
    }
    cmd!(sh, "mdbook build docs").run()?;
    println!("target/book/start.html");
    Ok(ExitCode::SUCCESS)
}
