//! Sets of places in a name: byte offsets between characters, both ends
//! included.

use token_core::limits::NAME_BYTES_MAX;

/// Longest name whose places fit 128 bits, in bytes.
pub(super) const NARROW_MAX: usize = 127;

/// Longest name that is scanned, in bytes: the longest there is, with the
/// colon of a group.
pub(super) const WIDE_MAX: usize = NAME_BYTES_MAX + 1;

const WORDS: usize = WIDE_MAX / 128 + 1;

/// A set of places. A place beyond the longest name is never in it.
pub(super) trait Places: Clone {
    fn none() -> Self;
    fn is_empty(&self) -> bool;
    /// The place, if there is exactly one.
    fn single(&self) -> Option<usize>;
    fn has(&self, place: usize) -> bool;
    fn insert(&mut self, place: usize);
    fn extend(&mut self, others: &Self);
    /// Takes the first place out.
    fn pop(&mut self) -> Option<usize>;

    /// Every border between two characters of `name`, and its ends.
    fn borders(name: &[u8]) -> Self {
        let mut places = Self::none();
        places.insert(name.len());
        for (place, byte) in name.iter().enumerate() {
            if !is_continuation(*byte) {
                places.insert(place);
            }
        }
        places
    }

    /// The set of one place.
    fn at(place: usize) -> Self {
        let mut places = Self::none();
        places.insert(place);
        places
    }

    /// The set with nothing but `place`, if it was in it.
    fn only(&self, place: usize) -> Self {
        if self.has(place) {
            Self::at(place)
        } else {
            Self::none()
        }
    }

    /// Where `step` leads from each place.
    fn each(&self, step: impl Fn(usize) -> Option<usize>) -> Self {
        let mut open = self.clone();
        let mut reached = Self::none();
        while let Some(place) = open.pop() {
            if let Some(next) = step(place) {
                reached.insert(next);
            }
        }
        reached
    }

    /// Where any number of `step`s leads; each step goes forward.
    fn closure(&self, step: impl Fn(usize) -> Option<usize>) -> Self {
        let mut open = self.clone();
        let mut reached = self.clone();
        while let Some(place) = open.pop() {
            if let Some(next) = step(place)
                && !reached.has(next)
            {
                reached.insert(next);
                open.insert(next);
            }
        }
        reached
    }
}

/// Whether the byte is inside a character (RFC 3629 section 3).
fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

impl Places for u128 {
    fn none() -> Self {
        0
    }

    fn is_empty(&self) -> bool {
        *self == 0
    }

    fn single(&self) -> Option<usize> {
        self.is_power_of_two().then(|| first(*self))
    }

    fn has(&self, place: usize) -> bool {
        bit(place) & self != 0
    }

    fn insert(&mut self, place: usize) {
        *self |= bit(place);
    }

    fn extend(&mut self, others: &Self) {
        *self |= others;
    }

    fn pop(&mut self) -> Option<usize> {
        if *self == 0 {
            return None;
        }
        let place = first(*self);
        *self &= self.wrapping_sub(1);
        Some(place)
    }

    fn borders(name: &[u8]) -> Self {
        if name.is_ascii() {
            let above = bit(name.len());
            return above | above.wrapping_sub(1);
        }
        let inside = |(place, byte): (usize, &u8)| (!is_continuation(*byte)).then(|| bit(place));
        let borders = name.iter().enumerate().filter_map(inside);
        borders.fold(bit(name.len()), |all, border| all | border)
    }
}

/// The bit of a place; none beyond 127.
fn bit(place: usize) -> u128 {
    u32::try_from(place)
        .ok()
        .and_then(|place| 1_u128.checked_shl(place))
        .unwrap_or(0)
}

/// The lowest bit of a set that is not empty.
fn first(places: u128) -> usize {
    usize::try_from(places.trailing_zeros()).unwrap_or(NARROW_MAX)
}

/// Places of any name.
#[derive(Clone)]
pub(super) struct Wide([u128; WORDS]);

impl Places for Wide {
    fn none() -> Self {
        Self([0; WORDS])
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    fn single(&self) -> Option<usize> {
        let mut places = self.clone();
        let place = places.pop()?;
        places.is_empty().then_some(place)
    }

    fn has(&self, place: usize) -> bool {
        let word = self.0.get(place / 128);
        word.is_some_and(|word| word.has(place % 128))
    }

    fn insert(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 128) {
            word.insert(place % 128);
        }
    }

    fn extend(&mut self, others: &Self) {
        for (word, other) in self.0.iter_mut().zip(&others.0) {
            word.extend(other);
        }
    }

    fn pop(&mut self) -> Option<usize> {
        for (index, word) in self.0.iter_mut().enumerate() {
            if let Some(place) = word.pop() {
                return Some(index.saturating_mul(128).saturating_add(place));
            }
        }
        None
    }
}
