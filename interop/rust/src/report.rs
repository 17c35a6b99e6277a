//! One JSON line per scenario on stdout, and what the exit status will be.

use std::error::Error;
use std::fmt::Debug;
use std::process::ExitCode;

use serde_json::{Value, json};

/// What a scenario ends with; the error text becomes the detail.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Fails with both sides when they differ.
pub(crate) fn same<T: PartialEq + Debug>(what: &str, actual: &T, expected: &T) -> Outcome {
    if actual == expected {
        return Ok(());
    }
    Err(format!("{what}: expected {expected:?}, got {actual:?}").into())
}

/// Prints outcomes and remembers whether one failed.
pub(crate) struct Report {
    driver: &'static str,
    sdk: &'static str,
    failed: bool,
}

impl Report {
    pub(crate) fn new(driver: &'static str, sdk: &'static str) -> Self {
        Self {
            driver,
            sdk,
            failed: false,
        }
    }

    pub(crate) fn outcome(&mut self, name: &str, outcome: Outcome) {
        self.covered(name, json!({}), outcome);
    }

    /// An outcome of the gateway; `covers` has its operation and how it ended.
    pub(crate) fn covered(&mut self, name: &str, covers: Value, outcome: Outcome) {
        match outcome {
            Ok(()) => self.line(name, Some(true), "", covers),
            Err(error) => {
                self.failed = true;
                self.line(name, Some(false), &error.to_string(), covers);
            }
        }
    }

    pub(crate) fn not_possible(&self, name: &str, reason: &str) {
        self.line(name, None, &format!("not possible: {reason}"), json!({}));
    }

    pub(crate) fn exit(&self) -> ExitCode {
        ExitCode::from(u8::from(self.failed))
    }

    fn line(&self, name: &str, ok: Option<bool>, detail: &str, covers: Value) {
        let (driver, sdk) = (self.driver, self.sdk);
        let mut line =
            json!({"driver": driver, "sdk": sdk, "name": name, "ok": ok, "detail": detail});
        if let (Some(line), Value::Object(covers)) = (line.as_object_mut(), covers) {
            line.extend(covers);
        }
        println!("{line}");
    }
}
