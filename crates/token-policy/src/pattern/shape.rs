//! What can be said of every match of a pattern, from its syntax alone.

use regex_syntax::hir::{Hir, HirKind, Look};

/// True when every match begins with a literal `:` at the start of the text.
///
/// Where this cannot be read off the pattern the answer is false.
pub(super) fn begins_with_colon(hir: &Hir) -> bool {
    begin(hir, Begin::Anywhere) == Some(Begin::Colon)
}

/// True when every match begins at the start of the text.
pub(super) fn anchored_start(hir: &Hir) -> bool {
    hir.properties().look_set_prefix().contains(Look::Start)
}

/// True when every match ends at the end of the text.
pub(super) fn anchored_end(hir: &Hir) -> bool {
    hir.properties().look_set_suffix().contains(Look::End)
}

/// What is known of how every match begins, weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Begin {
    /// Nothing, and nothing is consumed yet.
    Anywhere,
    /// At the start of the text, and nothing is consumed yet.
    TextStart,
    /// At the start of the text, and a `:` was consumed.
    Colon,
}

/// What is known behind `hir` when `known` holds before it; none when a match
/// may begin in another way.
fn begin(hir: &Hir, known: Begin) -> Option<Begin> {
    if known == Begin::Colon {
        return Some(known);
    }
    match hir.kind() {
        HirKind::Empty => Some(known),
        HirKind::Look(Look::Start) => Some(Begin::TextStart),
        HirKind::Look(_) => Some(known),
        HirKind::Literal(literal) => {
            (known == Begin::TextStart && literal.0.first() == Some(&b':')).then_some(Begin::Colon)
        }
        HirKind::Class(_) => None,
        HirKind::Capture(capture) => begin(&capture.sub, known),
        HirKind::Repetition(repetition) => {
            let once = begin(&repetition.sub, known)?;
            Some(if repetition.min == 0 {
                known.min(once)
            } else {
                once
            })
        }
        HirKind::Concat(parts) => parts
            .iter()
            .try_fold(known, |known, part| begin(part, known)),
        HirKind::Alternation(branches) => branches
            .iter()
            .map(|branch| begin(branch, known))
            .min()
            .flatten(),
    }
}
