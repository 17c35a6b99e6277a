//! So many a second, and how many there were beside.

use core::sync::atomic::{AtomicU64, Ordering};

use token_core::UnixSeconds;

/// Lets so many through in a second, without a lock.
#[derive(Debug)]
pub(super) struct Sampler {
    per_second: u64,
    second: AtomicU64,
    taken: AtomicU64,
    skipped: AtomicU64,
}

impl Sampler {
    pub(super) const fn new(per_second: u64) -> Self {
        Self {
            per_second,
            second: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
        }
    }

    /// Whether this one is let through: then how many were not since the last
    /// that was.
    pub(super) fn take(&self, now: UnixSeconds) -> Option<u64> {
        if self.second.swap(now.0, Ordering::Relaxed) != now.0 {
            self.taken.store(0, Ordering::Relaxed);
        }
        if self.taken.load(Ordering::Relaxed) >= self.per_second {
            self.skip();
            return None;
        }
        self.taken.fetch_add(1, Ordering::Relaxed);
        Some(self.skipped.swap(0, Ordering::Relaxed))
    }

    /// Notes one that is not written.
    pub(super) fn skip(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_a_second_and_the_rest_is_counted() {
        let sampler = Sampler::new(2);
        let taken = |second| sampler.take(UnixSeconds(second));
        assert_eq!([taken(1), taken(1), taken(1)], [Some(0), Some(0), None]);
        assert_eq!(taken(1), None);
        assert_eq!([taken(2), taken(2), taken(2)], [Some(2), Some(0), None]);
        assert_eq!(Sampler::new(0).take(UnixSeconds(1)), None);
    }
}
