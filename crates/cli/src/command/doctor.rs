//! `usher doctor`: what will hurt, before it does. It changes nothing but a
//! file of its own in the data directory, which it takes away again.

mod clock;
mod data;
mod disk;
mod keys;
mod nats;

use serde::Serialize;
use token_server::Config;

use super::config::{environment, usual_file};
use crate::api::Failure;
use crate::args::Doctor;
use crate::exit::Exit;
use crate::output::{BAD, GOOD, NOTE, Output, printable};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Severity {
    /// Worth knowing.
    Note,
    /// Legal, and somebody may regret it.
    Warning,
    /// It does not work, or not for long.
    Error,
}

/// Something found, and what to do about it.
#[derive(Debug, Serialize)]
struct Finding {
    severity: Severity,
    /// For programs; docs/doctor.md lists them.
    code: &'static str,
    message: String,
    remedy: String,
}

impl Finding {
    fn new(
        severity: Severity,
        code: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            code,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    fn error(code: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message, remedy)
    }

    fn warning(code: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message, remedy)
    }

    fn note(code: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, message, remedy)
    }
}

/// All that was found.
#[derive(Serialize)]
struct Report {
    ok: bool,
    /// What was looked at.
    examined: Vec<&'static str>,
    findings: Vec<Finding>,
}

pub(super) fn run(arguments: &Doctor, output: &Output) -> Result<Exit, Failure> {
    let mut findings = Vec::new();
    let config = configuration(arguments, &mut findings);
    let mut examined = vec!["configuration", "listeners", "clock"];
    findings.extend(listeners(&config));
    findings.extend(clock::examine(&arguments.connection)?);
    if config.data_dir.is_dir() {
        examined.extend(["disk", "data directory", "keys"]);
        findings.extend(disk::examine(&config.data_dir));
        findings.extend(data::examine(&config.data_dir));
    } else {
        findings.push(Finding::note(
            "no_data_directory",
            format!(
                "there is no data directory `{}`: disk and keys were not looked at",
                config.data_dir.display()
            ),
            "name one with --data-dir, or start the server once",
        ));
    }
    findings.extend(keys::examine(&config, arguments));
    if let Some(servers) = config.cluster.nats.as_deref() {
        examined.push("nats");
        findings.extend(nats::examine(servers, &config.cluster));
    }
    findings.sort_by_key(|finding| core::cmp::Reverse(finding.severity));
    let worst = findings.iter().map(|finding| finding.severity).max();
    let report = Report {
        ok: worst.is_none_or(|worst| worst == Severity::Note),
        examined,
        findings,
    };
    output.answer(&report, || report.render())?;
    Ok(match worst {
        Some(Severity::Error) => Exit::Error,
        Some(Severity::Warning) => Exit::Denied,
        Some(Severity::Note) | None => Exit::Yes,
    })
}

/// The configuration, or the defaults where it has mistakes.
fn configuration(arguments: &Doctor, findings: &mut Vec<Finding>) -> Config {
    const REMEDY: &str = "correct the file or the variable; `usher config default` has every key";
    let file = arguments.config.clone().or_else(usual_file);
    let wrong = |message: String| Finding::error("configuration_invalid", message, REMEDY);
    let mut config = match Config::check(file.as_deref(), environment) {
        Ok(config) => config,
        Err(errors) => {
            findings.extend(errors.iter().map(|error| wrong(error.to_string())));
            Config::default()
        }
    };
    if let Err(error) = config.verify() {
        findings.push(wrong(error.to_string()));
    }
    if let Some(directory) = &arguments.connection.data_dir {
        config.data_dir.clone_from(directory);
    }
    config
}

/// What a configuration exposes.
fn listeners(config: &Config) -> impl Iterator<Item = Finding> {
    let risks = config.risks().into_iter();
    risks.map(|risk| Finding::warning(risk.code, risk.message, risk.remedy))
}

impl Report {
    fn render(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let (style, word) = match finding.severity {
                Severity::Error => (BAD, "error"),
                Severity::Warning => (NOTE, "warning"),
                Severity::Note => (NOTE, "note"),
            };
            text.push_str(&format!(
                "{style}{word}:{style:#} {} [{}]\n  {}\n",
                printable(&finding.message),
                finding.code,
                printable(&finding.remedy)
            ));
        }
        if self.ok {
            text.push_str(&format!("{GOOD}ok{GOOD:#}  {}\n", self.examined.join(", ")));
        }
        text
    }
}
