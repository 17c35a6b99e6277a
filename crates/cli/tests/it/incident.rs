//! Keys with roles, an incident, and the audit log, as an operator meets them.
//! Attacks A02, K03, K04.

use core::time::Duration;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use serde_json::Value;

use crate::serve::Running;
use crate::usher::{Ran, command, on, run};

/// How long a start may take that is refused.
const PATIENCE: Duration = Duration::from_secs(10);

fn with_keyset() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    on(directory.path(), &["keyset", "create", "--name", "demo"]).yes();
    directory
}

fn said(directory: &Path, arguments: &[&str]) -> String {
    let directory = directory.to_str().unwrap();
    let ran = run(&[arguments, &["--data-dir", directory]].concat());
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    ran.stdout
}

#[test]
fn an_incident_says_what_it_did_and_what_remains() {
    let directory = with_keyset();
    let data = directory.path();
    let grant = ["grant", "--channel", "room=read", "--token-only"];
    let token = said(data, &grant).trim().to_owned();
    let before = said(data, &["keyset", "show", "demo"]);
    let text = said(data, &["incident", "demo"]);
    let (done, remaining) = text.split_once("\nfor you to do\n").unwrap();
    for label in [
        "tokens ",
        "signing key ",
        "secret key ",
        "old secret key ",
        "audit log ",
    ] {
        assert!(done.contains(&format!("\n{label}")), "{label} in {done}");
    }
    // The values stand below each other.
    let labels = done.lines().skip(1).map(|line| {
        let (label, rest) = line.split_once("  ").unwrap();
        assert!(!label.is_empty());
        line.len() - rest.trim_start().len()
    });
    let columns: Vec<_> = labels.collect();
    assert!(
        columns.len() >= 7 && columns.iter().all(|c| *c == columns[0]),
        "{done}"
    );
    assert_eq!(remaining.lines().count(), 6);
    assert!(before.lines().count() < said(data, &["keyset", "show", "demo"]).lines().count());
    let verified = on(data, &["verify", &token]);
    assert_eq!(
        (verified.exit, &verified.json()["status"]),
        (2, &Value::from("revoked"))
    );
    let json = on(data, &["incident", "demo"]).yes();
    assert!(json["signing_from"].as_u64() > json["revoked_until"].as_u64());
    assert!(json["secret_key"].as_str().unwrap().starts_with("sec-"));
    assert_eq!(json["remaining"].as_array().unwrap().len(), 6);
}

#[test]
fn the_audit_log_is_verified_shown_and_its_head_printed() {
    let directory = with_keyset();
    let data = directory.path();
    for n in 0..3 {
        let name = format!("key-{n}");
        on(data, &["admin-key", "create", &name, "--role", "auditor"]).yes();
    }
    let head = said(data, &["audit", "head"]).trim().to_owned();
    assert!(head.starts_with("4:"), "{head}");
    let verified = on(data, &["audit", "verify", "--head", &head]).yes();
    assert_eq!(
        (&verified["first"], &verified["seq"]),
        (&1.into(), &4.into())
    );
    let shown = said(data, &["audit", "show", "--limit", "2"]);
    let names: Vec<Value> = shown
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["name"].clone())
        .collect();
    assert_eq!(names, ["key-1", "key-2"]);
    // One digit less.
    let file = data.join("audit/audit-00000000000000000001.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("key-0", "key-9", 1)).unwrap();
    let broken = on(data, &["audit", "verify"]);
    assert_eq!(broken.exit, 1);
    assert!(
        broken.stderr.contains("audit_log_broken"),
        "{}",
        broken.stderr
    );
    // The last entry cut off.
    let kept: String = text.split_inclusive('\n').take(3).collect();
    fs::write(&file, kept).unwrap();
    let broken = on(data, &["audit", "verify", "--head", &head]);
    assert!(
        broken.stderr.contains("entry 4 was written"),
        "{}",
        broken.stderr
    );
}

#[test]
fn an_auditor_reads_the_log_of_a_running_server_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Running::start(directory.path(), &["--print-keys"]);
    let admin = server.key("admin key ");
    let ask = |key: &str, arguments: &[&str]| -> Ran {
        let connection = ["--json", "--server", &server.internal, "--admin-key", key];
        run(&[arguments, &connection].concat())
    };
    let made = ask(
        &admin,
        &[
            "admin-key",
            "create",
            "eve",
            "--role",
            "auditor",
            "--expires-in",
            "1",
        ],
    );
    let auditor = made.yes()["admin_key"].as_str().unwrap().to_owned();
    let head = ask(&auditor, &["audit", "head"]).yes();
    let text = format!("{}:{}", head["seq"], head["hash"].as_str().unwrap());
    let verified = ask(&auditor, &["audit", "verify", "--head", &text]).yes();
    assert_eq!(verified["first"], 1);
    let log = ask(&auditor, &["audit", "show", "--after", "0"]).stdout;
    for event in [
        "server_started",
        "keyset_created",
        "key_created",
        "key_used",
    ] {
        assert!(log.contains(event), "{event} in {log}");
    }
    assert!(!log.contains(&admin) && !log.contains(&auditor));
    for verb in [
        &["incident", "default"][..],
        &["admin-key", "rotate"],
        &["revoke", "--all"],
    ] {
        let refused = ask(&auditor, verb);
        assert_eq!(refused.exit, 1);
        assert!(
            refused.stderr.contains("role_insufficient"),
            "{}",
            refused.stderr
        );
    }
    let listed = ask(&auditor, &["admin-key", "list"]).yes();
    assert_eq!(listed["admin_keys"].as_array().unwrap().len(), 2);
    // With an overlap both are good; without, the old one is dead.
    let rotated = ask(&admin, &["admin-key", "rotate", "--overlap", "600"]).yes();
    let second = rotated["admin_key"].as_str().unwrap();
    ask(&admin, &["keyset", "list"]).yes();
    let third = ask(second, &["admin-key", "rotate"]).yes();
    assert_eq!(ask(second, &["keyset", "list"]).exit, 1);
    assert_eq!(ask(&admin, &["keyset", "list"]).exit, 1);
    let third = third["admin_key"].as_str().unwrap();
    assert_eq!(
        ask(third, &["admin-key", "remove", "eve"]).yes()["removed"],
        "eve"
    );
    assert!(
        ask(&auditor, &["audit", "head"])
            .stderr
            .contains("admin_key_required")
    );
    assert_eq!(server.stop(), Some(0));
}

/// New keys are shown, or written where the operator says, and never in plain
/// into a data directory that is sealed.
#[test]
fn k04_a_sealed_first_start_leaves_no_key_in_plain() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let master = "8f1d5c0a7be94263d0f4a91c6e3728b5417fce098ad2b6533e90c7d1f86a24bb";
    let serve = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--internal-listen",
        "127.0.0.1:0",
        "--data-dir",
    ];
    let arguments = [&serve[..], &[data.to_str().unwrap()]].concat();
    let mut refused = command(&arguments)
        .env("USHER_MASTER_KEY", master)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let exit = loop {
        match refused.try_wait().unwrap() {
            Some(exit) => break exit.code(),
            None if begun.elapsed() > PATIENCE => refused.kill().unwrap(),
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert_eq!(exit, Some(1));
    let mut told = String::new();
    let mut stderr = refused.stderr.take().unwrap();
    stderr.read_to_string(&mut told).unwrap();
    assert!(told.contains("--keys-file") && !data.exists(), "{told}");
    let master_file = directory.path().join("master.key");
    fs::write(&master_file, master).unwrap();
    let config = directory.path().join("usher.toml");
    fs::write(&config, format!("master_key_file = {master_file:?}\n")).unwrap();
    let keys = directory.path().join("keys.txt");
    let more = [
        "--keys-file",
        keys.to_str().unwrap(),
        "--config",
        config.to_str().unwrap(),
    ];
    let server = Running::start(&data, &more);
    assert_eq!(server.stop(), Some(0));
    let shown = fs::read_to_string(&keys).unwrap();
    let secret = shown
        .lines()
        .find_map(|line| line.strip_prefix("secret key     "))
        .unwrap();
    assert!(!data.join("first-keys.txt").exists());
    for entry in fs::read_dir(&data)
        .unwrap()
        .flatten()
        .filter(|e| e.path().is_file())
    {
        let bytes = fs::read(entry.path()).unwrap();
        let is_in = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!is_in, "{:?}", entry.path());
    }
    // Without its key it does not start, whatever is said about keys.
    let ran = run(&[&arguments[..], &["--print-keys"]].concat());
    assert_eq!(ran.exit, 1);
    assert!(
        ran.stderr.contains("sealed under the master key"),
        "{}",
        ran.stderr
    );
}
