//! `usher test`: policy tests, decided here, without a server and without a
//! key.

pub(super) mod case;
mod report;

use std::path::{Path, PathBuf};

use token_policy::RuleSet;

use crate::api::Failure;
use crate::args;
use crate::exit::Exit;
use crate::output::Output;

use case::{File, Outcome, Setting};
use report::{Report, Result as CaseResult};

pub(super) fn run(arguments: &args::Test, output: &Output) -> Result<Exit, Failure> {
    let path = &arguments.file;
    let text = read(path)?;
    let name = path.display();
    let file: File = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| line(&text, span.start));
        Failure::local(format!("{name}:{line}: {}", error.message()))
    })?;
    let rules = rules(path, &file)?;
    let setting = Setting {
        file: &file,
        rules: rules.as_ref(),
    };
    let mut results = Vec::new();
    for case in &file.cases {
        let line = line(&text, case.span().start);
        let case = case.get_ref();
        let wrong =
            |cause| Failure::local(format!("{name}:{line}: the case `{}`: {cause}", case.name));
        let got = setting.decide(case).map_err(wrong)?;
        let expected = case.expected(&got).map_err(wrong)?;
        results.push(CaseResult::new(case.name.clone(), line, expected, got));
    }
    if results.is_empty() {
        return Err(Failure::local(format!("{name} has no `[[case]]`")));
    }
    let report = Report::new(results);
    output.answer(&report, || report.render(&name.to_string()))?;
    Ok(if report.failed() == 0 {
        Exit::Yes
    } else {
        Exit::Error
    })
}

pub(super) fn read(path: &Path) -> Result<String, Failure> {
    let name = path.display();
    std::fs::read_to_string(path)
        .map_err(|error| Failure::local(format!("cannot read `{name}`: {error}")))
}

/// The rule files of the tests, which stand beside them.
fn rules(path: &Path, file: &File) -> Result<Option<RuleSet>, Failure> {
    if file.rules.is_empty() {
        return Ok(None);
    }
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let paths = file.rules.iter().map(|rules| folder.join(rules));
    read_rules(paths).map(Some)
}

/// The rules of these files.
pub(super) fn read_rules(paths: impl Iterator<Item = PathBuf>) -> Result<RuleSet, Failure> {
    let mut texts = Vec::new();
    for path in paths {
        texts.push((path.display().to_string(), read(&path)?));
    }
    let files = texts.iter().map(|(name, text)| (&**name, &**text));
    RuleSet::parse(files)
        .map_err(|invalid| Failure::local(format!("the rules cannot be used:\n{invalid}")))
}

/// The line of the byte `at`, from 1.
fn line(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or(text);
    before.matches('\n').count().saturating_add(1)
}
