//! RE2 itself, in a Python process (`tests/re2_oracle.py`).

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Asks RE2 all `requests` and returns its answers in their order, or nothing
/// when google-re2 is not there: a skip, which is a failure where `CI` is set.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn ask(requests: &[Value]) -> Option<Vec<Value>> {
    let python = std::env::var_os("USHER_PYTHON").unwrap_or_else(|| "python3".into());
    let probe = Command::new(&python)
        .args(["-c", "import re2; re2.Options"])
        .stderr(Stdio::null())
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        assert!(
            std::env::var_os("CI").is_none(),
            "needs google-re2: pip install google-re2, or name a Python that has it in USHER_PYTHON"
        );
        eprintln!("skipped: needs google-re2");
        return None;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/re2_oracle.py");
    let mut child = Command::new(&python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let answers = std::thread::scope(|scope| {
        // Apart from reading, so that neither pipe can fill up.
        scope.spawn(move || {
            let mut lines = String::new();
            for request in requests {
                lines.push_str(&request.to_string());
                lines.push('\n');
            }
            input.write_all(lines.as_bytes()).unwrap();
        });
        output
            .lines()
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect::<Vec<Value>>()
    });
    assert!(child.wait().unwrap().success());
    assert_eq!(answers.len(), requests.len(), "one answer a request");
    Some(answers)
}
