//! One version for all crates, and the changelog knows it.

use anyhow::{Context as _, Result};
use toml::Table;

use super::{Finding, Tree};

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let manifest: Table = tree.get("Cargo.toml").context("no Cargo.toml")?.parse()?;
    let workspace = manifest.get("workspace").context("no [workspace]")?;
    let version = workspace
        .get("package")
        .and_then(|package| package.get("version")?.as_str())
        .context("no version in [workspace.package]")?;
    let mut findings = headings(tree.get("CHANGELOG.md").unwrap_or_default(), version);
    let dependencies = workspace
        .get("dependencies")
        .and_then(|dependencies| dependencies.as_table())
        .context("no [workspace.dependencies]")?;
    for (name, dependency) in dependencies {
        let stated = dependency
            .get("version")
            .and_then(|version| version.as_str());
        if dependency.get("path").is_some() && stated != Some(version) {
            findings.push(Finding::new(
                "Cargo.toml",
                format!("{name} is asked for as {stated:?}, the workspace is {version}"),
                format!("say version = \"{version}\" in [workspace.dependencies]"),
            ));
        }
    }
    Ok(findings)
}

fn headings(changelog: &str, version: &str) -> Vec<Finding> {
    ["Unreleased", version]
        .iter()
        .filter(|title| {
            let heading = format!("## [{title}]");
            !changelog.lines().any(|line| line.starts_with(&heading))
        })
        .map(|title| {
            Finding::new(
                "CHANGELOG.md",
                format!("no heading for {title}"),
                format!("add `## [{title}]`"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[workspace.package]\nversion = \"1.2.0\"\n\
        [workspace.dependencies]\na = { version = \"1.2.0\", path = \"a\" }\nserde = \"1\"\n";

    #[test]
    fn a_version_without_a_heading_is_found() {
        let known = "## [Unreleased]\n\n## [1.2.0] - unreleased\n";
        let tree = Tree::of(&[("Cargo.toml", MANIFEST), ("CHANGELOG.md", known)]);
        assert_eq!(check(&tree).unwrap(), []);
        let old = "## [Unreleased]\n\n## [1.1.0]\n";
        let tree = Tree::of(&[("Cargo.toml", MANIFEST), ("CHANGELOG.md", old)]);
        assert_eq!(check(&tree).unwrap().len(), 1);
        let tree = Tree::of(&[("Cargo.toml", MANIFEST)]);
        assert_eq!(check(&tree).unwrap().len(), 2);
    }

    #[test]
    fn a_member_asked_for_by_another_version_is_found() {
        let manifest = MANIFEST.replace("\"1.2.0\", path", "\"1.1.0\", path");
        let known = "## [Unreleased]\n## [1.2.0]\n";
        let tree = Tree::of(&[("Cargo.toml", &manifest), ("CHANGELOG.md", known)]);
        assert_eq!(check(&tree).unwrap().len(), 1);
    }
}
