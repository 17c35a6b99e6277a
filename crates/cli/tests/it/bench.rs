//! `usher bench`, and bars on a terminal.

use std::process::Command;

use crate::serve::Running;
use crate::usher::{on, run};

#[test]
fn a_running_server_is_measured_and_a_foreign_one_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("data");
    on(&directory, &["keyset", "create", "--name", "demo"]).yes();
    let rotated = on(&directory, &["admin-key", "rotate"]).yes();
    let admin_key = rotated["admin_key"].as_str().unwrap();
    let server = Running::start(&directory, &[]);
    let bench = |server: &str, more: &[&str]| {
        let arguments = ["bench", "--json", "--seconds", "1", "--connections", "2"];
        let to = ["--server", server, "--admin-key", admin_key];
        run(&[&arguments[..], &to, more].concat())
    };
    let ran = bench(&server.internal, &[]);
    let measured = ran.yes();
    assert!(measured["requests"].as_u64().unwrap() > 10, "{measured}");
    assert_eq!(measured["failed"], 0);
    assert!(measured["requests_per_second"].as_f64().unwrap() > 10.0);
    let at = |name: &str| measured["latency_us"][name].as_u64().unwrap();
    assert!(at("p50") > 0 && at("p50") <= at("p90"), "{measured}");
    assert!(
        at("p90") <= at("p99") && at("p99") <= at("max"),
        "{measured}"
    );
    assert!(ran.stderr.is_empty(), "no bar without a terminal");

    // A token that allows something else is no measure.
    let other = ["grant", "--channel", "room=read", "--token-only"];
    let to = ["--server", &server.internal, "--admin-key", admin_key];
    let other = run(&[&other[..], &to].concat()).stdout;
    let denied = bench(&server.internal, &["--token", other.trim()]);
    assert_eq!(denied.exit, 1);
    assert!(denied.stderr.contains("bench_denied"), "{}", denied.stderr);

    for foreign in ["http://192.0.2.1:8081", "http://127.0.0.1@192.0.2.1:8081"] {
        let refused = bench(foreign, &[]);
        assert_eq!(refused.exit, 1);
        assert!(refused.stderr.contains("--remote"), "{}", refused.stderr);
    }
    let nowhere = run(&["bench", "--data-dir", "x"]);
    assert!(nowhere.stderr.contains("--server"), "{}", nowhere.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_sees_how_far_long_work_is() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("data");
    on(&directory, &["keyset", "create", "--name", "demo"]).yes();
    let check = format!(
        "{} store check --data-dir {}",
        env!("CARGO_BIN_EXE_usher"),
        directory.display()
    );
    // `script` is a terminal.
    let watched = Command::new("script")
        .args(["--quiet", "--return", "--command", &check, "/dev/null"])
        .env("TERM", "xterm")
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&watched.stdout).into_owned();
    assert!(watched.status.success(), "{shown}");
    assert!(shown.contains("checking"), "{shown:?}");
    let ran = on(&directory, &["store", "check"]);
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
}
