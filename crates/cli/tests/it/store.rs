//! `usher store`: what operators do with a data directory.

use std::fs;
use std::path::{Path, PathBuf};

use crate::serve::Running;
use crate::usher::{on, run};

const KEY: &str = "3f1ddb6f7a4c0c9b8e5a2d1c0b9a8f7e6d5c4b3a2918070605040302010f0e0d";
const SECRET: &str = "sec-c-canary-0123456789abcdef";

struct Room {
    root: tempfile::TempDir,
}

impl Room {
    /// A data directory with one keyset and one revoked token.
    fn new() -> (Self, String) {
        let root = tempfile::tempdir().unwrap();
        let room = Self { root };
        let create = ["keyset", "create", "--name", "demo", "--secret-key", SECRET];
        on(&room.path("data"), &create).yes();
        let issued = on(&room.path("data"), &["grant", "--channel", "room=read"]).yes();
        let token = issued["token"].as_str().unwrap().to_owned();
        on(&room.path("data"), &["revoke", &token]).yes();
        (room, token)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

#[test]
fn a_backup_of_a_running_server_is_restored_with_every_token_revoked() {
    let (room, revoked) = Room::new();
    let rotated = on(&room.path("data"), &["admin-key", "rotate"]).yes();
    let admin_key = rotated["admin_key"].as_str().unwrap();
    let server = Running::start(&room.path("data"), &[]);
    let remote = |arguments: &[&str]| {
        let connection = [
            "--json",
            "--server",
            &server.internal,
            "--admin-key",
            admin_key,
        ];
        run(&[arguments, &connection].concat())
    };
    let alive = remote(&["grant", "--channel", "room=read"]).yes();
    let alive = alive["token"].as_str().unwrap();
    let made = remote(&["store", "backup"]).yes();
    let backup = made["path"].as_str().unwrap();
    assert!(made["entries"].as_u64().unwrap() >= 3, "{made}");
    // Revoked after the backup.
    remote(&["revoke", alive]).yes();
    assert_eq!(server.stop(), Some(0));

    let restored = on(&room.path("restored"), &["store", "restore", backup]).yes();
    assert_eq!(restored["tokens"], 1);
    assert!(restored["revoked_until"].is_u64(), "{restored}");
    assert_eq!(events(&room.path("restored")), ["store_restored"]);
    for token in [&revoked, alive] {
        let verified = on(&room.path("restored"), &["verify", token]);
        assert_eq!(verified.exit, 2, "{}", verified.stdout);
    }
    // Another grant: an equal one in the same second is the revoked token.
    let new = on(&room.path("restored"), &["grant", "--channel", "new=read"]).yes();
    let new = new["token"].as_str().unwrap();
    assert_eq!(on(&room.path("restored"), &["verify", new]).exit, 0);
    let again = on(&room.path("restored"), &["store", "restore", backup]);
    assert_eq!(again.exit, 1);
    assert!(
        again.stderr.contains("is there already"),
        "{}",
        again.stderr
    );
}

#[test]
fn an_export_shows_no_secret_and_a_cut_one_is_refused() {
    let (room, _) = Room::new();
    let data = room.text("data");
    let shown = run(&["store", "export", "--data-dir", &data]);
    assert_eq!(shown.exit, 0, "{}", shown.stderr);
    assert!(!shown.stdout.contains(SECRET));
    assert!(shown.stdout.lines().last().unwrap().contains("sha256"));
    let file = room.text("export.jsonl");
    let export = ["store", "export", &file, "--secrets"];
    on(&room.path("data"), &export).yes();
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(SECRET));
    assert_eq!(
        on(&room.path("data"), &export).exit,
        1,
        "no file is overwritten"
    );

    let imported = on(&room.path("data"), &["store", "import", &file]).yes();
    assert_eq!(
        (&imported["tokens"], &imported["rules"]),
        (&0.into(), &0.into())
    );
    assert_eq!(
        events(&room.path("data")),
        ["store_exported", "store_exported", "store_imported"]
    );
    let cut: String = text.chars().take(text.len() - 20).collect();
    fs::write(&file, cut).unwrap();
    let refused = on(&room.path("data"), &["store", "import", &file]);
    assert_eq!(refused.exit, 1);
    assert!(refused.stderr.contains("breaks off"), "{}", refused.stderr);
}

#[test]
fn a_store_is_checked_compacted_and_sealed() {
    let (room, revoked) = Room::new();
    let data = room.path("data");
    let checked = on(&data, &["store", "check"]).yes();
    assert_eq!(
        (&checked["status"], &checked["tokens"]),
        (&"ok".into(), &1.into())
    );
    assert!(checked["sealed_by"].is_null());
    on(&data, &["store", "compact"]).yes();
    let holds = || {
        let files = fs::read_dir(&data)
            .unwrap()
            .map(|file| file.unwrap().path());
        let bytes = files.map(|path| fs::read(path).unwrap_or_default());
        bytes.into_iter().any(|bytes| {
            let mut parts = bytes.windows(SECRET.len());
            parts.any(|part| part == SECRET.as_bytes())
        })
    };
    assert!(holds(), "the canary must be found in plain");

    fs::write(data.join("first-keys.txt"), "keys").unwrap();
    let (file, other) = (room.text("master.key"), room.text("other.key"));
    fs::write(&file, format!("{KEY}\n")).unwrap();
    fs::write(&other, KEY.replace('3', "4")).unwrap();
    let sealed = on(&data, &["store", "rekey", "--new-master-key-file", &file]).yes();
    assert!(!holds());
    let not_sealed = sealed["not_sealed"].as_array().unwrap();
    assert_eq!(not_sealed.len(), 1);
    assert!(not_sealed[0].as_str().unwrap().ends_with("first-keys.txt"));

    let without = on(&data, &["keyset", "list"]);
    assert_eq!(without.exit, 1);
    assert!(
        without.stderr.contains("USHER_MASTER_KEY"),
        "{}",
        without.stderr
    );
    let wrong = on(&data, &["keyset", "list", "--master-key-file", &other]);
    assert!(
        wrong.stderr.contains("the one given is"),
        "{}",
        wrong.stderr
    );
    assert!(!wrong.stderr.contains(KEY.split_at(8).0));
    let verified = on(&data, &["verify", &revoked, "--master-key-file", &file]);
    assert_eq!(verified.exit, 2, "{}{}", verified.stdout, verified.stderr);

    // To another key: one step, and the first opens nothing any more.
    let rekey = ["store", "rekey", "--new-master-key-file", &other];
    on(&data, &[&rekey[..], &["--master-key-file", &file]].concat()).yes();
    assert_eq!(
        on(&data, &["store", "check", "--master-key-file", &file]).exit,
        1
    );
    on(&data, &["store", "check", "--master-key-file", &other]).yes();

    let noted = events(&data);
    assert_eq!(noted, ["store_compacted", "store_rekeyed", "store_rekeyed"]);
}

/// What was done to the store, by its audit log, whose chain holds.
fn events(data: &Path) -> Vec<String> {
    on(data, &["audit", "verify"]).yes();
    let mut lines = Vec::new();
    for file in fs::read_dir(data.join("audit")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        lines.extend(text.lines().map(str::to_owned));
    }
    let event = |line: String| {
        let entry: serde_json::Value = serde_json::from_str(&line).ok()?;
        let event = entry["event"].as_str()?.to_owned();
        event.starts_with("store_").then_some(event)
    };
    lines.into_iter().filter_map(event).collect()
}

#[test]
fn a_server_with_a_master_key_seals_from_its_first_start() {
    let room = Room {
        root: tempfile::tempdir().unwrap(),
    };
    let file = room.text("master.key");
    fs::write(&file, KEY).unwrap();
    let config = room.text("usher.toml");
    fs::write(&config, format!("master_key_file = \"{file}\"\n")).unwrap();
    let mut server = Running::start(&room.path("data"), &["--config", &config, "--print-keys"]);
    let secret = server.key("secret key ");
    let admin_key = server.key("admin key ");
    let connection = ["--server", &server.internal, "--admin-key", &admin_key];
    assert_eq!(
        run(&[&["keyset", "list"][..], &connection].concat()).exit,
        0
    );
    assert_eq!(server.stop(), Some(0));
    let data = room.path("data");
    for entry in [&data, &data.join("audit")]
        .into_iter()
        .flat_map(|dir| fs::read_dir(dir).unwrap())
    {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let bytes = fs::read(path).unwrap();
        let held = bytes
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!held);
    }
    let checked = on(
        &room.path("data"),
        &["store", "check", "--master-key-file", &file],
    )
    .yes();
    assert!(checked["sealed_by"].is_string());
}
