//! All paths of a rule set in one automaton, and what can be read off it: which
//! rule a path is of, and whether a path can be of two.

use core::hash::Hash;
use std::collections::{HashSet, VecDeque};

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson::{Compiler, Config, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start::Config as Start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::Hir;

use crate::route::After;

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
        let mut sets: Vec<(Vec<usize>, String)> = Vec::new();
        let mut known = HashSet::new();
        self.walk(
            (),
            |(), _| Some(()),
            |state, (), path| {
                let set: Vec<usize> = self.matches(state).collect();
                if !set.is_empty() && known.insert(set.clone()) {
                    sets.push((set, path()));
                }
            },
        );
        sets
    }

    /// The paths of which a request path is also one of the table of
    /// operations, each with the shortest.
    pub(super) fn shared(&self, operations: After) -> Vec<(usize, String)> {
        let mut shared: Vec<(usize, String)> = Vec::new();
        self.walk(operations, After::byte, |state, operations, path| {
            if !operations.is_row() {
                return;
            }
            for number in self.matches(state) {
                if shared.iter().all(|(known, _)| *known != number) {
                    shared.push((number, path()));
                }
            }
        });
        shared
    }

    /// Visits every state that a request path leads to, shortest path first,
    /// beside another automaton that is followed through the same bytes.
    fn walk<B: Copy + Eq + Hash>(
        &self,
        beside: B,
        follow: impl Fn(B, u8) -> Option<B>,
        mut visit: impl FnMut(StateID, B, &dyn Fn() -> String),
    ) {
        let mut walk = Walk::new();
        let first = self.start().zip(follow(beside, b'/'));
        if let Some((start, beside)) = first {
            let state = self.0.next_state(start, b'/');
            walk.add((state, beside, 0), None, b'/');
        }
        while let Some(at) = walk.open.pop_front() {
            let Some(&((state, beside, digits), ..)) = walk.steps.get(at) else {
                continue;
            };
            if digits == 0 {
                visit(state, beside, &|| walk.text(at));
            }
            for byte in BYTES {
                let next = self.0.next_state(state, *byte);
                let place = after(digits, *byte).zip(follow(beside, *byte));
                if let Some((digits, beside)) = place
                    && !self.0.is_dead_state(next)
                {
                    walk.add((next, beside, digits), Some(at), *byte);
                }
            }
        }
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

/// A state, that of the automaton beside, and the digits that an escape still
/// lacks there.
type Place<B> = (StateID, B, u8);

/// Places in the order in which they were found, each with where it was found
/// from and through which byte.
struct Walk<B> {
    steps: Vec<(Place<B>, Option<usize>, u8)>,
    known: HashSet<Place<B>>,
    open: VecDeque<usize>,
}

impl<B: Copy + Eq + Hash> Walk<B> {
    fn new() -> Self {
        Self {
            steps: Vec::new(),
            known: HashSet::new(),
            open: VecDeque::new(),
        }
    }

    fn add(&mut self, place: Place<B>, from: Option<usize>, byte: u8) {
        if self.known.insert(place) {
            self.open.push_back(self.steps.len());
            self.steps.push((place, from, byte));
        }
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
