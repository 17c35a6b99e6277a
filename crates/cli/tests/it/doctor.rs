//! `usher doctor`: each finding, found and not found.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::serve::Running;
use crate::usher::{Ran, on, run};

fn codes(ran: &Ran) -> BTreeSet<String> {
    let findings = ran.json()["findings"].as_array().unwrap().clone();
    for finding in &findings {
        for field in ["severity", "message", "remedy"] {
            assert!(!finding[field].as_str().unwrap().is_empty(), "{finding}");
        }
    }
    let code = |finding: &Value| finding["code"].as_str().unwrap().to_owned();
    findings.iter().map(code).collect()
}

/// A stopped server's directory with one keyset.
fn data(root: &Path, secret: &str) -> String {
    let directory = root.join("data");
    let create = ["keyset", "create", "--name", "demo", "--secret-key", secret];
    on(&directory, &create).yes();
    directory.to_str().unwrap().to_owned()
}

#[test]
fn a_sound_data_directory_has_no_warning() {
    let root = tempfile::tempdir().unwrap();
    let directory = data(root.path(), "sec-c-3f1ddb6f7a4c0c9b8e5a2d1c0b9a8f7e");
    let ran = run(&["doctor", "--json", "--data-dir", &directory]);
    let found = codes(&ran);
    // What the machine of the test is like is not the store's.
    let of_the_machine = [
        "clock_unsynchronised",
        "clock_unknown",
        "disk_low",
        "disk_volatile",
        "fsync_slow",
    ];
    let own: Vec<&String> = found
        .iter()
        .filter(|code| !of_the_machine.contains(&code.as_str()))
        .collect();
    assert_eq!(own, ["secrets_in_plain"]);
    let left = fs::read_dir(&directory).unwrap();
    let mut left = left.map(|entry| entry.unwrap().file_name());
    assert!(left.all(|name| name != ".usher-doctor"));
    let text = run(&["doctor", "--data-dir", &directory]);
    assert!(
        text.stdout.contains("[secrets_in_plain]"),
        "{}",
        text.stdout
    );
}

#[test]
fn weak_keys_open_files_and_forgotten_keys_are_found_with_a_remedy() {
    let root = tempfile::tempdir().unwrap();
    let directory = data(root.path(), "sec-c-aaaaaaaaaaaaaaaaaaaaaaaab");
    let path = Path::new(&directory);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(path.join("first-keys.txt"), "").unwrap();
    fs::set_permissions(path.join("usher.json"), fs::Permissions::from_mode(0o644)).unwrap();
    let ran = run(&["doctor", "--json", "--data-dir", &directory]);
    let found = codes(&ran);
    for code in [
        "data_directory_open",
        "data_exposed",
        "first_keys_left",
        "secret_key_weak",
    ] {
        assert!(found.contains(code), "{code} is not in {found:?}");
    }
    assert_eq!(ran.exit, 1, "an exposed file is an error");
    assert!(!ran.stdout.contains("aaaaaaaab"), "no secret is shown");
}

#[test]
fn exposed_listeners_and_a_wrong_configuration_are_found() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("usher.toml");
    let doctor = |text: &str| {
        fs::write(&file, text).unwrap();
        run(&["doctor", "--json", "--config", file.to_str().unwrap()])
    };
    let none = root.path().join("none");
    let text = format!(
        "data_dir = {none:?}\nlisten = \"0.0.0.0:80\"\ninternal_listen = \"10.0.0.1:81\"\n\
         internal_allow_remote = true\ntrusted_peers = [\"0.0.0.0/0\"]\ncache_seconds = 5\n"
    );
    let ran = doctor(&text);
    let found = codes(&ran);
    for code in [
        "public_in_the_clear",
        "internal_in_the_clear",
        "everybody_is_trusted",
        "decisions_are_cached",
        "no_data_directory",
    ] {
        assert!(found.contains(code), "{code} is not in {found:?}");
    }
    assert_eq!(ran.exit, 2, "{}", ran.stdout);
    assert!(!none.exists(), "it makes no data directory");
    let ran = doctor("lisen = 1\n");
    assert!(codes(&ran).contains("configuration_invalid"));
    assert_eq!(ran.exit, 1);
}

#[test]
fn the_clock_is_compared_with_a_running_node() {
    let root = tempfile::tempdir().unwrap();
    let server = Running::start(&root.path().join("data"), &[]);
    let ran = run(&["doctor", "--json", "--server", &server.internal]);
    let found = codes(&ran);
    for code in ["clock_apart", "clock_unknown", "node_unreachable"] {
        assert!(!found.contains(code), "{found:?}");
    }
    // Somebody whose clock stands still.
    let old = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", old.local_addr().unwrap());
    let answers = std::thread::spawn(move || {
        let (mut stream, _) = old.accept().unwrap();
        let answer = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                      Content-Length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let ran = run(&["doctor", "--json", "--server", &address]);
    answers.join().unwrap();
    assert!(codes(&ran).contains("clock_apart"), "{}", ran.stdout);
    assert_eq!(ran.exit, 1);
}

#[test]
fn nats_servers_are_asked_what_they_are() {
    let root = tempfile::tempdir().unwrap();
    let key = "ab".repeat(32);
    let doctor = |info: &str| {
        let nats = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = nats.local_addr().unwrap().port();
        let info = format!("INFO {info}\r\n");
        let answers = std::thread::spawn(move || {
            let (mut stream, _) = nats.accept().unwrap();
            stream.write_all(info.as_bytes()).unwrap();
        });
        let ran = crate::usher::command(&["doctor", "--json", "--data-dir"])
            .arg(root.path().join("none"))
            .env("USHER_NATS", format!("nats://user:canary@127.0.0.1:{port}"))
            .env("USHER_FEED_KEY", &key)
            .env("USHER_CLUSTER_KEY", key.replace('a', "c"))
            .env("USHER_REVOKE_ACK", "local")
            .output()
            .unwrap();
        answers.join().unwrap();
        let stdout = String::from_utf8(ran.stdout).unwrap();
        assert!(!stdout.contains("canary"), "no password is shown: {stdout}");
        let ran = Ran {
            exit: ran.status.code().unwrap(),
            stdout,
            stderr: String::new(),
        };
        codes(&ran)
    };
    let bad = doctor(r#"{"version":"2.10.9","jetstream":false}"#);
    for code in [
        "nats_old",
        "nats_without_jetstream",
        "nats_single_copy",
        "revoke_ack_local",
    ] {
        assert!(bad.contains(code), "{code} is not in {bad:?}");
    }
    let good =
        doctor(r#"{"version":"2.11.1","jetstream":true,"auth_required":true,"cluster":"c"}"#);
    assert!(
        good.iter().all(|code| !code.starts_with("nats_")),
        "{good:?}"
    );
}

/// The page has every code of the sources, and no other.
#[test]
fn the_page_of_the_doctor_lists_every_finding() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = vec![
        root.join("src/command/doctor.rs"),
        root.join("../server/src/config/risks.rs"),
    ];
    let parts = fs::read_dir(root.join("src/command/doctor")).unwrap();
    sources.extend(parts.map(|entry| entry.unwrap().path()));
    let mut made = BTreeSet::new();
    for source in sources {
        let text = fs::read_to_string(&source).unwrap();
        for call in [
            "Finding::error(",
            "Finding::warning(",
            "Finding::note(",
            "Risk::new(",
        ] {
            for rest in text.split(call).skip(1) {
                let code = rest.trim_start().strip_prefix('"');
                made.extend(
                    code.and_then(|rest| rest.split('"').next())
                        .map(str::to_owned),
                );
            }
        }
    }
    let page = fs::read_to_string(root.join("../../docs/doctor.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let listed: BTreeSet<String> = rows
        .flat_map(|row| row.split('|').nth(1).unwrap().split(", "))
        .map(|code| code.trim().trim_matches('`').to_owned())
        .collect();
    assert!(made.len() > 25, "{made:?}");
    assert_eq!(listed, made);
}
