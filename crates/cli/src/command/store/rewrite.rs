//! `usher store compact` and `rekey`: the database written anew.

use std::path::Path;

use serde_json::json;
use token_server::StoreChange;
use token_store::{MasterKey, Rewritten, Store};

use super::{record, unavailable};
use crate::api::Failure;
use crate::args::Data;
use crate::command::serve::KEYS_FILE;
use crate::exit::Exit;
use crate::output::{NOTE, Output, Sheet};
use crate::progress::with_progress;

pub(super) fn compact(data: &Data, output: &Output) -> Result<Exit, Failure> {
    data.must_exist()?;
    let options = data.options()?;
    let rewritten = with_progress("compacting", None, |progress| {
        token_store::compact(data.directory(), &options, progress)
    })
    .map_err(|error| unavailable(&error))?;
    let store = data.open()?;
    record(&store, data.directory(), StoreChange::Compacted, json!({}))?;
    show(rewritten, None, &[], output)
}

pub(super) fn rekey(new: &Path, data: &Data, output: &Output) -> Result<Exit, Failure> {
    data.must_exist()?;
    let options = data.options()?;
    let new = token_server::read_master_key(Some(new), |_| None)
        .map_err(|error| Failure::new("invalid_configuration", error.to_string()))?
        .ok_or_else(|| Failure::local("there is no new master key"))?;
    let id = new.id().to_owned();
    let rewritten = with_progress("sealing", None, |progress| {
        rewrite(data.directory(), &options, new.clone(), progress)
    })?;
    let mut sealed = data.options()?;
    sealed.master_key = Some(new);
    let store = Store::open(data.directory(), sealed).map_err(|error| unavailable(&error))?;
    let details = json!({ "sealed_by": id });
    record(&store, data.directory(), StoreChange::Rekeyed, details)?;
    let left: Vec<String> = [KEYS_FILE, "backups"]
        .iter()
        .map(|name| data.directory().join(name))
        .filter(|path| path.exists())
        .map(|path| path.display().to_string())
        .collect();
    show(rewritten, Some(&id), &left, output)
}

fn rewrite(
    directory: &Path,
    options: &token_store::OpenOptions,
    new: MasterKey,
    progress: &mut token_store::Progress<'_>,
) -> Result<Rewritten, Failure> {
    token_store::rekey(directory, options, new, progress).map_err(|error| unavailable(&error))
}

fn show(
    rewritten: Rewritten,
    sealed_by: Option<&str>,
    left: &[String],
    output: &Output,
) -> Result<Exit, Failure> {
    let answer = json!({ "bytes_before": rewritten.bytes_before,
        "bytes_after": rewritten.bytes_after, "sealed_by": sealed_by, "not_sealed": left });
    output.answer(&answer, || {
        let mut sheet = Sheet::default();
        sheet.row(
            "database",
            format!(
                "{} bytes, {} before",
                rewritten.bytes_after, rewritten.bytes_before
            ),
        );
        if let Some(id) = sealed_by {
            sheet.row("secrets", format!("sealed under the master key {id}"));
        }
        let mut text = sheet.render();
        for path in left {
            text.push_str(&format!(
                "{NOTE}note:{NOTE:#} `{path}` may hold secrets that this key does not seal; move it \
                 away\n"
            ));
        }
        text
    })?;
    Ok(Exit::Yes)
}
