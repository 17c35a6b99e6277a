//! The command line of Usher: a thin shell over token-server.
//!
//! Administrative verbs speak the internal HTTP API, over the network to a
//! running server or in this process on the data directory of a stopped one;
//! either way it is the same code that answers. `inspect` needs neither.
//!
//! Exit codes: 0 yes, 1 error or usage, 2 denied or revoked, 3 invalid token.

mod api;
mod args;
mod command;
mod exit;
mod keysets;
mod output;
mod progress;
mod secret;
mod when;

pub use command::run;
pub use exit::Exit;
