//! Running the binary, with a clean environment.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// What a run came to.
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in {}{}", self.stdout, self.stderr))
    }

    /// The JSON of a run that succeeded.
    pub(crate) fn yes(&self) -> Value {
        assert_eq!(self.exit, 0, "{}{}", self.stdout, self.stderr);
        self.json()
    }
}

pub(crate) fn command(arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_usher"));
    for name in [
        "USHER_SERVER",
        "USHER_ADMIN_KEY",
        "USHER_KEYSET",
        "USHER_SECRET_KEY",
        "USHER_API_KEY",
        "USHER_ACCOUNT",
        "USHER_MASTER_KEY",
        "USHER_MASTER_KEY_FILE",
    ] {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

fn ran(output: &Output) -> Ran {
    Ran {
        exit: output.status.code().expect("usher was killed"),
        stdout: String::from_utf8(output.stdout.clone()).unwrap(),
        stderr: String::from_utf8(output.stderr.clone()).unwrap(),
    }
}

pub(crate) fn run(arguments: &[&str]) -> Ran {
    ran(&command(arguments).output().unwrap())
}

/// The same with something on standard input.
pub(crate) fn run_with(arguments: &[&str], input: &str) -> Ran {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    ran(&child.wait_with_output().unwrap())
}

/// `usher ... --json --data-dir DIR`.
pub(crate) fn on(directory: &Path, arguments: &[&str]) -> Ran {
    let directory = directory.to_str().unwrap();
    run(&[arguments, &["--json", "--data-dir", directory]].concat())
}
