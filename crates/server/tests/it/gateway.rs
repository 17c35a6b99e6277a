//! The gateway, from the first byte of a client to the upstream and back.

mod floods;
mod framing;
mod operations;
mod public;
mod root;
mod transports;
mod upgrade;
mod upstream;
pub(crate) mod world;
