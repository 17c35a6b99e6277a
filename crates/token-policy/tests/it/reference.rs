//! docs/operations.md is made from the code, and compared with it here;
//! `USHER_BLESS=1 cargo test -p token-policy reference` writes it anew.

use core::fmt::Write as _;
use std::path::Path;

use token_core::Category;
use token_policy::{Need, Operation, Requirement};

const HEAD: &str = "\
# Operations

What a client can ask for, the requests that ask for it, and what a token must
grant. Made from the code: `USHER_BLESS=1 cargo test -p token-policy reference`.

`{sub}` and `{pub}` are the keys of the keyset; `{channels}` is a list with raw
commas between names, each name percent-encoded; `{channels|,}` may be a comma
alone for no channel. `sub?key` is `sub-key` or `sub_key`. Where one request can
be several operations, the query (`norep` and `store`, `add`, `remove`) or the
body (`set`, `delete`) decides. A token that is presented and bad is denied
whatever the operation needs.

| operation | requests | needs |
|---|---|---|
";

#[test]
fn the_table_of_the_documents_is_the_table_of_the_code() {
    let mut text = HEAD.to_owned();
    for operation in Operation::ALL {
        let requests: Vec<String> = operation
            .requests()
            .map(|(method, path)| format!("`{method} {}`", path.replace('|', "\\|")))
            .collect();
        assert!(!requests.is_empty(), "{operation} cannot be asked for");
        let requests = requests.join("<br>");
        let needs = needs(operation.requirement());
        writeln!(text, "| `{operation}` | {requests} | {needs} |").unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md");
    if std::env::var_os("USHER_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert_eq!(committed, text, "docs/operations.md is out of date");
}

fn needs(requirement: Requirement<'_>) -> String {
    let record = |what: &str, permission| format!("{permission} on {what}");
    match requirement {
        Requirement::Public => "nothing".to_owned(),
        Requirement::Token => "a token, whatever it grants".to_owned(),
        Requirement::SecretKey => "the secret key: no token is enough".to_owned(),
        Requirement::Listing(Category::Channels) => {
            "the category `channels`, or what `list_channels` of the keyset says".to_owned()
        }
        Requirement::Listing(Category::Uuids) => {
            "the category `uuids`, or what `list_users` of the keyset says".to_owned()
        }
        Requirement::Names(needs) => {
            let texts: Vec<String> = needs.iter().map(need).collect();
            texts.join(", ")
        }
        Requirement::Collection(permission) => record(
            "the whole collection, by a pattern that matches everything",
            permission,
        ),
        Requirement::Record(permission) => record("the record", permission),
        Requirement::NewRecord(permission) => record(
            "the record, or on the whole collection when the body has no id",
            permission,
        ),
        Requirement::Each(_) | Requirement::Customer(_) => panic!("only rule files say this"),
    }
}

fn need(need: &Need) -> String {
    format!("{} on each {}", need.permissions, need.kind.name())
}
