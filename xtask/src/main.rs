//! `cargo xtask`: how the project is tested, measured and packaged.

#![expect(
    clippy::print_stdout,
    reason = "a command for a terminal: what it prints is its result"
)]

mod bench;
mod ci;
mod dist;
mod docs;
mod durability;
mod fuzz;
mod guards;
mod interop;
mod long;
mod packaging;
mod release;
mod repository;
mod steps;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::repository::Repository;

const HELP: &str = "\
cargo xtask <verb>

  test                        everything before a commit: format, lints, tidy, tests, fuzz smoke, SDKs
  ci                          test, then every guard, then the packages
  tidy                        rules of the repository that the compiler does not know
  guards [CASE]...            removes each guard of testdata/guards.toml; its test must fail
  fuzz [TARGET] [--seconds N] runs fuzz targets, 30 seconds each unless told otherwise
  interop [DRIVER]...         official SDKs against a real server
  long                        the suites with large counts: mutations, model, patterns, RE2
  durability                  what survives kill -9, power cuts, faults and clocks, as a table
  bench [NAME]                measures, all or one
  packaging                   the unit, the alert rules and the Debian package, tried
  docs                        builds the book, with mdbook
  release check               is this tree ready to be released?
  release package             builds each crate from its own package; publishes nothing
  release bump LEVEL          the next version (major, minor, patch or X.Y.Z), in one commit
  release tag [--no-sign]     the tag of the release that HEAD is
  release publish             publishes every crate; bump, tag and publish want --execute
  dist [all|deb|compare]      archive, Debian package, bill of materials, checksums
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(code) => code,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Result<ExitCode> {
    let repository = Repository::open()?;
    match args {
        ["test"] => Ok(test::run(&repository)),
        ["ci"] => Ok(ci::run(&repository)),
        ["tidy"] => tidy::run(&repository),
        ["guards", cases @ ..] => guards::run(&repository, cases),
        ["fuzz", rest @ ..] => fuzz::run(&repository, rest),
        ["interop", drivers @ ..] => interop::run(&repository, drivers),
        ["long"] => long::run(&repository),
        ["durability"] => durability::run(&repository),
        ["bench", names @ ..] => bench::run(&repository, names),
        ["packaging"] => Ok(packaging::tally(&repository)?.exit()),
        ["docs"] => docs::run(&repository),
        ["release", args @ ..] => release::run(&repository, args),
        ["dist", args @ ..] => dist::run(&repository, args),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        unknown => bail!("no verb `{}`; `cargo xtask` lists them", unknown.join(" ")),
    }
}
