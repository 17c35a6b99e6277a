//! The command line: transcripts of what needs no store, and flows against a
//! stopped and a running server.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may panic, and say why it is skipped"
)]

mod accounts;
mod bench;
mod book;
mod doctor;
mod flows;
mod incident;
mod logs;
mod manuals;
#[cfg(target_os = "linux")]
mod memory;
mod offline;
mod replay;
mod serve;
mod store;
#[cfg(target_os = "linux")]
mod syscalls;
mod usher;
