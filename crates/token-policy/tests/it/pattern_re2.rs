//! Our meaning of patterns against RE2's own (contract 2.1, attacks R01 to R05).

use std::collections::{BTreeMap, BTreeSet};

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};
use serde_json::{Value, json};
use token_core::{Permissions, ResourceKind};
use token_policy::{Pattern, PatternSet, fuzzing};

use crate::pattern_everyday as everyday;
use crate::pattern_grammar::{self as grammar, CONSTRUCTS, Generated, Node};
use crate::pattern_names as names;
use crate::pattern_oracle::ask;
use crate::pattern_random::Random;

/// How many patterns are tried by default; `USHER_RE2_PATTERNS` says otherwise.
const PATTERNS: usize = 14_000;
const NAMES_PER_PATTERN: usize = 10;
/// Each construct stands in at least this many accepted patterns, when at
/// least the default number is tried.
const CONSTRUCT_MIN: usize = 1_000;
const SEED: u64 = 0x0075_7368_6572_0001;
/// Patterns of the other grammar, beside those of the whole language.
const EVERYDAY: usize = 6_000;

/// A pattern, the names it is tried on, and what we say of them.
pub(crate) struct Case {
    source: String,
    names: Vec<String>,
    constructs: Vec<&'static str>,
    /// None when we refuse the pattern.
    ours: Option<Ours>,
}

struct Ours {
    channel: Vec<bool>,
    group: Vec<bool>,
    group_form: bool,
    /// How many names were answered without compiling.
    simple: usize,
}

#[derive(Default, Debug)]
pub(crate) struct Tally {
    pub(crate) pairs: usize,
    pub(crate) matching: usize,
    simple: usize,
    over: Vec<String>,
    under: Vec<String>,
    /// We accept, RE2 refuses.
    accepted_alone: Vec<String>,
    /// RE2 accepts, we refuse.
    refused_alone: usize,
    group_pairs: usize,
    group_matching: usize,
    constructs: BTreeMap<&'static str, usize>,
}

#[test]
fn patterns_mean_what_re2_says() {
    let cases = cases(count(), |generated, _| generated.source.clone());
    for case in &cases {
        let meant = case.constructs.contains(&"group form");
        let known = case.ours.as_ref().is_none_or(|ours| ours.group_form);
        assert!(known || !meant, "`{}` is of group form", case.source);
    }
    let Some(tally) = compare(&cases) else { return };
    check(&tally);
    assert!(
        tally.matching * 10 >= tally.pairs * 3,
        "only {} of {} pairs match",
        tally.matching,
        tally.pairs
    );
    assert!(tally.group_matching * 10 >= tally.group_pairs * 3);
    if count() >= PATTERNS {
        for construct in CONSTRUCTS {
            let seen = tally.constructs.get(construct).copied().unwrap_or(0);
            assert!(
                seen >= CONSTRUCT_MIN,
                "`{construct}` stands in only {seen} patterns"
            );
        }
    }
}

/// Those that are mostly answered without compiling.
#[test]
fn everyday_patterns_mean_what_re2_says() {
    let mut random = Random::new(SEED);
    let count = EVERYDAY.max(count() / 2);
    let cases: Vec<Case> = (0..count)
        .map(|_| {
            let node = everyday::generate(&mut random);
            let names = sampled(&node, &mut random);
            case(grammar::source(&node), names, vec!["everyday"])
        })
        .collect();
    let Some(tally) = compare(&cases) else { return };
    check(&tally);
    assert!(tally.matching * 10 >= tally.pairs * 3, "{tally:?}");
    assert!(tally.simple * 2 >= tally.pairs, "{tally:?}");
}

#[test]
fn mangled_patterns_are_refused_or_mean_what_re2_says() {
    let cases = cases(count(), |generated, random| {
        names::mangled(&generated.source, random)
    });
    let Some(tally) = compare(&cases) else { return };
    check(&tally);
}

#[test]
fn testdata_says_of_patterns_what_re2_says() {
    let accepted = crate::pattern_cases::cases().filter(|case| case.error.is_none());
    let cases: Vec<Case> = accepted
        .map(|case| {
            let names = case.names().into_iter().map(|(name, _)| name).collect();
            self::case(case.source(), names, Vec::new())
        })
        .collect();
    assert!(cases.iter().all(|case| case.ours.is_some()));
    let Some(tally) = compare(&cases) else { return };
    check(&tally);
}

/// Every escape and every single character between brackets, of ASCII.
#[test]
fn every_short_spelling_is_refused_or_means_what_re2_says() {
    let ascii: Vec<char> = (0..=0x7fu8).map(char::from).collect();
    let mut sources = Vec::new();
    for c in &ascii {
        for flags in ["", "(?i)"] {
            sources.extend([
                format!("{flags}{c}"),
                format!("{flags}\\{c}"),
                format!("{flags}[{c}]"),
                format!("{flags}[^{c}]"),
                format!("{flags}[\\{c}]"),
                format!("{flags}[\\{c}-{c}]"),
                format!("(?{c})a"),
                format!("(?-{c}:a)"),
                format!("a{c}b"),
                format!("a*{c}"),
                format!("\\{c}0"),
                format!("\\p{c}"),
                format!("\\b{c}"),
                format!("a{{1{c}2}}"),
                format!("a{{{c}2}}"),
                format!("{flags}\\x{{{c}41}}"),
                format!("{flags}\\x{{4{c}1}}"),
                format!("{flags}\\p{{{c}L}}"),
                format!("{flags}\\P{{L{c}}}"),
                format!("{flags}\\p{c}L"),
            ]);
        }
        for d in &ascii {
            if !(d.is_ascii_alphanumeric() || d.is_ascii_control()) {
                sources.extend([
                    format!("[{c}{d}a]"),
                    format!("[{c}{d}{d}a]"),
                    format!("[{c}-{d}]"),
                    format!("[a{c}{d}]"),
                    format!("[{d}{d}{c}]"),
                    format!("[a-b{d}{c}]"),
                    format!("[\\w{d}{c}]"),
                    format!("[[:alpha:]{d}{c}]"),
                ]);
            }
        }
    }
    let names: Vec<String> = ascii
        .iter()
        .filter(|c| !c.is_ascii_alphanumeric() || "akszAKSZ0129".contains(**c))
        .map(char::to_string)
        .chain(["\u{17f}", "\u{212a}", "é", "ab", "a0", "aab", "\u{8}"].map(str::to_owned))
        .collect();
    let cases: Vec<Case> = sources
        .into_iter()
        .map(|source| case(source, names.clone(), Vec::new()))
        .collect();
    let Some(tally) = compare(&cases) else { return };
    check(&tally);
}

/// Exact: between the borders of our tables and of RE2's nothing changes.
#[test]
fn properties_have_the_members_that_re2_gives_them() {
    let names = crate::pattern_cases::property_names();
    let mut classes = Vec::new();
    for name in &names {
        classes.extend([format!("\\p{{{name}}}"), format!("(?i)\\p{{{name}}}")]);
    }
    for class in [
        "\\d",
        "\\s",
        "\\w",
        ".",
        "\\W",
        "[[:punct:]]",
        "[[:^word:]]",
    ] {
        classes.extend([class.to_owned(), format!("(?i){class}")]);
    }
    let mut requests = vec![json!({"universe": [[0, 0x10_ffff]]})];
    requests.extend(classes.iter().map(|class| json!({"members": class})));
    let Some(answers) = ask(&requests) else {
        return;
    };
    let mut borders: BTreeSet<char> = BTreeSet::new();
    add_borders(&mut borders, &table("\\p{Age=15.1}"));
    add_borders(&mut borders, &table("\\p{Changes_When_Casemapped}"));
    for (class, answer) in classes.iter().zip(&answers[1..]) {
        let theirs = members(class, answer);
        let mut tried = borders.clone();
        add_borders(&mut tried, &theirs);
        if class.contains("\\p{") {
            add_borders(&mut tried, &table(class.trim_start_matches("(?i)")));
        }
        compare_members(class, &theirs, tried);
    }
}

/// R05: simple case folding of every character that has case.
#[test]
fn case_folding_is_that_of_re2() {
    let cased = table("[\\p{Changes_When_Casemapped}\\p{Changes_When_Casefolded}\\p{Cased}]");
    let universe: Vec<[u32; 2]> = cased
        .ranges()
        .iter()
        .map(|r| [u32::from(r.start()), u32::from(r.end())])
        .collect();
    let all: Vec<char> = cased.iter().flat_map(|r| r.start()..=r.end()).collect();
    let mut requests = vec![json!({"universe": universe})];
    requests.extend(all.iter().map(|c| json!({"members": spelled(*c)})));
    let Some(answers) = ask(&requests) else {
        return;
    };
    for (c, answer) in all.iter().zip(&answers[1..]) {
        let class = spelled(*c);
        let theirs = members(&class, answer);
        let mut tried = BTreeSet::new();
        add_borders(&mut tried, &theirs);
        add_borders(&mut tried, &table(&class));
        compare_members(&class, &theirs, tried);
    }
}

fn spelled(c: char) -> String {
    format!("(?i)\\x{{{:X}}}", u32::from(c))
}

fn count() -> usize {
    std::env::var_os("USHER_RE2_PATTERNS")
        .map_or(PATTERNS, |n| n.to_str().unwrap().parse().unwrap())
}

fn cases(count: usize, spell: impl Fn(&Generated, &mut Random) -> String) -> Vec<Case> {
    let mut random = Random::new(SEED);
    (0..count)
        .map(|_| {
            let generated = grammar::generate(&mut random);
            let source = spell(&generated, &mut random);
            let names = sampled(&generated.node, &mut random);
            case(source, names, generated.constructs)
        })
        .collect()
}

fn sampled(node: &Node, random: &mut Random) -> Vec<String> {
    let mut names = Vec::with_capacity(NAMES_PER_PATTERN);
    while names.len() < NAMES_PER_PATTERN {
        let mut name = String::new();
        names::sample(node, random, &mut name);
        names.push(names::neighbour(&name, random));
        names.push(name);
    }
    names
}

pub(crate) fn case(source: String, names: Vec<String>, constructs: Vec<&'static str>) -> Case {
    let ours = Pattern::parse(&source).ok().map(|pattern| {
        let entry = [(source.as_str(), Permissions::ALL)];
        let group = PatternSet::new(ResourceKind::Group, entry);
        let mut simple = 0;
        let mut both = |kind, name: &str, compiled: bool| {
            let answer = fuzzing::simple(kind, &source, name);
            simple += usize::from(answer.is_some());
            assert_eq!(
                answer.unwrap_or(compiled),
                compiled,
                "`{source}` on {name:?}"
            );
            compiled
        };
        let channel = names
            .iter()
            .map(|name| both(ResourceKind::Channel, name, pattern.matches(name)))
            .collect();
        let group = names
            .iter()
            .filter(|_| !constructs.is_empty())
            .map(|name| name_of_group(name))
            .map(|name| {
                both(
                    ResourceKind::Group,
                    name,
                    group.held(name) == Permissions::ALL,
                )
            })
            .collect();
        Ours {
            channel,
            group,
            group_form: pattern.group_form(),
            simple,
        }
    });
    Case {
        source,
        names,
        constructs,
        ours,
    }
}

/// A group is named without the colon that its pattern may ask for.
fn name_of_group(name: &str) -> &str {
    name.strip_prefix(':').unwrap_or(name)
}

impl Case {
    /// The names of groups that are tried: those of generated patterns.
    fn groups(&self) -> impl Iterator<Item = &str> {
        let generated = !self.constructs.is_empty();
        let names = self.names.iter().filter(move |_| generated);
        names.map(|name| name_of_group(name))
    }

    /// What RE2 is asked: the names, the group names, and these with a colon
    /// before them. Of a pattern that we refuse, only whether RE2 does.
    fn request(&self) -> Value {
        let mut asked: Vec<String> = Vec::new();
        if self.ours.is_some() {
            asked.extend(self.names.iter().cloned());
            let groups: Vec<&str> = self.groups().collect();
            asked.extend(groups.iter().map(|name| (*name).to_owned()));
            asked.extend(groups.iter().map(|name| format!(":{name}")));
        }
        json!({"pattern": self.source, "names": asked})
    }
}

pub(crate) fn compare(cases: &[Case]) -> Option<Tally> {
    let requests: Vec<Value> = cases.iter().map(Case::request).collect();
    let answers = ask(&requests)?;
    let mut tally = Tally::default();
    for (case, answer) in cases.iter().zip(&answers) {
        let theirs = answer["matched"].as_str();
        match (&case.ours, theirs) {
            (Some(ours), Some(theirs)) => {
                let theirs: Vec<bool> = theirs.bytes().map(|b| b == b'1').collect();
                tally.add(case, ours, &theirs);
            }
            (Some(_), None) => tally.accepted_alone.push(case.source.clone()),
            (None, Some(_)) => tally.refused_alone += 1,
            (None, None) => {}
        }
    }
    tally.print(cases.len());
    Some(tally)
}

impl Tally {
    #[expect(clippy::print_stderr, reason = "figures for who asks")]
    fn print(&self, patterns: usize) {
        let rarest = self.constructs.iter().min_by_key(|(_, n)| **n);
        eprintln!(
            "{patterns} patterns, {} refused by us alone; {} of {} pairs match, \
             {} of {} of group form; {} answered from the text; rarest construct {rarest:?}",
            self.refused_alone,
            self.matching,
            self.pairs,
            self.group_matching,
            self.group_pairs,
            self.simple,
        );
    }

    fn add(&mut self, case: &Case, ours: &Ours, theirs: &[bool]) {
        let n = case.names.len();
        self.simple += ours.simple;
        let meant_for_groups = case.constructs.contains(&"group form");
        for (i, name) in case.names.iter().enumerate() {
            self.pair(&case.source, name, ours.channel[i], theirs[i]);
            // Every match begins with a colon at the start, so without one
            // there is none.
            assert!(
                !ours.group_form || name.starts_with(':') || !theirs[i],
                "`{}` is of group form and matches {name:?}",
                case.source
            );
        }
        for (i, name) in case.groups().enumerate() {
            let with_colon = ours.group_form && theirs[2 * n + i];
            let group = theirs[n + i] || with_colon;
            self.pair(&case.source, &format!("group {name}"), ours.group[i], group);
            if meant_for_groups {
                self.group_pairs += 1;
                self.group_matching += usize::from(group);
            }
        }
        let distinct: BTreeSet<_> = case.constructs.iter().copied().collect();
        for construct in distinct {
            *self.constructs.entry(construct).or_default() += 1;
        }
    }

    fn pair(&mut self, source: &str, name: &str, ours: bool, theirs: bool) {
        self.pairs += 1;
        self.matching += usize::from(theirs);
        match (ours, theirs) {
            (true, false) => self.over.push(format!("`{source}` on {name:?}")),
            (false, true) => self.under.push(format!("`{source}` on {name:?}")),
            _ => {}
        }
    }
}

pub(crate) fn check(tally: &Tally) {
    let first = |list: &[String]| list.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(
        tally.over.is_empty(),
        "over-grants:\n{}",
        first(&tally.over)
    );
    assert!(
        tally.under.is_empty(),
        "under-grants:\n{}",
        first(&tally.under)
    );
    assert!(
        tally.accepted_alone.is_empty(),
        "RE2 refuses:\n{}",
        first(&tally.accepted_alone)
    );
}

fn members(class: &str, answer: &Value) -> ClassUnicode {
    let ranges = answer["members"].as_array();
    let ranges = ranges.unwrap_or_else(|| panic!("RE2 refuses {class}"));
    let char_at =
        |value: &Value| char::from_u32(u32::try_from(value.as_u64().unwrap()).unwrap()).unwrap();
    ClassUnicode::new(
        ranges
            .iter()
            .map(|r| ClassUnicodeRange::new(char_at(&r[0]), char_at(&r[1]))),
    )
}

/// The set that regex-syntax's own tables give to a class.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a class, or a literal when it has one member"
)]
fn table(class: &str) -> ClassUnicode {
    match regex_syntax::parse(class).unwrap().into_kind() {
        HirKind::Class(Class::Unicode(members)) => members,
        HirKind::Literal(literal) => {
            let c = core::str::from_utf8(&literal.0)
                .unwrap()
                .chars()
                .next()
                .unwrap();
            ClassUnicode::new([ClassUnicodeRange::new(c, c)])
        }
        other => panic!("{class} is no class but {other:?}"),
    }
}

/// The characters on both sides of every change.
fn add_borders(to: &mut BTreeSet<char>, set: &ClassUnicode) {
    for range in set.ranges() {
        let before = ('\0'..range.start()).next_back();
        let after = (range.end()..=char::MAX).nth(1);
        to.extend([range.start(), range.end()]);
        to.extend(before.into_iter().chain(after));
    }
}

fn compare_members(class: &str, theirs: &ClassUnicode, tried: BTreeSet<char>) {
    let pattern = Pattern::parse(class).unwrap_or_else(|error| panic!("{class}: {error}"));
    for c in tried {
        let expected = theirs
            .ranges()
            .iter()
            .any(|r| r.start() <= c && c <= r.end());
        let mut text = [0; 4];
        assert_eq!(
            pattern.matches(c.encode_utf8(&mut text)),
            expected,
            "{class} on U+{:04X}",
            u32::from(c)
        );
    }
}
