//! `cargo xtask dist`: what people install. Everything is written below the
//! target folder.

mod deb;
mod sbom;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use xshell::cmd;

use crate::repository::Repository;
use crate::steps::{Steps, Tally};

pub(crate) use deb::test as test_deb;

const PROFILE: &str = "dist";

pub(crate) fn run(repository: &Repository, args: &[&str]) -> Result<ExitCode> {
    let (what, profile) = match args {
        [] => ("all", PROFILE),
        ["--profile", profile] => ("all", *profile),
        [what] => (*what, PROFILE),
        [what, "--profile", profile] => (*what, *profile),
        _ => bail!("usage: cargo xtask dist [all|deb|compare] [--profile NAME]"),
    };
    let mut steps = Steps::default();
    match what {
        "all" => steps.run("dist", || all(repository, profile)),
        "deb" => steps.run("deb", || {
            let dist = Dist::build(repository, profile)?;
            println!("{}", deb::build(&dist)?.display());
            Ok(Tally::PASSED)
        }),
        "compare" => steps.run("compare", || compare(repository, profile)),
        other => bail!("nothing to make is called `{other}`"),
    }
    Ok(steps.finish())
}

/// A built program and what goes with it.
#[derive(Debug)]
pub(crate) struct Dist<'r> {
    repository: &'r Repository,
    usher: PathBuf,
    /// Where the results go.
    folder: PathBuf,
    version: String,
    host: String,
    /// The instant of the commit: every file is of that time.
    epoch: String,
}

impl<'r> Dist<'r> {
    /// Builds the program with `profile`.
    fn build(repository: &'r Repository, profile: &str) -> Result<Self> {
        let target = repository.target_dir()?;
        let usher = build(repository, profile, &target)?;
        Self::of(repository, usher)
    }

    /// What goes with a program that is built.
    pub(crate) fn of(repository: &'r Repository, usher: PathBuf) -> Result<Self> {
        let sh = &repository.shell;
        let rustc = cmd!(sh, "rustc -vV").quiet().read()?;
        let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
        let said = cmd!(sh, "{usher} --version").quiet().read()?;
        let folder = repository.target_dir()?.join("dist-out");
        sh.create_dir(&folder)?;
        Ok(Self {
            repository,
            usher,
            folder,
            version: said.rsplit(' ').next().context("a version")?.to_owned(),
            host: host.context("rustc names its host")?.to_owned(),
            epoch: cmd!(sh, "git log -1 --format=%ct").quiet().read()?,
        })
    }

    /// Writes manual pages and completions into `folder`.
    fn papers(&self, man: &Path, completions: &Path) -> Result<()> {
        let (sh, usher) = (&self.repository.shell, &self.usher);
        cmd!(sh, "{usher} man {man}")
            .quiet()
            .ignore_stdout()
            .run()?;
        sh.create_dir(completions)?;
        for (shell, name) in [("bash", "usher"), ("zsh", "_usher"), ("fish", "usher.fish")] {
            let script = cmd!(sh, "{usher} completions {shell}").quiet().read()?;
            sh.write_file(completions.join(name), script)?;
        }
        Ok(())
    }
}

/// Builds the program without a trace of where it was built.
fn build(repository: &Repository, profile: &str, target: &Path) -> Result<PathBuf> {
    let sh = &repository.shell;
    let root = repository.root.display();
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let home = home.context("cargo has a home")?;
    let flags = format!(
        "--remap-path-prefix={root}=/usher --remap-path-prefix={}=/cargo",
        home.display()
    );
    cmd!(
        sh,
        "cargo build --locked --profile {profile} --package token-cli --bin usher --target-dir {target}"
    )
    .env("RUSTFLAGS", flags)
    .env("CARGO_INCREMENTAL", "0")
    .run()?;
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(target.join(folder).join("usher"))
}

fn all(repository: &Repository, profile: &str) -> Result<Tally> {
    let dist = Dist::build(repository, profile)?;
    let (sh, folder) = (&repository.shell, &dist.folder);
    let name = format!("usher-{}-{}", dist.version, dist.host);
    let inside = folder.join(&name);
    sh.remove_path(&inside)?;
    sh.create_dir(&inside)?;
    sh.copy_file(&dist.usher, &inside)?;
    for paper in ["LICENSE-MIT", "LICENSE-APACHE", "README.md", "CHANGELOG.md"] {
        sh.copy_file(paper, &inside)?;
    }
    dist.papers(&inside.join("man"), &inside.join("completions"))?;
    let archive = folder.join(format!("{name}.tar.gz"));
    let epoch = format!("--mtime=@{}", dist.epoch);
    // Sorted, of one time and of nobody: the same files make the same archive.
    cmd!(
        sh,
        "tar --sort=name {epoch} --owner=0 --group=0 --numeric-owner --directory {folder} -I 'gzip -n' -cf {archive} {name}"
    )
    .run()?;
    let bill = folder.join(format!("{name}.cdx.json"));
    sh.write_file(&bill, sbom::of(&repository.metadata()?, &dist.version)?)?;
    let mut made = vec![archive, bill];
    if cmd!(sh, "dpkg-deb --version")
        .quiet()
        .ignore_stdout()
        .ignore_stderr()
        .run()
        .is_ok()
    {
        made.push(deb::build(&dist)?);
    }
    let _inside = sh.push_dir(folder);
    let names: Vec<_> = made.iter().filter_map(|path| path.file_name()).collect();
    let sums = cmd!(sh, "sha256sum {names...}").read()?;
    sh.write_file("SHA256SUMS", format!("{sums}\n"))?;
    println!("{sums}\nin {}", folder.display());
    Ok(Tally::PASSED)
}

/// Builds twice in different folders: the same commit is the same program.
fn compare(repository: &Repository, profile: &str) -> Result<Tally> {
    let sh = &repository.shell;
    let target = repository.target_dir()?;
    let mut sums = Vec::new();
    for folder in ["first", "second"] {
        let usher = build(repository, profile, &target.join("compare").join(folder))?;
        let sum = cmd!(sh, "sha256sum {usher}").read()?;
        sums.push(sum.split(' ').next().unwrap_or_default().to_owned());
    }
    println!("{}", sums.join("\n"));
    ensure!(
        sums.first() == sums.get(1),
        "two builds of one commit differ"
    );
    Ok(Tally::PASSED)
}
