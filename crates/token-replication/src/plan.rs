//! Where to go on reading a log: pure, so that every case can be tried.

use token_store::LogPosition;

/// What a node finds when it connects, and every few seconds after.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever looks fills every field")]
pub struct Found {
    /// Which log it is.
    pub epoch: String,
    /// The number of its last message.
    pub last: u64,
    /// The anchor of the message at the number where this node is; `None` when
    /// there is no message.
    pub anchor: Option<String>,
    /// Whether the mark is in it that says it is complete.
    pub complete: bool,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a reader meets each")]
pub enum Plan {
    /// Go on after the last message that was applied.
    GoOn,
    /// Read it from its beginning, and publish what it does not show.
    Anew(Why),
}

/// Why a log is read from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an alarm is worded for each")]
pub enum Why {
    /// The node had none before.
    First,
    /// It is another log.
    NewLog,
    /// It lost messages that this node has applied.
    RolledBack,
    /// Somebody took messages out of it.
    Purged,
    /// The message where this node was has expired: it was away for long, or
    /// that message is lost.
    AwayForLong,
}

/// Where to go on, for a node that was at `held`. On any doubt it is read from
/// the beginning: that costs time, and nothing else.
#[must_use]
pub fn plan(held: Option<&LogPosition>, found: &Found) -> Plan {
    let Some(held) = held else {
        return Plan::Anew(Why::First);
    };
    if held.epoch != found.epoch {
        return Plan::Anew(Why::NewLog);
    }
    if held.complete && !found.complete {
        return Plan::Anew(Why::Purged);
    }
    if held.sequence == 0 {
        return Plan::GoOn;
    }
    match &found.anchor {
        _ if found.last < held.sequence => Plan::Anew(Why::RolledBack),
        Some(anchor) if *anchor == held.anchor => Plan::GoOn,
        Some(_) => Plan::Anew(Why::RolledBack),
        None => Plan::Anew(Why::AwayForLong),
    }
}

/// Whether a node that has read everything, and whose own entries are all in
/// the log, may mark it complete.
pub(crate) fn may_complete(held: &LogPosition, no_earlier_log: bool, told_to: bool) -> bool {
    !held.complete && (held.survivor || no_earlier_log || told_to)
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        reason = "a test may panic"
    )]

    use proptest::prelude::*;

    use super::*;

    /// A log that only grows, is rolled back, purged or made anew; a reader
    /// that follows it and is interrupted anywhere.
    #[derive(Clone, Debug)]
    enum Step {
        Append,
        Read,
        RollBack(usize),
        Recreate,
        Expire(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        proptest::collection::vec(
            prop_oneof![
                4 => Just(Step::Append),
                4 => Just(Step::Read),
                1 => (1..4_usize).prop_map(Step::RollBack),
                1 => Just(Step::Recreate),
                1 => (0..8_usize).prop_map(Step::Expire),
            ],
            1..40,
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// D09, D10: whatever becomes of the log, a reader that follows the plan
        /// has, after each reading, read every message that is in it.
        #[test]
        fn a_reader_misses_no_message_of_a_log_that_loses_some(steps in steps()) {
            let mut epoch = 0_u64;
            let mut next_content = 0_u64;
            // By number; `None` has expired.
            let mut log: Vec<Option<u64>> = Vec::new();
            let mut held: Option<LogPosition> = None;
            let mut read: std::collections::BTreeSet<u64> = Default::default();
            for step in steps {
                match step {
                    Step::Append => {
                        next_content += 1;
                        log.push(Some(next_content));
                    }
                    Step::RollBack(n) => log.truncate(log.len().saturating_sub(n)),
                    Step::Recreate => {
                        log.clear();
                        epoch += 1;
                    }
                    Step::Expire(n) => {
                        // What expired is needed by nobody.
                        if let Some(message) = log.get_mut(n) {
                            *message = None;
                        }
                    }
                    Step::Read => {
                        let at = held.as_ref().map_or(0, |held| held.sequence);
                        let at = usize::try_from(at).unwrap();
                        let message = at.checked_sub(1).and_then(|at| *log.get(at)?);
                        let found = Found {
                            epoch: epoch.to_string(),
                            last: log.len() as u64,
                            anchor: message.map(|content| content.to_string()),
                            complete: false,
                        };
                        let from = match plan(held.as_ref(), &found) {
                            Plan::GoOn => at,
                            Plan::Anew(_) => 0,
                        };
                        read.extend(log.iter().skip(from).flatten());
                        let last = log.last().copied().flatten();
                        held = Some(LogPosition {
                            epoch: epoch.to_string(),
                            sequence: log.len() as u64,
                            anchor: last.map_or_else(String::new, |content| content.to_string()),
                            complete: false,
                            survivor: false,
                        });
                        for content in log.iter().flatten() {
                            prop_assert!(read.contains(content), "{content} was missed");
                        }
                    }
                }
            }
        }
    }

    fn position(complete: bool, survivor: bool) -> LogPosition {
        LogPosition {
            epoch: "e".to_owned(),
            sequence: 3,
            anchor: "a".to_owned(),
            complete,
            survivor,
        }
    }

    #[test]
    fn a_log_whose_mark_is_gone_was_purged() {
        let found = |complete| Found {
            epoch: "e".to_owned(),
            last: 9,
            anchor: Some("a".to_owned()),
            complete,
        };
        let held = position(true, false);
        assert_eq!(plan(Some(&held), &found(true)), Plan::GoOn);
        assert_eq!(plan(Some(&held), &found(false)), Plan::Anew(Why::Purged));
        assert_eq!(
            plan(Some(&position(false, false)), &found(false)),
            Plan::GoOn
        );
        assert_eq!(plan(None, &found(true)), Plan::Anew(Why::First));
    }

    #[test]
    fn who_has_nothing_of_its_own_marks_nothing_complete() {
        assert!(!may_complete(&position(false, false), false, false));
        assert!(
            may_complete(&position(false, true), false, false),
            "a survivor"
        );
        assert!(
            may_complete(&position(false, false), true, false),
            "a new cluster"
        );
        assert!(
            may_complete(&position(false, false), false, true),
            "an operator"
        );
        assert!(!may_complete(&position(true, true), true, true), "once");
    }
}
