//! `cargo xtask fuzz`: runs the targets of `fuzz/` for a while.
//!
//! The targets build on the pinned stable toolchain, without a sanitizer: the
//! crates forbid `unsafe`, so a panic is what there is to find.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use xshell::cmd;

use crate::repository::Repository;
use crate::steps::Tally;

const SECONDS: u64 = 30;

pub(crate) fn run(repository: &Repository, args: &[&str]) -> Result<ExitCode> {
    let (target, seconds) = match args {
        [] => (None, SECONDS),
        ["--seconds", n] => (None, n.parse()?),
        [target] => (Some(*target), SECONDS),
        [target, "--seconds", n] => (Some(*target), n.parse()?),
        _ => bail!("usage: cargo xtask fuzz [TARGET] [--seconds N]"),
    };
    Ok(tally(repository, target, seconds)?.exit())
}

/// Runs one target or all, prints how often each was executed.
pub(crate) fn tally(repository: &Repository, only: Option<&str>, seconds: u64) -> Result<Tally> {
    if !repository.has_cargo("fuzz") {
        return Ok(Tally::skipped(repository, "cargo-fuzz"));
    }
    let manifest = repository.shell.read_file("fuzz/Cargo.toml")?;
    let mut targets = targets(&manifest)?;
    if let Some(only) = only {
        targets.retain(|target| target == only);
        if targets.is_empty() {
            bail!("no fuzz target `{only}` in fuzz/Cargo.toml");
        }
    }
    let sh = &repository.shell;
    let _bootstrap = sh.push_env("RUSTC_BOOTSTRAP", "1");
    cmd!(sh, "cargo fuzz build --fuzz-dir fuzz --sanitizer none").run()?;
    targets.iter().try_fold(Tally::default(), |sum, target| {
        Ok(sum.and(one(repository, target, seconds)?))
    })
}

/// The names of the targets, as `fuzz/Cargo.toml` lists them.
pub(crate) fn targets(manifest: &str) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Manifest {
        #[serde(default)]
        bin: Vec<Bin>,
    }
    #[derive(Deserialize)]
    struct Bin {
        name: String,
    }
    let manifest: Manifest = toml::from_str(manifest).context("fuzz/Cargo.toml")?;
    Ok(manifest.bin.into_iter().map(|bin| bin.name).collect())
}

fn one(repository: &Repository, target: &str, seconds: u64) -> Result<Tally> {
    let sh = &repository.shell;
    let corpus = format!("fuzz/corpus/{target}");
    sh.create_dir(&corpus)?;
    let regressions = format!("fuzz/regressions/{target}");
    let seconds = format!("-max_total_time={seconds}");
    let run = cmd!(
        sh,
        "cargo fuzz run --fuzz-dir fuzz --sanitizer none {target} {corpus} {regressions} -- {seconds} -print_final_stats=1 -max_len=65536"
    );
    println!("$ {run}");
    let output = run.quiet().ignore_status().output()?;
    let log = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let tail = log.lines().count().saturating_sub(60);
        for line in log.lines().skip(tail) {
            println!("{line}");
        }
        println!(
            "{target}: failed; keep the input in {regressions}/ with a name that says what it does"
        );
        return Ok(Tally::FAILED);
    }
    let executions = executions(&log).context("libfuzzer prints its statistics")?;
    println!("{target}: {executions} executions");
    Ok(Tally::of(executions > 0))
}

fn executions(log: &str) -> Option<u64> {
    log.lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_are_read_from_the_statistics_of_libfuzzer() {
        let log = "Done 77 runs in 1 second(s)\nstat::number_of_executed_units: 77\nstat::peak_rss_mb: 31\n";
        assert_eq!(executions(log), Some(77));
        assert_eq!(executions("panicked"), None);
    }

    #[test]
    fn targets_are_the_binaries_of_the_manifest() {
        let manifest = "[[bin]]\nname = \"b\"\npath = \"x\"\n[[bin]]\nname = \"a\"\n";
        assert_eq!(targets(manifest).unwrap(), ["b", "a"]);
    }
}
