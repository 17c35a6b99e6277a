//! The audit log: what is in it, that it shows when it was changed or cut, and
//! what happens while it cannot be written. Attack A02.

use core::num::NonZeroUsize;
use core::time::Duration;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};
use token_server::{
    AuditHead, AuditLog, Caller, ChainFault, Config, OnAuditFailure, Service, StartError,
};

use crate::harness::{Harness, NOW, Reply, SECRET_KEY, SUBSCRIBE_KEY, TestClock, read_on};

const PATIENCE: Duration = Duration::from_secs(30);

fn keyset(rest: &str) -> String {
    format!("/v1/keysets/{SUBSCRIBE_KEY}{rest}")
}

fn lines(dir: &Path) -> Vec<String> {
    AuditLog::of(dir).page(0, 100_000).unwrap()
}

fn entries(dir: &Path) -> Vec<Value> {
    let lines = lines(dir);
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn events(dir: &Path) -> Vec<String> {
    let event = |entry: &Value| entry["event"].as_str().unwrap().to_owned();
    entries(dir).iter().map(event).collect()
}

/// The files of the log, in order.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("audit")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some()).collect();
    paths.sort();
    paths
}

fn verified(dir: &Path, known: Option<AuditHead>) -> Result<AuditHead, ChainFault> {
    let chain = AuditLog::of(dir).verify(known).unwrap()?;
    chain.finish().cloned()
}

async fn head(harness: &Harness) -> AuditHead {
    let json = harness
        .admin("GET", "/v1/audit/head", &Value::Null)
        .await
        .json();
    let hash = json["hash"].as_str().unwrap();
    format!("{}:{hash}", json["seq"]).parse().unwrap()
}

/// A harness whose log has some entries of every kind.
async fn busy(config: Config) -> (Harness, Vec<String>) {
    let harness = Harness::configured(config);
    harness.create_demo(json!({})).await;
    let mut secrets = vec![SECRET_KEY.to_owned()];
    let token = harness.grant_at(NOW, &read_on("room")).await.token();
    let bound =
        json!({"ttl": 5, "permissions": {"uuid": "alice", "resources": {"channels": {"a": 1}}}});
    let native = harness
        .admin("POST", &keyset("/tokens"), &bound)
        .await
        .token();
    assert_eq!(harness.revoke(&token).await.status, 200);
    secrets.extend([token, native]);
    for body in [json!({"uuid": "alice"}), json!({"all": true})] {
        harness.admin("POST", &keyset("/revocations"), &body).await;
    }
    let set = json!({"settings": {"max_ttl": 60}});
    harness.admin("PATCH", &keyset(""), &set).await;
    for key in ["signing", "emergency", "secret"] {
        let made = harness
            .admin("POST", &keyset("/rotate"), &json!({"key": key}))
            .await;
        secrets.extend(made.json()["secret_key"].as_str().map(str::to_owned));
    }
    harness
        .admin("POST", &keyset("/incident"), &json!({}))
        .await;
    for (path, body) in [
        ("/v1/admin-keys", json!({"name": "ci", "role": "issuer"})),
        ("/v1/admin-keys/ci/rotate", json!({"overlap_seconds": 60})),
        ("/v1/admin-key/rotate", json!({})),
    ] {
        let made = harness.admin("POST", path, &body).await.json();
        let key = made["key"].as_str().or_else(|| made["admin_key"].as_str());
        secrets.push(key.unwrap().to_owned());
    }
    harness
        .admin("DELETE", "/v1/admin-keys/ci", &Value::Null)
        .await;
    harness.admin("POST", "/v1/backup", &json!({})).await;
    harness.admin("DELETE", &keyset(""), &Value::Null).await;
    (harness, secrets)
}

const BUSY: [&str; 17] = [
    "keyset_created",
    "token_granted",
    "token_granted",
    "token_revoked",
    "uuid_revoked",
    "keyset_revoked",
    "keyset_changed",
    "keyset_rotated",
    "keyset_rotated",
    "keyset_rotated",
    "keyset_rotated",
    "key_created",
    "key_rotated",
    "key_rotated",
    "key_removed",
    "backup_made",
    "keyset_deleted",
];

#[tokio::test]
async fn every_change_is_an_entry_and_no_entry_holds_a_secret() {
    let (harness, secrets) = busy(Config::default()).await;
    let dir = harness.dir.path();
    assert_eq!(events(dir), BUSY);
    let text = lines(dir).join("\n");
    assert_eq!(secrets.len(), 7);
    for secret in &secrets {
        assert!(!text.contains(secret.trim_end_matches('=')), "{secret}");
    }
    let entries = entries(dir);
    assert_eq!(entries[1]["by"], json!({"kind": "secret_key"}));
    assert_eq!(entries[1]["token_id"], entries[3]["token_id"]);
    assert_eq!(entries[2]["by"], json!({"kind": "data_directory"}));
    assert_eq!(entries[2]["uuid"], "alice");
    assert_eq!(entries[6]["settings"], json!({"max_ttl": 60}));
    assert_eq!(entries[10]["key"], "incident");
    assert!(entries[10]["until"].as_u64() >= Some(NOW));
    assert_eq!(
        (&entries[11]["name"], &entries[11]["role"]),
        (&json!("ci"), &json!("issuer"))
    );
    for (n, entry) in entries.iter().enumerate() {
        assert_eq!((&entry["seq"], &entry["at"]), (&json!(n + 1), &json!(NOW)));
    }
    assert_eq!(verified(dir, None), Ok(head(&harness).await));
    let modes = files(dir)
        .into_iter()
        .chain([dir.join("audit/head"), dir.join("audit")]);
    let modes = modes.map(|path| fs::metadata(path).unwrap().permissions().mode() & 0o777);
    assert_eq!(modes.collect::<Vec<_>>(), [0o600, 0o600, 0o700]);
}

#[tokio::test]
async fn what_a_key_does_is_written_under_its_name() {
    let harness = Harness::new().await;
    let made = json!({"name": "ci", "role": "issuer"});
    let made = harness.admin("POST", "/v1/admin-keys", &made).await.json();
    let bearer = format!("Bearer {}", made["key"].as_str().unwrap());
    let caller = Caller::Peer([10, 0, 0, 1].into());
    let headers = [("authorization", bearer.as_str())];
    for _ in 0..3 {
        let body = read_on("room").to_string();
        let reply = harness
            .internal(caller, "POST", &keyset("/tokens"), &headers, &body)
            .await;
        reply.token();
    }
    harness.admin("DELETE", &keyset(""), &Value::Null).await;
    let entries = entries(harness.dir.path());
    let by = json!({"kind": "key", "name": "ci", "role": "issuer"});
    let of_ci: Vec<_> = entries.iter().filter(|entry| entry["by"] == by).collect();
    let events: Vec<_> = of_ci.iter().map(|entry| &entry["event"]).collect();
    // Its use once an hour, what it does always.
    let expected = [
        "key_used",
        "token_granted",
        "token_granted",
        "token_granted",
    ];
    assert_eq!(events, expected);
    assert!(of_ci.iter().all(|entry| entry["peer"] == "10.0.0.1"));
}

/// A byte, a line, the order, the end: nothing of a log changes unseen.
#[tokio::test]
async fn a_log_that_was_changed_or_cut_is_found_out() {
    let (harness, _) = busy(Config::default()).await;
    let head = head(&harness).await;
    let source = harness.dir.path().to_owned();
    let [file] = files(&source).try_into().unwrap();
    let whole = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("audit")).unwrap();
    let target = copy.path().join("audit").join(file.file_name().unwrap());
    let check = |text: &str, known: bool, noted: bool| {
        fs::write(&target, text).unwrap();
        let beside = copy.path().join("audit/head");
        if noted {
            fs::copy(source.join("audit/head"), beside).unwrap();
        } else {
            drop(fs::remove_file(beside));
        }
        verified(copy.path(), known.then(|| head.clone()))
    };
    let joined = |lines: &[&str]| format!("{}\n", lines.join("\n"));
    // Either head is enough.
    for (known, noted) in [(true, false), (false, true)] {
        assert_eq!(check(&whole, known, noted), Ok(head.clone()));
        for at in 0..lines.len() {
            let mut fewer = lines.clone();
            fewer.remove(at);
            let mut twice = lines.clone();
            twice.insert(at, lines[at]);
            let changed = lines[at].replacen(&NOW.to_string(), &(NOW + 1).to_string(), 1);
            let mut other = lines.clone();
            other[at] = &changed;
            let broken = [
                joined(&fewer),
                joined(&twice),
                joined(&other),
                joined(&lines[..at]),
            ];
            for (n, text) in broken.iter().enumerate() {
                let found = check(text, known, noted);
                assert!(found.is_err(), "{n} at {at}: {found:?}");
            }
        }
        for at in 1..lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(at - 1, at);
            assert!(check(&joined(&swapped), known, noted).is_err());
        }
    }
    // A log that is written anew from somewhere on has another head.
    let found = check(&joined(&lines[..3]), true, false);
    let (expected, found_seq) = (head.seq, 3);
    assert_eq!(
        found,
        Err(ChainFault::Truncated {
            expected,
            found: found_seq
        })
    );
    let forged = AuditHead {
        hash: "0".repeat(64),
        ..head.clone()
    };
    let replaced = verified(&source, Some(forged));
    assert_eq!(replaced, Err(ChainFault::Replaced { seq: head.seq }));
}

fn reopened(harness: Harness, config: &mut Config) -> (tempfile::TempDir, Service) {
    let Harness { service, dir, .. } = harness;
    drop(service);
    config.data_dir = dir.path().to_owned();
    let service = Service::configured(config, TestClock::at(NOW)).unwrap();
    (dir, service)
}

/// Changes something, so that there is an entry.
async fn change(service: &Service) -> u16 {
    let body = json!({"name": "n"}).to_string();
    let request = http::Request::post("/v1/keysets").header("content-type", "application/json");
    let request = request.body(token_server::Bytes::from(body)).unwrap();
    service
        .internal(Caller::InProcess, request)
        .await
        .status()
        .into()
}

#[tokio::test]
async fn a_restart_goes_on_with_the_chain_and_mends_half_a_line() {
    let harness = Harness::new().await;
    let mut config = Config::default();
    let (dir, service) = reopened(harness, &mut config);
    assert_eq!(change(&service).await, 201);
    drop(service);
    assert_eq!(events(dir.path()), ["keyset_created", "keyset_created"]);
    // A power cut in the middle of a line.
    let [file] = files(dir.path()).try_into().unwrap();
    let mut text = fs::read_to_string(&file).unwrap();
    text.push_str("{\"seq\":3,\"at\":17");
    fs::write(&file, text).unwrap();
    assert!(
        verified(dir.path(), None).is_ok(),
        "half a line may be just being written"
    );
    let service = Service::configured(&config, TestClock::at(NOW)).unwrap();
    assert_eq!(change(&service).await, 201);
    let events = events(dir.path());
    assert_eq!(events[2..], ["log_repaired", "keyset_created"]);
    assert_eq!(verified(dir.path(), None).unwrap().seq, 4);
}

#[tokio::test]
async fn a_start_says_so_when_the_end_of_the_log_is_missing() {
    let (harness, _) = busy(Config::default()).await;
    let known = head(&harness).await;
    let mut config = Config::default();
    let Harness { service, dir, .. } = harness;
    drop(service);
    let [file] = files(dir.path()).try_into().unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let kept: String = text.split_inclusive('\n').take(5).collect();
    fs::write(&file, kept).unwrap();
    config.data_dir = dir.path().to_owned();
    let service = Service::configured(&config, TestClock::at(NOW)).unwrap();
    assert_eq!(change(&service).await, 201);
    drop(service);
    let entries = entries(dir.path());
    assert_eq!(entries[5]["event"], "log_truncated");
    assert_eq!(entries[5]["noted"], known.to_string());
    // Whoever kept the head elsewhere sees it for good.
    assert!(verified(dir.path(), None).is_ok());
    assert!(verified(dir.path(), Some(known)).is_err());
}

#[tokio::test]
async fn a_full_file_and_a_new_day_begin_another_with_the_same_chain() {
    let mut config = Config::default();
    config.audit.file_bytes = 1_000;
    let (harness, _) = busy(config.clone()).await;
    let dir = harness.dir.path().to_owned();
    assert!(files(&dir).len() >= 3);
    assert_eq!(events(&dir), BUSY);
    let head = head(&harness).await;
    assert_eq!(verified(&dir, None), Ok(head.clone()));
    // A page across files, and from the middle.
    let reply = harness
        .admin("GET", "/v1/audit?after=4&limit=9", &Value::Null)
        .await;
    let page = reply.json();
    let seqs: Vec<_> = page["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["seq"])
        .collect();
    assert_eq!(seqs, (5..=13).collect::<Vec<u64>>());
    assert_eq!(page["head"]["hash"], head.hash);
    let before = files(&dir).len();
    harness.clock.advance(86_400);
    harness.create_demo(json!({})).await;
    assert_eq!(files(&dir).len(), before + 1);
    // A file in the middle cannot be taken out.
    fs::remove_file(&files(&dir)[1]).unwrap();
    assert!(matches!(
        verified(&dir, None),
        Err(ChainFault::OutOfOrder { .. })
    ));
}

#[tokio::test]
async fn only_so_many_files_are_kept_and_the_rest_still_is_a_chain() {
    let mut config = Config::default();
    config.audit.file_bytes = 1_000;
    config.audit.keep_files = NonZeroUsize::new(2);
    let (harness, _) = busy(config).await;
    let dir = harness.dir.path();
    assert_eq!(files(dir).len(), 2);
    let chain = AuditLog::of(dir).verify(None).unwrap().unwrap();
    assert!(chain.first() > Some(1));
    assert_eq!(chain.finish().unwrap().seq, 17);
}

/// Puts a device that is always full where the next file of the log will be.
fn fill_disk(dir: &Path, next: u64) -> PathBuf {
    let path = dir.join(format!("audit/audit-{next:020}.jsonl"));
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    path
}

async fn metric(harness: &Harness, name: &str) -> u64 {
    let text = harness.admin("GET", "/metrics", &Value::Null).await.body;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap().parse().unwrap()
}

/// Waits until the log has so many entries.
async fn until_written(harness: &Harness, count: u64) {
    let begun = Instant::now();
    while metric(harness, "usher_audit_sequence").await < count {
        assert!(begun.elapsed() < PATIENCE, "the log is not written again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn on_a_full_disk_the_service_goes_on_and_catches_up() {
    let harness = Harness::empty();
    let dir = harness.dir.path().to_owned();
    let full = fill_disk(&dir, 1);
    harness.create_demo(json!({})).await;
    let token = harness.grant_at(NOW, &read_on("room")).await.token();
    assert_eq!(harness.decision(&token, "room").await, "allow");
    assert_eq!(harness.revoke(&token).await.status, 200);
    assert_eq!(harness.decision(&token, "room").await, "revoked");
    assert_eq!(metric(&harness, "usher_audit_failing").await, 1);
    assert_eq!(metric(&harness, "usher_audit_sequence").await, 0);
    fs::remove_file(full).unwrap();
    until_written(&harness, 3).await;
    assert_eq!(metric(&harness, "usher_audit_failing").await, 0);
    let events = events(&dir);
    // What was changed is all there; of denials only a sample ever is.
    assert_eq!(
        events[..3],
        ["keyset_created", "token_granted", "token_revoked"]
    );
    assert!(verified(&dir, None).is_ok());
}

/// A request about the keyset.
async fn ask(harness: &Harness, method: &str, rest: &str, body: Value) -> Reply {
    harness.admin(method, &keyset(rest), &body).await
}

#[tokio::test]
async fn where_it_is_asked_for_nothing_is_granted_without_the_log() {
    let mut config = Config::default();
    config.audit.on_failure = OnAuditFailure::Refuse;
    let harness = Harness::configured(config);
    harness.create_demo(json!({})).await;
    let token = harness.grant_at(NOW, &read_on("room")).await.token();
    let dir = harness.dir.path().to_owned();
    // The next file begins tomorrow, on a disk that is full.
    harness.clock.advance(86_400);
    let full = fill_disk(&dir, 3);
    let now = harness.clock_now();
    let grants = json!({"name": "ci", "role": "issuer"});
    harness.admin("POST", "/v1/admin-keys", &grants).await;
    let refused = [
        harness.grant_at(now, &read_on("room")).await,
        ask(&harness, "POST", "/tokens", read_on("room")).await,
        ask(&harness, "PATCH", "", json!({"settings": {"max_ttl": 5}})).await,
        harness
            .admin("POST", "/v1/keysets", &json!({"name": "n"}))
            .await,
        harness.admin("POST", "/v1/admin-keys", &grants).await,
    ];
    assert!(refused.iter().all(|reply| reply.status == 503));
    assert_eq!(refused[1].json()["error"]["code"], "audit_unavailable");
    // Whatever takes access away goes on, and so do decisions.
    assert_eq!(harness.decision(&token, "room").await, "expired");
    for (path, body) in [
        ("/revocations", json!({"uuid": "alice"})),
        ("/incident", json!({})),
    ] {
        assert_eq!(ask(&harness, "POST", path, body).await.status, 200);
    }
    let removed = harness.admin("DELETE", "/v1/admin-keys/ci", &Value::Null);
    assert_eq!(removed.await.status, 200);
    fs::remove_file(full).unwrap();
    until_written(&harness, 6).await;
    let events = events(&dir);
    let written = [
        "key_created",
        "uuid_revoked",
        "keyset_rotated",
        "key_removed",
    ];
    assert_eq!(events[2..6], written);
    assert_eq!(
        harness
            .admin("POST", "/v1/keysets", &json!({"name": "n"}))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_start_without_the_log_is_refused_where_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.data_dir = dir.path().join("data");
    drop(Service::configured(&config, TestClock::at(NOW)).unwrap());
    fs::remove_dir_all(config.data_dir.join("audit")).unwrap();
    fs::write(config.data_dir.join("audit"), "no directory").unwrap();
    let service = Service::configured(&config, TestClock::at(NOW)).unwrap();
    assert_eq!(change(&service).await, 201);
    drop(service);
    config.audit.on_failure = OnAuditFailure::Refuse;
    let refused = Service::configured(&config, TestClock::at(NOW)).unwrap_err();
    assert!(matches!(refused, StartError::Audit { .. }), "{refused}");
}

#[tokio::test]
async fn denials_are_a_sample_that_says_how_many_there_were() {
    let harness = Harness::new().await;
    let token = harness.grant_at(NOW, &read_on("room")).await.token();
    for _ in 0..100 {
        assert_eq!(
            harness.decision(&token, "other").await,
            "permission_missing"
        );
    }
    harness.clock.advance(1);
    harness.decision(&token, "other").await;
    let id = harness.admin("DELETE", &keyset(""), &Value::Null).await;
    assert_eq!(id.status, 200);
    let entries = entries(harness.dir.path());
    let denied: Vec<_> = entries
        .iter()
        .filter(|entry| entry["event"] == "denied")
        .collect();
    assert_eq!(denied.len(), 11);
    assert_eq!(denied[0]["reason"], "permission_missing");
    assert_eq!(denied[0]["token_id"], entries[1]["token_id"]);
    assert_eq!(denied[10]["skipped"], 90);
}

/// The script of docs/audit.md, as it stands there.
#[tokio::test]
async fn the_documented_script_follows_the_chain() {
    let page = include_str!("../../../../docs/audit.md");
    let (_, rest) = page.split_once("```python\n").unwrap();
    let (script, _) = rest.split_once("```").unwrap();
    assert!(script.lines().count() <= 12);
    let mut config = Config::default();
    config.audit.file_bytes = 1_000;
    let (harness, _) = busy(config).await;
    let head = head(&harness).await;
    let run = || {
        let log = harness.dir.path().join("audit");
        Command::new("python3")
            .arg("-c")
            .arg(script)
            .arg(log)
            .output()
    };
    let Ok(ran) = run() else {
        println!("skipped: there is no python3");
        return;
    };
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(
        said.trim(),
        head.to_string(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let file = &files(harness.dir.path())[1];
    let text = fs::read_to_string(file).unwrap();
    fs::write(file, text.replacen("\"at\":", "\"at\": ", 1)).unwrap();
    assert!(!run().unwrap().status.success());
}
