//! The cases of testdata/patterns (contract 2.4, attacks R01 to R07 and R09).

use std::path::Path;

use serde::Deserialize;
use token_core::{Permissions, ResourceKind};
use token_policy::{Pattern, PatternSet, fuzzing};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

/// One pattern and what is expected of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    name: String,
    pattern: Option<String>,
    parts: Option<Vec<(String, usize)>>,
    kind: Option<String>,
    /// The exact text, when the pattern is refused.
    pub(crate) error: Option<String>,
    #[serde(default)]
    matches: Vec<String>,
    #[serde(default)]
    differs: Vec<String>,
    differs_parts: Option<Vec<(String, usize)>>,
    anchored: Option<bool>,
    everything: Option<bool>,
    group_form: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Properties {
    names: Vec<String>,
    refused: Vec<String>,
}

#[test]
fn every_case_of_testdata_has_its_outcome() {
    let mut tried = 0;
    for case in cases() {
        case.check();
        tried += 1;
    }
    assert!(tried >= 120, "only {tried} cases found");
}

#[test]
fn property_names_are_exactly_those_of_re2() {
    for name in property_names() {
        for text in [format!("\\p{{{name}}}"), format!("[\\P{{{name}}}]")] {
            assert!(Pattern::parse(&text).is_ok(), "{text} is refused");
        }
    }
    for name in properties().refused {
        let text = format!("\\p{{{name}}}");
        assert!(Pattern::parse(&text).is_err(), "{text} is accepted");
    }
}

/// Every case, in the order of the files.
pub(crate) fn cases() -> impl Iterator<Item = Case> {
    let mut paths: Vec<_> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap() != "properties.toml")
        .collect();
    paths.sort();
    paths.into_iter().flat_map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: File = toml::from_str(&text).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        file.case
    })
}

/// The names of properties that RE2 and we share.
pub(crate) fn property_names() -> Vec<String> {
    properties().names
}

fn properties() -> Properties {
    let text = std::fs::read_to_string(directory().join("properties.toml")).unwrap();
    toml::from_str(&text).unwrap()
}

fn directory() -> &'static Path {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../testdata/patterns"
    ))
}

fn joined(parts: &[(String, usize)]) -> String {
    parts.iter().map(|(text, n)| text.repeat(*n)).collect()
}

impl Case {
    /// The text of the pattern.
    pub(crate) fn source(&self) -> String {
        match (&self.pattern, &self.parts) {
            (Some(text), None) => text.clone(),
            (None, Some(parts)) => joined(parts),
            _ => panic!("{}: either `pattern` or `parts`", self.name),
        }
    }

    /// Every name of the case with whether it matches.
    pub(crate) fn names(&self) -> Vec<(String, bool)> {
        let matches = self.matches.iter().map(|name| (name.clone(), true));
        let differs = self.differs.iter().map(|name| (name.clone(), false));
        let parts = self
            .differs_parts
            .iter()
            .map(|parts| (joined(parts), false));
        matches.chain(differs).chain(parts).collect()
    }

    /// True when names are tried with a colon, too.
    pub(crate) fn is_of_groups(&self) -> bool {
        self.kind() == ResourceKind::Group
    }

    fn kind(&self) -> ResourceKind {
        match self.kind.as_deref() {
            None | Some("channel") => ResourceKind::Channel,
            Some("group") => ResourceKind::Group,
            Some(other) => panic!("{}: kind {other}", self.name),
        }
    }

    fn check(&self) {
        let (name, source) = (&self.name, self.source());
        let set = PatternSet::new(self.kind(), [(source.as_str(), Permissions::ALL)]);
        let pattern = match (Pattern::parse(&source), &self.error) {
            (Ok(pattern), None) => pattern,
            (Err(error), Some(expected)) => {
                assert_eq!(error.to_string(), *expected, "{name}");
                assert_eq!(set.held("a"), Permissions::NONE, "{name}: R10");
                return;
            }
            (Ok(_), Some(expected)) => panic!("{name}: accepted, expected {expected}"),
            (Err(error), None) => panic!("{name}: {error}"),
        };
        let names = self.names();
        assert!(!names.is_empty(), "{name}: no names");
        for (text, expected) in names {
            let held = set.held(&text) == Permissions::ALL;
            assert_eq!(held, expected, "{name}: {text:?}");
            let simple = fuzzing::simple(self.kind(), &source, &text);
            assert_eq!(simple.unwrap_or(expected), expected, "{name}: {text:?}");
            if !self.is_of_groups() {
                assert_eq!(pattern.matches(&text), expected, "{name}: {text:?}");
            }
        }
        let expected = |wanted: Option<bool>, is: bool, what: &str| {
            assert_eq!(wanted.unwrap_or(is), is, "{name}: {what}");
        };
        expected(self.anchored, pattern.is_anchored(), "anchored");
        expected(self.everything, pattern.matches_everything(), "everything");
        expected(self.group_form, pattern.group_form(), "group form");
    }
}
