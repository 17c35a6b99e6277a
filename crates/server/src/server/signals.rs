//! What the system tells a server.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a server lives by: SIGTERM and ctrl-c end it, SIGHUP lets
/// it read its configuration anew. From [`Signals::listen`] on, none is lost.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    hangup: Signal,
}

#[cfg(unix)]
impl Signals {
    /// Listens from now on. Whoever tells the world that a server runs does it
    /// after this.
    ///
    /// # Errors
    ///
    /// When the signals cannot be waited for.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Whether to go on, at the next signal: `true` to read the configuration
    /// anew. Hangups that come while nobody waits are one.
    pub(super) async fn go_on(&mut self) -> bool {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => false,
            _ = self.interrupt.recv() => false,
            Some(()) = self.hangup.recv() => true,
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    ///
    /// Never on this system.
    pub const fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Whether to go on: ctrl-c ends the server.
    pub(super) async fn go_on(&mut self) -> bool {
        // Without a handler nothing can be waited for, so nothing goes on.
        tokio::signal::ctrl_c().await.unwrap_or_default();
        false
    }
}
