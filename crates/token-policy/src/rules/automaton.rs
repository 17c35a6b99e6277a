//! All paths of a rule set in one automaton, and what can be read off it: which
//! rule a path is of, and whether a path can be of two.

use std::collections::{HashMap, VecDeque};

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson::{Compiler, Config, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start::Config as Start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::Hir;

/// What the automaton may take, in bytes.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// One automaton for many paths.
#[derive(Debug)]
pub(super) struct Automaton(dense::DFA<Vec<u32>>);

impl Automaton {
    /// `None` when the paths are too large together.
    pub(super) fn new(paths: &[&Hir]) -> Option<Self> {
        let nfa = Compiler::new()
            .configure(
                Config::new()
                    .utf8(false)
                    .which_captures(WhichCaptures::None)
                    .nfa_size_limit(Some(BYTES_MAX)),
            )
            .build_many_from_hir(paths)
            .ok()?;
        dense::Builder::new()
            .configure(
                dense::Config::new()
                    .match_kind(MatchKind::All)
                    .start_kind(StartKind::Anchored)
                    .dfa_size_limit(Some(BYTES_MAX))
                    .determinize_size_limit(Some(BYTES_MAX)),
            )
            .build_from_nfa(&nfa)
            .ok()
            .map(Self)
    }

    fn start(&self) -> Option<StateID> {
        let start = Start::new().anchored(Anchored::Yes);
        self.0.start_state(&start).ok()
    }

    /// The numbers of the paths that match all of `path`.
    pub(super) fn find(&self, path: &[u8]) -> impl Iterator<Item = usize> + '_ {
        let end = self.start().map(|start| {
            path.iter()
                .fold(start, |state, byte| self.0.next_state(state, *byte))
        });
        end.into_iter().flat_map(|state| self.matches(state))
    }

    /// The numbers of the paths that match when nothing follows `state`.
    fn matches(&self, state: StateID) -> impl Iterator<Item = usize> + '_ {
        let end = self.0.next_eoi_state(state);
        let found = if self.0.is_match_state(end) {
            self.0.match_len(end)
        } else {
            0
        };
        (0..found).map(move |nth| self.0.match_pattern(end, nth).as_usize())
    }

    /// Every set of paths that match together, each with the shortest request
    /// path that they match. Every path that a request target can have is
    /// looked at, in that all states are that such a path leads to.
    pub(super) fn together(&self) -> Vec<(Vec<usize>, String)> {
        let mut found: HashMap<Vec<usize>, usize> = HashMap::new();
        let mut sets = Vec::new();
        let mut walk = Walk::default();
        if let Some(start) = self.start() {
            let first = self.0.next_state(start, b'/');
            walk.add((first, 0), None, b'/');
        }
        while let Some(at) = walk.open.pop_front() {
            let Some(&(place, ..)) = walk.steps.get(at) else {
                continue;
            };
            let (state, digits) = place;
            if digits == 0 {
                let set: Vec<usize> = self.matches(state).collect();
                if !set.is_empty() && !found.contains_key(&set) {
                    found.insert(set.clone(), at);
                    sets.push((set, walk.text(at)));
                }
            }
            for byte in BYTES {
                let Some(digits) = after(digits, *byte) else {
                    continue;
                };
                let next = self.0.next_state(state, *byte);
                if !self.0.is_dead_state(next) {
                    walk.add((next, digits), Some(at), *byte);
                }
            }
        }
        sets
    }
}

/// The bytes that a path can hold, those first that read best.
const BYTES: &[u8] =
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-_.~!$&'()*+,:=@%\"<>[]^`{|}";

/// The digits that an escape still lacks after `byte`; `None` where the byte
/// cannot stand.
const fn after(digits: u8, byte: u8) -> Option<u8> {
    match (digits, byte) {
        (0, b'%') => Some(2),
        (0, _) => Some(0),
        (_, byte) if byte.is_ascii_hexdigit() => Some(digits.saturating_sub(1)),
        _ => None,
    }
}

/// A state, and the digits that an escape still lacks there.
type Place = (StateID, u8);

/// Places in the order in which they were found, each with where it was found
/// from.
#[derive(Default)]
struct Walk {
    steps: Vec<(Place, Option<usize>, u8)>,
    known: HashMap<Place, usize>,
    open: VecDeque<usize>,
}

impl Walk {
    fn add(&mut self, place: Place, from: Option<usize>, byte: u8) {
        let at = self.steps.len();
        if self.known.contains_key(&place) {
            return;
        }
        self.known.insert(place, at);
        self.steps.push((place, from, byte));
        self.open.push_back(at);
    }

    fn text(&self, mut at: usize) -> String {
        let mut bytes = Vec::new();
        while let Some((_, from, byte)) = self.steps.get(at) {
            bytes.push(char::from(*byte));
            let Some(from) = from else { break };
            at = *from;
        }
        bytes.iter().rev().collect()
    }
}
