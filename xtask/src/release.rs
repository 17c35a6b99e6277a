//! `cargo xtask release`: what can be known before a release, and its steps. A
//! step writes outside the build folder with `--execute` only.

mod bump;
mod publish;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use cargo_metadata::{DependencyKind, Metadata, Package};
use xshell::cmd;

use crate::repository::Repository;
use crate::steps::{Steps, Tally};
use crate::{test, tidy};

const USAGE: &str = "usage: cargo xtask release check | package | \
                     bump major|minor|patch|X.Y.Z | tag [--no-sign] | publish, the last three with \
                     --execute to do it";

pub(crate) fn run(repository: &Repository, args: &[&str]) -> Result<ExitCode> {
    let (mut execute, mut sign) = (false, true);
    let mut words = Vec::new();
    for arg in args {
        match *arg {
            "--execute" => execute = true,
            "--no-sign" => sign = false,
            word => words.push(word),
        }
    }
    match words.as_slice() {
        ["check"] => return check(repository),
        ["package"] => return package(repository),
        ["bump", level] => bump::run(repository, level, execute)?,
        ["tag"] => publish::tag(repository, execute, sign)?,
        ["publish"] => publish::publish(repository, execute)?,
        _ => bail!(USAGE),
    }
    Ok(ExitCode::SUCCESS)
}

/// What the changelog says under a heading.
fn section(changelog: &str, title: &str) -> Option<String> {
    let heading = format!("## [{title}]");
    let mut lines = changelog
        .lines()
        .skip_while(|line| !line.starts_with(&heading));
    lines.next()?;
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
    Some(lines.join("\n"))
}

/// The version of the workspace.
fn workspace_version(manifest: &str) -> Result<String> {
    let manifest: toml::Table = manifest.parse()?;
    let package = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("package"));
    let version = package.and_then(|package| package.get("version")?.as_str());
    Ok(version
        .context("no version in [workspace.package]")?
        .to_owned())
}

/// Says all that stands against a release, not only the first.
fn check(repository: &Repository) -> Result<ExitCode> {
    let sh = &repository.shell;
    let metadata = repository.metadata()?;
    let version = order(&metadata)
        .first()
        .context("no crate")?
        .version
        .to_string();
    let mut steps = Steps::default();
    steps.run("clean", || {
        let status = cmd!(sh, "git status --porcelain").read()?;
        ensure!(status.is_empty(), "uncommitted:\n{status}");
        Ok(Tally::PASSED)
    });
    steps.run("tag", || {
        let tag = format!("v{version}");
        let tags = cmd!(sh, "git tag --list {tag}").read()?;
        ensure!(
            tags.is_empty(),
            "{tag} is released; raise the version in Cargo.toml"
        );
        Ok(Tally::PASSED)
    });
    steps.run("changelog", || {
        changelog(&sh.read_file("CHANGELOG.md")?, &version)
    });
    steps.run("toolchain", || {
        let pinned = sh.read_file("rust-toolchain.toml")?;
        let running = cmd!(sh, "rustc --version").read()?;
        let running = running
            .split_whitespace()
            .nth(1)
            .context("rustc has a version")?;
        ensure!(
            pinned.contains(&format!("\"{running}\"")),
            "rustc {running} is not the one that rust-toolchain.toml pins"
        );
        Ok(Tally::PASSED)
    });
    steps.run("oldest", || oldest_compiler(repository, &metadata));
    steps.run("deny", || {
        if !repository.has_cargo("deny") {
            return Ok(Tally::skipped(repository, "cargo-deny"));
        }
        cmd!(sh, "cargo deny --all-features check bans licenses sources").run()?;
        Ok(Tally::PASSED)
    });
    steps.run("advisories", || {
        if !repository.has_cargo("deny") {
            return Ok(Tally::skipped(repository, "cargo-deny"));
        }
        cmd!(sh, "cargo deny --all-features check advisories").run()?;
        Ok(Tally::PASSED)
    });
    steps.run("semver", || compatible(repository));
    steps.run("spelling", || {
        if cmd!(sh, "typos --version")
            .quiet()
            .ignore_stdout()
            .run()
            .is_err()
        {
            return Ok(Tally::skipped(repository, "typos"));
        }
        cmd!(sh, "typos").run()?;
        Ok(Tally::PASSED)
    });
    steps.run("tidy", || tidy::tally(repository));
    test::steps_of(repository, &mut steps);
    Ok(steps.finish())
}

/// What changed since the last release is what its version says.
fn compatible(repository: &Repository) -> Result<Tally> {
    let sh = &repository.shell;
    let last = cmd!(sh, "git describe --tags --abbrev=0 --match v*");
    let Ok(last) = last.quiet().ignore_stderr().read() else {
        println!("nothing is released yet");
        return Ok(Tally::PASSED);
    };
    if !repository.has_cargo("semver-checks") {
        return Ok(Tally::skipped(repository, "cargo-semver-checks"));
    }
    cmd!(sh, "cargo semver-checks --workspace --baseline-rev {last}").run()?;
    Ok(Tally::PASSED)
}

/// `[Unreleased]` or the heading of this version says something.
fn changelog(text: &str, version: &str) -> Result<Tally> {
    let entries = |title: &str| {
        let heading = format!("## [{title}]");
        text.lines()
            .skip_while(|line| !line.starts_with(&heading))
            .skip(1)
            .take_while(|line| !line.starts_with("## "))
            .filter(|line| line.starts_with("- "))
            .count()
    };
    ensure!(
        entries("Unreleased").max(entries(version)) > 0,
        "CHANGELOG.md says nothing under [Unreleased] nor [{version}]"
    );
    Ok(Tally::PASSED)
}

/// The compiler that `rust-version` promises, where rustup has it.
fn oldest_compiler(repository: &Repository, metadata: &Metadata) -> Result<Tally> {
    let sh = &repository.shell;
    let oldest = order(metadata)
        .iter()
        .filter_map(|package| package.rust_version.as_ref())
        .max()
        .context("no rust-version in Cargo.toml")?
        .to_string();
    let toolchain = format!("+{oldest}");
    let installed = cmd!(sh, "rustup toolchain list")
        .quiet()
        .read()
        .unwrap_or_default();
    if !installed.lines().any(|line| line.starts_with(&oldest)) {
        return Ok(Tally::skipped(repository, &format!("toolchain {oldest}")));
    }
    cmd!(sh, "cargo {toolchain} check --workspace --locked").run()?;
    Ok(Tally::PASSED)
}

fn package(repository: &Repository) -> Result<ExitCode> {
    let mut steps = Steps::default();
    steps.run("package", || packages(repository));
    Ok(steps.finish())
}

/// Packages every crate that is published, then builds each alone from its
/// package, against the packages of the others and not the folders beside it.
///
/// `cargo package` verifies too, but out of a cache that keeps what an earlier
/// run unpacked for the same version.
pub(crate) fn packages(repository: &Repository) -> Result<Tally> {
    let sh = &repository.shell;
    let metadata = repository.metadata()?;
    let target = metadata.target_directory.as_std_path();
    let unpacked = target.join("unpacked");
    sh.remove_path(&unpacked)?;
    sh.create_dir(&unpacked)?;
    let order = order(&metadata);
    let names = order.iter().flat_map(|p| ["--package", p.name.as_str()]);
    cmd!(
        sh,
        "cargo package --locked --allow-dirty --no-verify {names...}"
    )
    .run()?;

    let mut tally = Tally::default();
    let mut manifest =
        "[workspace]\nresolver = \"3\"\nmembers = [\"*-*\"]\n[patch.crates-io]\n".to_owned();
    for package in &order {
        let Package { name, version, .. } = package;
        let archive = target.join(format!("package/{name}-{version}.crate"));
        let list = cmd!(sh, "tar --list --gzip --file {archive}").read()?;
        let missing = missing(&list, &format!("{name}-{version}/"));
        println!("{name} {version}: {} files", list.lines().count());
        for file in &missing {
            println!("{name}: {file} is not in the package; add it to the crate's folder");
        }
        tally = tally.and(Tally::of(missing.is_empty()));
        cmd!(
            sh,
            "tar --extract --gzip --file {archive} --directory {unpacked}"
        )
        .run()?;
        manifest.push_str(&format!("{name} = {{ path = \"{name}-{version}\" }}\n"));
    }
    sh.write_file(unpacked.join("Cargo.toml"), manifest)?;
    sh.copy_file("Cargo.lock", unpacked.join("Cargo.lock"))?;
    let manifest = unpacked.join("Cargo.toml");
    let build = target.join("unpacked-build");
    for package in &order {
        let name = package.name.as_str();
        cmd!(
            sh,
            "cargo build --manifest-path {manifest} --target-dir {build} --package {name}"
        )
        .run()?;
        tally = tally.and(Tally::PASSED);
    }
    Ok(tally)
}

/// What every package must carry.
fn missing(list: &str, folder: &str) -> Vec<&'static str> {
    [
        "Cargo.toml",
        "README.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "src/lib.rs",
    ]
    .into_iter()
    .filter(|file| {
        !list
            .lines()
            .any(|line| line.strip_prefix(folder) == Some(file))
    })
    .collect()
}

/// The crates that are published, each after those that it depends on.
fn order(metadata: &Metadata) -> Vec<&Package> {
    let mut waiting: Vec<&Package> = metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| package.publish.as_ref().is_none_or(|to| !to.is_empty()))
        .collect();
    let mut ordered: Vec<&Package> = Vec::new();
    while !waiting.is_empty() {
        let names: Vec<String> = waiting
            .iter()
            .map(|package| package.name.to_string())
            .collect();
        let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|package| {
            !package.dependencies.iter().any(|dependency| {
                dependency.kind != DependencyKind::Development && names.contains(&dependency.name)
            })
        });
        if ready.is_empty() {
            break; // a cycle, which cargo refuses long before
        }
        ordered.extend(ready);
        waiting = rest;
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changelog_that_says_nothing_is_refused() {
        let old = "## [Unreleased]\n\n## [1.0.0]\n- a\n";
        assert!(changelog(old, "1.1.0").is_err());
        assert!(changelog(old, "1.0.0").is_ok());
        assert!(changelog("## [Unreleased]\n### Added\n- b\n", "1.1.0").is_ok());
    }

    #[test]
    fn a_package_without_its_licence_is_found() {
        let list = "a-1/Cargo.toml\na-1/LICENSE-MIT\na-1/README.md\na-1/src/lib.rs";
        assert_eq!(missing(list, "a-1/"), ["LICENSE-APACHE"]);
    }

    #[test]
    fn the_order_follows_the_dependencies() {
        let repository = Repository::open().unwrap();
        let metadata = repository.metadata().unwrap();
        let order: Vec<&str> = order(&metadata).iter().map(|p| p.name.as_str()).collect();
        assert_eq!(order.first(), Some(&"token-core"));
        assert_eq!(order.last(), Some(&"token-cli"));
        assert!(!order.contains(&"xtask"));
    }
}
