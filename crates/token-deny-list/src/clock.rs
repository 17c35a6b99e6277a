//! Time, as whoever keeps a deny list is told it.

use core::fmt;
use core::time::Duration;
use std::time::{Instant, SystemTime};

use token_core::UnixSeconds;

/// Two clocks: what is kept for long is not forgotten by one that may be wrong.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Now, by the wall clock. It may step.
    fn now(&self) -> UnixSeconds;

    /// Time since some fixed instant. It never steps.
    fn monotonic(&self) -> Duration;
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> UnixSeconds {
        (**self).now()
    }

    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }
}

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
