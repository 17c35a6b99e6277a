//! Grant, inspect, verify, check and revoke on the data directory of a stopped
//! server.

use tempfile::TempDir;

use crate::usher::{command, on, run, run_with};

fn directory_with_keyset() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let made = on(directory.path(), &["keyset", "create", "--name", "demo"]).yes();
    assert!(made["secret_key"].as_str().unwrap().starts_with("sec-"));
    directory
}

fn grant(directory: &TempDir, arguments: &[&str]) -> String {
    let issued = on(directory.path(), &[&["grant"], arguments].concat()).yes();
    issued["token"].as_str().unwrap().to_owned()
}

#[test]
fn a_token_is_granted_allows_denies_and_is_revoked() {
    let directory = directory_with_keyset();
    let token = grant(
        &directory,
        &["--channel", "room-1=read,write", "--ttl", "5"],
    );
    let check = |channel: &str| {
        on(
            directory.path(),
            &["check", &token, "publish", "--channel", channel],
        )
    };

    let inspected = run(&["inspect", &token, "--json"]).yes();
    assert_eq!(inspected["resources"]["channels"]["room-1"]["write"], true);
    assert_eq!(inspected["ttl"], 5);

    let verified = on(directory.path(), &["verify", &token]).yes();
    assert_eq!(verified["status"], "valid");
    assert_eq!(verified["token_id"], inspected["id"]);

    let allowed = check("room-1").yes();
    assert_eq!(allowed["decision"], "allow");
    assert_eq!(allowed["missing"], serde_json::json!([]));
    let denied = check("room-2");
    assert_eq!(denied.exit, 2);
    let denied = denied.json();
    assert_eq!(denied["reason"]["code"], "permission_missing");
    assert_eq!(denied["missing"][0]["name"], "room-2");
    assert_eq!(
        denied["remedy"]["grant"]["resources"]["channels"]["room-2"],
        2
    );

    let revoked = on(directory.path(), &["revoke", &token]).yes();
    assert_eq!(revoked["already_revoked"], false);
    assert!(revoked["sequence"].is_string(), "{revoked}");
    assert_eq!(
        on(directory.path(), &["revoke", &token]).yes()["already_revoked"],
        true
    );
    let after = check("room-1");
    assert_eq!(
        (after.exit, &after.json()["reason"]["code"]),
        (2, &"revoked".into())
    );
    assert_eq!(on(directory.path(), &["verify", &token]).exit, 2);
}

#[test]
fn a_raw_request_line_is_checked_like_an_operation() {
    let directory = directory_with_keyset();
    let token = grant(&directory, &["--channel-pattern", "^room-[0-9]+$=read"]);
    let listed = on(directory.path(), &["keyset", "list"]).yes();
    let keyset = listed["keysets"][0]["subscribe_key"]
        .as_str()
        .unwrap()
        .to_owned();
    let line = |channel: &str| format!("/v2/subscribe/{keyset}/{channel}/0?uuid=alice");
    let check = |path: &str| on(directory.path(), &["check", &token, "GET", path]);

    let allowed = check(&line("room-1,room-2")).yes();
    assert_eq!(allowed["operation"], "subscribe");
    assert_eq!(allowed["matched"][0]["by"], "pattern");
    assert_eq!(check(&line("room-1,hall")).exit, 2);
    assert_eq!(
        check("/v2/unknown").json()["reason"]["code"],
        "unknown_operation"
    );
}

#[test]
fn a_token_that_is_no_good_exits_with_3() {
    let directory = directory_with_keyset();
    let other = directory_with_keyset();
    let foreign = grant(&other, &["--channel", "room-1=read"]);
    let forged = {
        let mut text = foreign.clone().into_bytes();
        let at = text.len() - 8;
        text[at] = if text[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(text).unwrap()
    };
    for token in [foreign.as_str(), forged.as_str(), "junk"] {
        let verified = on(directory.path(), &["verify", token]);
        assert_eq!(
            (verified.exit, &verified.json()["status"]),
            (3, &"invalid".into())
        );
        let checked = on(
            directory.path(),
            &["check", token, "subscribe", "--channel", "room-1"],
        );
        assert_eq!(
            (checked.exit, &checked.json()["decision"]),
            (3, &"deny".into())
        );
        let line = on(directory.path(), &["check", token, "GET", "/time/0"]);
        assert_eq!(
            (line.exit, &line.json()["reason"]["code"]),
            (3, &"invalid_token".into())
        );
        let revoked = on(directory.path(), &["revoke", token]);
        assert_eq!((revoked.exit, revoked.stdout.as_str()), (3, ""));
        assert!(
            revoked.stderr.contains("\"invalid_token\""),
            "{}",
            revoked.stderr
        );
    }
    assert_eq!(run(&["inspect", &forged]).exit, 0);
    assert_eq!(run(&["inspect", "junk!"]).exit, 3);
}

#[test]
fn rules_kill_what_a_uuid_and_a_keyset_hold() {
    let directory = directory_with_keyset();
    let alice = grant(&directory, &["--channel", "a=read", "--uuid", "alice"]);
    let bob = grant(&directory, &["--channel", "a=read", "--uuid", "bob"]);
    let exit = |token: &str| on(directory.path(), &["verify", token]).exit;

    let rule = on(directory.path(), &["revoke", "--uuid", "alice"]).yes();
    assert_eq!(
        (rule["kind"].as_str(), rule["uuid"].as_str()),
        (Some("uuid"), Some("alice"))
    );
    assert_eq!((exit(&alice), exit(&bob)), (2, 0));
    // A native grant is good at once, although it is of the same second.
    let again = grant(&directory, &["--channel", "a=read", "--uuid", "alice"]);
    assert_eq!(exit(&again), 0);

    on(directory.path(), &["revoke", "--all"]).yes();
    assert_eq!((exit(&bob), exit(&again)), (2, 2));
}

#[test]
fn secrets_come_from_standard_input_and_files() {
    let directory = directory_with_keyset();
    let token = grant(&directory, &["--channel", "room-1=read"]);
    assert_eq!(
        run_with(&["inspect", "-", "--json"], &format!("{token}\n")).exit,
        0
    );
    let file = directory.path().join("token.txt");
    std::fs::write(&file, &token).unwrap();
    assert_eq!(run(&["inspect", &format!("@{}", file.display())]).exit, 0);

    let secret = "a-secret-of-ones-own";
    let mut create = command(&["keyset", "create", "--name", "own", "--json", "--data-dir"]);
    create.arg(directory.path()).env("USHER_SECRET_KEY", secret);
    let made: serde_json::Value = serde_json::from_slice(&create.output().unwrap().stdout).unwrap();
    assert_eq!(made["secret_key"], secret);
    let own = made["keyset"]["subscribe_key"].as_str().unwrap();
    on(directory.path(), &["keyset", "delete", own]).yes();

    let body = r#"{"ttl":7,"permissions":{"resources":{"channels":{"from-file":["read"]}}}}"#;
    let directory = directory.path().to_str().unwrap();
    let issued = run_with(
        &["grant", "--from", "-", "--json", "--data-dir", directory],
        body,
    )
    .yes();
    let life = issued["expires_at"].as_u64().unwrap() - issued["issued_at"].as_u64().unwrap();
    assert_eq!(life, 7 * 60);
}

#[test]
fn a_dry_run_issues_nothing_and_warns() {
    let directory = directory_with_keyset();
    let arguments = ["grant", "--channel-pattern", "room-=read", "--dry-run"];
    let dry = on(directory.path(), &arguments).yes();
    assert_eq!(dry["warnings"][0]["code"], "unanchored_pattern");
    assert!(dry.get("token").is_none());
}

#[test]
fn keysets_are_made_changed_rotated_and_deleted() {
    let directory = directory_with_keyset();
    let keyset = |arguments: &[&str]| on(directory.path(), &[&["keyset"], arguments].concat());

    let set = keyset(&["set", "demo", "max_ttl=10", "require_uuid=on"]).yes();
    assert_eq!(set["keyset"]["settings"]["max_ttl"], 10);
    assert_eq!(set["keyset"]["settings"]["require_uuid"], true);
    for wrong in [
        &["set", "demo", "max_ttl=0"],
        &["set", "demo", "nonsense=1"],
    ] {
        let refused = keyset(wrong);
        assert_eq!(refused.exit, 1);
        assert!(
            refused.stderr.contains("invalid_setting"),
            "{}",
            refused.stderr
        );
    }
    let conflict = keyset(&["set", "demo", "max_ttl=50000"]);
    assert!(
        conflict.stderr.contains("setting_conflict"),
        "{}",
        conflict.stderr
    );

    let too_long = on(
        directory.path(),
        &["grant", "--channel", "a=read", "--uuid", "u", "--ttl", "11"],
    );
    assert_eq!(too_long.exit, 1);
    assert!(too_long.stderr.contains("ttl"), "{}", too_long.stderr);
    let unbound = on(
        directory.path(),
        &["grant", "--channel", "a=read", "--ttl", "1"],
    );
    assert_eq!(unbound.exit, 1);

    let announced = keyset(&["rotate", "demo"]).yes();
    assert_eq!(
        announced["keyset"]["signing_keys"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let token = grant(
        &directory,
        &["--channel", "a=read", "--uuid", "u", "--ttl", "1"],
    );
    let emergency = keyset(&["rotate", "demo", "--emergency"]).yes();
    assert!(emergency["until"].is_u64());
    assert_ne!(on(directory.path(), &["verify", &token]).exit, 0);
    assert!(keyset(&["rotate", "demo", "--secret"]).yes()["secret_key"].is_string());

    keyset(&["delete", "demo"]).yes();
    assert_eq!(keyset(&["show", "demo"]).exit, 1);
}

/// contract 10.3: the names under which SDKs show what 2026 added.
#[test]
fn inspect_shows_users_datasync_and_categories() {
    let directory = directory_with_keyset();
    let token = grant(
        &directory,
        &[
            "--user",
            "alice=create,get",
            "--entity",
            "order-1=update",
            "--relationship-pattern",
            "^a:=delete",
            "--membership",
            "m=get",
            "--category",
            "uuids",
        ],
    );
    let inspected = run(&["inspect", &token, "--json"]).yes();
    let at = |pointer: &str| inspected.pointer(pointer).cloned();
    assert_eq!(at("/resources/users/alice/create"), Some(true.into()));
    assert_eq!(at("/resources/users/alice/update"), Some(false.into()));
    assert_eq!(
        at("/resources/dataSync/entities/order-1/update"),
        Some(true.into())
    );
    assert_eq!(at("/resources/dataSync/entities/order-1/create"), None);
    assert_eq!(
        at("/resources/dataSync/memberships/m/get"),
        Some(true.into())
    );
    assert_eq!(
        at("/patterns/dataSync/relationships/^a:/delete"),
        Some(true.into())
    );
    assert_eq!(at("/categories/uuids/get"), Some(true.into()));
    assert_eq!(at("/categories/channels"), None);
    assert_eq!(at("/resources/channels"), Some(serde_json::json!({})));
}
