//! Patterns that are answered from their text, beside the same compiled
//! (design 6, attack R06).

use token_core::limits::NAME_BYTES_MAX;
use token_core::{Permissions, ResourceKind};
use token_policy::fuzzing::simple;
use token_policy::{Pattern, PatternSet};

use crate::pattern_grammar::{self as grammar, source};
use crate::pattern_random::Random;
use crate::{pattern_everyday as everyday, pattern_names as names};

/// How many pairs of a pattern and a name are tried by default;
/// `USHER_PATTERN_PAIRS` says otherwise.
const PAIRS: usize = 1_000_000;
const NAMES_PER_PATTERN: usize = 40;
const SEED: u64 = 0x0075_7368_6572_0002;

#[derive(Default, Debug)]
struct Tally {
    pairs: usize,
    matching: usize,
    from_text: usize,
    from_text_matching: usize,
    compiled: usize,
    long: usize,
    beyond_ascii: usize,
}

/// Every answer from the text is that of the compiled pattern.
#[test]
fn simple_patterns_are_answered_as_if_compiled() {
    let mut random = Random::new(SEED);
    let mut tally = Tally::default();
    while tally.pairs < pairs() {
        let everyday = !random.one_in(4);
        let node = if everyday {
            everyday::generate(&mut random)
        } else {
            grammar::generate(&mut random).node
        };
        let mut text = source(&node);
        if random.one_in(20) {
            text = names::mangled(&text, &mut random);
        }
        let kind = *random.pick(&[ResourceKind::Channel, ResourceKind::Group]);
        let set = PatternSet::new(kind, [(text.as_str(), Permissions::ALL)]);
        for _ in 0..NAMES_PER_PATTERN / 2 {
            let mut name = String::new();
            names::sample(&node, &mut random, &mut name);
            if random.one_in(8) {
                name = surrounded(&name, &mut random);
            }
            let neighbour = names::neighbour(&name, &mut random);
            for name in [name, neighbour] {
                tally.compare(kind, &text, &set, &name);
            }
        }
    }
    tally.check();
}

impl Tally {
    fn compare(&mut self, kind: ResourceKind, text: &str, set: &PatternSet, name: &str) {
        let compiled = set.held(name) == Permissions::ALL;
        self.pairs += 1;
        self.matching += usize::from(compiled);
        self.long += usize::from(name.len() > 127);
        self.beyond_ascii += usize::from(!name.is_ascii());
        match simple(kind, text, name) {
            Some(answer) => {
                assert_eq!(answer, compiled, "{}: `{text}` on {name:?}", kind.name());
                self.from_text += 1;
                self.from_text_matching += usize::from(answer);
            }
            None => self.compiled += 1,
        }
    }

    /// Each way to answer was taken often, and the answers were not all one.
    #[expect(clippy::print_stderr, reason = "figures for who asks")]
    fn check(&self) {
        eprintln!("{self:?}");
        let share = |part: usize, percent: usize| part * 100 >= self.pairs * percent;
        assert!(share(self.matching, 30), "{self:?}");
        assert!(share(self.from_text, 50), "{self:?}");
        assert!(share(self.compiled, 10), "{self:?}");
        assert!(share(self.beyond_ascii, 10), "{self:?}");
        assert!(share(self.long, 1), "{self:?}");
        assert!(
            self.from_text_matching * 100 >= self.from_text * 30,
            "{self:?}"
        );
    }
}

/// Every class and escape of ASCII, alone and beside every punctuation.
#[test]
fn every_short_spelling_is_answered_as_if_compiled() {
    let ascii: Vec<char> = (0..=0x7fu8).map(char::from).collect();
    let punctuation = || ascii.iter().filter(|c| !c.is_ascii_alphanumeric());
    let mut texts = Vec::new();
    for c in &ascii {
        for flags in ["", "(?i)", "(?s)"] {
            texts.extend([
                format!("{flags}{c}"),
                format!("{flags}\\{c}"),
                format!("{flags}[{c}]"),
                format!("{flags}[^{c}]"),
                format!("{flags}[\\{c}]"),
                format!("{flags}[^\\{c}-]"),
                format!("{flags}[\\{c}-{c}]"),
                format!("{flags}^a{c}b$"),
                format!("{flags}^a*{c}"),
                format!("{flags}(?:a{c}|b)?"),
            ]);
        }
        texts.extend([
            format!("(?{c})a"),
            format!("(?{c}:a)b"),
            format!("a{{1{c}2}}"),
            format!("a{{{c}2}}"),
            format!("a{{{c}}}"),
        ]);
        for d in punctuation() {
            texts.extend([
                format!("[{c}{d}a]"),
                format!("[{c}{d}{d}a]"),
                format!("[{c}-{d}]"),
                format!("[a{c}{d}]"),
                format!("[a-k{d}{c}]"),
                format!("[\\w{d}{c}]"),
                format!("a{d}{c}b"),
                format!("^:{d}{c}"),
            ]);
        }
    }
    let names: Vec<String> = ascii
        .iter()
        .map(char::to_string)
        .chain(
            [
                "\u{17f}", "\u{212a}", "é", "", "ab", "aab", "a-b", "aa", "a\nb",
            ]
            .map(str::to_owned),
        )
        .collect();
    let mut from_text = 0;
    for kind in [ResourceKind::Channel, ResourceKind::Group] {
        for text in &texts {
            let set = PatternSet::new(kind, [(text.as_str(), Permissions::ALL)]);
            for name in &names {
                let compiled = set.held(name) == Permissions::ALL;
                let answer = simple(kind, text, name);
                assert_eq!(answer.unwrap_or(compiled), compiled, "`{text}` on {name:?}");
                from_text += usize::from(answer.is_some());
            }
        }
    }
    assert!(from_text > texts.len() * names.len() / 2, "{from_text}");
}

/// What the text answers is never more than what the compiler would accept.
#[test]
fn what_is_too_large_to_compile_is_not_simple() {
    let classes = [
        "a",
        "é",
        ".",
        "\\w",
        "\\W",
        "[^a]",
        "[acegikmoqsuwy]",
        "(?i:k)",
        "(?i:[^k])",
    ];
    for class in classes {
        let mut simple_up_to = 0;
        for n in 1..=1_000 {
            for text in [
                format!("{class}{{{n}}}"),
                format!("{class}{{0,{n}}}"),
                class.repeat(n),
                format!("(?:{})?", vec![class; n].join("|")),
            ] {
                if simple(ResourceKind::Channel, &text, "") == Some(true)
                    || simple(ResourceKind::Channel, &text, &"a".repeat(n)) == Some(true)
                {
                    assert!(Pattern::parse(&text).is_ok(), "`{text}` does not compile");
                    simple_up_to = n;
                }
            }
        }
        assert!(simple_up_to >= 20, "`{class}` {simple_up_to}");
    }
}

/// The forms of real grants need no compiling, on names of every length.
#[test]
fn everyday_patterns_are_simple() {
    for text in [
        "",
        ".*",
        "^.*$",
        "^room-[0-9]+$",
        "^team-7\\..*$",
        "^user-[a-z0-9_-]+\\.3$",
        "^(?:news|alerts)-3$",
        "^room-.*(?:-pnpres)?$",
        "^[^.]+\\.public$",
        "\\bstaff\\b",
        "(?i)^admin",
        "^kanal-é",
        "^\\w{8}-\\w{4}$",
    ] {
        for name in ["a", &"é".repeat(70), &"a".repeat(NAME_BYTES_MAX)] {
            let answer = simple(ResourceKind::Channel, text, name);
            let compiled = Pattern::parse(text).unwrap().matches(name);
            assert_eq!(answer, Some(compiled), "`{text}` on {name:?}");
        }
    }
}

/// A name that begins with what the pattern asks for, then something else.
fn surrounded(name: &str, random: &mut Random) -> String {
    let filler = *random.pick(&["a", "-", "é", "k1.", ":"]);
    let filler = filler.repeat(random.below(80));
    if random.one_in(2) {
        format!("{filler}{name}")
    } else {
        format!("{name}{filler}")
    }
}

fn pairs() -> usize {
    std::env::var_os("USHER_PATTERN_PAIRS").map_or(PAIRS, |n| n.to_str().unwrap().parse().unwrap())
}
