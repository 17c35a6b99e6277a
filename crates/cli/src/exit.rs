//! What the exit code says.

use std::process::ExitCode;

/// The exit codes of every verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// 0: done, allowed, valid.
    Yes,
    /// 1: a usage error, or the answer could not be had; of `lint`, `test`
    /// and `doctor`, an error or a case that fails.
    Error,
    /// 2: denied, or revoked; of `lint` and `doctor`, warnings; of `replay`,
    /// decisions that change.
    Denied,
    /// 3: the token is malformed, forged, foreign or expired.
    InvalidToken,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Yes => 0,
            Exit::Error => 1,
            Exit::Denied => 2,
            Exit::InvalidToken => 3,
        })
    }
}
