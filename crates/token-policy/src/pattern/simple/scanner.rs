//! Reads a pattern along a name.

use core::marker::PhantomData;

use super::class::{Class, is_escapable, is_plain, length};
use super::places::Places;
use crate::pattern::translate::REPEAT_MAX;

/// A pattern that would take more than this when compiled, in bytes, is left
/// to the compiler, which refuses it above 64 KiB. Our estimate is never less
/// than what it takes.
const COST_MAX: usize = 48 * 1024;

/// What a branch, a group or an optional copy takes when compiled, in bytes.
const JOINT_COST: usize = 64;

/// Deepest nesting of groups.
const DEPTH_MAX: usize = 16;

/// Why reading stops before the end of the pattern.
enum Stop {
    /// No match, whatever follows: were it no pattern, it would not match
    /// either.
    Differs,
    /// It cannot be told from the text.
    NotSimple,
}

use Stop::{Differs, NotSimple};

pub(super) struct Scanner<'s, P> {
    /// What was not read yet of the pattern.
    rest: &'s [u8],
    name: &'s [u8],
    /// Whether to stop where it is clear that nothing matches.
    stops_early: bool,
    /// Flag `i`.
    fold: bool,
    /// Flag `s`.
    dot_matches_newline: bool,
    depth: usize,
    cost: usize,
    places: PhantomData<P>,
}

/// How often: at least, and at most if there is an upper bound.
type Times = (usize, Option<usize>);

/// One character of the pattern.
enum Atom<'s> {
    Byte(u8),
    /// A character beyond ASCII.
    Char(&'s [u8]),
    Class(Class),
}

impl<'s, P: Places> Scanner<'s, P> {
    /// To find out whether `pattern` matches `name`.
    pub(super) fn answering(pattern: &'s str, name: &'s [u8]) -> Self {
        Self {
            rest: pattern.as_bytes(),
            name,
            stops_early: true,
            fold: false,
            dot_matches_newline: false,
            depth: 0,
            cost: 0,
            places: PhantomData,
        }
    }

    /// To find out whether `pattern` is simple.
    pub(super) fn reading(pattern: &'s str) -> Self {
        Self {
            stops_early: false,
            ..Self::answering(pattern, b"")
        }
    }

    /// Whether there is a match that begins at one of `start`; none when the
    /// pattern is not simple.
    pub(super) fn run(mut self, start: &P) -> Option<bool> {
        match self.alternation(start) {
            Ok(reached) if self.rest.is_empty() && self.cost <= COST_MAX => {
                Some(!reached.is_empty())
            }
            Err(Differs) => Some(false),
            Ok(_) | Err(NotSimple) => None,
        }
    }

    /// Where the branches from here to the end of the group lead.
    fn alternation(&mut self, start: &P) -> Result<P, Stop> {
        let mut reached = self.branch(start.clone())?;
        while let Some(rest) = self.rest.strip_prefix(b"|") {
            self.rest = rest;
            self.spend(JOINT_COST, 1)?;
            // With a match in hand, what follows must still be a pattern.
            self.stops_early &= self.depth > 0 || reached.is_empty();
            let branch = self.branch(start.clone())?;
            reached.extend(&branch);
        }
        Ok(reached)
    }

    fn branch(&mut self, mut at: P) -> Result<P, Stop> {
        loop {
            at = self.literals(at);
            if at.is_empty() && self.stops_early && self.depth == 0 && !self.rest.contains(&b'|') {
                return Err(Differs);
            }
            at = match self.rest {
                [] | [b'|' | b')', ..] => return Ok(at),
                [b'^', rest @ ..] | [b'\\', b'A', rest @ ..] => {
                    self.assertion(rest)?;
                    at.only(0)
                }
                [b'$', rest @ ..] | [b'\\', b'z', rest @ ..] => {
                    self.assertion(rest)?;
                    at.only(self.name.len())
                }
                [b'\\', b'b', rest @ ..] => {
                    self.assertion(rest)?;
                    at.each(|place| self.is_word_border(place).then_some(place))
                }
                [b'(', ..] => self.group(&at)?,
                [first, rest @ ..] => {
                    let atom = self.atom(*first, rest)?;
                    self.repeated(&at, &atom)?
                }
            };
        }
    }

    /// Reads the plain characters that stand next, while there is one place or
    /// none. What it does not read, the others do.
    fn literals(&mut self, at: P) -> P {
        let mut next = at.single();
        if self.fold || (next.is_none() && !at.is_empty()) {
            return at;
        }
        let mut read = 0_usize;
        while let Some((byte, rest)) = plain(self.rest)
            && !is_repeat(rest)
        {
            self.rest = rest;
            read = read.wrapping_add(1);
            if let Some(place) = next {
                next = (self.name.get(place) == Some(&byte)).then(|| place.wrapping_add(1));
                if next.is_none() {
                    break;
                }
            }
        }
        if read == 0 {
            return at;
        }
        self.cost = self.cost.saturating_add(read.saturating_mul(JOINT_COST));
        next.map_or_else(P::none, P::at)
    }

    /// Goes behind an assertion, which must not be repeated.
    fn assertion(&mut self, rest: &'s [u8]) -> Result<(), Stop> {
        self.rest = rest;
        self.spend(JOINT_COST, 1)?;
        if is_repeat(rest) {
            Err(NotSimple)
        } else {
            Ok(())
        }
    }

    fn group(&mut self, at: &P) -> Result<P, Stop> {
        let (flag, closed, rest) = match self.rest {
            [b'(', b'?', b':', rest @ ..] => (None, false, rest),
            [b'(', b'?', flag @ (b'i' | b's'), b':', rest @ ..] => (Some(*flag), false, rest),
            [b'(', b'?', flag @ (b'i' | b's'), b')', rest @ ..] => (Some(*flag), true, rest),
            _ => return Err(NotSimple),
        };
        let outer = (self.fold, self.dot_matches_newline);
        self.fold |= flag == Some(b'i');
        self.dot_matches_newline |= flag == Some(b's');
        if closed {
            self.assertion(rest)?;
            return Ok(at.clone());
        }
        self.spend(JOINT_COST, 1)?;
        self.rest = rest;
        self.depth = self.depth.saturating_add(1);
        if self.depth > DEPTH_MAX {
            return Err(NotSimple);
        }
        let mut reached = self.alternation(at)?;
        self.depth = self.depth.saturating_sub(1);
        (self.fold, self.dot_matches_newline) = outer;
        self.rest = self.rest.strip_prefix(b")").ok_or(NotSimple)?;
        match self.repeat()? {
            None => {}
            Some((0, Some(1))) => reached.extend(at),
            Some(_) => return Err(NotSimple),
        }
        Ok(reached)
    }

    /// Reads one character of the pattern, which begins with `first`.
    fn atom(&mut self, first: u8, rest: &'s [u8]) -> Result<Atom<'s>, Stop> {
        let (atom, rest) = match (first, rest) {
            (b'\\', [letter, rest @ ..]) => match Class::perl(*letter, self.fold) {
                Some(class) => (Atom::Class(class), rest),
                None if is_escapable(*letter) => (Atom::Byte(*letter), rest),
                None => return Err(NotSimple),
            },
            (b'[', text) => {
                let (class, rest) = Class::bracketed(text, self.fold).ok_or(NotSimple)?;
                (Atom::Class(class), rest)
            }
            (b'.', _) => (Atom::Class(Class::dot(self.dot_matches_newline)), rest),
            (b'*' | b'+' | b'?' | b'{' | b'}' | b']' | b'\\', _) => return Err(NotSimple),
            _ if first.is_ascii() => {
                let class = Class::of(first);
                let folds = self.fold && first.is_ascii_alphabetic();
                let folded = || Atom::Class(class.folded());
                (if folds { folded() } else { Atom::Byte(first) }, rest)
            }
            _ if self.fold => return Err(NotSimple),
            _ => {
                let split = self.rest.split_at_checked(length(first));
                let (character, rest) = split.ok_or(NotSimple)?;
                (Atom::Char(character), rest)
            }
        };
        self.rest = rest;
        Ok(atom)
    }

    /// Where the atom leads, as often as is written behind it.
    fn repeated(&mut self, from: &P, atom: &Atom<'_>) -> Result<P, Stop> {
        let step = |place| atom.step(self.name, place);
        if !is_repeat(self.rest) {
            let reached = from.each(step);
            self.spend(atom.cost(), 1)?;
            return Ok(reached);
        }
        let (min, max) = self.repeat()?.unwrap_or((1, Some(1)));
        let copies = max.unwrap_or_else(|| min.saturating_add(1));
        self.spend(atom.cost().saturating_add(JOINT_COST), copies)?;
        let step = |place| atom.step(self.name, place);
        let mut at = from.clone();
        for _ in 0..min {
            if at.is_empty() {
                return Ok(at);
            }
            at = at.each(step);
        }
        let Some(max) = max else {
            return Ok(at.closure(step));
        };
        let mut reached = at.clone();
        for _ in min..max {
            if at.is_empty() {
                break;
            }
            at = at.each(step);
            reached.extend(&at);
        }
        Ok(reached)
    }

    /// Reads how often what was read is repeated.
    fn repeat(&mut self) -> Result<Option<Times>, Stop> {
        let (times, rest) = match self.rest {
            [b'*', rest @ ..] => ((0, None), rest),
            [b'+', rest @ ..] => ((1, None), rest),
            [b'?', rest @ ..] => ((0, Some(1)), rest),
            [b'{', rest @ ..] => braces(rest).ok_or(NotSimple)?,
            _ => return Ok(None),
        };
        // Which match is preferred does not matter.
        self.rest = rest.strip_prefix(b"?").unwrap_or(rest);
        if is_repeat(self.rest) {
            return Err(NotSimple);
        }
        Ok(Some(times))
    }

    fn spend(&mut self, cost: usize, copies: usize) -> Result<(), Stop> {
        self.cost = self.cost.saturating_add(cost.saturating_mul(copies));
        if self.cost > COST_MAX {
            Err(NotSimple)
        } else {
            Ok(())
        }
    }

    /// `\b`: a letter, digit or `_` of ASCII on one side only.
    fn is_word_border(&self, place: usize) -> bool {
        let is_word =
            |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let before = place.checked_sub(1).and_then(|place| self.name.get(place));
        is_word(before) != is_word(self.name.get(place))
    }
}

impl Atom<'_> {
    fn step(&self, name: &[u8], place: usize) -> Option<usize> {
        match self {
            Self::Byte(byte) => (name.get(place) == Some(byte)).then(|| place.wrapping_add(1)),
            Self::Char(character) => {
                let next = place.wrapping_add(character.len());
                (name.get(place..next) == Some(*character)).then_some(next)
            }
            Self::Class(class) => class.step(name, place),
        }
    }

    fn cost(&self) -> usize {
        match self {
            Self::Byte(_) => JOINT_COST,
            Self::Char(character) => character.len().saturating_mul(JOINT_COST),
            Self::Class(class) => class.cost(),
        }
    }
}

/// A character that stands for itself, and what follows it.
fn plain(rest: &[u8]) -> Option<(u8, &[u8])> {
    match rest {
        [b'\\', byte, rest @ ..] if is_escapable(*byte) => Some((*byte, rest)),
        [byte, rest @ ..] if is_plain(*byte) => Some((*byte, rest)),
        _ => None,
    }
}

/// Whether a repetition stands next.
pub(super) fn is_repeat(rest: &[u8]) -> bool {
    matches!(rest.first(), Some(b'*' | b'+' | b'?' | b'{'))
}

/// The bounds of `n}`, `n,}` or `n,m}`, and what follows.
fn braces(text: &[u8]) -> Option<(Times, &[u8])> {
    let (min, rest) = number(text)?;
    if let Some(rest) = rest.strip_prefix(b"}") {
        return Some(((min, Some(min)), rest));
    }
    let rest = rest.strip_prefix(b",")?;
    if let Some(rest) = rest.strip_prefix(b"}") {
        return Some(((min, None), rest));
    }
    let (max, rest) = number(rest)?;
    let rest = rest.strip_prefix(b"}")?;
    (min <= max).then_some(((min, Some(max)), rest))
}

/// A number up to the largest repetition, without leading zeros.
fn number(text: &[u8]) -> Option<(usize, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(digits)?;
    if digits.len() > 4 || (digits.len() > 1 && digits.starts_with(b"0")) {
        return None;
    }
    let number: u32 = core::str::from_utf8(digits).ok()?.parse().ok()?;
    let number = (number <= REPEAT_MAX).then_some(number)?;
    Some((usize::try_from(number).ok()?, rest))
}
