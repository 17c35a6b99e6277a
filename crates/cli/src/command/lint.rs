//! `usher lint`: what is wrong, or likely to be, in a grant or a rule file.

use serde::Serialize;
use token_codec::{TokenKey, encode};
use token_core::{Claims, SubscribeKey, UnixSeconds};
use token_policy::{Finding, InvalidRules, RuleSet, Severity, lint};
use token_server::read_grant;

use crate::api::Failure;
use crate::args::Lint;
use crate::exit::Exit;
use crate::output::{BAD, GOOD, LABEL, NOTE, Output, printable};
use crate::secret;

#[derive(Serialize)]
struct Answer<'a> {
    kind: &'static str,
    findings: &'a [Finding],
    errors: usize,
    warnings: usize,
    notes: usize,
}

pub(super) fn run(arguments: &Lint, output: &Output) -> Result<Exit, Failure> {
    let file = &arguments.file;
    let (name, text) = match file.as_str() {
        "-" => ("standard input", secret::read("-")?),
        path => (path, secret::read(&format!("@{path}"))?),
    };
    let (kind, findings) = if text.trim_start().starts_with('{') {
        ("grant", grant(&text))
    } else {
        ("rules", rules(name, &text))
    };
    let count = |severity| {
        let findings = findings.iter();
        findings.filter(|found| found.severity == severity).count()
    };
    let answer = Answer {
        kind,
        findings: &findings,
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        notes: count(Severity::Note),
    };
    output.answer(&answer, || render(&answer))?;
    Ok(match (answer.errors, answer.warnings) {
        (0, 0) => Exit::Yes,
        (0, _) => Exit::Denied,
        _ => Exit::Error,
    })
}

fn grant(text: &str) -> Vec<Finding> {
    match read_grant(text.as_bytes(), UnixSeconds(super::now())) {
        Ok(claims) => match size(&claims) {
            Ok(bytes) => lint(&claims, bytes),
            Err(finding) => vec![finding],
        },
        Err(findings) => findings,
    }
}

/// The length of the token that the claims become, whatever key signs it.
fn size(claims: &Claims) -> Result<Option<usize>, Finding> {
    let Ok(keyset) = SubscribeKey::new("lint") else {
        return Ok(None);
    };
    let key = TokenKey::hmac(&[0; 32], &keyset);
    encode(claims, &key)
        .map(|text| Some(text.len()))
        .map_err(|error| {
            let message = error.to_string();
            Finding::new(Severity::Error, "invalid_grant", "permissions", message)
        })
}

/// The rules alone, and beside the operations, as a server has them.
fn rules(name: &str, text: &str) -> Vec<Finding> {
    let rules = match RuleSet::parse([(name, text)]) {
        Ok(rules) => rules,
        Err(invalid) => return InvalidRules::findings(&invalid).to_vec(),
    };
    let shared = rules.shared_with_operations().into_iter();
    let code = "overlaps_operation";
    let shared = shared.map(|message| Finding::new(Severity::Error, code, name, message));
    shared.chain(rules.warnings().iter().cloned()).collect()
}

/// A line for each finding, the places and severities in columns, then one that
/// counts.
fn render(answer: &Answer<'_>) -> String {
    let place = |finding: &Finding| {
        let at = printable(&finding.at);
        match finding.position {
            Some(position) => format!("{at}:{}:{}", position.line, position.column),
            None => at,
        }
    };
    let places: Vec<String> = answer.findings.iter().map(place).collect();
    let lengths = places.iter().map(|place| place.chars().count());
    let width = lengths.max().unwrap_or(0);
    let mut text = String::new();
    for (finding, place) in answer.findings.iter().zip(&places) {
        let style = match finding.severity {
            Severity::Error => BAD,
            Severity::Warning => NOTE,
            Severity::Note => LABEL,
        };
        let severity = finding.severity.name();
        let message = printable(&finding.message);
        let code = finding.code;
        text.push_str(&format!(
            "{place:<width$}  {style}{severity:<7}{style:#}  {message} [{code}]\n"
        ));
    }
    text.push_str(&summary(answer));
    text
}

fn summary(answer: &Answer<'_>) -> String {
    let counts = [
        (answer.errors, "error", BAD),
        (answer.warnings, "warning", NOTE),
        (answer.notes, "note", LABEL),
    ];
    let counted = counts.into_iter().filter(|(count, ..)| *count > 0);
    let parts: Vec<String> = counted
        .map(|(count, word, style)| {
            let plural = if count == 1 { "" } else { "s" };
            format!("{style}{count} {word}{plural}{style:#}")
        })
        .collect();
    if parts.is_empty() {
        return format!("{GOOD}clean{GOOD:#}\n");
    }
    format!("{}\n", parts.join(", "))
}
