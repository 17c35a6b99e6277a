//! `usher serve`, and the same verbs over the network.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use crate::usher::{command, run};

/// A running server; it ends with the test.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
    public: String,
    internal: String,
}

impl Running {
    fn start(directory: &Path, more: &[&str]) -> Self {
        let directory = directory.to_str().unwrap();
        let arguments = [
            &["serve", "--data-dir", directory][..],
            &[
                "--listen",
                "127.0.0.1:0",
                "--internal-listen",
                "127.0.0.1:0",
            ],
            more,
        ];
        let mut child = command(&arguments.concat())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut next = |name: &str| {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            line.strip_prefix(name)
                .unwrap_or_else(|| panic!("no {name} in {line:?}"))
                .trim()
                .to_owned()
        };
        let (public, internal) = (next("public "), next("internal "));
        Self {
            child,
            lines,
            public,
            internal,
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line
    }

    fn key(&mut self, label: &str) -> String {
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "no {label} was printed");
            if let Some(key) = line.strip_prefix(label) {
                return key.trim().to_owned();
            }
        }
    }

    /// Asks it to stop, and waits.
    fn stop(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let killed = std::process::Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap();
        assert!(killed.success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_first_start_prints_keys_that_work_and_a_restart_keeps_everything() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Running::start(directory.path(), &["--print-keys"]);
    let admin_key = server.key("admin key ");
    let remote = |server: &Running, arguments: &[&str]| {
        let connection = [
            "--json",
            "--server",
            &server.internal,
            "--admin-key",
            &admin_key,
        ];
        run(&[arguments, &connection].concat())
    };
    let issued = remote(&server, &["grant", "--channel", "room-1=read"]).yes();
    let token = issued["token"].as_str().unwrap();
    let check = ["check", token, "subscribe", "--channel", "room-1"];
    assert_eq!(remote(&server, &check).yes()["decision"], "allow");
    remote(&server, &["revoke", token]).yes();
    assert_eq!(remote(&server, &check).exit, 2);

    // The directory is in use: the message says how to reach the server.
    let directory_text = directory.path().to_str().unwrap();
    let second = run(&["keyset", "list", "--data-dir", directory_text]);
    assert_eq!(second.exit, 1);
    assert!(second.stderr.contains("in use"), "{}", second.stderr);

    assert_eq!(server.stop(), Some(0));
    let server = Running::start(directory.path(), &[]);
    assert_eq!(remote(&server, &check).exit, 2);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn keys_that_nobody_watches_go_to_a_private_file() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Running::start(directory.path(), &[]);
    let line = server.line();
    let path = line.strip_prefix("keys ").unwrap().trim();
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let keys = std::fs::read_to_string(path).unwrap();
    assert!(keys.contains("admin key      usher_admin_"), "{keys}");
    assert!(!keys.contains('\u{1b}'), "colours have no place in a file");
}

#[test]
fn a_wrong_admin_key_and_a_wrong_address_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::start(directory.path(), &[]);
    let refused = run(&[
        "keyset",
        "list",
        "--server",
        &server.internal,
        "--admin-key",
        "nope",
    ]);
    assert_eq!(refused.exit, 1);
    assert!(refused.stderr.contains("admin key"), "{}", refused.stderr);
    let public = run(&["keyset", "list", "--server", &server.public]);
    assert_eq!(public.exit, 1);
    assert!(
        public.stderr.contains("internal address"),
        "{}",
        public.stderr
    );
}

#[test]
fn a_revocation_that_was_answered_survives_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Running::start(directory.path(), &["--print-keys"]);
    let admin_key = server.key("admin key ");
    let connection = [
        "--json",
        "--server",
        &server.internal,
        "--admin-key",
        &admin_key,
    ];
    let issued = run(&[&["grant", "--channel", "room-1=read"][..], &connection].concat()).yes();
    let token = issued["token"].as_str().unwrap().to_owned();
    run(&[&["revoke", &token][..], &connection].concat()).yes();
    drop(server); // kill -9

    let server = Running::start(directory.path(), &[]);
    let connection = [
        "--json",
        "--server",
        &server.internal,
        "--admin-key",
        &admin_key,
    ];
    let verified = run(&[&["verify", &token][..], &connection].concat());
    assert_eq!(
        (verified.exit, &verified.json()["status"]),
        (2, &"revoked".into())
    );
}
