//! Which operations a real client exercised, both ways.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use serde::Deserialize;

use super::Scenario;
use crate::repository::Repository;

/// What a scenario says it stands for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Covers {
    operation: Option<String>,
    /// Both, where a scenario that was not possible names none.
    outcome: Option<Outcome>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Allowed,
    Denied,
}

/// What one driver saw of one operation.
#[derive(Clone, Debug, Default)]
struct Seen {
    allowed: bool,
    denied: bool,
    /// Why it could not, in the words of the data.
    reasons: BTreeSet<String>,
}

/// The operations of the table, and who exercised each.
#[derive(Debug)]
pub(super) struct Coverage {
    operations: Vec<String>,
    seen: BTreeMap<(String, &'static str), Seen>,
}

/// Made from the code and compared with it by the tests of token-policy.
const TABLE: &str = "docs/operations.md";

/// The drivers that go through the gateway. Each but the last must have
/// exercised every operation or say why not; the last asks what they cannot.
pub(super) const DRIVERS: [&str; 4] = ["js-11", "js-12", "python", RAW];

const RAW: &str = "http";

impl Coverage {
    pub(super) fn read(repository: &Repository) -> Result<Self> {
        let table = repository.shell.read_file(TABLE)?;
        let operations = operations(&table);
        ensure!(
            !operations.is_empty(),
            "{TABLE} names no operation in its first column"
        );
        Ok(Self {
            operations,
            seen: BTreeMap::new(),
        })
    }

    pub(super) fn note(&mut self, driver: &'static str, scenario: &Scenario) {
        let Some(operation) = &scenario.covers.operation else {
            return;
        };
        let seen = self.seen.entry((operation.clone(), driver)).or_default();
        match (scenario.ok, scenario.covers.outcome) {
            (Some(true), Some(Outcome::Allowed)) => seen.allowed = true,
            (Some(true), Some(Outcome::Denied)) => seen.denied = true,
            (None, _) => drop(seen.reasons.insert(scenario.detail.clone())),
            (Some(_), _) => {}
        }
    }

    /// Prints the table. Besides the rule of [`DRIVERS`], at least one of them
    /// must have exercised each operation, whatever the reasons of the others.
    pub(super) fn is_complete(&self) -> bool {
        let mut complete = true;
        let mut reasons = BTreeSet::new();
        println!("{:<24} {}", "operation", columns(&DRIVERS));
        for operation in &self.operations {
            let seen: Vec<Seen> = DRIVERS
                .iter()
                .map(|driver| self.seen.get(&(operation.clone(), *driver)))
                .map(|seen| seen.cloned().unwrap_or_default())
                .collect();
            let cells = seen.iter().zip(DRIVERS).map(|(seen, driver)| {
                let nothing = driver == RAW && seen.cell() == MISSING;
                if nothing { "" } else { seen.cell() }
            });
            let cells: Vec<&str> = cells.collect();
            println!("{operation:<24} {}", columns(&cells));
            let allowed = seen.iter().any(|seen| seen.allowed);
            let denied = seen.iter().any(|seen| seen.denied);
            let sdks = seen
                .iter()
                .zip(DRIVERS)
                .filter(|(_, driver)| *driver != RAW);
            let missing = sdks.into_iter().any(|(seen, _)| seen.cell() == MISSING);
            if missing || !allowed || !denied {
                println!("{operation}: FAILED: not exercised both ways, and no reason is given");
                complete = false;
            }
            for (driver, seen) in DRIVERS.iter().zip(&seen) {
                for reason in &seen.reasons {
                    reasons.insert(format!("{operation}, {driver}: {reason}"));
                }
            }
        }
        for reason in reasons {
            println!("{reason}");
        }
        complete
    }
}

const MISSING: &str = "MISSING";

impl Seen {
    fn cell(&self) -> &'static str {
        match (self.allowed, self.denied) {
            (true, true) => "both",
            (true, false) if !self.reasons.is_empty() => "allowed",
            (false, true) if !self.reasons.is_empty() => "denied",
            (false, false) if !self.reasons.is_empty() => "-",
            _ => MISSING,
        }
    }
}

fn columns(cells: &[&str]) -> String {
    cells.iter().map(|cell| format!("{cell:<9}")).collect()
}

/// The first column of the table.
fn operations(table: &str) -> Vec<String> {
    table
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(line: &str) -> Scenario {
        serde_json::from_str(line).unwrap()
    }

    fn coverage(lines: &[(&'static str, &str)]) -> Coverage {
        let mut coverage = Coverage {
            operations: vec!["publish".to_owned()],
            seen: BTreeMap::new(),
        };
        for (driver, line) in lines {
            coverage.note(driver, &scenario(line));
        }
        coverage
    }

    const ALLOWED: &str =
        r#"{"name":"n","ok":true,"detail":"","operation":"publish","outcome":"allowed"}"#;
    const DENIED: &str =
        r#"{"name":"n","ok":true,"detail":"","operation":"publish","outcome":"denied"}"#;
    const FAILED: &str =
        r#"{"name":"n","ok":false,"detail":"x","operation":"publish","outcome":"denied"}"#;
    const REASON: &str = r#"{"name":"n","ok":null,"detail":"no call","operation":"publish"}"#;

    const SDKS: [&str; 3] = ["js-11", "js-12", "python"];

    fn by_all(line: &'static str) -> Vec<(&'static str, &'static str)> {
        SDKS.iter().map(|driver| (*driver, line)).collect()
    }

    #[test]
    fn both_ways_by_one_and_a_reason_of_the_others_is_complete() {
        let both = [by_all(ALLOWED), by_all(DENIED)].concat();
        assert!(coverage(&both).is_complete());
        let raw = [("http", ALLOWED), ("http", DENIED)];
        assert!(coverage(&[&by_all(REASON)[..], &raw].concat()).is_complete());
    }

    #[test]
    fn one_way_a_failure_or_nothing_but_reasons_is_not() {
        assert!(!coverage(&[]).is_complete());
        assert!(!coverage(&by_all(ALLOWED)).is_complete());
        assert!(!coverage(&by_all(REASON)).is_complete());
        let failed = [by_all(ALLOWED), by_all(FAILED)].concat();
        assert!(!coverage(&failed).is_complete());
        // One SDK that did only half of it.
        let mut half = [by_all(ALLOWED), by_all(DENIED)].concat();
        half.pop();
        assert!(!coverage(&half).is_complete());
    }

    #[test]
    fn operations_are_the_first_column_of_the_table() {
        let table = "| operation | needs |\n|---|---|\n| `publish` | `x` |\n| `time` | - |\n";
        assert_eq!(operations(table), ["publish", "time"]);
    }
}
