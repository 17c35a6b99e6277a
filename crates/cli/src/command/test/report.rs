//! What came of policy tests.

use serde::Serialize;

use crate::output::{BAD, GOOD, LABEL, printable};

use super::Outcome;

/// One case.
#[derive(Serialize)]
pub(super) struct Result {
    name: String,
    line: usize,
    passed: bool,
    expected: Outcome,
    got: Outcome,
}

impl Result {
    pub(super) fn new(name: String, line: usize, expected: Outcome, got: Outcome) -> Self {
        Self {
            name,
            line,
            passed: expected == got,
            expected,
            got,
        }
    }
}

/// All cases of a file.
#[derive(Serialize)]
pub(super) struct Report {
    passed: usize,
    failed: usize,
    cases: Vec<Result>,
}

impl Report {
    pub(super) fn new(cases: Vec<Result>) -> Self {
        let passed = cases.iter().filter(|case| case.passed).count();
        Self {
            passed,
            failed: cases.len().saturating_sub(passed),
            cases,
        }
    }

    pub(super) const fn failed(&self) -> usize {
        self.failed
    }

    /// A line for each case, a difference for each that failed, and the sum.
    pub(super) fn render(&self, file: &str) -> String {
        let mut text = String::new();
        for case in &self.cases {
            let name = printable(&case.name);
            if case.passed {
                text.push_str(&format!("{GOOD}ok{GOOD:#}    {name}\n"));
            } else {
                let place = format!("{LABEL}{}:{}{LABEL:#}", printable(file), case.line);
                text.push_str(&format!("{BAD}FAIL{BAD:#}  {name}  {place}\n"));
                text.push_str(&difference(&case.expected, &case.got));
            }
        }
        let style = if self.failed == 0 { GOOD } else { BAD };
        let (passed, failed) = (self.passed, self.failed);
        text.push_str(&format!(
            "\n{style}{passed} passed, {failed} failed{style:#}\n"
        ));
        text
    }
}

/// What is expected with `-`, what came with `+`, what is the same with
/// neither.
fn difference(expected: &Outcome, got: &Outcome) -> String {
    let mut text = String::new();
    for ((label, wanted), (_, came)) in rows(expected).into_iter().zip(rows(got)) {
        let mut push = |sign: &str, style: anstyle::Style, values: &[String]| {
            for value in values {
                let value = printable(value);
                let line = format!("{sign} {label:<8}  {value}");
                text.push_str(&format!("      {style}{line}{style:#}\n"));
            }
        };
        if wanted == came {
            push(" ", anstyle::Style::new(), &came);
        } else {
            push("-", BAD, &wanted);
            push("+", GOOD, &came);
        }
    }
    text
}

fn rows(outcome: &Outcome) -> [(&'static str, Vec<String>); 4] {
    let remedy = outcome.remedy.as_ref();
    [
        ("decision", vec![outcome.decision.clone()]),
        ("reason", vec![outcome.reason.clone()]),
        ("missing", outcome.missing.clone()),
        (
            "remedy",
            remedy.map(ToString::to_string).into_iter().collect(),
        ),
    ]
}
