//! Random patterns from the allow-list.

use core::fmt::Write as _;

use crate::pattern_random::Random;

/// A piece of a pattern. Its source is what counts; what it is expected to
/// match only guides the names towards matches.
pub(crate) enum Node {
    /// Consumes nothing: an assertion, flags, the empty pattern.
    Zero(String),
    /// Consumes one character, presumably one of these.
    One(String, Vec<char>),
    Repeat(Box<Self>, String, usize, usize),
    /// How the group opens, what it holds.
    Group(String, Box<Self>),
    Cat(Vec<Self>),
    Alt(Vec<Self>),
}

/// Every construct of the allow-list, by the name under which it is counted.
pub(crate) const CONSTRUCTS: [&str; 66] = [
    "empty",
    "literal",
    "literal beyond ASCII",
    "`]` and `}`",
    "escaped meta",
    "escaped other",
    "\\<",
    "\\>",
    "\\a",
    "\\f",
    "\\t",
    "\\n",
    "\\r",
    "\\v",
    "octal",
    "\\xHH",
    "\\x{..}",
    ".",
    "^",
    "$",
    "\\A",
    "\\z",
    "\\b",
    "\\B",
    "\\d",
    "\\D",
    "\\s",
    "\\S",
    "\\w",
    "\\W",
    "\\pL",
    "\\PL",
    "\\p{..}",
    "\\P{..}",
    "[..]",
    "[^..]",
    "member",
    "range",
    "leading hyphen",
    "trailing hyphen",
    "inner hyphen",
    "leading bracket",
    "escape in brackets",
    "perl class in brackets",
    "[:posix:]",
    "[:^posix:]",
    "property in brackets",
    "flag i",
    "flag m",
    "flag s",
    "flag U",
    "flag off",
    "flags of a group",
    "(?:..)",
    "alternation",
    "empty branch",
    "concatenation",
    "*",
    "+",
    "?",
    "{n}",
    "{n,}",
    "{n,m}",
    "lazy",
    "repeated assertion",
    "group form",
];

const LETTERS: [char; 14] = [
    'a', 'b', 'k', 'K', 's', 'S', 'Z', 'r', 'o', 'm', '1', '0', '_', '7',
];
const PLAIN: [char; 12] = ['-', ':', '/', ' ', '#', '&', '~', '%', ',', '<', '=', '@'];
const BEYOND: [char; 12] = [
    'é', 'ſ', '\u{212a}', 'Σ', 'ς', '٣', '\u{a0}', 'Я', 'я', '中', '😀', 'ǅ',
];
const META: &str = "\\.+*?()|[]{}^$";
const OTHER: &str = "-_/:#&~!\"'%,;=@` ";
/// Characters that tell constructs apart.
pub(crate) const TELLING: &str = "\u{212a}ſkKsSéٖ٣\u{a0}\u{b}\n\r\t\u{c} -_:.[]^a1Z\u{0}\u{7f}\u{e0001}\u{85}ΣσςǅǆǄ\u{a7dc}\u{19b}&~<>|";
const PROPERTIES: [&str; 14] = [
    "Lu", "Ll", "Lt", "Nd", "Greek", "Latin", "Cyrillic", "Han", "Zs", "Cc", "P", "Arabic", "Nl",
    "Common",
];
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// A pattern with what it is made of.
pub(crate) struct Generated {
    pub(crate) node: Node,
    pub(crate) source: String,
    pub(crate) constructs: Vec<&'static str>,
}

/// One pattern.
pub(crate) fn generate(random: &mut Random) -> Generated {
    let mut grammar = Grammar {
        random,
        constructs: Vec::new(),
    };
    let mut node = grammar.alternation(3);
    if grammar.random.one_in(6) {
        node = grammar.group_form(node);
    }
    Generated {
        source: source(&node),
        constructs: grammar.constructs,
        node,
    }
}

/// The text of a pattern.
pub(crate) fn source(node: &Node) -> String {
    let mut source = String::new();
    write(node, &mut source);
    source
}

fn write(node: &Node, to: &mut String) {
    match node {
        Node::Zero(source) | Node::One(source, _) => to.push_str(source),
        Node::Repeat(inner, operator, ..) => {
            write(inner, to);
            to.push_str(operator);
        }
        Node::Group(open, inner) => {
            to.push_str(open);
            write(inner, to);
            to.push(')');
        }
        Node::Cat(parts) => parts.iter().for_each(|part| write(part, to)),
        Node::Alt(branches) => {
            for (i, branch) in branches.iter().enumerate() {
                if i > 0 {
                    to.push('|');
                }
                write(branch, to);
            }
        }
    }
}

struct Grammar<'r> {
    random: &'r mut Random,
    constructs: Vec<&'static str>,
}

impl Grammar<'_> {
    fn count(&mut self, construct: &'static str) {
        debug_assert!(CONSTRUCTS.contains(&construct), "{construct}");
        self.constructs.push(construct);
    }

    fn alternation(&mut self, depth: usize) -> Node {
        if !self.random.one_in(4) {
            return self.concatenation(depth);
        }
        self.count("alternation");
        let mut branches = vec![self.concatenation(depth), self.concatenation(depth)];
        if self.random.one_in(3) {
            self.count("empty branch");
            branches.push(Node::Cat(Vec::new()));
        }
        Node::Alt(branches)
    }

    fn concatenation(&mut self, depth: usize) -> Node {
        let length = self.random.below(6);
        match length {
            0 => self.count("empty"),
            1 => {}
            _ => self.count("concatenation"),
        }
        let mut parts: Vec<Node> = (0..length).map(|_| self.part(depth)).collect();
        // Assertions mostly where they can hold.
        if self.random.one_in(6) {
            let (name, source) = *self
                .random
                .pick(&[("^", "^"), ("\\A", "\\A"), ("\\b", "\\b")]);
            self.count(name);
            parts.insert(0, Node::Zero(source.to_owned()));
        }
        if self.random.one_in(6) {
            let (name, source) = *self
                .random
                .pick(&[("$", "$"), ("\\z", "\\z"), ("\\b", "\\b")]);
            self.count(name);
            parts.push(Node::Zero(source.to_owned()));
        }
        if self.random.one_in(6) {
            parts.insert(0, self.flags());
        }
        Node::Cat(parts)
    }

    fn flags(&mut self) -> Node {
        let flags = self.flag_letters();
        Node::Zero(format!("(?{flags})"))
    }

    fn flag_letters(&mut self) -> String {
        let (name, flag) = *self.random.pick(&[
            ("flag i", "i"),
            ("flag i", "i"),
            ("flag m", "m"),
            ("flag s", "s"),
            ("flag U", "U"),
        ]);
        self.count(name);
        if self.random.one_in(3) {
            self.count("flag off");
            let off = *self.random.pick(&["i", "m", "s"]);
            if off != flag {
                return format!("{flag}-{off}");
            }
            return format!("-{off}");
        }
        flag.to_owned()
    }

    fn part(&mut self, depth: usize) -> Node {
        let atom = self.atom(depth);
        match self.random.below(4) {
            0 => self.repeat(atom),
            _ => atom,
        }
    }

    fn repeat(&mut self, atom: Node) -> Node {
        if matches!(&atom, Node::Zero(_)) {
            self.count("repeated assertion");
        }
        let n = self.random.below(4);
        let m = n + self.random.below(3);
        let (name, operator, min, max) = match self.random.below(6) {
            0 => ("*", "*".to_owned(), 0, 9),
            1 => ("+", "+".to_owned(), 1, 9),
            2 => ("?", "?".to_owned(), 0, 1),
            3 => ("{n}", format!("{{{n}}}"), n, n),
            4 => ("{n,}", format!("{{{n},}}"), n, 9),
            _ => ("{n,m}", format!("{{{n},{m}}}"), n, m),
        };
        self.count(name);
        let lazy = self.random.one_in(4);
        if lazy {
            self.count("lazy");
        }
        let operator = if lazy { operator + "?" } else { operator };
        Node::Repeat(Box::new(atom), operator, min, max)
    }

    fn atom(&mut self, depth: usize) -> Node {
        match self.random.below(15) {
            0 | 1 if depth > 0 => self.group(depth - 1),
            2 => self.assertion(),
            3 | 12 | 13 => self.escaped_char(),
            4 => self.coded_char(),
            5 | 14 => self.class(),
            6 | 7 => self.brackets(),
            8 => self.property(),
            9 => self.odd_literal(),
            _ => self.literal(),
        }
    }

    fn group(&mut self, depth: usize) -> Node {
        let open = if self.random.one_in(3) {
            self.count("flags of a group");
            let flags = self.flag_letters();
            format!("(?{flags}:")
        } else {
            self.count("(?:..)");
            "(?:".to_owned()
        };
        Node::Group(open, Box::new(self.alternation(depth)))
    }

    /// A pattern for group names with a colon before them.
    fn group_form(&mut self, rest: Node) -> Node {
        self.count("group form");
        let start = *self
            .random
            .pick(&["^", "\\A", "(?:^)", "(?i)^", "^{1}", "\\A\\b*"]);
        let colon = *self
            .random
            .pick(&[":", "(?::)", "[:]", "\\:", ":+", "\\x3a", "(?:::|:)"]);
        let rest = Node::Group("(?:".to_owned(), Box::new(rest));
        Node::Cat(vec![
            Node::Zero(start.to_owned()),
            Node::One(colon.to_owned(), vec![':']),
            rest,
        ])
    }

    fn assertion(&mut self) -> Node {
        let name = *self
            .random
            .pick(&["^", "$", "\\A", "\\z", "\\b", "\\B", "\\b", "\\B", "\\B"]);
        self.count(name);
        Node::Zero(name.to_owned())
    }

    fn literal(&mut self) -> Node {
        self.count("literal");
        let c = if self.random.one_in(5) {
            *self.random.pick(&PLAIN)
        } else {
            *self.random.pick(&LETTERS)
        };
        Node::One(c.to_string(), vec![c])
    }

    fn odd_literal(&mut self) -> Node {
        let (name, c) = if self.random.one_in(4) {
            ("`]` and `}`", *self.random.pick(&[']', '}']))
        } else {
            ("literal beyond ASCII", *self.random.pick(&BEYOND))
        };
        self.count(name);
        Node::One(c.to_string(), vec![c])
    }

    fn escaped_char(&mut self) -> Node {
        let (name, c) = match self.random.below(8) {
            0 => ("escaped meta", pick_char(self.random, META)),
            1 => ("escaped other", pick_char(self.random, OTHER)),
            2 => ("\\<", '<'),
            3 => ("\\>", '>'),
            _ => {
                let (name, c) = *self.random.pick(&[
                    ("\\a", '\u{7}'),
                    ("\\f", '\u{c}'),
                    ("\\t", '\t'),
                    ("\\n", '\n'),
                    ("\\r", '\r'),
                    ("\\v", '\u{b}'),
                ]);
                self.count(name);
                return Node::One(name.to_owned(), vec![c]);
            }
        };
        self.count(name);
        Node::One(format!("\\{c}"), vec![c])
    }

    fn coded_char(&mut self) -> Node {
        let (name, source, c) = match self.random.below(3) {
            0 => {
                let c = *self.random.pick(&LETTERS);
                ("octal", format!("\\{:03o}", u32::from(c)), c)
            }
            1 => {
                let c = *self.random.pick(&['a', 'K', '\u{e9}', ':', '\n', 'z']);
                ("\\xHH", format!("\\x{:02x}", u32::from(c)), c)
            }
            _ => {
                let c = *self.random.pick(&BEYOND);
                ("\\x{..}", format!("\\x{{{:X}}}", u32::from(c)), c)
            }
        };
        self.count(name);
        Node::One(source, vec![c])
    }

    fn class(&mut self) -> Node {
        let (name, source, members) = *self.random.pick(&[
            (".", ".", "a1é😀 "),
            ("\\d", "\\d", "019"),
            ("\\D", "\\D", "aé٣\n"),
            ("\\s", "\\s", " \t\n\r\u{c}"),
            ("\\S", "\\S", "a\u{b}\u{a0}"),
            ("\\w", "\\w", "aZ0_k"),
            ("\\W", "\\W", "é-\n: "),
        ]);
        self.count(name);
        Node::One(source.to_owned(), members.chars().collect())
    }

    fn property(&mut self) -> Node {
        let negated = self.random.one_in(2);
        let p = if negated { 'P' } else { 'p' };
        let members: Vec<char> = if self.random.one_in(2) {
            LETTERS.to_vec()
        } else {
            BEYOND.to_vec()
        };
        if self.random.one_in(2) {
            self.count(if negated { "\\PL" } else { "\\pL" });
            let letter = pick_char(self.random, "LMNPSZ");
            return Node::One(format!("\\{p}{letter}"), members);
        }
        self.count(if negated { "\\P{..}" } else { "\\p{..}" });
        let name = self.random.pick(&PROPERTIES);
        Node::One(format!("\\{p}{{{name}}}"), members)
    }

    fn brackets(&mut self) -> Node {
        let mut source = String::from("[");
        let mut members = Vec::new();
        let negated = self.random.one_in(3);
        self.count(if negated { "[^..]" } else { "[..]" });
        if negated {
            source.push('^');
        }
        match self.random.below(8) {
            0 => self.lead("leading hyphen", '-', &mut source, &mut members),
            1 => self.lead("leading bracket", ']', &mut source, &mut members),
            _ => {}
        }
        let least = usize::from(members.is_empty());
        for _ in 0..(least + self.random.below(3)) {
            self.bracket_item(&mut source, &mut members);
        }
        if self.random.one_in(6) {
            self.count("trailing hyphen");
            source.push('-');
            members.push('-');
        }
        source.push(']');
        if negated {
            members = TELLING.chars().filter(|c| !members.contains(c)).collect();
        }
        Node::One(source, members)
    }

    fn lead(&mut self, name: &'static str, c: char, source: &mut String, members: &mut Vec<char>) {
        self.count(name);
        source.push(c);
        members.push(c);
    }

    fn bracket_item(&mut self, source: &mut String, members: &mut Vec<char>) {
        match self.random.below(10) {
            0 | 1 => {
                self.count("range");
                let (range, inside) = *self.random.pick(&[
                    ("a-z", 'k'),
                    ("0-9", '7'),
                    ("J-L", 'K'),
                    ("à-ü", 'é'),
                    ("!-/", '-'),
                    ("\\x00-\\x{10FFFF}", '😀'),
                ]);
                source.push_str(range);
                members.push(inside);
                if self.random.one_in(2) {
                    self.count("inner hyphen");
                    source.push_str("-_");
                    members.extend(['-', '_']);
                }
            }
            2 => {
                self.count("escape in brackets");
                let c = pick_char(self.random, "]^-[\\");
                source.push('\\');
                source.push(c);
                members.push(c);
            }
            3 => {
                self.count("perl class in brackets");
                let (class, inside) = *self.random.pick(&[
                    ("\\d", '1'),
                    ("\\W", 'é'),
                    ("\\s", ' '),
                    ("\\w", 'k'),
                    ("\\D", 'a'),
                    ("\\S", '\u{b}'),
                ]);
                source.push_str(class);
                members.push(inside);
            }
            4 | 5 => {
                let negated = self.random.one_in(2);
                self.count(if negated { "[:^posix:]" } else { "[:posix:]" });
                let caret = if negated { "^" } else { "" };
                let name = self.random.pick(&POSIX);
                write!(source, "[:{caret}{name}:]").unwrap();
                members.extend(if negated { ['é', ' '] } else { ['a', '1'] });
            }
            6 => {
                self.count("property in brackets");
                let p = if self.random.one_in(2) { 'P' } else { 'p' };
                let name = self.random.pick(&PROPERTIES);
                write!(source, "\\{p}{{{name}}}").unwrap();
                members.extend(['Я', 'a']);
            }
            _ => {
                self.count("member");
                let pool = if self.random.one_in(3) {
                    &BEYOND[..]
                } else {
                    &LETTERS[..]
                };
                let c = *self.random.pick(pool);
                source.push(c);
                members.push(c);
            }
        }
    }
}

fn pick_char(random: &mut Random, from: &str) -> char {
    let chars: Vec<char> = from.chars().collect();
    *random.pick(&chars)
}
