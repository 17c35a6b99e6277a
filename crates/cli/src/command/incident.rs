//! `usher incident`.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Api, Failure};
use crate::args::Incident;
use crate::exit::Exit;
use crate::keysets::{self, Keyset};
use crate::output::{LABEL, Output, Sheet};
use crate::when::instant;

#[derive(Deserialize)]
struct Done {
    keyset: Keyset,
    from: u64,
    until: u64,
    secret_key: String,
}

/// What only the operator can do.
const REMAINING: [&str; 6] = [
    "give every server that signs requests the new secret key",
    "if usher.toml declares this keyset, put the new secret key where it reads it",
    "let clients fetch new tokens: every one that they hold is refused",
    "rotate the admin keys that whoever it was may have seen: usher admin-key rotate",
    "find out what happened: usher audit show; then keep the log: usher audit head",
    "delete backups and exports that hold the old keys, once you need them no more",
];

pub(super) fn run(arguments: &Incident, output: &Output) -> Result<Exit, Failure> {
    let api = Api::connect(&arguments.connection)?;
    let found = keysets::find(&api, Some(&arguments.keyset))?;
    let path = format!("/v1/keysets/{}/incident", found.subscribe_key);
    let done: Done = api.post(&path, &json!({}))?;
    output.answer(&answer(&done), || render(&done))?;
    Ok(Exit::Yes)
}

fn answer(done: &Done) -> Value {
    json!({ "keyset": done.keyset, "secret_key": done.secret_key, "revoked_until": done.until,
        "signing_from": done.from, "remaining": REMAINING })
}

fn render(done: &Done) -> String {
    let heading = |text: &str| format!("{LABEL}{text}{LABEL:#}\n");
    let mut sheet = Sheet::default();
    sheet
        .row("keyset", &done.keyset.name)
        .row("subscribe key", &done.keyset.subscribe_key)
        .row(
            "tokens",
            format!("dead, every one issued up to {}", instant(done.until)),
        )
        .row(
            "signing key",
            format!("new, signs from {}", instant(done.from)),
        )
        .row("secret key", format!("{}   (shown once)", done.secret_key))
        .row("old secret key", "refused from now on")
        .row("audit log", "keyset_rotated, key incident");
    let mut text = heading("done");
    text.push_str(&sheet.render());
    text.push('\n');
    text.push_str(&heading("for you to do"));
    for (step, what) in (1..).zip(REMAINING) {
        text.push_str(&format!("{step}  {what}\n"));
    }
    text
}
