//! How far long work is.

use core::fmt;

/// Told every so many entries.
const EVERY: u64 = 10_000;

/// Tells a listener how many entries are done.
pub struct Progress<'a> {
    done: u64,
    tell: &'a mut dyn FnMut(u64),
}

impl<'a> Progress<'a> {
    /// `tell` is called with the number of entries done, every 10,000.
    pub fn new(tell: &'a mut dyn FnMut(u64)) -> Self {
        Self { done: 0, tell }
    }

    /// How many entries are done.
    #[must_use]
    pub const fn done(&self) -> u64 {
        self.done
    }

    pub(crate) fn step(&mut self) {
        self.done = self.done.saturating_add(1);
        if self.done.is_multiple_of(EVERY) {
            (self.tell)(self.done);
        }
    }
}

impl fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}
