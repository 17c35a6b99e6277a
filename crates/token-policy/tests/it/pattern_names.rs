//! Names from patterns, and what is close to either.

use crate::pattern_grammar::{Node, TELLING};
use crate::pattern_random::Random;

/// A text that the pattern presumably matches.
pub(crate) fn sample(node: &Node, random: &mut Random, text: &mut String) {
    match node {
        Node::Zero(_) => {}
        Node::One(_, members) => text.push(*random.pick(members)),
        Node::Repeat(inner, _, min, max) => {
            let extra = random.below(3).min(max - min);
            for _ in 0..(min + extra) {
                sample(inner, random, text);
            }
        }
        Node::Group(_, inner) => sample(inner, random, text),
        Node::Cat(parts) => parts.iter().for_each(|part| sample(part, random, text)),
        Node::Alt(branches) => sample(random.pick(branches), random, text),
    }
}

/// A text one edit away.
pub(crate) fn neighbour(text: &str, random: &mut Random) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let telling: Vec<char> = TELLING.chars().collect();
    let at = random.below(chars.len() + 1);
    match random.below(4) {
        0 if at < chars.len() => {
            chars.remove(at);
        }
        1 if at < chars.len() => chars[at] = *random.pick(&telling),
        2 if at < chars.len() => chars[at] = other_case(chars[at], random),
        _ => chars.insert(at, *random.pick(&telling)),
    }
    chars.into_iter().collect()
}

/// The pattern with one to three characters changed: mostly not a pattern any
/// more, sometimes one that two engines read differently.
pub(crate) fn mangled(source: &str, random: &mut Random) -> String {
    const PIECES: [&str; 42] = [
        "\\", "[", "]", "-", "^", "&&", "--", "~~", "{", "}", ",", "(?", ":", "(", ")", "|", "*",
        "+", "?", "$", "\\<", "\\b", "\\p", "\\x", "{2}", "{ 2}", "{,2}", "{02}", "(?i)", "(?x)",
        "(?R)", "(?-u)", "\\Q", "\\E", "\\C", "\\Z", "\\1", "\\0", "[:", ":]", "#", " ",
    ];
    let mut text = source.to_owned();
    for _ in 0..=random.below(3) {
        let borders: Vec<usize> = (0..=text.len())
            .filter(|i| text.is_char_boundary(*i))
            .collect();
        let at = random.below(borders.len());
        let end = borders[(at + random.below(2)).min(borders.len() - 1)];
        let piece = if random.one_in(4) {
            ""
        } else {
            random.pick(&PIECES)
        };
        text.replace_range(borders[at]..end, piece);
    }
    text
}

fn other_case(c: char, random: &mut Random) -> char {
    let folds: &[char] = match c {
        'k' | 'K' | '\u{212a}' => &['k', 'K', '\u{212a}'],
        's' | 'S' | 'ſ' => &['s', 'S', 'ſ'],
        'Σ' | 'σ' | 'ς' => &['Σ', 'σ', 'ς'],
        'Ǆ' | 'ǅ' | 'ǆ' => &['Ǆ', 'ǅ', 'ǆ'],
        _ if c.is_lowercase() => return c.to_uppercase().next().unwrap(),
        _ => return c.to_lowercase().next().unwrap(),
    };
    *random.pick(folds)
}
