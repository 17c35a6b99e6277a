//! `usher replay`: recorded requests against other rules. `docs/replay.md` has
//! the format, which is that of a policy test as JSON.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};
use token_policy::RuleSet;

use super::test::case::{Case, File, Outcome, Setting};
use super::test::{read, read_rules};
use crate::api::Failure;
use crate::args::Replay;
use crate::exit::Exit;
use crate::output::{BAD, GOOD, Output, printable};
use crate::secret;

/// What other rules would do.
#[derive(Serialize)]
struct Report {
    requests: usize,
    changes: Vec<Change>,
}

/// A request that would be decided otherwise, or for another reason.
#[derive(Serialize)]
struct Change {
    line: usize,
    request: String,
    before: Said,
    after: Said,
}

#[derive(PartialEq, Serialize)]
struct Said {
    decision: String,
    reason: Option<String>,
}

impl Said {
    fn of(outcome: Outcome) -> Self {
        Self {
            decision: outcome.decision,
            reason: Some(outcome.reason),
        }
    }

    /// A recording may know the decision and no reason.
    fn differs(&self, after: &Self) -> bool {
        self.decision != after.decision || (self.reason.is_some() && self.reason != after.reason)
    }
}

pub(super) fn run(arguments: &Replay, output: &Output) -> Result<Exit, Failure> {
    let after = read_rules(arguments.rules.iter().cloned())?;
    let before = match arguments.before.as_slice() {
        [] => None,
        files => Some(read_rules(files.iter().cloned())?),
    };
    let file = File::of(keyset_of(&after)?);
    let (name, text) = recording(&arguments.file)?;
    let mut report = Report {
        requests: 0,
        changes: Vec::new(),
    };
    for (line, text) in (1_usize..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let change = one(text, &file, &after, before.as_ref())
            .map_err(|cause| Failure::local(format!("{name}:{line}: {cause}")))?;
        report.requests = report.requests.saturating_add(1);
        report
            .changes
            .extend(change.map(|change| Change { line, ..change }));
    }
    if report.requests == 0 {
        return Err(Failure::local(format!("{name} holds no request")));
    }
    output.answer(&report, || report.render(&name))?;
    Ok(if report.changes.is_empty() {
        Exit::Yes
    } else {
        Exit::Denied
    })
}

fn recording(path: &Path) -> Result<(String, String), Failure> {
    if path == Path::new("-") {
        return Ok(("standard input".to_owned(), secret::read("-")?));
    }
    Ok((path.display().to_string(), read(path)?))
}

/// The keyset of requests that name none: the one of the rules.
fn keyset_of(rules: &RuleSet) -> Result<String, Failure> {
    let keysets: BTreeSet<&str> = rules.subscribe_keys().collect();
    let first = keysets.first().map(|key| (*key).to_owned());
    first.ok_or_else(|| Failure::local("the rules name no keyset"))
}

/// Decides one line by both.
fn one(
    text: &str,
    file: &File,
    after: &RuleSet,
    before: Option<&RuleSet>,
) -> Result<Option<Change>, String> {
    let mut fields: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    if before.is_none() && !fields.contains_key("decision") {
        return Err(
            "there is no `decision`; record it, or name the rules of then with --before".to_owned(),
        );
    }
    // What a policy test must say and a recording need not.
    for (name, value) in [("name", ""), ("decision", "deny")] {
        fields.entry(name).or_insert_with(|| value.into());
    }
    let request = ["request", "operation"]
        .iter()
        .find_map(|name| fields.get(*name)?.as_str().map(str::to_owned))
        .unwrap_or_default();
    let case: Case =
        serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())?;
    let decide = |rules| {
        let setting = Setting {
            file,
            rules: Some(rules),
        };
        setting.decide(&case).map(Said::of)
    };
    let after = decide(after)?;
    let before = match before {
        Some(rules) => decide(rules)?,
        None => {
            if !["allow", "deny"].contains(&case.decision.as_str()) {
                return Err("`decision` must be `allow` or `deny`".to_owned());
            }
            Said {
                decision: case.decision.clone(),
                reason: case.reason.clone(),
            }
        }
    };
    Ok(before.differs(&after).then_some(Change {
        line: 0,
        request,
        before,
        after,
    }))
}

impl Report {
    fn render(&self, name: &str) -> String {
        let mut text = String::new();
        for change in &self.changes {
            text.push_str(&format!(
                "{name}:{}  {}\n  {} -> {}\n",
                change.line,
                printable(&change.request),
                shown(&change.before),
                shown(&change.after)
            ));
        }
        let changed = self.changes.len();
        text.push_str(&format!("{} requests, {changed} change\n", self.requests));
        text
    }
}

fn shown(said: &Said) -> String {
    let style = if said.decision == "allow" { GOOD } else { BAD };
    let reason = said.reason.as_deref();
    let reason = reason.map(|reason| format!(" [{}]", printable(reason)));
    format!(
        "{style}{}{style:#}{}",
        said.decision,
        reason.unwrap_or_default()
    )
}
