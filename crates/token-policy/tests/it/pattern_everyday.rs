//! Random patterns of the kind that people write.

use crate::pattern_grammar::Node;
use crate::pattern_random::Random;

const WORDS: [&str; 14] = [
    "room-", "team.", "user-", "chat_", "a", "k", "s", "news", "-pnpres", ".", ":", "é", "Kanal ",
    "1",
];
/// Characters with some that they match.
const CHARACTERS: [(&str, &str); 25] = [
    ("[0-9]", "017"),
    ("[a-z]", "akz"),
    ("[a-z0-9_-]", "a7_-"),
    ("[A-Za-z0-9]", "aZ0"),
    ("[^.]", "a-é😀"),
    ("[^a-y-]", "z_ſ"),
    ("[^\\s/]", "a.\u{a0}"),
    ("[.:_-]", ".:_-"),
    ("[-ks]", "-ksK"),
    ("[\\w.]", "a.Z"),
    ("[\\d\\-]", "1-"),
    ("[\\]\\^]", "]^"),
    ("[K-Z]", "KSk"),
    (".", "a é中"),
    ("\\d", "19"),
    ("\\w", "kS_"),
    ("\\s", " \t"),
    ("\\D", "a-ſ"),
    ("\\W", "-é "),
    ("\\S", "a\u{212a}"),
    ("\\.", "."),
    ("\\-", "-"),
    ("a", "a"),
    ("k", "kK\u{212a}"),
    ("é", "éÉ"),
];
const ASSERTIONS: [&str; 5] = ["\\b", "^", "$", "(?i)", "(?:)"];
const REPEATS: [(&str, usize, usize); 14] = [
    ("*", 0, 9),
    ("+", 1, 9),
    ("?", 0, 1),
    ("*?", 0, 9),
    ("+?", 1, 9),
    ("??", 0, 1),
    ("{2}", 2, 2),
    ("{0,2}", 0, 2),
    ("{1,3}", 1, 3),
    ("{2,}", 2, 9),
    ("{0}", 0, 0),
    ("{1,40}", 1, 12),
    ("{3,140}", 3, 140),
    ("{300}", 300, 300),
];

/// One pattern: mostly anchored, mostly words with something between them.
pub(crate) fn generate(random: &mut Random) -> Node {
    let mut parts = Vec::new();
    match random.below(12) {
        0 => parts.push(zero("(?i)")),
        1 => parts.push(zero("(?s)")),
        _ => {}
    }
    match random.below(10) {
        0..6 => parts.push(zero("^")),
        6 => parts.push(zero("\\A")),
        7 => parts.push(zero("^:")),
        _ => {}
    }
    parts.push(alternatives(random, 2));
    match random.below(6) {
        0..3 => parts.push(zero("$")),
        3 => parts.push(zero("\\z")),
        _ => {}
    }
    Node::Cat(parts)
}

fn alternatives(random: &mut Random, depth: usize) -> Node {
    if !random.one_in(6) {
        return sequence(random, depth);
    }
    let branches = 2 + random.below(2);
    Node::Alt((0..branches).map(|_| sequence(random, depth)).collect())
}

fn sequence(random: &mut Random, depth: usize) -> Node {
    let parts = 1 + random.below(4);
    Node::Cat((0..parts).map(|_| part(random, depth)).collect())
}

fn part(random: &mut Random, depth: usize) -> Node {
    match random.below(12) {
        0 | 1 if depth > 0 => group(random, depth - 1),
        2 => Node::Zero((*random.pick(&ASSERTIONS)).to_owned()),
        3..7 => Node::Cat(random.pick(&WORDS).chars().map(literal).collect()),
        7 | 8 => character(random),
        _ => {
            let one = character(random);
            repeat(random, one)
        }
    }
}

/// A group, sometimes optional, seldom repeated.
fn group(random: &mut Random, depth: usize) -> Node {
    let open = *random.pick(&["(?:", "(?:", "(?:", "(?i:", "(?s:"]);
    let group = Node::Group(open.to_owned(), Box::new(alternatives(random, depth)));
    match random.below(10) {
        0..3 => Node::Repeat(Box::new(group), "?".to_owned(), 0, 1),
        3 => repeat(random, group),
        _ => group,
    }
}

fn repeat(random: &mut Random, what: Node) -> Node {
    // The long ones seldom, as they make long names.
    let known = if random.one_in(20) { REPEATS.len() } else { 12 };
    let (operator, min, max) = *random.pick(&REPEATS[..known]);
    Node::Repeat(Box::new(what), operator.to_owned(), min, max)
}

fn character(random: &mut Random) -> Node {
    let (source, members) = random.pick(&CHARACTERS);
    Node::One((*source).to_owned(), members.chars().collect())
}

fn literal(c: char) -> Node {
    let source = if c == '.' {
        "\\.".to_owned()
    } else {
        c.to_string()
    };
    Node::One(source, vec![c])
}

fn zero(source: &str) -> Node {
    Node::Zero(source.to_owned())
}
