//! Patterns that make other engines slow, that are large when compiled, or that
//! people wrote for something else: each is refused, or answered in time linear
//! in the name (attacks R06 and R07).

use std::collections::BTreeMap;

use allocation_counter::measure;
use token_core::limits::{PATTERN_BYTES_MAX, PATTERN_NFA_BYTES_MAX};
use token_policy::fuzzing::simple_looks;
use token_policy::{Pattern, PatternError};

use crate::pattern_oracle::corpus;
use crate::pattern_re2::{case, check, compare};

/// Length of the names that make a backtracking engine work longest, in bytes.
const NAME_BYTES: usize = 92;

/// Heap that compiling may take at one time and in all, in bytes, whether the
/// pattern is accepted or refused. Some 320 KiB of it are the compiler's memory
/// of how characters are spelled in UTF-8, which it frees; the automaton itself
/// is at most 64 KiB. What is allocated in all stands for the work.
const PARSE_PEAK_BYTES_MAX: u64 = 768 * 1024;
const PARSE_TOTAL_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// The smallest state of an automaton, in bytes of heap.
const STATE_BYTES: usize = 24;

#[derive(Default, Debug)]
struct Tally {
    accepted: usize,
    simple: usize,
    matching: usize,
    refused: BTreeMap<&'static str, usize>,
    looks_max: usize,
    peak_max: u64,
    total_max: u64,
}

impl Tally {
    /// Compiles within bounds, and answers with bounded work.
    ///
    /// The automaton looks at each of its states at most once a byte, so its
    /// bytes bound its work. A simple pattern is counted: no place is looked at
    /// more often than the pattern has characters or the automaton states.
    fn measure(&mut self, text: &str) {
        let mut parsed = None;
        let counted = measure(|| parsed = Some(Pattern::parse(text)));
        let (peak, total) = (counted.bytes_max, counted.bytes_total);
        self.peak_max = self.peak_max.max(peak);
        self.total_max = self.total_max.max(total);
        assert!(peak <= PARSE_PEAK_BYTES_MAX, "`{text}` takes {peak} bytes");
        assert!(
            total <= PARSE_TOTAL_BYTES_MAX,
            "`{text}` takes {total} bytes in all"
        );
        let pattern = match parsed.unwrap() {
            Ok(pattern) => pattern,
            Err(error) => {
                *self.refused.entry(cause(&error)).or_default() += 1;
                return;
            }
        };
        self.accepted += 1;
        assert!(pattern.bytes() <= PATTERN_NFA_BYTES_MAX, "`{text}`");
        for name in adversarial(text) {
            self.matching += usize::from(pattern.matches(&name));
            let Some(looks) = simple_looks(text, &name) else {
                continue;
            };
            self.simple += 1;
            self.looks_max = self.looks_max.max(looks);
            let pieces = text.len() + pattern.bytes() / STATE_BYTES;
            assert!(
                looks <= pieces * (name.len() + 1),
                "`{text}` on {name:?}: {looks}"
            );
        }
    }
}

fn cause(error: &PatternError) -> &'static str {
    match error {
        PatternError::TooLong { .. } => "too long",
        PatternError::Syntax { .. } => "syntax",
        PatternError::MultipleRepeat => "multiple repeat",
        PatternError::CapturingGroup => "capturing group",
        PatternError::RepeatTooLarge { .. } => "repeat too large",
        PatternError::UnknownProperty { .. } => "unknown property",
        PatternError::Unsupported { .. } => "unsupported",
        PatternError::TooLarge => "too large",
        PatternError::SetTooLarge | _ => "other",
    }
}

/// Names of 92 bytes that repeat what the pattern repeats and end in something
/// else.
fn adversarial(text: &str) -> Vec<String> {
    let letters: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let first = letters.get(..1).unwrap_or("a");
    let two = letters.get(..2).unwrap_or("ab");
    [first, two, &letters, "a", "0", "a.", " ", "é"]
        .into_iter()
        .map(|pump| {
            let mut name = String::new();
            while !pump.is_empty() && name.len() + pump.len() < NAME_BYTES {
                name.push_str(pump);
            }
            while name.len() < NAME_BYTES {
                name.push('!');
            }
            name
        })
        .collect()
}

/// R06: repetitions inside repetitions, equal branches, what overlaps with what
/// follows it: the shapes that detectors of slow patterns look for.
#[test]
fn what_is_exponential_elsewhere_is_linear_here() {
    let atoms = [
        "a",
        "[a-z]",
        "\\w",
        ".",
        "[^x]",
        "a?",
        "a+",
        "a*",
        ".*",
        "\\w+",
        "[a-z]+[_.-]?",
        "a|a",
        "a|aa",
        "a|b|ab",
        ".|a",
        "\\d|\\w",
        "a{1,5}",
        "(?:a+)+",
        "(?:a|a)*",
        ".*a",
        "a*b?",
        "\\s*a",
        "[0-9]+|a",
        "a+b*",
    ];
    let inner = ["", "*", "+", "{1,9}", "{2,}", "?"];
    let outer = ["", "*", "+", "{20}", "{1,30}", "{3,}", "{100}"];
    let ends = [
        ("^", "$"),
        ("", "$"),
        ("^", "b$"),
        ("", "!x"),
        ("^.*", "=.*$"),
        ("(?i)", "k$"),
    ];
    let (mut tally, mut patterns) = (Tally::default(), 0);
    for atom in atoms {
        for (first, second) in inner.iter().flat_map(|i| outer.iter().map(move |o| (i, o))) {
            for (before, after) in ends {
                patterns += 1;
                tally.measure(&format!("{before}(?:(?:{atom}){first}){second}{after}"));
            }
        }
    }
    for count in 1..=60 {
        for repeat in ["a?", "a*", ".*", "(?:a|b)?", "\\w*", "[ab]+"] {
            for last in ["a", "b", "$"] {
                patterns += 1;
                tally.measure(&format!("^{}{last}", repeat.repeat(count)));
                patterns += 1;
                tally.measure(&format!("(?:{repeat}){{{count}}}{last}{{{count}}}$"));
            }
        }
    }
    print(patterns, &tally);
    assert_eq!(patterns, 8_208);
    assert!(
        tally.accepted >= 6_000 && tally.simple >= 4_000,
        "{tally:?}"
    );
}

/// R07: large only when compiled.
#[test]
fn what_is_large_when_compiled_is_refused_within_bounds() {
    let atoms = [
        "a",
        "\\w",
        ".",
        "\\pL",
        "\\PL",
        "\\p{Greek}",
        "(?i:k)",
        "[^a]",
        "(?i:[^k])",
        "(?:a|bc|d)",
        "(?:\\pL|\\d)",
        "(?:a?)",
        "(?:)",
        "(?:|)",
    ];
    let repeats = [
        "{1000}",
        "{999,}",
        "{0,1000}",
        "{500}",
        "{250}",
        "{100}",
        "{20}{20}{20}",
    ];
    let (mut tally, mut patterns) = (Tally::default(), 0);
    for atom in atoms {
        for first in repeats {
            patterns += 1;
            tally.measure(&format!("{atom}{first}"));
            for second in ["{1000}", "{30}", "{10,}", "{0,9}"] {
                patterns += 1;
                tally.measure(&format!("(?:{atom}{first}){second}"));
                patterns += 1;
                tally.measure(&format!("(?:(?:{atom}{first}){second})*"));
            }
        }
        for count in [1, 10, 50, 120, 150] {
            patterns += 1;
            let branches = vec![atom; count].join("|");
            tally.measure(&format!("^(?:{branches})+$"));
            patterns += 1;
            let members = atom.trim_matches(['(', '?', ':', ')']).repeat(count);
            tally.measure(&format!("^[^{members}]$"));
            patterns += 1;
            tally.measure(&format!(
                "{}{atom}{}",
                "(?:".repeat(count),
                ")*".repeat(count)
            ));
        }
    }
    print(patterns, &tally);
    assert_eq!(patterns, 1_092);
    for cause in [
        "too large",
        "repeat too large",
        "multiple repeat",
        "too long",
    ] {
        assert!(
            tally.refused.contains_key(cause),
            "none is {cause}: {tally:?}"
        );
    }
}

/// R06: what people wrote, and what RE2 says of it.
#[test]
fn patterns_that_people_wrote_are_refused_or_linear_and_mean_what_re2_says() {
    let Some(patterns) = corpus() else { return };
    assert!(patterns.len() >= 30_000, "{}", patterns.len());
    let mut tally = Tally::default();
    let mut cases = Vec::new();
    for text in patterns {
        tally.measure(&text);
        if text.len() <= PATTERN_BYTES_MAX {
            let names = adversarial(&text).into_iter().chain(pieces(&text));
            cases.push(case(text.clone(), names.collect(), Vec::new()));
        }
    }
    print(cases.len(), &tally);
    assert!(tally.accepted >= 15_000, "{tally:?}");
    let Some(meant) = compare(&cases) else { return };
    check(&meant);
    assert!(meant.matching * 10 >= meant.pairs, "{meant:?}");
}

/// Texts that the pattern may be about: what stands between its operators.
fn pieces(text: &str) -> impl Iterator<Item = String> {
    let plain = text.replace('\\', "");
    let longest = plain
        .split(|c: char| "()[]{}|*+?^$.".contains(c))
        .max_by_key(|piece| piece.len())
        .unwrap_or("")
        .to_owned();
    let first = plain.split('|').next().unwrap_or("").replace("(?:", "");
    let cleaned: String = first
        .chars()
        .filter(|c| !"()[]{}*+?^$".contains(*c))
        .collect();
    [longest.clone(), cleaned, format!("x {longest};"), plain].into_iter()
}

#[expect(clippy::print_stderr, reason = "figures for who asks")]
fn print(patterns: usize, tally: &Tally) {
    eprintln!("{patterns} patterns: {tally:?}");
}
