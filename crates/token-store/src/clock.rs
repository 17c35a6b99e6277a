//! Time, as the store is told it.

use core::fmt;
use core::time::Duration;

use token_core::UnixSeconds;

/// Two clocks. The store compares them before it trusts the wall clock with
/// forgetting anything.
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
