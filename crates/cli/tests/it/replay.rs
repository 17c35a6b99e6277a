//! `usher replay`: which decisions would change, and the examples of its page.

use std::fs;
use std::path::Path;

use crate::usher::{Ran, run_with};

const BEFORE: &str = r#"
keyset = "sub-c-chat"
[token]
bearer = true
[[rule]]
name = "read"
methods = ["GET"]
path = '^/rooms/(?<room>[^/]+)/messages$'
needs = [{ channel = "{room}", permissions = ["read"] }]
[[rule]]
name = "page"
methods = ["GET"]
path = '^/$'
public = true
"#;

const READER: &str = r#""grant":{"resources":{"channels":{"lobby":["read"]}}}"#;

/// The recording against rules where reading needs what `permission` says.
fn replay(permission: &str, lines: &[String], with_before: bool) -> Ran {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("before.toml"), BEFORE).unwrap();
    let needs = format!("[\"{permission}\"]");
    fs::write(path("after.toml"), BEFORE.replace("[\"read\"]", &needs)).unwrap();
    let after = path("after.toml");
    let before = path("before.toml");
    let mut arguments = vec!["replay", "-", "--json", "--rules", &after];
    if with_before {
        arguments.extend(["--before", &before]);
    }
    run_with(&arguments, &lines.join("\n"))
}

#[test]
fn a_decision_that_would_change_is_told_with_its_line() {
    let reads = format!(r#"{{"request":"GET /rooms/lobby/messages",{READER},"decision":"allow"}}"#);
    let page = r#"{"request":"GET /","decision":"allow"}"#.to_owned();
    let same = replay("read", &[page.clone(), reads.clone()], false);
    assert_eq!((same.exit, same.yes()["requests"].as_u64()), (0, Some(2)));
    let changed = replay("delete", &[page, String::new(), reads], false);
    assert_eq!(changed.exit, 2, "{}", changed.stdout);
    let report = changed.json();
    assert_eq!(report["changes"].as_array().unwrap().len(), 1);
    let change = &report["changes"][0];
    assert_eq!(change["line"], 3);
    assert_eq!(change["before"]["decision"], "allow");
    assert_eq!(change["after"]["reason"], "permission_missing");
}

#[test]
fn rules_of_then_decide_what_a_recording_does_not_say() {
    let reads = format!(r#"{{"request":"GET /rooms/lobby/messages",{READER}}}"#);
    assert_eq!(replay("read", core::slice::from_ref(&reads), true).exit, 0);
    assert_eq!(
        replay("delete", core::slice::from_ref(&reads), true).exit,
        2
    );
    let refused = replay("read", &[reads], false);
    assert_eq!(refused.exit, 1);
    assert!(refused.stderr.contains("--before"), "{}", refused.stderr);
}

#[test]
fn a_line_that_is_none_is_refused_with_its_number() {
    for line in [
        "{",
        "[]",
        r#"{"request":"GET /","decision":"maybe"}"#,
        r#"{"request":"GET /","decision":"allow","colour":1}"#,
        r#"{"decision":"allow"}"#,
    ] {
        let good = r#"{"request":"GET /","decision":"allow"}"#.to_owned();
        let refused = replay("read", &[good, line.to_owned()], false);
        assert_eq!(refused.exit, 1, "{line}: {}", refused.stdout);
        assert!(refused.stderr.contains("input:2:"), "{}", refused.stderr);
    }
    assert_eq!(replay("read", &[String::new()], false).exit, 1);
}

#[test]
fn the_recording_of_the_page_is_replayed_as_it_stands_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/replay.md")).unwrap();
    let recording = page.split("```json\n").nth(1).unwrap();
    let recording = recording.split("```").next().unwrap();
    let of_rules = fs::read_to_string(root.join("docs/rules.md")).unwrap();
    let example = of_rules
        .split("```toml\n# chat.rules.toml\n")
        .nth(1)
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("chat.rules.toml");
    fs::write(&rules, example.split("```").next().unwrap()).unwrap();
    let ran = run_with(
        &["replay", "-", "--rules", rules.to_str().unwrap()],
        recording,
    );
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
}
