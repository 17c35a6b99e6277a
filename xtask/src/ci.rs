//! `cargo xtask ci`: what a merge needs: the tests, every guard, the packages.

use std::process::ExitCode;

use crate::repository::Repository;
use crate::steps::Steps;
use crate::{guards, release, test};

pub(crate) fn run(repository: &Repository) -> ExitCode {
    let mut steps = Steps::default();
    test::steps_of(repository, &mut steps);
    steps.run("guards", || guards::tally(repository, &[]));
    steps.run("package", || release::packages(repository));
    steps.finish()
}
