//! Drives the Rust SDK against a running server; see `../README.md`.

#![expect(
    clippy::disallowed_methods,
    reason = "a driver reads its environment and the clock"
)]

mod body;
mod clock;
mod gateway;
mod report;
mod scenario;
mod sdk;
mod suite;

use std::process::ExitCode;

use report::Report;
use scenario::Input;
use suite::Suite;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let input = match Input::read() {
        Ok(input) => input,
        Err(error) => {
            eprintln!("cannot read the description: {error}");
            return ExitCode::from(2);
        }
    };
    let mut report = Report::new("rust", "pubnub 0.9.0");
    let suite = Suite::new(&input);
    suite.run(&mut report).await;
    if let Err(error) = gateway::run(&suite, &mut report).await {
        eprintln!("cannot read the operations: {error}");
        return ExitCode::from(2);
    }
    report.exit()
}
