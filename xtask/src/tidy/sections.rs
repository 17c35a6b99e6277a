//! Every numbered section that we implement is named by a test, as
//! `contract 2.4` or `format 3`; every bound of `limits.rs` by its constant.

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::{Finding, Tree};

const CONTRACT: &str = "testdata/contract-sections.toml";
const FORMAT: &str = "docs/format.md";
const LIMITS: &str = "crates/token-core/src/limits.rs";

#[derive(Deserialize)]
struct Contract {
    section: Vec<Section>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    number: String,
    /// How tests call the contract: `contract` is the Access Manager one.
    #[serde(default = "access_manager")]
    contract: String,
    title: String,
    /// Why nothing tests it yet.
    later: Option<String>,
}

fn access_manager() -> String {
    "contract".to_owned()
}

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let tests: Vec<&str> = tests(tree).collect();
    let named = |word: &str, number: &str| {
        // In prose, or as a field of a case.
        let citations = [
            format!("{word} {number}"),
            format!("{word} = '{number}"),
            format!("{word} = \"{number}"),
        ];
        tests
            .iter()
            .any(|text| citations.iter().any(|citation| cites(text, citation)))
    };
    let contract = tree
        .get(CONTRACT)
        .with_context(|| format!("no {CONTRACT}"))?;
    let contract: Contract = toml::from_str(contract).context(CONTRACT)?;
    let mut findings = Vec::new();
    for section in &contract.section {
        let Section {
            number,
            contract,
            title,
            later,
        } = section;
        match (later, named(contract, number)) {
            (None, false) => findings.push(Finding::new(
                CONTRACT,
                format!("no test names {contract} {number} ({title})"),
                format!(
                    "test it and write `{contract} {number}` beside the test, or say `later` and why"
                ),
            )),
            (Some(later), true) => findings.push(Finding::new(
                CONTRACT,
                format!("{contract} {number} is put off ({later}) but a test names it"),
                "remove `later`",
            )),
            (None, true) | (Some(_), false) => {}
        }
    }
    for number in headings(tree.get(FORMAT).unwrap_or_default()) {
        if !named("format", number) {
            findings.push(Finding::new(
                FORMAT,
                format!("no test names format {number}"),
                format!("test it and write `format {number}` beside the test"),
            ));
        }
    }
    Ok(findings)
}

/// Constants of `limits.rs` that no test speaks of.
pub(super) fn limits(tree: &Tree) -> Vec<Finding> {
    let tests: Vec<&str> = tests(tree).collect();
    tree.get(LIMITS)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split_once(':'))
        .filter(|(name, _)| !tests.iter().any(|text| text.contains(name)))
        .map(|(name, _)| {
            Finding::new(
                LIMITS,
                format!("no test names {name}"),
                "try the bound and one above it where it is enforced",
            )
        })
        .collect()
}

/// The texts in which a test, its data or an SDK driver may name what it covers.
fn tests(tree: &Tree) -> impl Iterator<Item = &str> {
    tree.iter()
        .filter(|(path, _)| {
            *path != CONTRACT
                && (path.contains("/tests/")
                    || path.ends_with("/tests.rs")
                    || path.starts_with("testdata/")
                    || path.starts_with("interop/"))
        })
        .map(|(_, text)| text)
}

/// Does the text hold the citation, not as the start of a longer number?
fn cites(text: &str, citation: &str) -> bool {
    text.match_indices(citation).any(|(at, _)| {
        let rest = text.split_at(at).1.trim_start_matches(citation);
        let mut next = rest.chars();
        match next.next() {
            Some('.') => !next.next().is_some_and(|c| c.is_ascii_digit()),
            Some(c) => !c.is_ascii_digit(),
            None => true,
        }
    })
}

/// The numbers of headings such as `## 3. Text` and `### 2.3 Text`.
fn headings(markdown: &str) -> impl Iterator<Item = &str> {
    markdown
        .lines()
        .filter_map(|line| {
            let number = line
                .strip_prefix("##")?
                .trim_start_matches('#')
                .trim_start();
            number.split_whitespace().next()
        })
        .map(|number| number.trim_end_matches('.'))
        .filter(|number| number.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTIONS: &str = "[[section]]\nnumber = \"2\"\ntitle = \"grant\"\n\
        [[section]]\nnumber = \"2.4\"\ntitle = \"answers\"\n\
        [[section]]\nnumber = \"6\"\ntitle = \"denials\"\nlater = \"with the gateway\"\n";

    fn found(test: &str, format: &str) -> Vec<String> {
        let tree = Tree::of(&[
            (CONTRACT, SECTIONS),
            (FORMAT, format),
            ("crates/a/tests/it/main.rs", test),
            (
                "crates/a/src/lib.rs",
                "//! contract 2, contract 2.4, format 1, format 2.3",
            ),
        ]);
        let found = check(&tree).unwrap();
        found.into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_section_that_no_test_names_is_found() {
        assert_eq!(found("/// contract 2, contract 2.4.", ""), [""; 0]);
        let missing = ["no test names contract 2 (grant)"];
        assert_eq!(found("/// contract 2.4 and contract 21", ""), missing);
    }

    #[test]
    fn a_case_may_name_its_section_in_a_field() {
        assert_eq!(found("contract = '2'\ncontract = \"2.4\"", ""), [""; 0]);
    }

    #[test]
    fn a_section_of_the_format_that_no_test_names_is_found() {
        let format = "# Format\n## 1. Text\n### 2.3 Keys\n## Vectors\n";
        let test = "// contract 2: contract 2.4: format 1: format 2.31";
        assert_eq!(found(test, format), ["no test names format 2.3"]);
    }

    #[test]
    fn a_section_that_is_no_longer_put_off_is_found() {
        assert_eq!(found("contract 2; contract 2.4; contract 6", "").len(), 1);
    }

    #[test]
    fn a_limit_that_no_test_names_is_found() {
        let tree = Tree::of(&[
            (
                LIMITS,
                "pub const A_MAX: usize = 1;\npub const B_MAX: usize = 2;\n",
            ),
            ("crates/a/tests/it/main.rs", "A_MAX"),
            ("crates/a/src/lib.rs", "B_MAX"),
        ]);
        let found = limits(&tree);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("B_MAX"));
    }
}
