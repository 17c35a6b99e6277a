//! `cargo xtask tidy`: rules of the repository that the compiler does not
//! know. Each message says what to do.

mod book;
mod crates;
mod fuzzing;
mod guards;
mod monitoring;
mod orphans;
mod sections;
mod supply;
mod texts;
mod versions;

use core::fmt;
use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;

use crate::repository::Repository;
use crate::steps::Tally;

/// The texts of a checkout by path, relative to its root with `/`. A file that
/// is not UTF-8 has an empty one.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    fn read(repository: &Repository) -> Result<Self> {
        let mut files = BTreeMap::new();
        for path in repository.files()? {
            let bytes = repository.shell.read_binary_file(&path)?;
            files.insert(path, String::from_utf8(bytes).unwrap_or_default());
        }
        Ok(Self { files })
    }

    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect();
        Self { files }
    }

    fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }
}

/// A rule that is broken: where, what, and how to mend it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    at: String,
    what: String,
    fix: String,
}

impl Finding {
    fn new(at: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            what: what.into(),
            fix: fix.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.at, self.what, self.fix)
    }
}

pub(crate) fn run(repository: &Repository) -> Result<ExitCode> {
    Ok(tally(repository)?.exit())
}

/// One passed or failed per rule.
pub(crate) fn tally(repository: &Repository) -> Result<Tally> {
    let tree = Tree::read(repository)?;
    let root = repository.root.to_string_lossy();
    let rules = [
        (
            "crates depend one way",
            crates::direction(&repository.metadata()?),
        ),
        ("pure crates stay pure", crates::purity(repository)?),
        ("versions and changelog", versions::check(&tree)?),
        ("no forgotten file", orphans::check(&tree)),
        ("fuzz targets agree", fuzzing::check(&tree)?),
        ("guards agree", guards::check(&tree)?),
        ("every section has a test", sections::check(&tree)?),
        ("every limit has a test", sections::limits(&tree)),
        ("the book is whole", book::check(&tree)),
        ("monitoring", monitoring::check(&tree)),
        ("what others wrote", supply::check(repository, &tree)?),
        ("texts", texts::check(&tree, &root)),
    ];
    let mut tally = Tally::default();
    for (rule, findings) in rules {
        for finding in &findings {
            println!("{finding}");
        }
        let word = if findings.is_empty() { "ok" } else { "FAILED" };
        println!("tidy: {rule}: {word}");
        tally = tally.and(Tally::of(findings.is_empty()));
    }
    Ok(tally)
}
