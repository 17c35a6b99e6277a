//! `usher`: issue, inspect, check and revoke access tokens.

use std::process::ExitCode;

fn main() -> ExitCode {
    token_cli::run(std::env::args_os())
}
