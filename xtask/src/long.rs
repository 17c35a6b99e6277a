//! `cargo xtask long`: the suites whose counts a daily run does not afford.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use xshell::cmd;

use crate::repository::{Repository, each_line};
use crate::steps::Tally;
use crate::test::test_result;

/// A test, the variable that holds its count, and the count of a long run.
struct Suite {
    package: &'static str,
    test: &'static str,
    variable: &'static str,
    count: &'static str,
}

const SUITES: [Suite; 8] = [
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
    Suite {
        package: "token-store",
        test: "kill::",
        variable: "USHER_KILL_ROUNDS",
        count: "1000",
    },
    Suite {
        package: "token-store",
        test: "scale::",
        variable: "USHER_SCALE_ENTRIES",
        count: "1000000",
    },
    Suite {
        package: "token-store",
        test: "scale::",
        variable: "USHER_SCALE_ENTRIES",
        count: "10000000",
    },
];

/// Runs each suite optimised; a count that the environment gives goes first. A
/// suite whose name finds no test fails.
pub(crate) fn run(repository: &Repository) -> Result<ExitCode> {
    let sh = &repository.shell;
    for Suite {
        package,
        test,
        variable,
        count,
    } in &SUITES
    {
        let given = std::env::var_os(variable).unwrap_or_else(|| (*count).into());
        println!("{variable}={}", given.to_string_lossy());
        let command = cmd!(
            sh,
            "cargo test --release --locked --package {package} --test it {test}"
        )
        .env(variable, given);
        let mut tally = Tally::default();
        let succeeded = each_line(command, |line| {
            println!("{line}");
            tally = tally.and(test_result(line).unwrap_or_default());
        })?;
        ensure!(succeeded, "{package}: {test} failed");
        ensure!(tally.passed > 0, "{package} has no test {test}");
    }
    Ok(ExitCode::SUCCESS)
}
