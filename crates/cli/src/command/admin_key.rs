//! `usher admin-key`.

use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, Failure};
use crate::args::AdminKeyVerb;
use crate::exit::Exit;
use crate::output::{Output, Sheet};

#[derive(Deserialize)]
struct Made {
    admin_key: String,
}

pub(super) fn run(verb: &AdminKeyVerb, output: &Output) -> Result<Exit, Failure> {
    let AdminKeyVerb::Rotate { connection } = verb;
    let made: Made = Api::connect(connection)?.post("/v1/admin-key/rotate", &json!({}))?;
    output.answer(&json!({ "admin_key": made.admin_key }), || {
        let mut sheet = Sheet::default();
        sheet.row(
            "admin key",
            format!("{}   (shown once; the old one is dead)", made.admin_key),
        );
        sheet.render()
    })?;
    Ok(Exit::Yes)
}
