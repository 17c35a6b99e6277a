//! The checkout that the verbs work on, and how they run commands in it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand};
use xshell::{Cmd, Shell, cmd};

/// A checkout with a shell that stands in its root.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) root: PathBuf,
    pub(crate) shell: Shell,
    /// In CI every tool has to be there: a skip is a failure.
    pub(crate) in_ci: bool,
}

impl Repository {
    pub(crate) fn open() -> Result<Self> {
        // Cargo says it at run time too, and two checkouts may share a build.
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&package)
            .parent()
            .context("xtask lies in the repository")?
            .to_owned();
        let shell = Shell::new()?;
        shell.change_dir(&root);
        let in_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
        Ok(Self { root, shell, in_ci })
    }

    /// What cargo knows of the workspace.
    pub(crate) fn metadata(&self) -> Result<Metadata> {
        Ok(MetadataCommand::new()
            .manifest_path(self.root.join("Cargo.toml"))
            .other_options(["--locked".to_owned()])
            .exec()?)
    }

    /// Where cargo puts what it builds.
    pub(crate) fn target_dir(&self) -> Result<PathBuf> {
        Ok(self.metadata()?.target_directory.into_std_path_buf())
    }

    /// Files that git tracks or would track, relative to the root.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let listed = cmd!(
            self.shell,
            "git ls-files -z --cached --others --exclude-standard"
        )
        .quiet()
        .read()?;
        let mut files: Vec<String> = listed
            .split('\0')
            .filter(|path| self.root.join(path).is_file())
            .map(str::to_owned)
            .collect();
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// Is `name` a cargo subcommand of this machine?
    pub(crate) fn has_cargo(&self, name: &str) -> bool {
        cmd!(self.shell, "cargo {name} --version")
            .quiet()
            .ignore_stdout()
            .ignore_stderr()
            .run()
            .is_ok()
    }
}

/// Runs a command, hands each line of its output on and tells whether it
/// succeeded. The exact command is printed first.
pub(crate) fn each_line(cmd: Cmd<'_>, mut line: impl FnMut(&str)) -> Result<bool> {
    println!("$ {cmd}");
    let mut child = Command::from(cmd)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let Some(stdout) = child.stdout.take() else {
        bail!("the command has no output");
    };
    for text in BufReader::new(stdout).lines() {
        line(&text?);
    }
    Ok(child.wait()?.success())
}
