//! Steps of a verb: each with its time, all counted at the end.

use core::time::Duration;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use crate::repository::Repository;

/// What a step counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl Tally {
    pub(crate) const PASSED: Self = Self::new(1, 0, 0);
    pub(crate) const FAILED: Self = Self::new(0, 1, 0);

    pub(crate) const fn new(passed: usize, failed: usize, skipped: usize) -> Self {
        Self {
            passed,
            failed,
            skipped,
        }
    }

    pub(crate) const fn of(passed: bool) -> Self {
        if passed { Self::PASSED } else { Self::FAILED }
    }

    /// What is not run, and says why in plain sight. In CI the tools are
    /// there, so a skip is a failure.
    pub(crate) fn skipped(repository: &Repository, needs: &str) -> Self {
        println!("skipped: needs {needs}");
        if repository.in_ci {
            println!("a skip is a failure in CI");
            return Self::FAILED;
        }
        Self::new(0, 0, 1)
    }

    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            passed: self.passed.saturating_add(other.passed),
            failed: self.failed.saturating_add(other.failed),
            skipped: self.skipped.saturating_add(other.skipped),
        }
    }

    pub(crate) fn exit(self) -> ExitCode {
        if self.failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Runs steps one after another; a failure does not stop the next one, so one
/// run shows all that is wrong.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<(&'static str, Tally, Duration)>,
}

impl Steps {
    pub(crate) fn run(&mut self, name: &'static str, step: impl FnOnce() -> Result<Tally>) {
        println!("\n== {name}");
        let started = Instant::now();
        let tally = step().unwrap_or_else(|error| {
            println!("failed: {error:#}");
            Tally::FAILED
        });
        self.done.push((name, tally, started.elapsed()));
    }

    /// The table of steps, then the closing line.
    pub(crate) fn finish(self) -> ExitCode {
        println!();
        for (name, tally, time) in &self.done {
            let word = match tally {
                Tally { failed: 1.., .. } => "FAILED",
                Tally { skipped: 1.., .. } => "skipped",
                Tally { .. } => "ok",
            };
            println!("{name:<10} {word:<8} {:>6.1} s", time.as_secs_f64());
        }
        let total = self
            .done
            .iter()
            .fold(Tally::default(), |sum, (_, tally, _)| sum.and(*tally));
        println!(
            "{} passed, {} failed, {} skipped",
            total.passed, total.failed, total.skipped
        );
        total.exit()
    }
}
