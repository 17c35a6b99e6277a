//! How much work an answer is.

use core::cell::Cell;

use super::places::{NARROW_MAX, Places};
use super::scanner::Scanner;

thread_local! {
    static LOOKS: Cell<usize> = const { Cell::new(0) };
}

/// How many places are looked at until `pattern` is answered for `name`; `None`
/// when it is not simple, or the name has more than 127 bytes.
pub(crate) fn looks(pattern: &str, name: &str) -> Option<usize> {
    if name.len() > NARROW_MAX {
        return None;
    }
    let start = Counted::borders(name.as_bytes());
    LOOKS.set(0);
    Scanner::answering(pattern, name.as_bytes()).run(&start)?;
    Some(LOOKS.get())
}

/// Places that count each time that one of them is looked at.
#[derive(Clone)]
struct Counted(u128);

impl Places for Counted {
    fn none() -> Self {
        Self(0)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// None, so that every place is counted where it is taken out.
    fn single(&self) -> Option<usize> {
        None
    }

    fn has(&self, place: usize) -> bool {
        self.0.has(place)
    }

    fn insert(&mut self, place: usize) {
        self.0.insert(place);
    }

    fn extend(&mut self, others: &Self) {
        self.0.extend(&others.0);
    }

    fn pop(&mut self) -> Option<usize> {
        let place = self.0.pop()?;
        LOOKS.set(LOOKS.get().saturating_add(1));
        Some(place)
    }
}
