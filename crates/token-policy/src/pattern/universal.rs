//! Whether a pattern matches every name, or none.

use std::collections::HashSet;

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson::NFA;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start::Config;
use regex_automata::{Anchored, MatchKind};

/// Largest automaton that is built for the question, in bytes.
const DFA_BYTES_MAX: usize = 256 * 1024;

/// True when every name matches: every non-empty text without control
/// characters, of whatever length. False also when finding out takes too much.
pub(super) fn matches_every_name(nfa: &NFA) -> bool {
    every_name(nfa).unwrap_or(false)
}

/// True when no name matches. False also when finding out takes too much.
pub(super) fn matches_no_name(nfa: &NFA) -> bool {
    no_name(nfa).unwrap_or(false)
}

/// Walks the automaton of the pattern over everything that a name can be and
/// looks for a name that ends without a match.
fn every_name(nfa: &NFA) -> Option<bool> {
    let dfa = automaton(nfa)?;
    // One match is enough, whatever follows.
    let unmatched =
        |state, part| part == NamePart::Whole && !dfa.is_match_state(dfa.next_eoi_state(state));
    walk(&dfa, |state| dfa.is_match_state(state), unmatched).map(|found| !found)
}

/// The same, looking for a name with a match, at its end or before. Every
/// beginning of a name can be gone on with.
fn no_name(nfa: &NFA) -> Option<bool> {
    let dfa = automaton(nfa)?;
    let matched = |state, part| {
        let ends = part == NamePart::Whole && dfa.is_match_state(dfa.next_eoi_state(state));
        ends || (part != NamePart::Empty && dfa.is_match_state(state))
    };
    walk(&dfa, |_| false, matched).map(|found| !found)
}

fn automaton(nfa: &NFA) -> Option<dense::DFA<Vec<u32>>> {
    dense::Builder::new()
        .configure(
            dense::Config::new()
                .match_kind(MatchKind::All)
                .start_kind(StartKind::Unanchored)
                .dfa_size_limit(Some(DFA_BYTES_MAX))
                .determinize_size_limit(Some(DFA_BYTES_MAX)),
        )
        .build_from_nfa(nfa)
        .ok()
}

/// Whether a state that a beginning of a name leads to is `wanted`. What comes
/// after a state where the walk may `stop` is not looked at.
fn walk(
    dfa: &dense::DFA<Vec<u32>>,
    stop: impl Fn(StateID) -> bool,
    wanted: impl Fn(StateID, NamePart) -> bool,
) -> Option<bool> {
    let start = dfa
        .start_state(&Config::new().anchored(Anchored::No))
        .ok()?;
    let mut seen: HashSet<(StateID, NamePart)> = HashSet::new();
    let mut open = vec![(start, NamePart::Empty)];
    while let Some((state, part)) = open.pop() {
        if stop(state) || !seen.insert((state, part)) {
            continue;
        }
        if wanted(state, part) {
            return Some(true);
        }
        for byte in 0..=u8::MAX {
            if let Some(next) = part.then(byte) {
                open.push((dfa.next_state(state, byte), next));
            }
        }
    }
    Some(false)
}

/// How far a name has been read, in bytes of UTF-8 (RFC 3629 section 4).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum NamePart {
    /// Nothing yet.
    Empty,
    /// Whole characters, at least one.
    Whole,
    /// A character lacks this many bytes, of which the next is in the range.
    Lacks(u8, u8, u8),
}

impl NamePart {
    /// What is read when `byte` follows, if it may.
    fn then(self, byte: u8) -> Option<Self> {
        match self {
            Self::Empty | Self::Whole => match byte {
                0x20..=0x7e => Some(Self::Whole),
                0xc2..=0xdf => Some(Self::Lacks(1, 0x80, 0xbf)),
                0xe0 => Some(Self::Lacks(2, 0xa0, 0xbf)),
                0xed => Some(Self::Lacks(2, 0x80, 0x9f)),
                0xe1..=0xef => Some(Self::Lacks(2, 0x80, 0xbf)),
                0xf0 => Some(Self::Lacks(3, 0x90, 0xbf)),
                0xf1..=0xf3 => Some(Self::Lacks(3, 0x80, 0xbf)),
                0xf4 => Some(Self::Lacks(3, 0x80, 0x8f)),
                _ => None,
            },
            Self::Lacks(lacking, low, high) => {
                if !(low..=high).contains(&byte) {
                    return None;
                }
                Some(match lacking {
                    0 | 1 => Self::Whole,
                    more => Self::Lacks(more.saturating_sub(1), 0x80, 0xbf),
                })
            }
        }
    }
}
