//! The table of denials in `docs/sdks.md` is what the drivers assert.

use core::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

const START: &str = "<!-- made from interop/operations.json -->\n\n";
const END: &str = "\n<!-- end -->";

/// One line for each body, under the column of each SDK's accessor.
fn denials(data: &Value) -> String {
    let mut table = String::from(
        "| denial | body | JavaScript: `error.status.errorData` | Python: `error.get_error_message()` |\n\
         |---|---|---|---|\n",
    );
    let entries = |name: &str| data[name].as_object().unwrap().iter();
    let families = entries("families").map(|(name, family)| (family_of(name), &family["body"]));
    let tokens = entries("tokens").map(|(name, body)| (token_of(name), body));
    for (denial, body) in families.chain(tokens) {
        let error = &body["error"];
        let python = if *error == true {
            "True".to_owned()
        } else {
            error.to_string()
        };
        writeln!(table, "| {denial} | `{body}` | the body | `{python}` |").unwrap();
    }
    table
}

fn family_of(name: &str) -> &'static str {
    match name {
        "access-manager" => "not granted: publish, signal, subscribe, presence, files",
        "history" => "not granted: history, message counts, delete messages",
        "channel-registry" => "not granted: channel groups",
        "push" => "not granted: push",
        "objects" => "not granted: App Context",
        "actions" => "not granted: message actions",
        other => panic!("docs/sdks.md has no words for the family {other}"),
    }
}

fn token_of(name: &str) -> &'static str {
    match name {
        "revoked" => "the token was revoked",
        "expired" => "the token has expired",
        "other_uuid" => "the token is bound to another user id",
        "invalid" => "the token is malformed, forged or of another keyset",
        "wrong_secret" => "the secret key is wrong",
        "access_manager_off" => "Access Manager is off for the keyset",
        other => panic!("docs/sdks.md has no words for the denial {other}"),
    }
}

#[test]
fn the_page_shows_what_the_drivers_assert() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let data = fs::read_to_string(root.join("interop/operations.json")).unwrap();
    let path = root.join("docs/sdks.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(START).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    let wanted = denials(&serde_json::from_str(&data).unwrap());
    if std::env::var_os("USHER_BLESS").is_some() {
        fs::write(path, format!("{before}{START}{wanted}{END}{after}")).unwrap();
    } else {
        assert_eq!(shown, wanted, "USHER_BLESS=1 cargo test -p xtask writes it");
    }
}
