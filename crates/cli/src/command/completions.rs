//! `usher completions`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::api::Failure;
use crate::args::Cli;
use crate::exit::Exit;
use crate::output::Output;

pub(super) fn run(shell: Shell, output: &Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "usher", &mut script);
    output.text(&String::from_utf8_lossy(&script));
    Ok(Exit::Yes)
}
