//! `cargo xtask test`: the one command before a commit.

use std::process::ExitCode;

use anyhow::Result;
use xshell::cmd;

use crate::repository::{Repository, each_line};
use crate::steps::{Steps, Tally};
use crate::{fuzz, interop, packaging, tidy};

/// How long each fuzz target runs here: long enough to start from its
/// regressions and to mutate them.
const FUZZ_SECONDS: u64 = 5;

pub(crate) fn run(repository: &Repository) -> ExitCode {
    let mut steps = Steps::default();
    steps_of(repository, &mut steps);
    steps.finish()
}

pub(crate) fn steps_of(repository: &Repository, steps: &mut Steps) {
    let sh = &repository.shell;
    steps.run("format", || {
        let apart =
            ["benches", "fuzz", "interop/rust"].map(|folder| format!("{folder}/Cargo.toml"));
        let apart = apart
            .iter()
            .filter(|path| repository.root.join(path).is_file());
        let clean = cmd!(sh, "cargo fmt --all --check").run().is_ok();
        let clean = apart.fold(clean, |clean, manifest| {
            cmd!(sh, "cargo fmt --manifest-path {manifest} --check")
                .run()
                .is_ok()
                && clean
        });
        Ok(Tally::of(clean))
    });
    steps.run("tidy", || tidy::tally(repository));
    steps.run("clippy", || {
        cmd!(
            sh,
            "cargo clippy --workspace --all-targets --locked -- -D warnings"
        )
        .run()?;
        Ok(Tally::PASSED)
    });
    steps.run("doc", || {
        cmd!(sh, "cargo doc --workspace --no-deps --locked")
            .env("RUSTDOCFLAGS", "-D warnings")
            .run()?;
        Ok(Tally::PASSED)
    });
    steps.run("tests", || rust_tests(repository));
    steps.run("fuzz", || fuzz::tally(repository, None, FUZZ_SECONDS));
    steps.run("packaging", || packaging::tally(repository));
    steps.run("interop", || interop::tally(repository, &[]));
}

/// Unit, integration and documentation tests, counted one by one.
fn rust_tests(repository: &Repository) -> Result<Tally> {
    let mut tally = Tally::default();
    let succeeded = each_line(
        cmd!(
            repository.shell,
            "cargo test --workspace --locked --no-fail-fast -- --quiet"
        ),
        |line| {
            println!("{line}");
            tally = tally.and(test_result(line).unwrap_or_default());
        },
    )?;
    if !succeeded && tally.failed == 0 {
        return Ok(tally.and(Tally::FAILED)); // a test that does not compile or dies
    }
    Ok(tally)
}

/// The counts of a line `test result: ok. 3 passed; 0 failed; 0 ignored; ...`.
pub(crate) fn test_result(line: &str) -> Option<Tally> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let count = |word: &str| -> Option<usize> {
        counts
            .split("; ")
            .find_map(|part| part.strip_suffix(word)?.trim().parse().ok())
    };
    Some(Tally::new(
        count("passed")?,
        count("failed")?,
        count("ignored")?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_a_test_binary_are_read() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(test_result(line), Some(Tally::new(12, 3, 1)));
        assert_eq!(test_result("running 3 tests"), None);
    }
}
