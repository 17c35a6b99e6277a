//! System calls that fail while a revocation is written (attacks D01, D03): a
//! real server, its kernel answering for it by strace.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::serve::Running;
use crate::usher::{Ran, run};

/// What a revocation asks of the disk; the file does not grow with each.
const CALLS: [&str; 3] = ["pwrite64", "fdatasync", "ftruncate"];

const ERRORS: [&str; 3] = ["EIO", "ENOSPC", "EINTR"];

/// A server, from whose system calls one will fail.
struct Failing {
    strace: Child,
}

impl Failing {
    /// Makes the `n`th such call of each thread fail. `None` where strace is
    /// not to be had.
    fn attach(server: &Running, call: &str, error: &str, n: usize, log: &Path) -> Option<Self> {
        let mut strace = Command::new("strace")
            .args(["-f", "-o", log.to_str().unwrap(), "-e"])
            .arg(format!("trace={call}"))
            .arg("-e")
            .arg(format!("inject={call}:error={error}:when={n}"))
            .args(["-p", &server.child.id().to_string()])
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        let mut said = String::new();
        let mut lines = BufReader::new(strace.stderr.take().unwrap());
        while !said.contains("attached") {
            // It ends by itself where it may not attach.
            if lines.read_line(&mut said).unwrap() == 0 {
                eprintln!("{said}");
                strace.wait().unwrap();
                return None;
            }
        }
        // It speaks of every thread; nobody may have to listen.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Some(Self { strace })
    }

    /// Lets go of the server.
    fn detach(mut self) {
        let id = self.strace.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status();
        assert!(sent.unwrap().success());
        self.strace.wait().unwrap();
    }
}

/// Asks a running server.
struct Admin<'a> {
    server: &'a Running,
    key: &'a str,
}

impl Admin<'_> {
    fn run(&self, arguments: &[&str]) -> Ran {
        let server = &self.server.internal;
        let connection = ["--json", "--server", server, "--admin-key", self.key];
        run(&[arguments, &connection].concat())
    }

    fn grant(&self, n: usize) -> String {
        let permission = format!("room-{n}=read");
        let issued = self.run(&["grant", "--channel", &permission]).yes();
        issued["token"].as_str().unwrap().to_owned()
    }

    /// Whether the token is good for its channel; nothing but a revocation
    /// makes it bad.
    fn is_revoked(&self, token: &str, n: usize) -> bool {
        let channel = format!("room-{n}");
        let check = self.run(&["check", token, "subscribe", "--channel", &channel]);
        match check.exit {
            0 => false,
            2 => {
                assert_eq!(check.json()["reason"]["code"], "revoked");
                true
            }
            exit => panic!("{exit}: {}{}", check.stdout, check.stderr),
        }
    }
}

#[test]
fn d03_every_system_call_of_a_revocation_may_fail_and_the_answer_is_right() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let log = directory.path().join("strace");
    let mut server = Running::start(&data, &["--print-keys"]);
    let key = server.key("admin key ");
    let admin = Admin {
        server: &server,
        key: &key,
    };
    let mut acknowledged = Vec::new();
    let (mut failed, mut survived) = (0_usize, 0_usize);
    for (call, error) in CALLS.iter().flat_map(|call| ERRORS.map(|e| (call, e))) {
        for n in 1.. {
            let number = acknowledged.len();
            let token = admin.grant(number);
            let Some(failing) = Failing::attach(&server, call, error, n, &log) else {
                assert!(std::env::var_os("CI").is_none(), "needs strace");
                eprintln!("skipped: needs strace, and the right to attach to a process");
                return;
            };
            let revoked = admin.run(&["revoke", &token]);
            let in_effect = admin.is_revoked(&token, number);
            failing.detach();
            let what = format!("{call} {n}: {error}: {}{}", revoked.stdout, revoked.stderr);
            assert_eq!(revoked.exit == 0, in_effect, "{what}");
            let injected = std::fs::read_to_string(&log).unwrap().contains("INJECTED");
            if revoked.exit == 0 {
                survived += usize::from(injected);
            } else {
                failed += 1;
                assert!(injected, "{what}");
                assert!(revoked.stderr.contains("try again"), "{what}");
                admin.run(&["revoke", &token]).yes();
            }
            acknowledged.push(token);
            if !injected {
                let always = *call != "ftruncate";
                assert!(n > 1 || !always, "a revocation never calls {call}");
                break;
            }
        }
    }
    // EINTR is no failure; the others are, wherever they meet a commit.
    println!(
        "table: system calls of a revocation that fail | {failed} refused, {survived} survived, 0 wrong answers"
    );
    assert!(failed >= 10 && survived >= 5, "{failed} {survived}");
    drop(server);
    let server = Running::start(&data, &[]);
    let admin = Admin {
        server: &server,
        key: &key,
    };
    for (number, token) in acknowledged.iter().enumerate() {
        assert!(admin.is_revoked(token, number), "{number} after kill -9");
    }
}
