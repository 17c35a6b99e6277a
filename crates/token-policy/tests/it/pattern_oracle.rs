//! What comes from Python: RE2 itself (`tests/re2_oracle.py`), and regular
//! expressions that people wrote.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A Python that has the module which `import` names, or nothing when there is
/// none: a skip, which is a failure where `CI` is set.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn python(import: &str) -> Option<OsString> {
    let python = std::env::var_os("USHER_PYTHON").unwrap_or_else(|| "python3".into());
    let probe = Command::new(&python)
        .args(["-c", &format!("import {import}")])
        .stderr(Stdio::null())
        .status();
    if probe.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "needs testdata/oracle-requirements.txt: name a Python that has them in USHER_PYTHON"
    );
    eprintln!("skipped: needs `import {import}` (testdata/oracle-requirements.txt)");
    None
}

/// The regular expressions of `tests/regex_corpus.py`, or nothing when the
/// packages that have them are not there.
pub(crate) fn corpus() -> Option<Vec<String>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/regex_corpus.py");
    let output = Command::new(python("pygments, device_detector")?)
        .arg(script)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    let pattern = |line| serde_json::from_str(line).unwrap();
    Some(lines.lines().map(pattern).collect())
}

/// Asks RE2 all `requests` and returns its answers in their order, or nothing
/// when google-re2 is not there.
pub(crate) fn ask(requests: &[Value]) -> Option<Vec<Value>> {
    let python = python("re2; re2.Options")?;
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
