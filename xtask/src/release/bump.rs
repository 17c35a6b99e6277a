//! `cargo xtask release bump`: the next version, in one commit.

use core::fmt;

use anyhow::{Context as _, Result, bail, ensure};
use xshell::cmd;

use super::{section, workspace_version};
use crate::repository::Repository;

/// Lock files of the workspaces that name our crates.
const APART: [&str; 3] = ["benches", "fuzz", "interop/rust"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u64, u64, u64);

impl Version {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let parts: Vec<u64> = text
            .split('.')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .with_context(|| format!("`{text}` is no version"))?;
        match parts.as_slice() {
            [major, minor, patch] => Ok(Self(*major, *minor, *patch)),
            _ => bail!("`{text}` is no version"),
        }
    }

    fn next(self, level: &str) -> Result<Self> {
        let Self(major, minor, patch) = self;
        Ok(match level {
            "major" => Self(major.saturating_add(1), 0, 0),
            "minor" => Self(major, minor.saturating_add(1), 0),
            "patch" => Self(major, minor, patch.saturating_add(1)),
            text => {
                let next = Self::parse(text)?;
                let follows = [
                    Self(major.saturating_add(1), 0, 0),
                    Self(major, minor.saturating_add(1), 0),
                    Self(major, minor, patch.saturating_add(1)),
                ];
                ensure!(follows.contains(&next), "{next} does not follow {self}");
                next
            }
        })
    }

    /// Whether what worked may break from `self` to `next` (semantic versioning).
    fn may_break(self, next: Self) -> bool {
        next.0 > self.0 || (self.0 == 0 && next.1 > self.1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// Sets the version everywhere and dates the changelog; commits with `execute`.
pub(super) fn run(repository: &Repository, level: &str, execute: bool) -> Result<()> {
    let sh = &repository.shell;
    let status = cmd!(sh, "git status --porcelain").quiet().read()?;
    ensure!(status.is_empty(), "uncommitted:\n{status}");
    let manifest = sh.read_file("Cargo.toml")?;
    let present = Version::parse(&workspace_version(&manifest)?)?;
    let next = present.next(level)?;
    let changelog = sh.read_file("CHANGELOG.md")?;
    let news = section(&changelog, "Unreleased").context("CHANGELOG.md has no [Unreleased]")?;
    ensure!(news.contains("- "), "[Unreleased] says nothing");
    ensure!(
        !breaks(&news) || present.may_break(next),
        "[Unreleased] says that something breaks; {next} is no version for that"
    );
    let date = cmd!(sh, "date -u +%F").quiet().read()?;
    println!("{present} -> {next}, {date}");
    if !execute {
        println!(
            "dry run: --execute writes Cargo.toml, CHANGELOG.md and the lock files, and commits"
        );
        return Ok(());
    }
    sh.write_file("Cargo.toml", raised(&manifest, present, next))?;
    sh.write_file("CHANGELOG.md", dated(&changelog, next, &date))?;
    cmd!(sh, "cargo update --workspace --offline").run()?;
    for folder in APART {
        let manifest = format!("{folder}/Cargo.toml");
        let names_ours = sh
            .read_file(format!("{folder}/Cargo.lock"))?
            .contains("\"token-");
        if names_ours {
            cmd!(
                sh,
                "cargo update --workspace --offline --manifest-path {manifest}"
            )
            .run()?;
        }
    }
    let message = format!("release: {next}");
    cmd!(sh, "git commit --all --message {message}").run()?;
    Ok(())
}

fn breaks(news: &str) -> bool {
    news.contains("### Removed") || news.to_lowercase().contains("breaking")
}

/// The manifest with the version of the workspace and of each member raised.
fn raised(manifest: &str, from: Version, to: Version) -> String {
    let (old, new) = (
        format!("version = \"{from}\""),
        format!("version = \"{to}\""),
    );
    let mut in_package = false;
    let mut text = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_package = line == "[workspace.package]";
        }
        let ours =
            (in_package && line.starts_with("version ")) || line.contains("path = \"crates/");
        text.push_str(&if ours {
            line.replace(&old, &new)
        } else {
            line.to_owned()
        });
        text.push('\n');
    }
    text
}

fn dated(changelog: &str, version: Version, date: &str) -> String {
    let heading = "## [Unreleased]\n";
    changelog.replacen(heading, &format!("{heading}\n## [{version}] - {date}\n"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_does_not_follow_is_refused() {
        let present = Version(0, 1, 2);
        assert_eq!(present.next("patch").unwrap(), Version(0, 1, 3));
        assert_eq!(present.next("minor").unwrap(), Version(0, 2, 0));
        assert_eq!(present.next("0.2.0").unwrap(), Version(0, 2, 0));
        assert_eq!(present.next("major").unwrap(), Version(1, 0, 0));
        for wrong in ["0.1.2", "0.1.1", "0.3.0", "0.2.1", "2.0.0", "1.0", "next"] {
            assert!(present.next(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_breaks_needs_a_version_that_says_so() {
        assert!(breaks("### Removed\n- a"));
        assert!(breaks("- **Breaking:** b"));
        assert!(!breaks("### Fixed\n- c"));
        let may = |from, to| Version::may_break(from, to);
        assert!(may(Version(0, 1, 2), Version(0, 2, 0)));
        assert!(!may(Version(0, 1, 2), Version(0, 1, 3)));
        assert!(!may(Version(1, 1, 2), Version(1, 2, 0)));
        assert!(may(Version(1, 1, 2), Version(2, 0, 0)));
    }

    #[test]
    fn the_version_is_raised_where_it_is_ours_and_nowhere_else() {
        let manifest = "[workspace.package]\nversion = \"0.1.0\"\n[workspace.dependencies]\n\
                        token-core = { version = \"0.1.0\", path = \"crates/token-core\" }\n\
                        other = { version = \"0.1.0\" }\n";
        let text = raised(manifest, Version(0, 1, 0), Version(0, 2, 0));
        assert_eq!(text.matches("0.2.0").count(), 2, "{text}");
        assert!(text.contains("other = { version = \"0.1.0\" }"), "{text}");
        let changelog = dated(
            "# C\n## [Unreleased]\n\n- a\n",
            Version(0, 2, 0),
            "2026-01-02",
        );
        assert_eq!(
            changelog,
            "# C\n## [Unreleased]\n\n## [0.2.0] - 2026-01-02\n\n- a\n"
        );
    }
}
