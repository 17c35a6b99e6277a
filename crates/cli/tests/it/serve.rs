//! `usher serve`, and the same verbs over the network.

use core::time::Duration;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::time::Instant;

use crate::usher::{command, run};

/// How long anything may take that should take no time.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server; it ends with the test.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: BufReader<ChildStdout>,
    pub(crate) public: String,
    pub(crate) internal: String,
}

impl Running {
    pub(crate) fn start(directory: &Path, more: &[&str]) -> Self {
        Self::logging(directory, more, Stdio::inherit())
    }

    /// The same, and its log goes to `log`.
    pub(crate) fn logging(directory: &Path, more: &[&str], log: Stdio) -> Self {
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
            .stderr(log)
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

    pub(crate) fn key(&mut self, label: &str) -> String {
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "no {label} was printed");
            if let Some(key) = line.strip_prefix(label) {
                return key.trim().to_owned();
            }
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = std::process::Command::new("kill")
            .args([name, &id])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Asks it to stop, and waits.
    pub(crate) fn stop(mut self) -> Option<i32> {
        self.signal("-TERM");
        self.child.wait().unwrap().code()
    }

    /// Whether the internal listener serves this host name.
    fn serves(&self, host: &str) -> bool {
        let address = self.internal.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!("GET /healthz HTTP/1.0\r\nhost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.starts_with("HTTP/1.0 200")
    }

    /// Waits until the internal listener serves this host name.
    fn until_it_serves(&self, host: &str) {
        let begun = Instant::now();
        while !self.serves(host) {
            assert!(begun.elapsed() < PATIENCE, "{host} is not served");
            std::thread::sleep(Duration::from_millis(20));
        }
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
    assert!(
        refused.stderr.contains("does not know this admin key"),
        "{}",
        refused.stderr
    );
    let none = run(&["keyset", "list", "--server", &server.internal]);
    assert!(
        none.stderr.contains("wants its admin key"),
        "{}",
        none.stderr
    );
    let public = run(&["keyset", "list", "--server", &server.public]);
    assert_eq!(public.exit, 1);
    assert!(
        public.stderr.contains("internal address"),
        "{}",
        public.stderr
    );
}

#[test]
fn first_keys_are_json_for_programs() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Running::start(&directory.path().join("a"), &["--print-keys", "--json"]);
    let printed: serde_json::Value = serde_json::from_str(&server.line()).unwrap();
    let written = directory.path().join("keys.json");
    let file = ["--json", "--keys-file", written.to_str().unwrap()];
    let mut other = Running::start(&directory.path().join("b"), &file);
    assert!(other.key("keys ").ends_with("keys.json"));
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(written).unwrap()).unwrap();
    for (keys, server) in [(printed, &server), (kept, &other)] {
        let key = |name: &str| keys[name].as_str().unwrap();
        assert!(key("publish_key").starts_with("pub-"));
        assert!(key("secret_key").starts_with("sec-"));
        let listed = run(&[
            "keyset",
            "list",
            "--json",
            "--server",
            &server.internal,
            "--admin-key",
            key("admin_key"),
        ]);
        assert_eq!(
            listed.yes()["keysets"][0]["subscribe_key"],
            keys["subscribe_key"]
        );
    }
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

/// Attack K02.
#[test]
fn sighup_puts_a_good_configuration_in_force_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("usher.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    let data = directory.path().join("data");
    write("internal_hosts = [\"first\"]\n");
    let server = Running::start(&data, &["--config", file.to_str().unwrap()]);
    assert!(server.serves("first") && !server.serves("second"));
    // A storm over files that are broken in every way, ended by a good one.
    let broken = [
        "internal_hosts = [\"second\"",
        "internal_hosts = [\"second\"]\nnonsense = 1\n",
        "internal_hosts = [\"second\"]\ntrusted_peers = [\"second\"]\n",
        "",
    ];
    for text in broken {
        write(text);
        for _ in 0..20 {
            server.signal("-HUP");
            assert!(server.serves("first") && !server.serves("second"), "{text}");
        }
    }
    std::fs::remove_file(&file).unwrap();
    server.signal("-HUP");
    assert!(server.serves("first"));
    write("internal_hosts = [\"third\"]\n");
    server.signal("-HUP");
    server.until_it_serves("third");
    assert!(!server.serves("first") && !server.serves("second"));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_server_behind_tls_is_reached_with_its_authority_and_not_without() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let names = vec!["127.0.0.1".to_owned()];
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(names).unwrap();
    std::fs::write(at("cert.pem"), cert.pem()).unwrap();
    std::fs::write(at("key.pem"), signing_key.serialize_pem()).unwrap();
    let text = format!(
        "internal_tls_certificate = {:?}\ninternal_tls_key = {:?}\n",
        at("cert.pem"),
        at("key.pem")
    );
    std::fs::write(at("usher.toml"), text).unwrap();
    let data = directory.path().join("data");
    let mut server = Running::start(&data, &["--print-keys", "--config", &at("usher.toml")]);
    let admin_key = server.key("admin key ");
    assert!(server.internal.starts_with("https://127.0.0.1:"));
    let list = ["keyset", "list", "--json", "--server", &server.internal];
    let list = [&list[..], &["--admin-key", &admin_key]].concat();
    let refused = run(&list);
    assert_eq!(refused.exit, 1);
    assert!(
        refused.stderr.contains("cannot reach https://"),
        "{}",
        refused.stderr
    );
    let found = run(&[&list[..], &["--ca", &at("cert.pem")]].concat()).yes();
    assert!(found.to_string().contains("default"), "{found}");
    let wrong = run(&[&list[..], &["--ca", &at("usher.toml")]].concat());
    assert!(
        wrong.stderr.contains("holds no certificate"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn config_check_says_everything_and_config_default_is_checked() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("usher.toml");
    let file = file.to_str().unwrap();
    let printed = run(&["config", "default"]);
    assert_eq!(printed.exit, 0);
    std::fs::write(file, &printed.stdout).unwrap();
    let checked = run(&["config", "check", file]);
    assert_eq!((checked.exit, checked.stdout), (0, format!("ok  {file}\n")));
    let text = "lsten = 1\ntrusted_peers = 5\n";
    std::fs::write(file, text).unwrap();
    let checked = run(&["config", "check", "--json", file]);
    assert_eq!(checked.exit, 1);
    assert_eq!(checked.json()["errors"].as_array().unwrap().len(), 2);
    let text = "internal_listen = \"0.0.0.0:1\"\ninternal_allow_remote = true\n";
    std::fs::write(file, text).unwrap();
    let checked = run(&["config", "check", file]);
    assert_eq!(checked.exit, 0);
    assert!(
        checked
            .stdout
            .starts_with("warning: internal_listen 0.0.0.0:1"),
        "{}",
        checked.stdout
    );
    let missing = run(&["config", "check", "/nonexistent/usher.toml"]);
    assert_eq!(missing.exit, 1);
    assert!(missing.stdout.contains("cannot read"), "{}", missing.stdout);
}
