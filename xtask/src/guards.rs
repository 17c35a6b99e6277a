//! `cargo xtask guards`: shows that the gravest tests fail without their guard.
//!
//! `testdata/guards.toml` names an attack case, the test that covers it and
//! the text that defends against it. In a scratch copy of the checkout each
//! text is replaced, the tree is built again and the test must fail.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use xshell::{Shell, cmd};

use crate::repository::Repository;
use crate::steps::Tally;
use crate::test::test_result;

pub(crate) const GUARDS: &str = "testdata/guards.toml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Guards {
    guard: Vec<Guard>,
}

/// One row: with `remove` replaced by `with` in `file`, `test` must fail.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Guard {
    /// The attack case.
    pub(crate) case: String,
    package: String,
    /// The full name of the test in the integration binary of the package.
    pub(crate) test: String,
    pub(crate) file: String,
    remove: String,
    #[serde(default)]
    with: String,
}

impl Guard {
    /// How often the text to remove is in `text`.
    pub(crate) fn found_in(&self, text: &str) -> usize {
        text.matches(&self.remove).count()
    }
}

/// The rows of the file.
pub(crate) fn read(text: &str) -> Result<Vec<Guard>> {
    let Guards { guard } = toml::from_str(text)?;
    Ok(guard)
}

pub(crate) fn run(repository: &Repository, cases: &[&str]) -> Result<ExitCode> {
    let tally = tally(repository, cases)?;
    println!(
        "{} passed, {} failed, {} skipped",
        tally.passed, tally.failed, tally.skipped
    );
    Ok(tally.exit())
}

/// One passed or failed per row; all rows when no case is named.
pub(crate) fn tally(repository: &Repository, cases: &[&str]) -> Result<Tally> {
    let mut guard = read(&repository.shell.read_file(GUARDS)?)?;
    if !cases.is_empty() {
        guard.retain(|guard| cases.contains(&guard.case.as_str()));
        ensure!(!guard.is_empty(), "no such case in {GUARDS}");
    }
    let scratch = Scratch::copy(repository)?;
    // All with their guards first, then each without: one build a row.
    let kept: Vec<Result<()>> = guard.iter().map(|guard| scratch.try_with(guard)).collect();
    let mut tally = Tally::default();
    for (guard, kept) in guard.iter().zip(kept) {
        let outcome = kept.and_then(|()| scratch.try_without(guard));
        match &outcome {
            Ok(()) => println!("{}: `{}` fails without its guard", guard.case, guard.test),
            Err(why) => println!("{}: `{}`: FAILED: {why:#}", guard.case, guard.test),
        }
        tally = tally.and(Tally::of(outcome.is_ok()));
    }
    Ok(tally)
}

/// A copy of the checkout with a build folder of its own. Both stay, so that
/// the next run compiles only what changed.
#[derive(Debug)]
struct Scratch {
    shell: Shell,
    root: PathBuf,
}

impl Scratch {
    fn copy(repository: &Repository) -> Result<Self> {
        let target = repository.target_dir()?.join("guards");
        let root = target.join("checkout");
        let shell = Shell::new()?;
        shell.create_dir(&root)?;
        shell.change_dir(&root);
        shell.set_var("CARGO_TARGET_DIR", target.join("build"));
        shell.set_var("CARGO_INCREMENTAL", "1");
        // A test that is skipped for want of a tool shows nothing.
        shell.set_var("CI", "true");
        println!("$ # the checkout is copied to {}", root.display());
        let files: BTreeSet<String> = repository.files()?.into_iter().collect();
        let known = root.join(".copied");
        for old in std::fs::read_to_string(&known).unwrap_or_default().lines() {
            if !files.contains(old) {
                shell.remove_path(old)?;
            }
        }
        for file in &files {
            let text = repository.shell.read_binary_file(file)?;
            // An equal file keeps its time, so that cargo sees no change.
            if shell.read_binary_file(file).ok().as_ref() != Some(&text) {
                shell.write_file(file, text)?;
            }
        }
        let list: Vec<String> = files.into_iter().collect();
        std::fs::write(known, list.join("\n"))?;
        Ok(Self { shell, root })
    }

    fn try_with(&self, guard: &Guard) -> Result<()> {
        self.build(guard).context("with its guard")?;
        ensure!(
            self.passes(guard)?,
            "it fails with its guard in place, or lacks a tool that .ci/run installs"
        );
        Ok(())
    }

    fn try_without(&self, guard: &Guard) -> Result<()> {
        let path = self.root.join(&guard.file);
        let guarded = std::fs::read_to_string(&path).with_context(|| guard.file.clone())?;
        let found = guard.found_in(&guarded);
        ensure!(
            found == 1,
            "the text to remove is in {} {found} times, not once; bring {GUARDS} up to date",
            guard.file
        );
        std::fs::write(&path, guarded.replacen(&guard.remove, &guard.with, 1))?;
        let result = self
            .build(guard)
            .context("without its guard; say in `with` what compiles")
            .and_then(|()| self.passes(guard));
        std::fs::write(&path, guarded)?;
        ensure!(!result?, "it still passes without its guard");
        Ok(())
    }

    /// A tree that does not compile proves nothing.
    fn build(&self, guard: &Guard) -> Result<()> {
        let package = &guard.package;
        let output = cmd!(
            self.shell,
            "cargo test --quiet --locked --package {package} --test it --no-run"
        )
        .quiet()
        .ignore_status()
        .output()?;
        if !output.status.success() {
            let log = String::from_utf8_lossy(&output.stderr);
            let first: Vec<&str> = log.lines().take(12).collect();
            bail!("does not compile:\n{}", first.join("\n"));
        }
        Ok(())
    }

    fn passes(&self, guard: &Guard) -> Result<bool> {
        let Guard { package, test, .. } = guard;
        let run = cmd!(
            self.shell,
            "cargo test --quiet --locked --package {package} --test it -- --exact {test}"
        );
        println!("$ {run}");
        let output = run.quiet().ignore_status().output()?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        match stdout.lines().find_map(test_result) {
            Some(Tally {
                passed: 0,
                failed: 0,
                ..
            }) => bail!("there is no such test in {package}"),
            Some(tally) => Ok(tally.failed == 0),
            // It died, by an abort or a full stack, say.
            None => Ok(false),
        }
    }
}
