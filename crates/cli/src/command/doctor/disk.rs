//! The disk under the data directory: room, and what a sync costs.

use core::time::Duration;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Instant;

use super::Finding;

/// Less room than this, and the next backup may not fit.
const ROOM_WARNING: u64 = 1 << 30;

/// Less than this, and revocations will soon be refused.
const ROOM_ERROR: u64 = 64 << 20;

/// A revocation waits for two syncs.
const SYNC_SLOW: Duration = Duration::from_millis(50);

const SYNCS: usize = 8;

/// The file that is written and taken away again.
const PROBE: &str = ".usher-doctor";

pub(super) fn examine(directory: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(room(directory));
    findings.extend(kind(directory));
    let probed = probe(directory);
    let shown = directory.display();
    match probed {
        Ok(median) if median > SYNC_SLOW => findings.push(Finding::warning(
            "fsync_slow",
            format!("a sync takes {} ms in `{shown}`", median.as_millis()),
            "put the data directory on a local SSD: every revocation waits for two syncs",
        )),
        Ok(_) => {}
        Err(error) => findings.push(Finding::error(
            "disk_unwritable",
            format!("`{shown}` cannot be written and synced: {error}"),
            "run this as the user of the server; see that the disk is not full or read-only",
        )),
    }
    findings
}

fn room(directory: &Path) -> Option<Finding> {
    let stat = rustix::fs::statvfs(directory).ok()?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let message = format!(
        "{} MiB are free under `{}`",
        free >> 20,
        directory.display()
    );
    let remedy = "make room: move backups and old files of the audit log elsewhere";
    if free < ROOM_ERROR {
        Some(Finding::error("disk_full", message, remedy))
    } else if free < ROOM_WARNING {
        Some(Finding::warning("disk_low", message, remedy))
    } else {
        None
    }
}

/// File systems that forget, or whose locks and syncs are somebody else's.
#[cfg(target_os = "linux")]
fn kind(directory: &Path) -> Option<Finding> {
    const TMPFS: u64 = 0x0102_1994;
    const RAMFS: u64 = 0x8584_58F6;
    const NFS: u64 = 0x6969;
    const SMB2: u64 = 0xFE53_4D42;
    let stat = rustix::fs::statfs(directory).ok()?;
    let shown = directory.display();
    let kind = u64::try_from(stat.f_type).ok()?;
    match kind {
        TMPFS | RAMFS => Some(Finding::warning(
            "disk_volatile",
            format!("`{shown}` is in memory: every keyset and revocation is lost at a reboot"),
            "put the data directory on a disk",
        )),
        NFS | SMB2 => Some(Finding::warning(
            "disk_remote",
            format!("`{shown}` is on a network file system, whose syncs and locks may be none"),
            "put the data directory on a local disk; nodes share revocations through NATS",
        )),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
const fn kind(_: &Path) -> Option<Finding> {
    None
}

/// The median time of a sync.
fn probe(directory: &Path) -> io::Result<Duration> {
    let path = directory.join(PROBE);
    // Left by one that was killed.
    drop(fs::remove_file(&path));
    let file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    let measured = syncs(file);
    fs::remove_file(&path)?;
    measured
}

fn syncs(mut file: File) -> io::Result<Duration> {
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_all()?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times.get(SYNCS.div_euclid(2)).copied().unwrap_or_default())
}
