//! The Debian package: built by dpkg-deb from a folder that is laid out here.

use core::time::Duration;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use xshell::cmd;

use super::Dist;
use crate::repository::Repository;
use crate::steps::Tally;

/// Where the packaged server keeps its data.
const DATA: &str = "/var/lib/usher";

const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Builds the package and returns its path.
pub(super) fn build(dist: &Dist<'_>) -> Result<PathBuf> {
    let sh = &dist.repository.shell;
    let arch = cmd!(sh, "dpkg --print-architecture").quiet().read()?;
    let root = dist.folder.join("deb");
    sh.remove_path(&root)?;
    let share = root.join("usr/share");
    for folder in [
        "usr/bin",
        "etc/usher",
        "lib/systemd/system",
        "DEBIAN",
        "usr/share/doc/usher",
    ] {
        sh.create_dir(root.join(folder))?;
    }
    sh.copy_file(&dist.usher, root.join("usr/bin/usher"))?;
    sh.copy_file("packaging/usher.toml", root.join("etc/usher/usher.toml"))?;
    sh.copy_file(
        "packaging/usher.service",
        root.join("lib/systemd/system/usher.service"),
    )?;
    let licences = ["LICENSE-MIT", "LICENSE-APACHE"].map(|name| sh.read_file(name));
    let [mit, apache] = licences;
    sh.write_file(
        share.join("doc/usher/copyright"),
        format!("{}\n{}", mit?, apache?),
    )?;
    dist.papers(&share.join("man/man1"), &root.join("completions"))?;
    for (script, place) in [
        ("usher", "bash-completion/completions"),
        ("_usher", "zsh/vendor-completions"),
        ("usher.fish", "fish/vendor_completions.d"),
    ] {
        sh.create_dir(share.join(place))?;
        sh.copy_file(
            root.join("completions").join(script),
            share.join(place).join(script),
        )?;
    }
    sh.remove_path(root.join("completions"))?;
    let pages = sh.read_dir(share.join("man/man1"))?;
    cmd!(sh, "gzip -9n {pages...}").quiet().run()?;
    let size = cmd!(sh, "du -sk {root}").quiet().read()?;
    let size = size.split_whitespace().next().context("du says a size")?;
    let control = sh.read_file("packaging/debian/control")?;
    let control = control
        .replace("@VERSION@", &dist.version)
        .replace("@ARCH@", &arch)
        .replace("@SIZE@", size);
    sh.write_file(root.join("DEBIAN/control"), control)?;
    sh.copy_file("packaging/debian/conffiles", root.join("DEBIAN/conffiles"))?;
    for script in SCRIPTS {
        let to = root.join("DEBIAN").join(script);
        sh.copy_file(format!("packaging/debian/{script}"), &to)?;
        cmd!(sh, "chmod 755 {to}").quiet().run()?;
    }
    cmd!(sh, "chmod -R u+rwX,go+rX,go-w {root}").quiet().run()?;
    let package = dist
        .folder
        .join(format!("usher_{}_{arch}.deb", dist.version));
    cmd!(
        sh,
        "dpkg-deb --root-owner-group -Zgzip --build {root} {package}"
    )
    .env("SOURCE_DATE_EPOCH", &dist.epoch)
    .run()?;
    Ok(package)
}

/// Builds the package from the program that the tests use and looks into it; on a
/// machine of CI installs it, starts it and purges it.
pub(crate) fn test(repository: &Repository) -> Result<Tally> {
    let sh = &repository.shell;
    if cmd!(sh, "dpkg-deb --version")
        .quiet()
        .ignore_stdout()
        .ignore_stderr()
        .run()
        .is_err()
    {
        return Ok(Tally::skipped(repository, "dpkg-deb"));
    }
    cmd!(sh, "cargo build --locked --package token-cli --bin usher").run()?;
    let usher = repository.target_dir()?.join("debug/usher");
    let dist = Dist::of(repository, usher)?;
    let package = build(&dist)?;
    let scratch = dist.folder.join("unpacked");
    sh.remove_path(&scratch)?;
    cmd!(sh, "dpkg-deb --extract {package} {scratch}").run()?;
    for file in [
        "usr/bin/usher",
        "etc/usher/usher.toml",
        "lib/systemd/system/usher.service",
        "usr/share/man/man1/usher-serve.1.gz",
        "usr/share/bash-completion/completions/usher",
        "usr/share/doc/usher/copyright",
    ] {
        ensure!(scratch.join(file).is_file(), "{file} is not in the package");
    }
    let data = scratch.join("data");
    starts(
        &scratch.join("usr/bin/usher"),
        &scratch.join("etc/usher/usher.toml"),
        Some(&data),
        None,
    )?;
    let tally = Tally::PASSED;
    // Only a machine that is thrown away gets a user and files of ours.
    let is_root = cmd!(sh, "id -u").quiet().read()? == "0";
    if repository.in_ci && is_root && !Path::new(DATA).exists() {
        return Ok(tally.and(installed(repository, &package)?));
    }
    println!("not installed: only as root, in CI, where {DATA} is not there");
    Ok(tally)
}

/// Installs the package on this machine, starts its server as its user, and purges
/// it: the data stays.
fn installed(repository: &Repository, package: &Path) -> Result<Tally> {
    let sh = &repository.shell;
    cmd!(sh, "dpkg --install {package}").run()?;
    let outcome = starts(
        Path::new("/usr/bin/usher"),
        Path::new("/etc/usher/usher.toml"),
        None,
        Some("usher"),
    );
    let mode = cmd!(sh, "stat --format=%U:%a {DATA}").read();
    cmd!(sh, "dpkg --purge usher").run()?;
    let kept = Path::new(DATA).join("usher.json").exists();
    sh.remove_path(DATA)?;
    cmd!(sh, "userdel usher").run()?;
    outcome?;
    ensure!(mode? == "usher:700", "{DATA} is not the service's alone");
    ensure!(kept, "a purge took the data away");
    ensure!(
        !Path::new("/usr/bin/usher").exists(),
        "a purge left the program"
    );
    Ok(Tally::PASSED)
}

/// Starts the packaged server until it says where it listens.
fn starts(usher: &Path, config: &Path, data: Option<&Path>, user: Option<&str>) -> Result<()> {
    let mut command = match user {
        Some(user) => {
            let mut command = Command::new("runuser");
            command.args(["-u", user, "--"]).arg(usher);
            command
        }
        None => Command::new(usher),
    };
    command.arg("serve").arg("--config").arg(config);
    command.args([
        "--listen",
        "127.0.0.1:0",
        "--internal-listen",
        "127.0.0.1:0",
    ]);
    if let Some(data) = data {
        command.arg("--data-dir").arg(data);
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().context("it has an output")?;
    let mut line = String::new();
    let begun = Instant::now();
    let read = BufReader::new(stdout).read_line(&mut line);
    let id = child.id().to_string();
    let stopped = Command::new("kill").args(["-TERM", &id]).status();
    while child.try_wait()?.is_none() {
        if begun.elapsed() > Duration::from_secs(60) {
            child.kill()?;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    read?;
    ensure!(stopped?.success(), "the packaged server was gone");
    ensure!(
        line.starts_with("public http://"),
        "the packaged server said {line:?}"
    );
    Ok(())
}
