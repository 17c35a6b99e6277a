//! Alert rules and the dashboard name metrics that the server has: those of
//! docs/operate.md, which a test of the server compares with what it serves.

use std::collections::BTreeSet;

use super::{Finding, Tree};

const PAGE: &str = "docs/operate.md";
const FOLDER: &str = "packaging/monitoring/";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let known: BTreeSet<&str> = tree
        .get(PAGE)
        .unwrap_or_default()
        .lines()
        .filter(|line| line.starts_with("| `usher_"))
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(names)
        .collect();
    let mut findings = Vec::new();
    for (path, text) in tree.iter().filter(|(path, _)| path.starts_with(FOLDER)) {
        let mut used: BTreeSet<&str> = names(text).collect();
        used.retain(|name| {
            // A histogram is served as three series.
            let parts = ["_bucket", "_sum", "_count"];
            let base = parts.iter().find_map(|part| name.strip_suffix(part));
            !known.contains(name) && !base.is_some_and(|base| known.contains(base))
        });
        findings.extend(used.into_iter().map(|name| {
            Finding::new(
                path,
                format!("names `{name}`, which no server has"),
                format!("use a metric of {PAGE}"),
            )
        }));
    }
    findings
}

fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("usher_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_that_no_server_has_is_found() {
        let page = "| `usher_a_total`, `usher_b_seconds` | | what |\n";
        let found = |rules: &str| {
            let files = [(PAGE, page), ("packaging/monitoring/alerts.yml", rules)];
            check(&Tree::of(&files)).len()
        };
        assert_eq!(found("rate(usher_a_total[5m]) / usher_b_seconds_bucket"), 0);
        assert_eq!(found("usher_a > 0"), 1);
        assert_eq!(found("usher_d_bucket or usher_c"), 2);
    }
}
