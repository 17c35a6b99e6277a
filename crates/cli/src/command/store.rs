//! `usher store`.

mod rewrite;
mod transfer;

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use token_server::{AuditLog, StoreChange, SystemClock};
use token_store::{Clock as _, OpenOptions, Store};

use crate::api::{Api, DATA_DIR_DEFAULT, Failure, master_key};
use crate::args::{Connection, Data, StoreVerb};
use crate::exit::Exit;
use crate::output::{Output, Sheet};
use crate::progress::with_progress;

pub(super) fn run(verb: &StoreVerb, output: &Output) -> Result<Exit, Failure> {
    match verb {
        StoreVerb::Check { data } => check(data, output),
        StoreVerb::Backup { connection } => backup(connection, output),
        StoreVerb::Restore { file, data } => transfer::restore(file, data, output),
        StoreVerb::Export {
            file,
            secrets,
            data,
        } => transfer::export(file, *secrets, data, output),
        StoreVerb::Import { file, data } => transfer::import(file, data, output),
        StoreVerb::Compact { data } => rewrite::compact(data, output),
        StoreVerb::Rekey {
            new_master_key_file,
            data,
        } => rewrite::rekey(new_master_key_file, data, output),
    }
}

impl Data {
    fn directory(&self) -> &Path {
        self.data_dir
            .as_deref()
            .unwrap_or_else(|| DATA_DIR_DEFAULT.as_ref())
    }

    fn options(&self) -> Result<OpenOptions, Failure> {
        let mut options = OpenOptions::new(SystemClock::new());
        options.master_key = master_key(self.master_key_file.as_deref())?;
        Ok(options)
    }

    /// The store, which must be there.
    fn open(&self) -> Result<Store, Failure> {
        self.must_exist()?;
        Store::open(self.directory(), self.options()?).map_err(|error| unavailable(&error))
    }

    fn must_exist(&self) -> Result<(), Failure> {
        let directory = self.directory();
        if directory.exists() {
            return Ok(());
        }
        let message = format!(
            "there is no data directory `{}`; name one with --data-dir",
            directory.display()
        );
        Err(Failure::new("no_data_directory", message))
    }
}

/// Writes down in the audit log what was done to the store, which is held.
fn record(
    _store: &Store,
    directory: &Path,
    change: StoreChange,
    details: Value,
) -> Result<(), Failure> {
    let Value::Object(details) = details else {
        return Err(Failure::local("the details of an entry are an object"));
    };
    let now = SystemClock::new().now();
    AuditLog::of(directory)
        .store_changed(change, now, details)
        .map_err(|error| {
            let message = format!(
                "it is done, but the audit log of `{}` cannot be written: {error}",
                directory.display()
            );
            Failure::new("audit_unavailable", message)
        })
}

fn unavailable(error: &impl ToString) -> Failure {
    Failure::new("store_unavailable", error.to_string())
}

fn check(data: &Data, output: &Output) -> Result<Exit, Failure> {
    let store = data.open()?;
    let known = u64::try_from(store.denied_tokens()).ok();
    let checked = with_progress("checking", known, |progress| store.check(progress))
        .map_err(|error| Failure::new("inconsistent", error.to_string()))?;
    let counts = checked.counts;
    let answer = json!({ "status": "ok", "tokens": counts.tokens, "rules": counts.rules,
        "horizons": counts.horizons, "keysets": counts.keysets, "sequence": checked.sequence,
        "sealed_by": checked.sealed_by });
    output.answer(&answer, || {
        let mut sheet = Sheet::default();
        sheet
            .row("store", "in order")
            .row("revoked tokens", counts.tokens.to_string())
            .row("rules", counts.rules.to_string())
            .row("keysets", counts.keysets.to_string())
            .row("commits", checked.sequence.to_string())
            .row("secrets", secrets(checked.sealed_by.as_deref()));
        sheet.render()
    })?;
    Ok(Exit::Yes)
}

fn secrets(sealed_by: Option<&str>) -> String {
    sealed_by.map_or_else(
        || "in plain".to_owned(),
        |id| format!("sealed under the master key {id}"),
    )
}

#[derive(Deserialize)]
struct Made {
    path: String,
    entries: u64,
    bytes: u64,
    sequence: u64,
}

fn backup(connection: &Connection, output: &Output) -> Result<Exit, Failure> {
    let made: Made = Api::connect(connection)?.post("/v1/backup", &json!({}))?;
    let answer = json!({ "path": made.path, "entries": made.entries, "bytes": made.bytes,
        "sequence": made.sequence });
    output.answer(&answer, || {
        let mut sheet = Sheet::default();
        sheet
            .row("backup", &made.path)
            .row("entries", made.entries.to_string())
            .row("bytes", made.bytes.to_string())
            .row("commits", made.sequence.to_string());
        sheet.render()
    })?;
    Ok(Exit::Yes)
}
