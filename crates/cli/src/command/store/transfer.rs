//! `usher store export`, `import` and `restore`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::{Value, json};
use token_server::StoreChange;
use token_store::{ExportError, ExportFile, ExportSecrets, Exported, Imported, Store};

use super::{record, unavailable};
use crate::api::Failure;
use crate::args::Data;
use crate::exit::Exit;
use crate::output::{NOTE, Output, Sheet};
use crate::progress::with_progress;

pub(super) fn export(
    file: &Path,
    secrets: bool,
    data: &Data,
    output: &Output,
) -> Result<Exit, Failure> {
    let store = data.open()?;
    let secrets = if secrets {
        ExportSecrets::Include
    } else {
        ExportSecrets::LeaveOut
    };
    if file == Path::new("-") {
        let exported = write(&store, secrets, &mut std::io::stdout().lock());
        note_export(
            &store,
            data,
            &exported.map_err(|error| failed(&error))?,
            secrets,
        )?;
        return Ok(Exit::Yes);
    }
    let cannot = |error: std::io::Error| {
        Failure::local(format!("cannot write `{}`: {error}", file.display()))
    };
    let made = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(cannot)?;
    let mut out = BufWriter::new(made);
    let exported = write(&store, secrets, &mut out).map_err(|error| failed(&error))?;
    out.get_ref().sync_all().map_err(cannot)?;
    note_export(&store, data, &exported, secrets)?;
    let answer = json!({ "path": file, "entries": exported.entries, "bytes": exported.bytes,
        "sequence": exported.sequence });
    output.answer(&answer, || {
        let mut sheet = Sheet::default();
        sheet
            .row("export", file.display().to_string())
            .row("entries", exported.entries.to_string());
        sheet.render()
    })?;
    Ok(Exit::Yes)
}

/// Who may have taken the secrets along is what an audit is for.
fn note_export(
    store: &Store,
    data: &Data,
    exported: &Exported,
    secrets: ExportSecrets,
) -> Result<(), Failure> {
    let details = json!({ "entries": exported.entries,
        "secrets": matches!(secrets, ExportSecrets::Include) });
    record(store, data.directory(), StoreChange::Exported, details)
}

fn write(
    store: &Store,
    secrets: ExportSecrets,
    out: &mut dyn Write,
) -> Result<Exported, ExportError> {
    let known = u64::try_from(store.denied_tokens()).ok();
    with_progress("exporting", known, |progress| {
        store.export(out, secrets, progress)
    })
}

pub(super) fn import(file: &Path, data: &Data, output: &Output) -> Result<Exit, Failure> {
    let store = data.open()?;
    let (file, lines) = read(file)?;
    let imported = with_progress("importing", Some(lines), |progress| {
        store.import(&file, progress)
    });
    let imported = imported.map_err(|error| failed(&error))?;
    let details = added(&imported);
    record(&store, data.directory(), StoreChange::Imported, details)?;
    show(&imported, output)
}

pub(super) fn restore(file: &Path, data: &Data, output: &Output) -> Result<Exit, Failure> {
    let (file, lines) = read(file)?;
    let (directory, options) = (data.directory(), data.options()?);
    let imported = with_progress("restoring", Some(lines), |progress| {
        token_store::restore(&file, directory, options, progress)
    });
    let imported = imported.map_err(|error| failed(&error))?;
    let (store, details) = (data.open()?, added(&imported));
    record(&store, directory, StoreChange::Restored, details)?;
    show(&imported, output)
}

fn added(imported: &Imported) -> Value {
    json!({ "tokens": imported.tokens, "rules": imported.rules,
        "keysets": imported.added_keysets })
}

/// The file, read once from its beginning to its end, and how many lines it has.
fn read(file: &Path) -> Result<(ExportFile, u64), Failure> {
    with_progress("reading", None, |progress| {
        let file = ExportFile::open(file, progress).map_err(|error| failed(&error))?;
        Ok((file, progress.done()))
    })
}

fn failed(error: &ExportError) -> Failure {
    if matches!(error, ExportError::Store(_) | ExportError::Open(_)) {
        return unavailable(error);
    }
    Failure::new("export", error.to_string())
}

fn show(imported: &Imported, output: &Output) -> Result<Exit, Failure> {
    let until = imported.revoked_until.map(|until| until.0);
    let answer: Value = json!({ "tokens": imported.tokens, "rules": imported.rules,
        "added_keysets": imported.added_keysets, "kept_keysets": imported.kept_keysets,
        "missing_keysets": imported.missing_keysets, "revoked_until": until });
    output.answer(&answer, || {
        let mut sheet = Sheet::default();
        sheet
            .row("revoked tokens", format!("{} added", imported.tokens))
            .row("rules", format!("{} added", imported.rules));
        for (label, keysets) in [
            ("added", &imported.added_keysets),
            ("kept as it is", &imported.kept_keysets),
            ("not in the file", &imported.missing_keysets),
        ] {
            for keyset in keysets {
                sheet.row("keyset", format!("{keyset}  {label}"));
            }
        }
        let mut text = sheet.render();
        if let Some(until) = until {
            text.push_str(&format!(
                "{NOTE}note:{NOTE:#} a backup does not know what was revoked after it was made, \
                 so every token of the added keysets issued up to {} is revoked\n",
                crate::when::instant(until)
            ));
        }
        text
    })?;
    Ok(Exit::Yes)
}
