//! The book: every page is in its summary, and every link leads somewhere.

use std::collections::BTreeSet;

use super::{Finding, Tree};

const SUMMARY: &str = "docs/SUMMARY.md";

/// Texts of people whose links are followed.
const ELSEWHERE: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let summary = tree.get(SUMMARY).unwrap_or_default();
    let listed: BTreeSet<String> = links(summary)
        .map(|(_, link)| resolved(SUMMARY, link.as_str()))
        .collect();
    for (path, text) in tree.iter() {
        let is_page = path.starts_with("docs/") && path.ends_with(".md");
        if is_page && path != SUMMARY && !listed.contains(path) {
            findings.push(Finding::new(
                path,
                "is no page of the book",
                "add it to docs/SUMMARY.md",
            ));
        }
        if is_page || ELSEWHERE.contains(&path) {
            findings.extend(dead_links(tree, path, text));
        }
    }
    findings
}

fn dead_links(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, link) in links(text) {
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (file, fragment) = link.split_once('#').unwrap_or((&link, ""));
        let target = if file.is_empty() {
            path.to_owned()
        } else {
            resolved(path, file)
        };
        let folder = format!("{target}/");
        let there = tree.get(&target);
        let is_folder = tree.paths().any(|path| path.starts_with(&folder));
        if there.is_none() && !is_folder {
            findings.push(Finding::new(
                format!("{path}:{line}"),
                format!("links to `{link}`, which is not there"),
                "correct the link",
            ));
        } else if !fragment.is_empty()
            && there.is_some_and(|text| !anchors(text).any(|anchor| anchor == fragment))
        {
            findings.push(Finding::new(
                format!("{path}:{line}"),
                format!("links to `{link}`, and there is no such heading"),
                "correct what stands after the #",
            ));
        }
    }
    findings
}

/// The links of a page outside its code, with their lines.
fn links(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut in_code = false;
    let mut found = Vec::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        // What stands between backticks is code.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("");
        let ends = prose.split("](").skip(1);
        found.extend(ends.filter_map(|rest| Some((number, rest.split_once(')')?.0.to_owned()))));
    }
    found.into_iter()
}

/// `link` of the page `from`, relative to the root.
fn resolved(from: &str, link: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// The names that headings get in a page.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter_map(|c| match c {
            ' ' => Some('-'),
            '-' | '_' => Some(c),
            c if c.is_alphanumeric() => Some(c),
            _ => None,
        });
        kept.collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let found = check(&Tree::of(files));
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_page_that_is_not_in_the_summary_and_a_dead_link_are_found() {
        let mut files = vec![
            ("docs/SUMMARY.md", "- [A](a.md)\n- [B](x/b.md)\n"),
            (
                "docs/a.md",
                "# A\n[b](x/b.md#what-is-b) [src](../src/lib.rs)\n",
            ),
            ("docs/x/b.md", "## What is B?\n[a](../a.md) `[no](link)`\n"),
            ("src/lib.rs", ""),
        ];
        assert_eq!(found(&files), [""; 0]);
        files.push(("docs/c.md", "[gone](d.md) [a](a.md#nowhere)\n"));
        let findings = found(&files);
        assert_eq!(findings.len(), 3, "{findings:?}");
        assert!(findings[0].contains("no page of the book"), "{findings:?}");
        assert!(findings[1].contains("d.md"), "{findings:?}");
        assert!(findings[2].contains("no such heading"), "{findings:?}");
    }
}
