//! What the program is made of, beside our own crates: how many packages, which
//! of them run code while it is built, under which licences (attack A03).
//! `testdata/dependencies.toml` holds what was looked at.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId, TargetKind};
use serde::Deserialize;

use super::{Finding, Tree};
use crate::repository::Repository;

const FILE: &str = "testdata/dependencies.toml";
const PROGRAM: &str = "token-cli";
/// Of this one platform, so that every machine counts the same.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

#[derive(Deserialize)]
struct Reviewed {
    /// Most packages of others.
    packages_max: usize,
    /// Packages with a build script, which runs on every machine that builds.
    build_scripts: BTreeSet<String>,
}

/// A package of others that the program is made of.
#[derive(Debug)]
struct Used {
    name: String,
    licence: Option<String>,
    has_build_script: bool,
}

pub(super) fn check(repository: &Repository, tree: &Tree) -> Result<Vec<Finding>> {
    let metadata = MetadataCommand::new()
        .manifest_path(repository.root.join("Cargo.toml"))
        .other_options(
            ["--locked", "--filter-platform", PLATFORM]
                .map(str::to_owned)
                .to_vec(),
        )
        .exec()?;
    let reviewed = toml::from_str(tree.get(FILE).context(FILE)?)?;
    let licences = licences(tree.get("deny.toml").context("no deny.toml")?)?;
    Ok(against(&used(&metadata)?, &reviewed, &licences))
}

fn licences(deny: &str) -> Result<BTreeSet<String>> {
    let deny: toml::Table = deny.parse()?;
    let allowed = deny
        .get("licenses")
        .and_then(|table| table.get("allow")?.as_array());
    let allowed = allowed.context("deny.toml allows no licence")?;
    Ok(allowed
        .iter()
        .filter_map(|name| name.as_str())
        .map(str::to_owned)
        .collect())
}

/// Everything below the program but what only tests need.
fn used(metadata: &Metadata) -> Result<Vec<Used>> {
    let nodes = &metadata
        .resolve
        .as_ref()
        .context("nothing is resolved")?
        .nodes;
    let root = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == PROGRAM)
        .context("there is no package of the program")?;
    let mut seen: BTreeSet<&PackageId> = BTreeSet::new();
    let mut waiting = vec![&root.id];
    while let Some(id) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        let node = nodes.iter().find(|node| node.id == *id);
        for dependency in node.into_iter().flat_map(|node| &node.deps) {
            let kinds = &dependency.dep_kinds;
            if kinds
                .iter()
                .any(|kind| kind.kind != DependencyKind::Development)
            {
                waiting.push(&dependency.pkg);
            }
        }
    }
    let ours = &metadata.workspace_members;
    let packages = metadata.packages.iter();
    let theirs =
        packages.filter(|package| seen.contains(&package.id) && !ours.contains(&package.id));
    Ok(theirs.map(of_package).collect())
}

fn of_package(package: &Package) -> Used {
    let is_script = |kinds: &[TargetKind]| kinds.contains(&TargetKind::CustomBuild);
    Used {
        name: package.name.to_string(),
        licence: package.license.clone(),
        has_build_script: package.targets.iter().any(|target| is_script(&target.kind)),
    }
}

fn against(used: &[Used], reviewed: &Reviewed, licences: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if used.len() > reviewed.packages_max {
        findings.push(Finding::new(
            FILE,
            format!("the program is made of {} packages of others", used.len()),
            "do without one, or look at what came and raise packages_max",
        ));
    }
    let scripts = used.iter().filter(|package| package.has_build_script);
    let scripts: BTreeSet<String> = scripts.map(|package| package.name.clone()).collect();
    for name in scripts.difference(&reviewed.build_scripts) {
        findings.push(Finding::new(
            FILE,
            format!("{name} runs code while it is built"),
            "read its build.rs and add it to build_scripts, or do without it",
        ));
    }
    for name in reviewed.build_scripts.difference(&scripts) {
        findings.push(Finding::new(
            FILE,
            format!("{name} has no build script any more"),
            "take it out of build_scripts",
        ));
    }
    for package in used {
        let licence = package.licence.as_deref().unwrap_or("none");
        if !is_allowed(licence, licences) {
            findings.push(Finding::new(
                FILE,
                format!("{} has the licence {licence}", package.name),
                "do without it, or decide in deny.toml",
            ));
        }
    }
    findings
}

/// `A OR B`, `A/B`: one is enough. `A AND B`: all. Parentheses are of alternatives.
fn is_allowed(licence: &str, allowed: &BTreeSet<String>) -> bool {
    licence.split(" AND ").all(|part| {
        let part = part.trim().trim_start_matches('(').trim_end_matches(')');
        let mut choices = part.split(" OR ").flat_map(|choice| choice.split('/'));
        choices.any(|choice| allowed.contains(choice.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, licence: &str, has_build_script: bool) -> Used {
        Used {
            name: name.to_owned(),
            licence: Some(licence.to_owned()),
            has_build_script,
        }
    }

    /// Attack A03: what nobody looked at is no part of the program.
    #[test]
    fn a03_a_package_too_many_a_build_script_and_a_licence_are_found() {
        let licences = ["MIT", "ISC"].map(str::to_owned).into();
        let mut reviewed = Reviewed {
            packages_max: 2,
            build_scripts: ["ring".to_owned()].into(),
        };
        let good = [
            package("ring", "Apache-2.0 AND ISC", true),
            package("serde", "MIT OR Apache-2.0", false),
        ];
        assert_eq!(
            against(&good, &reviewed, &licences).len(),
            1,
            "Apache-2.0 is not allowed"
        );
        let good = [
            package("ring", "(MIT OR GPL-3.0) AND ISC", true),
            package("serde", "MIT", false),
        ];
        assert_eq!(against(&good, &reviewed, &licences), []);
        let bad = [package("ring", "MIT", true), package("evil", "MIT", true)];
        assert_eq!(against(&bad, &reviewed, &licences).len(), 1);
        assert_eq!(
            against(&[package("gone", "MIT", false)], &reviewed, &licences).len(),
            1
        );
        reviewed.packages_max = 1;
        assert_eq!(against(&good, &reviewed, &licences).len(), 1);
    }
}
