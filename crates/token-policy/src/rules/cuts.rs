//! Whether the groups of an expression cut every text in one way.
//!
//! Two readings of one text are followed side by side through the automaton. If
//! both can reach the end and have, at some place in between, passed different
//! ends of groups, the expression is ambiguous. This is exact: nothing is
//! sampled.

use std::collections::{BTreeMap, HashSet};

use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;

/// The expression is too large to tell.
#[derive(Debug)]
pub(super) struct TooMany;

/// Pairs of states that are looked at before the answer is given up.
const PAIRS_MAX: usize = 200_000;

/// The ends of groups that are passed between two bytes: a bit for each, those
/// of the first 16 groups.
type Ends = u64;

/// Two readings: where each is, and the ends that were passed by one of them
/// only, at the first place where they differ.
type Pair = (StateID, StateID, Ends);

/// The number of a group that can be cut in two ways, if there is one.
pub(super) fn ambiguous(nfa: &NFA) -> Result<Option<usize>, TooMany> {
    let mut walk = Walk {
        nfa,
        reached: BTreeMap::new(),
        known: HashSet::new(),
        open: Vec::new(),
    };
    let start = nfa.start_anchored();
    let first = reach(nfa, start, true, false);
    walk.add(&first, &first, 0);
    // The empty path, if the expression has it, holds no group.
    while let Some((one, other, differ)) = walk.open.pop() {
        if walk.known.len() > PAIRS_MAX {
            return Err(TooMany);
        }
        for byte in 0x21..=0x7E {
            let (Some(one), Some(other)) = (step(nfa, one, byte), step(nfa, other, byte)) else {
                continue;
            };
            if let Some(ends) = walk.both_end(one, other, differ) {
                return Ok(Some(group(ends)));
            }
            let ones = walk.reach(one);
            let others = walk.reach(other);
            walk.add(&ones, &others, differ);
        }
    }
    Ok(None)
}

struct Walk<'n> {
    nfa: &'n NFA,
    reached: BTreeMap<StateID, Vec<(StateID, Ends)>>,
    known: HashSet<Pair>,
    open: Vec<Pair>,
}

impl Walk<'_> {
    fn reach(&mut self, from: StateID) -> Vec<(StateID, Ends)> {
        let nfa = self.nfa;
        let reached = self.reached.entry(from);
        reached
            .or_insert_with(|| reach(nfa, from, false, false))
            .clone()
    }

    fn add(&mut self, ones: &[(StateID, Ends)], others: &[(StateID, Ends)], differ: Ends) {
        for (one, ends_of_one) in ones {
            for (other, ends_of_other) in others {
                let differ = if differ == 0 {
                    ends_of_one ^ ends_of_other
                } else {
                    differ
                };
                // A pair and its mirror image have the same future.
                let pair = (*one.min(other), *one.max(other), differ);
                if self.known.insert(pair) {
                    self.open.push(pair);
                }
            }
        }
    }

    /// The ends in which two readings differ that both end here.
    fn both_end(&self, one: StateID, other: StateID, differ: Ends) -> Option<Ends> {
        let ends = |from| {
            let reached = reach(self.nfa, from, false, true).into_iter();
            let matches = |(state, _): &(StateID, Ends)| {
                matches!(self.nfa.state(*state), State::Match { .. })
            };
            reached.filter(matches).collect::<Vec<_>>()
        };
        let others = ends(other);
        for (_, ends_of_one) in ends(one) {
            for (_, ends_of_other) in &others {
                let differ = if differ == 0 {
                    ends_of_one ^ ends_of_other
                } else {
                    differ
                };
                if differ != 0 {
                    return Some(differ);
                }
            }
        }
        None
    }
}

/// The first group of which an end is in `ends`: two bits are one group.
fn group(ends: Ends) -> usize {
    usize::try_from(ends.trailing_zeros() / 2).unwrap_or(0)
}

fn step(nfa: &NFA, from: StateID, byte: u8) -> Option<StateID> {
    match nfa.state(from) {
        State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
        State::Sparse(sparse) => sparse.matches_byte(byte),
        State::Dense(dense) => dense.matches_byte(byte),
        State::Look { .. }
        | State::Union { .. }
        | State::BinaryUnion { .. }
        | State::Capture { .. }
        | State::Fail
        | State::Match { .. } => None,
    }
}

/// The states that read a byte, or match, and are reached without reading one;
/// each with the ends of groups that are passed on the way.
fn reach(nfa: &NFA, from: StateID, at_start: bool, at_end: bool) -> Vec<(StateID, Ends)> {
    let mut known = HashSet::from([(from, 0)]);
    let mut open = vec![(from, 0)];
    let mut reached = Vec::new();
    while let Some((state, ends)) = open.pop() {
        let mut go = |next: StateID, ends: Ends| {
            if known.insert((next, ends)) {
                open.push((next, ends));
            }
        };
        match nfa.state(state) {
            State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) | State::Match { .. } => {
                reached.push((state, ends));
            }
            State::Look { look, next } => {
                let start = at_start && *look == Look::Start;
                let end = at_end && *look == Look::End;
                if start || end {
                    go(*next, ends);
                }
            }
            State::Union { alternates } => alternates.iter().for_each(|next| go(*next, ends)),
            State::BinaryUnion { alt1, alt2 } => {
                go(*alt1, ends);
                go(*alt2, ends);
            }
            State::Capture { next, slot, .. } => {
                let end = u32::try_from(slot.as_usize()).ok();
                let end = end.and_then(|slot| 1_u64.checked_shl(slot)).unwrap_or(0);
                go(*next, ends | end);
            }
            State::Fail => {}
        }
    }
    reached
}
