//! One file per verb, and what they share: running, printing, failing.

mod account;
mod admin_key;
mod api_token;
mod audit;
mod bench;
mod check;
mod completions;
mod config;
mod doctor;
mod grant;
mod incident;
mod inspect;
mod keyset;
mod lint;
mod man;
mod replay;
mod revoke;
mod serve;
mod store;
mod test;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use token_codec::UntrustedClaims;
use token_core::{Claims, Grants, PatternText, ResourceName};
use token_server::SystemClock;
use token_store::Clock as _;

use crate::api::Failure;
use crate::args::{Cli, Verb};
use crate::exit::Exit;
use crate::output::{Output, complain};

/// Runs the command line `arguments` (the first is the program) and returns
/// the exit code. Answers go to standard output, complaints to standard error.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(usage) => {
            let exit = if usage.use_stderr() {
                Exit::Error
            } else {
                Exit::Yes
            };
            // A closed pipe is no reason to fail twice.
            drop(usage.print());
            return exit.into();
        }
    };
    let output = Output::new(cli.json);
    match dispatch(cli.verb, &output) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            complain(&output, &failure);
            failure.exit().into()
        }
    }
}

fn dispatch(verb: Verb, output: &Output) -> Result<Exit, Failure> {
    match verb {
        Verb::Serve(arguments) => serve::run(&arguments, output),
        Verb::Keyset(verb) => keyset::run(&verb, output),
        Verb::Account(verb) => account::run(&verb, output),
        Verb::Application(verb) => account::application(&verb, output),
        Verb::Customer(verb) => account::customer(&verb, output),
        Verb::AdminKey(verb) => admin_key::run(&verb, output),
        Verb::Incident(arguments) => incident::run(&arguments, output),
        Verb::Audit(verb) => audit::run(&verb, output),
        Verb::Store(verb) => store::run(&verb, output),
        Verb::Grant(arguments) => grant::run(&arguments, output),
        Verb::Revoke(arguments) => revoke::run(&arguments, output),
        Verb::Inspect(arguments) => inspect::run(&arguments, output),
        Verb::Verify(arguments) => verify::run(&arguments, output),
        Verb::Check(arguments) => check::run(&arguments, output),
        Verb::Config(verb) => config::run(&verb, output),
        Verb::Lint(arguments) => lint::run(&arguments, output),
        Verb::Test(arguments) => test::run(&arguments, output),
        Verb::Replay(arguments) => replay::run(&arguments, output),
        Verb::Doctor(arguments) => doctor::run(&arguments, output),
        Verb::Bench(arguments) => bench::run(&arguments, output),
        Verb::Man { directory } => man::run(&directory, output),
        Verb::Completions { shell } => completions::run(shell, output),
    }
}

/// Now, for what is said to people; decisions are the server's.
fn now() -> u64 {
    SystemClock::new().now().0
}

/// What a token says, taken at its word, for whoever explains and tests. Names
/// and patterns that no token can have are left out.
fn assumed(said: &UntrustedClaims) -> Claims {
    let mut grants = Grants::new();
    for (kind, name, held) in &said.names {
        if let Ok(name) = ResourceName::new(name.as_str()) {
            grants.allow(*kind, name, *held);
        }
    }
    for (kind, text, held) in &said.patterns {
        if let Ok(text) = PatternText::new(text.as_str()) {
            grants.allow_pattern(*kind, text, *held);
        }
    }
    for (category, _) in &said.categories {
        grants.allow_category(*category);
    }
    let mut claims = Claims::new(said.issued_at, said.ttl, grants);
    claims.meta.clone_from(&said.meta);
    claims.uuid.clone_from(&said.uuid);
    claims.ancestors.clone_from(&said.ancestors);
    claims
}
