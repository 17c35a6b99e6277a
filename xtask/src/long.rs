//! `cargo xtask long`: the suites whose counts a daily run does not afford.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use xshell::cmd;

use crate::repository::{Repository, each_line};
use crate::steps::Tally;
use crate::test::test_result;

/// Tests, the variable that holds their count, and the count of a long run.
pub(crate) struct Suite {
    pub(crate) package: &'static str,
    pub(crate) test: &'static str,
    pub(crate) variable: &'static str,
    pub(crate) count: &'static str,
}

const SUITES: [Suite; 5] = [
    Suite {
        package: "token-codec",
        test: "identity::",
        variable: "USHER_T07_CASES",
        count: "100000000",
    },
    Suite {
        package: "token-policy",
        test: "random::",
        variable: "USHER_MODEL_CASES",
        count: "10000000",
    },
    Suite {
        package: "token-policy",
        test: "pattern_cache::",
        variable: "USHER_PATTERN_TOKENS",
        count: "1000000",
    },
    Suite {
        package: "token-policy",
        test: "pattern_simple::",
        variable: "USHER_PATTERN_PAIRS",
        count: "20000000",
    },
    Suite {
        package: "token-policy",
        test: "pattern_re2::",
        variable: "USHER_RE2_PATTERNS",
        count: "150000",
    },
];

pub(crate) fn run(repository: &Repository) -> Result<ExitCode> {
    for suite in &SUITES {
        suite.run(repository, |line| println!("{line}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Suite {
    /// Runs it optimised, line by line of what it prints; a count that the
    /// environment gives goes first. A name that finds no test fails.
    pub(crate) fn run(&self, repository: &Repository, mut each: impl FnMut(&str)) -> Result<()> {
        let Self {
            package,
            test,
            variable,
            count,
        } = self;
        let given = std::env::var_os(variable).unwrap_or_else(|| (*count).into());
        println!("{variable}={}", given.to_string_lossy());
        let command = cmd!(
            repository.shell,
            "cargo test --release --locked --package {package} --test it {test} -- --nocapture"
        )
        .env(variable, given);
        let mut tally = Tally::default();
        let succeeded = each_line(command, |line| {
            each(line);
            tally = tally.and(test_result(line).unwrap_or_default());
        })?;
        ensure!(succeeded, "{package}: {test} failed");
        ensure!(tally.passed > 0, "{package} has no test {test}");
        Ok(())
    }
}
