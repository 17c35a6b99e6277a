//! What is in `packaging/`: held to the tools that will read it.

use anyhow::{Context as _, Result, ensure};
use xshell::cmd;

use crate::dist;
use crate::repository::Repository;
use crate::steps::Tally;

const UNIT: &str = "packaging/usher.service";
const ALERTS: &str = "packaging/monitoring/alerts.yml";

/// The most that the unit may be exposed, by `systemd-analyze security`: 0 to 10.
const EXPOSURE_MAX: f64 = 1.5;

pub(crate) fn tally(repository: &Repository) -> Result<Tally> {
    let unit = unit(repository)?;
    Ok(unit
        .and(alerts(repository)?)
        .and(dist::test_deb(repository)?))
}

fn unit(repository: &Repository) -> Result<Tally> {
    let sh = &repository.shell;
    let analyze = cmd!(sh, "systemd-analyze --version")
        .quiet()
        .ignore_stdout()
        .ignore_stderr();
    if analyze.run().is_err() {
        println!("the unit is not looked at: there is no systemd-analyze");
        return Ok(Tally::new(0, 0, usize::from(!repository.in_ci)));
    }
    let said = cmd!(
        sh,
        "systemd-analyze security --offline=true --no-pager {UNIT}"
    )
    .read()?;
    let level = said
        .lines()
        .find_map(|line| line.split_once("exposure level for"));
    let level = level.and_then(|(_, rest)| rest.split(": ").nth(1)?.split(' ').next());
    let level: f64 = level.context("it says no level")?.parse()?;
    println!("exposure {level}");
    ensure!(
        level <= EXPOSURE_MAX,
        "the unit is exposed by {level}, more than {EXPOSURE_MAX}"
    );
    Ok(Tally::PASSED)
}

fn alerts(repository: &Repository) -> Result<Tally> {
    let sh = &repository.shell;
    if cmd!(sh, "promtool --version")
        .quiet()
        .ignore_stdout()
        .ignore_stderr()
        .run()
        .is_err()
    {
        return Ok(Tally::skipped(repository, "promtool (Debian: prometheus)"));
    }
    cmd!(sh, "promtool check rules {ALERTS}").run()?;
    Ok(Tally::PASSED)
}
