//! Fuzz targets, their files and their regressions are one list. The smoke in
//! `cargo xtask test` derives its own from `fuzz/Cargo.toml`.

use std::collections::BTreeSet;

use anyhow::Result;

use super::{Finding, Tree};
use crate::fuzz;

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let Some(manifest) = tree.get("fuzz/Cargo.toml") else {
        return Ok(vec![Finding::new(
            "fuzz/",
            "has no Cargo.toml",
            "restore it: the fuzz smoke reads its targets there",
        )]);
    };
    let targets: BTreeSet<String> = fuzz::targets(manifest)?.into_iter().collect();
    let below = |folder: &'static str| {
        tree.paths()
            .filter_map(move |path| path.strip_prefix(folder))
            .filter_map(|rest| rest.split(['/', '.']).next())
            .map(str::to_owned)
            .collect::<BTreeSet<String>>()
    };
    let mut findings = differences(&targets, &below("fuzz/fuzz_targets/"), "fuzz/fuzz_targets");
    findings.extend(differences(
        &targets,
        &below("fuzz/regressions/"),
        "fuzz/regressions",
    ));
    Ok(findings)
}

fn differences(targets: &BTreeSet<String>, found: &BTreeSet<String>, folder: &str) -> Vec<Finding> {
    let missing = targets.difference(found).map(|target| {
        Finding::new(
            format!("{folder}/{target}"),
            "is missing for a target of fuzz/Cargo.toml",
            "add it (regressions need at least one input, in UTF-8 or not), or drop the target",
        )
    });
    let extra = found.difference(targets).map(|target| {
        Finding::new(
            format!("{folder}/{target}"),
            "belongs to no target of fuzz/Cargo.toml",
            "name it in a [[bin]], or remove it",
        )
    });
    missing.chain(extra).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_files_and_regressions_must_agree() {
        let mut files = vec![
            ("fuzz/Cargo.toml", "[[bin]]\nname = \"verify\"\n"),
            ("fuzz/fuzz_targets/verify.rs", ""),
            ("fuzz/regressions/verify/example", "x"),
        ];
        assert_eq!(check(&Tree::of(&files)).unwrap(), []);
        files.push(("fuzz/fuzz_targets/path.rs", ""));
        files.push(("fuzz/regressions/pattern/seed", ""));
        assert_eq!(check(&Tree::of(&files)).unwrap().len(), 2);
        let bare = [("fuzz/Cargo.toml", "[[bin]]\nname = \"verify\"\n")];
        assert_eq!(check(&Tree::of(&bare)).unwrap().len(), 2);
        assert_eq!(check(&Tree::of(&[])).unwrap().len(), 1);
    }
}
