//! `cargo xtask durability`: what survives what, with large counts, as a table.
//!
//! A test says its row itself, in a line `table: what | result`; it fails when
//! anything is lost.

use std::process::ExitCode;

use anyhow::{Result, ensure};

use crate::long::Suite;
use crate::repository::Repository;

/// How a test marks a row.
const MARK: &str = "table: ";

const SUITES: [Suite; 14] = [
    Suite {
        package: "token-store",
        test: "kill::",
        variable: "USHER_KILL_ROUNDS",
        count: "1000",
    },
    Suite {
        package: "token-store",
        test: "power::",
        variable: "USHER_POWER_COMMITS",
        count: "60",
    },
    Suite {
        package: "token-store",
        test: "steps::",
        variable: "USHER_CLOCK_HISTORIES",
        count: "5000",
    },
    Suite {
        package: "token-cli",
        test: "syscalls::",
        variable: "CI",
        count: "true",
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
    Suite {
        package: "token-server",
        test: "memory::",
        variable: "USHER_MEMORY_TOKENS",
        count: "1000000",
    },
    Suite {
        package: "token-server",
        test: "with_a_sequence",
        variable: "USHER_SEQUENCE_ANSWERS",
        count: "1000000",
    },
    Suite {
        package: "token-server",
        test: "decisions_do_not_notice",
        variable: "USHER_OUTAGE_SECONDS",
        count: "120",
    },
    Suite {
        package: "token-server",
        test: "held::",
        variable: "CI",
        count: "true",
    },
    Suite {
        package: "token-replication",
        test: "reach::",
        variable: "USHER_REPLICATION_REVOCATIONS",
        count: "10000",
    },
    Suite {
        package: "token-replication",
        test: "scale::",
        variable: "USHER_LOG_ENTRIES",
        count: "1000000",
    },
    Suite {
        package: "token-replication",
        test: "scale::",
        variable: "USHER_LOG_ENTRIES",
        count: "10000000",
    },
    Suite {
        package: "token-replication",
        test: "faults::",
        variable: "USHER_REPLICATION_KILLS",
        count: "20",
    },
];

pub(crate) fn run(repository: &Repository) -> Result<ExitCode> {
    let mut rows: Vec<(String, String)> = Vec::new();
    for suite in &SUITES {
        suite.run(repository, |line| {
            // The harness may have begun the line.
            let row = line.split_once(MARK).map_or("", |(_, row)| row);
            if let Some((what, result)) = row.split_once(" | ") {
                println!("{row}");
                rows.push((what.to_owned(), result.to_owned()));
            }
        })?;
    }
    ensure!(rows.len() >= SUITES.len(), "a suite said no row");
    let width = rows.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
    println!();
    for (what, result) in rows {
        println!("{what:width$}  {result}");
    }
    Ok(ExitCode::SUCCESS)
}
