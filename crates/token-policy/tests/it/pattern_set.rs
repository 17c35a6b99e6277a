//! Sets of patterns: union, bounds, what does not compile (attacks R06, R08,
//! R10).

use token_core::limits::{PATTERN_BYTES_MAX, PATTERN_NFA_BYTES_MAX, PATTERN_SET_NFA_BYTES_MAX};
use token_core::{Permission, Permissions, ResourceKind};
use token_policy::{Pattern, PatternError, PatternSet};

const READ: Permissions = Permissions::only(Permission::Read);
const WRITE: Permissions = Permissions::only(Permission::Write);

fn channels<'p>(patterns: impl IntoIterator<Item = (&'p str, Permissions)>) -> PatternSet {
    PatternSet::new(ResourceKind::Channel, patterns)
}

/// design 3: held is the union over every matching pattern.
#[test]
fn a_name_holds_what_all_matching_patterns_grant() {
    let set = channels([
        ("^room-", READ),
        ("-1$", WRITE),
        ("^other$", Permissions::ALL),
    ]);
    assert_eq!(set.held("room-1"), READ | WRITE);
    assert_eq!(set.held("room-2"), READ);
    assert_eq!(set.held("x-1"), WRITE);
    assert_eq!(set.held("lobby"), Permissions::NONE);
    let matching: Vec<&str> = set
        .matching("room-1")
        .map(|e| e.pattern().as_str())
        .collect();
    assert_eq!(matching, ["^room-", "-1$"]);
}

#[test]
fn an_empty_set_holds_nothing() {
    assert_eq!(channels([]).held("a"), Permissions::NONE);
    assert_eq!(PatternSet::default().held("a"), Permissions::NONE);
}

/// R10: a pattern that no longer compiles takes nothing from the others.
#[test]
fn a_pattern_that_does_not_compile_matches_nothing() {
    let set = channels([
        ("a**", Permissions::ALL),
        ("^a$", READ),
        ("(a)", Permissions::ALL),
    ]);
    assert_eq!(set.held("a"), READ);
    let refused: Vec<_> = set
        .refused()
        .iter()
        .map(|r| (r.text(), r.error().clone()))
        .collect();
    assert_eq!(
        refused,
        [
            ("a**", PatternError::MultipleRepeat),
            ("(a)", PatternError::CapturingGroup)
        ]
    );
}

/// R08: however many patterns, the set stays within its bound; what has no
/// room matches nothing.
#[test]
fn a_set_is_bounded() {
    let texts: Vec<String> = (0..200)
        .map(|i| format!("^(?:\\pL{{2}}|room-{i})$"))
        .collect();
    let each = Pattern::parse(&texts[0]).unwrap().bytes();
    assert!(each * texts.len() > PATTERN_SET_NFA_BYTES_MAX);
    let set = channels(texts.iter().map(|text| (text.as_str(), READ)));
    assert!(set.bytes() <= PATTERN_SET_NFA_BYTES_MAX);
    assert!(
        set.bytes() + 2 * each > PATTERN_SET_NFA_BYTES_MAX,
        "room was left"
    );
    assert_eq!(set.held("room-0"), READ);
    assert_eq!(set.held("room-199"), Permissions::NONE);
    assert_eq!(set.entries().len() + set.refused().len(), texts.len());
    assert!(
        set.refused()
            .iter()
            .all(|r| *r.error() == PatternError::SetTooLarge)
    );
}

/// A small pattern behind one without room still finds its place.
#[test]
fn one_large_pattern_does_not_shut_out_small_ones() {
    let large: Vec<String> = (0..40).map(|i| format!("\\pL{{3}}{i}")).collect();
    let all = large
        .iter()
        .map(|text| (text.as_str(), READ))
        .chain([("^a$", WRITE)]);
    let set = channels(all);
    assert!(!set.refused().is_empty());
    assert_eq!(set.held("a"), WRITE);
}

#[test]
fn the_bound_of_one_pattern_holds_to_the_byte_it_counts() {
    let mut accepted = 0;
    let largest = (1..=1_000)
        .map_while(|n| Pattern::parse(&format!("^\\w{{{n}}}$")).ok())
        .inspect(|_| accepted += 1)
        .last()
        .unwrap();
    assert!(accepted > 100 && accepted < 1_000, "{accepted}");
    assert!(largest.bytes() <= PATTERN_NFA_BYTES_MAX);
    assert_eq!(
        Pattern::parse(&format!("^\\w{{{}}}$", accepted + 1)).unwrap_err(),
        PatternError::TooLarge
    );
}

/// 512 bytes are accepted, 513 are not, in characters of any width.
#[test]
fn the_length_of_a_pattern_is_in_bytes() {
    let text = "é".repeat(PATTERN_BYTES_MAX / 2);
    assert!(Pattern::parse(&text).is_ok());
    let bytes = PATTERN_BYTES_MAX + 1;
    assert_eq!(
        Pattern::parse(&format!("{text}a")).unwrap_err(),
        PatternError::TooLong { bytes }
    );
}

/// design 3: only the names of groups are tried with a colon before them.
#[test]
fn only_groups_are_tried_with_a_colon() {
    for kind in ResourceKind::ALL {
        let held = PatternSet::new(kind, [("^:vip$", READ)]).held("vip");
        let expected = if kind == ResourceKind::Group {
            READ
        } else {
            Permissions::NONE
        };
        assert_eq!(held, expected, "{}", kind.name());
    }
}
