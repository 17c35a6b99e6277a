//! How hard keys are to guess, and who may read their files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde::Deserialize;
use token_server::{Config, SystemClock};
use token_store::{FORMAT, MasterKey, OpenError, OpenOptions, Store};

use super::Finding;
use crate::api::master_key;
use crate::args::Doctor;

/// A secret key shorter than this, or of fewer different characters, was
/// probably typed by somebody.
const CHARACTERS_MIN: usize = 32;
const DIFFERENT_MIN: usize = 8;

const REMEDY_WEAK: &str = "usher keyset rotate KEYSET --secret makes one that nobody guesses";

/// The file that says which format a store has.
const MARKER: &str = "usher.json";

#[derive(Deserialize)]
struct Marker {
    format: u64,
}

pub(super) fn examine(config: &Config, arguments: &Doctor) -> Vec<Finding> {
    let mut findings = Vec::new();
    for keyset in &config.keysets {
        findings.extend(strength(&keyset.name, &keyset.secret_key));
    }
    let key_file = arguments.connection.master_key_file.as_deref();
    findings.extend(key_file.and_then(exposed));
    let master_key = match master_key(key_file) {
        Ok(master_key) => master_key.or_else(|| config.master_key.clone()),
        Err(failure) => {
            findings.push(Finding::error(
                "master_key_invalid",
                failure.message,
                "openssl rand -hex 32 makes one",
            ));
            return findings;
        }
    };
    if config.data_dir.join(MARKER).is_file() {
        findings.extend(of_the_store(&config.data_dir, master_key));
    }
    findings
}

fn exposed(file: &Path) -> Option<Finding> {
    let mode = fs::metadata(file).ok()?.permissions().mode();
    (mode & 0o077 != 0).then(|| {
        Finding::warning(
            "master_key_exposed",
            format!(
                "`{}` has the mode {:03o}: others than its owner may read the master key",
                file.display(),
                mode & 0o777
            ),
            "chmod 600 the file",
        )
    })
}

/// The keys of a stopped server. A store of another format is left alone, since
/// opening it would bring it to this one.
fn of_the_store(directory: &Path, master_key: Option<MasterKey>) -> Vec<Finding> {
    let marker = fs::read(directory.join(MARKER)).ok();
    let marker = marker.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if marker.is_none_or(|Marker { format }| format != FORMAT) {
        return vec![Finding::note(
            "store_of_another_version",
            "the store was written by another version: its keys were not looked at",
            "run the doctor of that version, or start this one's server",
        )];
    }
    let is_sealed = master_key.is_some();
    let mut options = OpenOptions::new(SystemClock::new());
    options.master_key = master_key;
    let store = match Store::open(directory, options) {
        Ok(store) => store,
        Err(OpenError::InUse { .. }) => {
            return vec![Finding::note(
                "store_in_use",
                "a server has the data directory: its keys were not looked at",
                "run the doctor again while the server is stopped",
            )];
        }
        Err(error) => {
            return vec![Finding::error(
                "store_unavailable",
                error.to_string(),
                "docs/store.md says what to do about each",
            )];
        }
    };
    let mut findings = Vec::new();
    for keyset in store.keysets() {
        findings.extend(strength(&keyset.name, keyset.secret_key.expose()));
    }
    if !is_sealed && !store.keysets().is_empty() {
        findings.push(Finding::note(
            "secrets_in_plain",
            "the secrets in the data directory are not sealed: a copy of the disk has them",
            "usher store rekey --new-master-key-file FILE seals them",
        ));
    }
    findings
}

fn strength(keyset: &str, secret: &str) -> Option<Finding> {
    let bare = secret.strip_prefix("sec-c-").unwrap_or(secret);
    let mut different: Vec<char> = bare.chars().collect();
    different.sort_unstable();
    different.dedup();
    let weak = bare.len() < CHARACTERS_MIN || different.len() < DIFFERENT_MIN;
    weak.then(|| {
        Finding::warning(
            "secret_key_weak",
            format!("the secret key of the keyset `{keyset}` is short or repeats itself"),
            REMEDY_WEAK,
        )
    })
}
