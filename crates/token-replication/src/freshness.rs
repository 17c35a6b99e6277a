//! How old the deny list may be: counted from the sending of the last beacon
//! that came back.

use core::time::Duration;
use std::collections::VecDeque;

use token_core::UnixSeconds;

/// An instant by two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two clocks, and no third")]
pub struct Instant {
    /// By the clock that never steps.
    pub monotonic: Duration,
    /// By the wall clock.
    pub wall: UnixSeconds,
}

impl Instant {
    /// How long ago it was, by the clock that says longer: one may stand still
    /// while the machine sleeps, the other may step back.
    #[must_use]
    pub fn age(self, now: Self) -> Duration {
        let wall = now.wall.0.saturating_sub(self.wall.0);
        let monotonic = now.monotonic.saturating_sub(self.monotonic);
        monotonic.max(Duration::from_secs(wall))
    }
}

/// Most beacons that are on their way; older ones count no more.
const ON_THEIR_WAY_MAX: usize = 256;

/// The beacons of one run of one node.
#[derive(Debug, Default)]
pub struct Freshness {
    on_their_way: VecDeque<(u64, Instant)>,
    last: u64,
    last_sent: Option<Instant>,
}

impl Freshness {
    /// A beacon is sent; returns its number.
    pub fn send(&mut self, now: Instant) -> u64 {
        self.last = self.last.saturating_add(1);
        if self.on_their_way.len() >= ON_THEIR_WAY_MAX {
            self.on_their_way.pop_front();
        }
        self.on_their_way.push_back((self.last, now));
        self.last_sent = Some(now);
        self.last
    }

    /// A beacon was applied, in the order of the log: everything before it was,
    /// too. Returns when it was sent, if it is one that was on its way; each
    /// counts once.
    pub fn applied(&mut self, number: u64) -> Option<Instant> {
        let at = self.on_their_way.iter().position(|(n, _)| *n == number)?;
        let sent = self.on_their_way.get(at).map(|(_, sent)| *sent);
        self.on_their_way.drain(..=at);
        sent
    }

    /// When the last beacon was sent; `None` before the first.
    #[must_use]
    pub const fn last_sent(&self) -> Option<Instant> {
        self.last_sent
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::arithmetic_side_effects, reason = "a test may panic")]

    use proptest::prelude::*;

    use super::*;

    fn at(monotonic: u64, wall: u64) -> Instant {
        Instant {
            monotonic: Duration::from_secs(monotonic),
            wall: UnixSeconds(wall),
        }
    }

    #[test]
    fn age_is_what_the_worse_clock_says() {
        assert_eq!(at(5, 1_000).age(at(8, 1_003)), Duration::from_secs(3));
        assert_eq!(
            at(5, 1_000).age(at(8, 900)),
            Duration::from_secs(3),
            "stepped back"
        );
        assert_eq!(
            at(5, 1_000).age(at(5, 1_600)),
            Duration::from_secs(600),
            "slept"
        );
    }

    #[test]
    fn a_beacon_of_nobody_or_of_before_says_nothing() {
        let mut freshness = Freshness::default();
        let one = freshness.send(at(1, 1));
        assert_eq!(freshness.applied(one + 7), None);
        assert_eq!(freshness.applied(one), Some(at(1, 1)));
        assert_eq!(freshness.applied(one), None, "shown twice");
        let two = freshness.send(at(2, 2));
        let three = freshness.send(at(3, 3));
        assert_eq!(freshness.applied(three), Some(at(3, 3)));
        assert_eq!(freshness.applied(two), None, "older than what was heard");
    }

    proptest! {
        /// Beacons are lost, come twice or late: age never says less than the
        /// time since the sending of the newest that was applied.
        #[test]
        fn freshness_is_never_better_than_the_truth(
            steps in proptest::collection::vec((0..3_u8, 0..20_u64), 1..200),
        ) {
            let mut freshness = Freshness::default();
            let mut sent = Vec::new();
            let mut now = 0;
            for (step, n) in steps {
                now += 1;
                if step == 0 {
                    sent.push((freshness.send(at(now, now)), now));
                } else if let Some((number, when)) = sent.get(usize::try_from(n).unwrap())
                    && let Some(since) = freshness.applied(*number)
                {
                    prop_assert_eq!(since, at(*when, *when));
                }
            }
        }
    }
}
