//! Clocks: tokens expire by them, and revocations count by them.

use std::path::Path;
use std::process::Command;

use super::Finding;
use crate::api::{Api, Failure};
use crate::args::Connection;

/// How far two clocks may be apart: a `Date` has whole seconds.
const APART_SECONDS_MAX: u64 = 2;

/// Where systemd-timesyncd leaves a sign once it has the time.
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";

const REMEDY: &str = "run chrony, systemd-timesyncd or another NTP client on every node";

pub(super) fn examine(connection: &Connection) -> Result<Option<Finding>, Failure> {
    if connection.server.is_some() && connection.data_dir.is_none() {
        return beside_a_node(connection);
    }
    Ok(of_this_machine())
}

/// This machine's clock beside that of a running node.
fn beside_a_node(connection: &Connection) -> Result<Option<Finding>, Failure> {
    let clock = match Api::connect(connection)?.clock() {
        Ok(clock) => clock,
        Err(failure) => {
            return Ok(Some(Finding::error(
                "node_unreachable",
                failure.message,
                "start it, or name the internal address of a running node",
            )));
        }
    };
    let Some(clock) = clock else {
        return Ok(Some(Finding::warning(
            "clock_unknown",
            "the node does not say what time it has",
            "ask the node itself and not through a proxy",
        )));
    };
    let apart = clock.abs_diff(crate::command::now());
    Ok((apart > APART_SECONDS_MAX).then(|| {
        Finding::error(
            "clock_apart",
            format!("the clock of the node and the one here are {apart} s apart"),
            REMEDY,
        )
    }))
}

fn of_this_machine() -> Option<Finding> {
    if Path::new(SYNCHRONIZED).exists() {
        return None;
    }
    let asked = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .output();
    let said = asked.ok().filter(|output| output.status.success());
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    match said.as_deref() {
        Some("yes") => None,
        Some("no") => Some(Finding::warning(
            "clock_unsynchronised",
            "nothing keeps the clock of this machine right",
            REMEDY,
        )),
        _ => Some(Finding::note(
            "clock_unknown",
            "this machine does not say whether its clock is kept right",
            "compare it with a running node: usher doctor --server URL",
        )),
    }
}
