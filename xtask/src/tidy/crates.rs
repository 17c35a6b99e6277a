//! Crates depend in one direction, and the pure ones pull no runtime.

use anyhow::Result;
use cargo_metadata::Metadata;
use xshell::cmd;

use super::Finding;
use crate::repository::Repository;

/// What each package of the workspace may depend on among ours. A package
/// that is not here fails, so that adding one is a decision.
const MAY_USE: &[(&str, &[&str])] = &[
    ("token-core", &[]),
    ("token-codec", &["token-core"]),
    ("token-policy", &["token-core"]),
    ("token-deny-list", &["token-core"]),
    ("token-follower", &["token-core", "token-deny-list"]),
    ("token-store", &["token-core", "token-deny-list"]),
    ("token-replication", &["token-core", "token-store"]),
    (
        "token-server",
        &[
            "token-core",
            "token-codec",
            "token-policy",
            "token-store",
            "token-replication",
            "token-deny-list",
            "token-follower",
        ],
    ),
    (
        "token-cli",
        &[
            "token-core",
            "token-codec",
            "token-policy",
            "token-store",
            "token-server",
        ],
    ),
    (
        "embed",
        &[
            "token-core",
            "token-codec",
            "token-policy",
            "token-follower",
        ],
    ),
    ("chat", &["token-server"]),
    ("xtask", &[]),
];

/// Crates that a gateway embeds: `cargo add` of one pulls none of these.
const PURE: &[&str] = &[
    "token-core",
    "token-codec",
    "token-policy",
    "token-deny-list",
];
const NEVER_IN_PURE: &[&str] = &["tokio", "hyper", "redb"];

pub(super) fn direction(metadata: &Metadata) -> Vec<Finding> {
    let ours: Vec<&str> = metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let mut findings = Vec::new();
    for package in metadata.workspace_packages() {
        let uses = package
            .dependencies
            .iter()
            .map(|dependency| dependency.name.as_str())
            .filter(|name| ours.contains(name));
        findings.extend(against_table(package.name.as_str(), uses));
    }
    findings
}

fn against_table<'a>(package: &str, uses: impl Iterator<Item = &'a str>) -> Vec<Finding> {
    let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == package) else {
        return vec![Finding::new(
            package,
            "no rule says what it may depend on",
            "add it to MAY_USE in xtask/src/tidy/crates.rs",
        )];
    };
    // A package may name itself, to turn a feature on for its own tests.
    uses.filter(|name| *name != package && !allowed.contains(name))
        .map(|name| {
            Finding::new(
                package,
                format!("depends on {name}"),
                "dependencies point one way (core, then codec, policy, store, then server, \
                 then cli); move what is shared down",
            )
        })
        .collect()
}

pub(super) fn purity(repository: &Repository) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let format = "{lib}"; // the name that code uses
    for package in PURE {
        let tree = cmd!(
            repository.shell,
            "cargo tree --locked --package {package} --edges normal --prefix none --format {format}"
        )
        .quiet()
        .read()?;
        findings.extend(impurities(package, &tree));
    }
    Ok(findings)
}

fn impurities(package: &str, tree: &str) -> Vec<Finding> {
    NEVER_IN_PURE
        .iter()
        .filter(|name| tree.lines().any(|line| line.trim() == **name))
        .map(|name| {
            Finding::new(
                package,
                format!("pulls {name} (cargo tree -p {package} -i {name} shows how)"),
                "a crate that gateways embed has no runtime, no server and no store; \
                 move that part to token-server or token-store",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_upwards_is_found() {
        assert_eq!(against_table("token-codec", ["token-core"].into_iter()), []);
        let found = against_table("token-codec", ["token-core", "token-policy"].into_iter());
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().contains("depends on token-policy"));
    }

    #[test]
    fn a_package_without_a_rule_is_found() {
        assert_eq!(against_table("token-new", [].into_iter()).len(), 1);
    }

    #[test]
    fn a_runtime_under_a_pure_crate_is_found() {
        assert_eq!(impurities("token-codec", "token_codec\nring\n"), []);
        assert_eq!(
            impurities("token-codec", "token_codec\ntokio\nring\n").len(),
            1
        );
    }
}
