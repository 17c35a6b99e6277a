//! The one place where the time is read.

use core::time::Duration;
use std::time::{Instant, SystemTime};

use token_core::UnixSeconds;
use token_store::Clock;

/// The clocks of the machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// The clocks, the monotonic one from now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "time is an argument everywhere else; this is where it comes from"
    )]
    fn now(&self) -> UnixSeconds {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        // A clock before 1970 is as wrong as can be; every token is then from
        // the future, and denied.
        UnixSeconds(since_epoch.map_or(0, |elapsed| elapsed.as_secs()))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}
