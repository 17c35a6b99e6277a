//! Who may read the data directory, and what was left in it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::Finding;
use crate::command::serve::KEYS_FILE;

/// Bits of others; and of the group.
const OTHERS: u32 = 0o007;
const NOT_OWNER: u32 = 0o077;

pub(super) fn examine(directory: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let shown = directory.display();
    let Ok(metadata) = fs::metadata(directory) else {
        return vec![Finding::error(
            "data_unreadable",
            format!("`{shown}` cannot be looked at"),
            "run this as the user of the server",
        )];
    };
    if metadata.permissions().mode() & NOT_OWNER != 0 {
        findings.push(Finding::warning(
            "data_directory_open",
            format!(
                "`{shown}` has the mode {:03o}: others than its owner may enter",
                metadata.permissions().mode() & 0o777
            ),
            format!("chmod 700 {shown}"),
        ));
    }
    findings.extend(open_files(directory));
    if owner_of_this_process().is_some_and(|user| user != metadata.uid() && user != 0) {
        findings.push(Finding::warning(
            "data_directory_foreign",
            format!("`{shown}` belongs to the user {}", metadata.uid()),
            "run the server, and this, as that user",
        ));
    }
    if directory.join(KEYS_FILE).exists() {
        findings.push(Finding::warning(
            "first_keys_left",
            format!("the first keys are still in `{shown}/{KEYS_FILE}`"),
            "copy them to where your secrets are, and remove the file",
        ));
    }
    findings
}

/// Files with secrets that others than the owner may read or write.
fn open_files(directory: &Path) -> Option<Finding> {
    let entries = fs::read_dir(directory).ok()?;
    let mut open: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| {
            let metadata = entry.metadata();
            metadata.is_ok_and(|metadata| {
                metadata.is_file() && metadata.permissions().mode() & OTHERS != 0
            })
        })
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    open.sort();
    (!open.is_empty()).then(|| {
        Finding::error(
            "data_exposed",
            format!(
                "every user of this machine may read or write {} in `{}`",
                open.join(", "),
                directory.display()
            ),
            "chmod 600 the files; if others used this machine, see docs/incident.md",
        )
    })
}

/// Whoever runs this, where the system says it.
fn owner_of_this_process() -> Option<u32> {
    Some(fs::metadata("/proc/self").ok()?.uid())
}
