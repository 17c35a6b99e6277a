//! `cargo xtask release tag` and `publish`.

use anyhow::{Context as _, Result, ensure};
use xshell::cmd;

use super::{order, section, workspace_version};
use crate::repository::Repository;

/// An annotated tag with the section of the changelog; signed, unless told
/// otherwise.
pub(super) fn tag(repository: &Repository, execute: bool, sign: bool) -> Result<()> {
    let sh = &repository.shell;
    let version = workspace_version(&sh.read_file("Cargo.toml")?)?;
    let (tag, subject) = (format!("v{version}"), format!("release: {version}"));
    let head = cmd!(sh, "git log -1 --format=%s").quiet().read()?;
    ensure!(
        head == subject,
        "HEAD is `{head}` and not `{subject}`; cargo xtask release bump"
    );
    let tags = cmd!(sh, "git tag --list {tag}").quiet().read()?;
    ensure!(tags.is_empty(), "{tag} is there already");
    let news = section(&sh.read_file("CHANGELOG.md")?, &version);
    let news = news.with_context(|| format!("CHANGELOG.md has no [{version}]"))?;
    let message = format!("Usher {version}\n\n{}\n", news.trim());
    let how = if sign { "--sign" } else { "--annotate" };
    if !execute {
        println!("dry run: --execute does\n$ git tag {how} {tag} --message ..\n\n{message}");
        return Ok(());
    }
    // A heading of the changelog is no comment of git.
    cmd!(
        sh,
        "git tag {how} --cleanup=whitespace {tag} --message {message}"
    )
    .run()?;
    Ok(())
}

/// Publishes every crate after those that it depends on. One that is published
/// is passed over, so that a run that broke off is done again.
pub(super) fn publish(repository: &Repository, execute: bool) -> Result<()> {
    let sh = &repository.shell;
    let version = workspace_version(&sh.read_file("Cargo.toml")?)?;
    let tags = cmd!(sh, "git tag --points-at HEAD").quiet().read()?;
    ensure!(
        tags.lines().any(|tag| tag == format!("v{version}")),
        "HEAD is not v{version}; cargo xtask release tag"
    );
    let metadata = repository.metadata()?;
    for package in order(&metadata) {
        let name = package.name.as_str();
        let publish = cmd!(sh, "cargo publish --locked --package {name}");
        if !execute {
            println!("dry run: --execute does\n$ {publish}");
            continue;
        }
        println!("$ {publish}");
        let output = publish.quiet().ignore_status().output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains("already exists") {
            println!("{name} {version} is published");
            continue;
        }
        ensure!(output.status.success(), "{name}: {said}");
    }
    Ok(())
}
