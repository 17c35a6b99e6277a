//! `cargo xtask interop`: unmodified official SDKs against a real server.
//!
//! `interop/README.md` says what a driver is given and what it prints.

mod coverage;
mod drivers;
#[cfg(test)]
mod page;
mod server;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use xshell::cmd;

use crate::repository::{Repository, each_line};
use crate::steps::Tally;
use coverage::{Coverage, Covers};
use drivers::{DRIVERS, Driver};
use server::Server;

/// One line of a driver.
#[derive(Debug, Deserialize)]
struct Scenario {
    name: String,
    ok: Option<bool>,
    detail: String,
    /// What it stands for among the operations of the gateway, if anything.
    #[serde(flatten)]
    covers: Covers,
}

pub(crate) fn run(repository: &Repository, names: &[&str]) -> Result<ExitCode> {
    let tally = tally(repository, names)?;
    println!(
        "{} passed, {} failed, {} skipped",
        tally.passed, tally.failed, tally.skipped
    );
    Ok(tally.exit())
}

/// One passed, failed or skipped per scenario; all drivers when none is named.
pub(crate) fn tally(repository: &Repository, names: &[&str]) -> Result<Tally> {
    let known = |name: &&str| DRIVERS.iter().any(|driver| driver.name == *name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        bail!("no driver `{unknown}`; interop/README.md lists them");
    }
    let sh = &repository.shell;
    cmd!(sh, "cargo build --locked --package token-cli --bin usher").run()?;
    let usher = repository.target_dir()?.join("debug/usher");
    let server = Server::start(repository, &usher)?;
    println!("the server logs to {}", server.log.display());
    let mut total = Tally::default();
    let mut table = Vec::new();
    let mut coverage = Coverage::read(repository)?;
    for driver in DRIVERS {
        if !names.is_empty() && !names.contains(&driver.name) {
            continue;
        }
        let tally = match driver.prepare(repository)? {
            Some(needs) => Tally::skipped(repository, &needs),
            None => drive(repository, driver, &server, &mut coverage)?,
        };
        table.push((driver.name, tally));
        total = total.and(tally);
    }
    println!("driver     passed  failed skipped");
    for (name, tally) in table {
        let Tally {
            passed,
            failed,
            skipped,
        } = tally;
        println!("{name:<10} {passed:>6} {failed:>7} {skipped:>7}");
    }
    let whole = names.is_empty()
        || coverage::DRIVERS
            .iter()
            .all(|driver| names.contains(driver));
    if whole && total.skipped == 0 && !coverage.is_complete() {
        total = total.and(Tally::FAILED);
    }
    Ok(total)
}

fn drive(
    repository: &Repository,
    driver: &Driver,
    server: &Server,
    coverage: &mut Coverage,
) -> Result<Tally> {
    let sh = &repository.shell;
    let _folder = sh.push_dir("interop");
    let program = driver.program(repository);
    let args = driver.args;
    let command = cmd!(sh, "{program} {args...}")
        .env("USHER_INTEROP", server.description.to_string())
        .env("USHER_BIN", &server.usher)
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env("no_proxy", "127.0.0.1,localhost");
    let mut tally = Tally::default();
    let mut broken = None;
    let succeeded = each_line(command, |line| match serde_json::from_str(line) {
        Ok(scenario) => {
            tally = tally.and(judge(repository, driver.name, &scenario));
            coverage.note(driver.name, &scenario);
        }
        Err(error) => broken = Some(format!("{error}: {line}")),
    })?;
    if let Some(broken) = broken {
        bail!("{} printed what is no scenario: {broken}", driver.name);
    }
    if !succeeded && tally.failed == 0 {
        println!("{}: FAILED: it stopped before its end", driver.name);
        return Ok(tally.and(Tally::FAILED));
    }
    if tally.passed == 0 {
        println!("{}: FAILED: no scenario was run", driver.name);
        return Ok(tally.and(Tally::FAILED));
    }
    Ok(tally)
}

fn judge(repository: &Repository, driver: &str, scenario: &Scenario) -> Tally {
    let Scenario {
        name, ok, detail, ..
    } = scenario;
    match ok {
        Some(true) => {
            println!("{driver}: {name}: ok");
            Tally::PASSED
        }
        Some(false) => {
            println!("{driver}: {name}: FAILED: {detail}");
            Tally::FAILED
        }
        None => match detail.strip_prefix("skipped: needs ") {
            Some(needs) => {
                print!("{driver}: {name}: ");
                Tally::skipped(repository, needs)
            }
            // The SDK cannot say it; scenarios.json holds the reason.
            None => {
                println!("{driver}: {name}: {detail}");
                Tally::default()
            }
        },
    }
}

/// The text that follows `word` at the start of a line.
fn after<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    line.strip_prefix(word)?.strip_prefix(' ').map(str::trim)
}

fn json(text: &str) -> Result<serde_json::Value> {
    serde_json::from_str(text).with_context(|| "the output of --json is no JSON".to_owned())
}
