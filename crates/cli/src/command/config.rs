//! `usher config`, and where `usher serve` finds its configuration.

use std::path::{Path, PathBuf};

use serde::Serialize;
use token_server::Config;

use crate::api::Failure;
use crate::args::ConfigVerb;
use crate::exit::Exit;
use crate::output::{BAD, GOOD, NOTE, Output};

/// What is to be said of a configuration.
#[derive(Serialize)]
struct Verdict {
    ok: bool,
    file: Option<PathBuf>,
    errors: Vec<String>,
    warnings: Vec<String>,
}

pub(super) fn run(verb: &ConfigVerb, output: &Output) -> Result<Exit, Failure> {
    match verb {
        ConfigVerb::Default => {
            output.text(Config::DEFAULT_FILE);
            Ok(Exit::Yes)
        }
        ConfigVerb::Check { file } => check(file.clone().or_else(usual_file), output),
    }
}

fn check(file: Option<PathBuf>, output: &Output) -> Result<Exit, Failure> {
    let (errors, warnings) = match Config::check(file.as_deref(), environment) {
        Err(errors) => (errors.iter().map(ToString::to_string).collect(), Vec::new()),
        Ok(config) => {
            let refused = config.verify().err();
            let errors: Vec<_> = refused.iter().map(ToString::to_string).collect();
            let risks = config.risks();
            (errors, risks.into_iter().map(|risk| risk.message).collect())
        }
    };
    let verdict = Verdict {
        ok: errors.is_empty(),
        file,
        errors,
        warnings,
    };
    output.answer(&verdict, || verdict.render())?;
    Ok(if verdict.ok { Exit::Yes } else { Exit::Error })
}

impl Verdict {
    fn render(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        for error in &self.errors {
            lines.push(format!("{BAD}error:{BAD:#} {error}\n"));
        }
        for warning in &self.warnings {
            lines.push(format!("{NOTE}warning:{NOTE:#} {warning}\n"));
        }
        if self.ok {
            let file = self.file.as_deref();
            let what = file.map_or_else(|| "no file, the defaults".into(), Path::to_string_lossy);
            lines.push(format!("{GOOD}ok{GOOD:#}  {what}\n"));
        }
        lines.concat()
    }
}

/// `usher.toml`, if there is one.
pub(super) fn usual_file() -> Option<PathBuf> {
    let usual = PathBuf::from("usher.toml");
    usual.exists().then_some(usual)
}

/// A variable of this process.
pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).and_then(|value| value.into_string().ok())
}
