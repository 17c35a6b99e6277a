//! Compiled patterns that decisions share (attack R08).

use allocation_counter::measure;
use token_core::limits::PATTERNS_PER_TOKEN_MAX;
use token_core::{
    Claims, Grants, PatternText, Permission, Permissions, ResourceKind, TtlMinutes, UnixSeconds,
};
use token_policy::{
    Keyset, NoRevocations, Operation, PatternCache, Request, Target, Targets, authorize, explain,
};

use crate::token::{ISSUED_AT, NOW, SUBSCRIBE_KEY, TestToken};

const BUDGET: u64 = 1024 * 1024;
/// How many tokens with a pattern of their own come by default;
/// `USHER_PATTERN_TOKENS` says otherwise.
const TOKENS: usize = 20_000;
/// A decision that finds its patterns compiled allocates this often at most;
/// compiling one alone takes more.
const ALLOCATIONS_MAX: u64 = 20;

fn token<'p>(kind: ResourceKind, patterns: impl IntoIterator<Item = &'p str>) -> TestToken {
    let mut grants = Grants::new();
    for text in patterns {
        let text = PatternText::new(text).unwrap();
        grants.allow_pattern(kind, text, Permission::Read.into());
    }
    TestToken::new(Claims::new(UnixSeconds(ISSUED_AT), TtlMinutes(60), grants))
}

/// Whether `token` may read the channel `name`, and how often that allocates.
fn may_read(cache: &PatternCache, token: &TestToken, name: &str) -> (bool, u64) {
    let targets = [Target::new(ResourceKind::Channel, name)];
    let targets = Targets::new(&targets).unwrap();
    let request = Request::new(Keyset::new(SUBSCRIBE_KEY), Operation::History, targets);
    let alone = authorize(token, &request, UnixSeconds(NOW), &NoRevocations);
    let request = request.sharing(cache);
    let mut allowed = false;
    let counted = measure(|| {
        let response = authorize(token, &request, UnixSeconds(NOW), &NoRevocations);
        assert_eq!(response, alone, "the cache changes an answer");
        allowed = response.is_allowed();
    });
    (allowed, counted.count_total)
}

#[test]
fn what_was_compiled_once_is_found_again() {
    let cache = PatternCache::new(BUDGET);
    let first = token(ResourceKind::Channel, ["^(?:ab)+$", "^\\pL{2}$"]);
    assert!(may_read(&cache, &first, "abab").0);
    assert_eq!(cache.len(), 1);
    let same = token(ResourceKind::Channel, ["^(?:ab)+$", "^\\pL{2}$"]);
    let (allowed, allocations) = may_read(&cache, &same, "яя");
    assert!(allowed && allocations <= ALLOCATIONS_MAX, "{allocations}");
    assert!(!may_read(&cache, &same, "aba").0);
    assert_eq!(cache.len(), 1);
    let other = token(ResourceKind::Channel, ["^(?:ab)+$"]);
    assert!(!may_read(&cache, &other, "яя").0);
    assert_eq!(cache.len(), 2);
}

/// An explanation tries the patterns one by one, and compiles each once.
#[test]
fn an_explanation_finds_what_was_compiled() {
    let cache = PatternCache::new(BUDGET);
    let token = token(
        ResourceKind::Channel,
        ["^(?:ab)+$", "^\\pL{2}.*$", "^a", "x$"],
    );
    let targets = [Target::new(ResourceKind::Channel, "abab")];
    let targets = Targets::new(&targets).unwrap();
    let keyset = Keyset::new(SUBSCRIBE_KEY);
    let request = Request::new(keyset, Operation::History, targets).sharing(&cache);
    let response = authorize(&token, &request, UnixSeconds(NOW), &NoRevocations);
    let first = explain(&token, &request, &response);
    let entries: Vec<&str> = first.matched.iter().map(|found| found.entry).collect();
    assert_eq!(entries, ["^(?:ab)+$", "^\\pL{2}.*$", "^a"]);
    let counted = measure(|| assert_eq!(explain(&token, &request, &response), first));
    assert!(counted.count_total <= 2 * ALLOCATIONS_MAX, "{counted:?}");
}

/// The same texts that grant something else, or on another kind, are another
/// set.
#[test]
fn a_set_is_found_by_all_of_its_content() {
    let cache = PatternCache::new(BUDGET);
    let texts = ["^(?:ab)+$", "^(?:ab)+$|x"];
    let held = [Permission::Read, Permission::Write, Permission::Join];
    let read = Permissions::only(Permission::Read);
    let mut expected = 0;
    for kind in [ResourceKind::Channel, ResourceKind::Group] {
        for text in texts {
            for permission in held {
                let mut grants = Grants::new();
                let text = PatternText::new(text).unwrap();
                grants.allow_pattern(kind, text, read | permission.into());
                let claims = Claims::new(UnixSeconds(ISSUED_AT), TtlMinutes(60), grants);
                let targets = [Target::new(kind, "abab")];
                let targets = Targets::new(&targets).unwrap();
                let keyset = Keyset::new(SUBSCRIBE_KEY);
                let request = Request::new(keyset, Operation::Subscribe, targets).sharing(&cache);
                let now = UnixSeconds(NOW);
                let response = authorize(&TestToken::new(claims), &request, now, &NoRevocations);
                assert!(response.is_allowed(), "{response:?}");
                expected += 1;
                assert_eq!(cache.len(), expected);
            }
        }
    }
}

/// A decision that does not come to the patterns compiles none: nobody fills
/// the cache with a token that is no longer good.
#[test]
fn only_a_good_token_puts_something_into_the_cache() {
    let cache = PatternCache::new(BUDGET);
    let text = ["^(?:ab)+$"];
    let mut foreign = token(ResourceKind::Channel, text);
    foreign.scope = "sub-c-other".to_owned();
    let mut expired = token(ResourceKind::Channel, text);
    expired.claims.issued_at = UnixSeconds(ISSUED_AT - 4_000);
    let mut bound = token(ResourceKind::Channel, text);
    bound.claims.uuid = Some("alice".to_owned());
    for bad in [&foreign, &expired, &bound] {
        assert!(!may_read(&cache, bad, "abab").0);
    }
    // Simple patterns, names that are granted as they are, other permissions.
    assert!(may_read(&cache, &token(ResourceKind::Channel, ["^ab$"]), "ab").0);
    assert!(!may_read(&cache, &token(ResourceKind::Group, text), "ab").0);
    assert!(cache.is_empty());
}

/// R08: as many new patterns as there are tokens stay within the budget, and
/// what is used often stays compiled.
#[test]
fn new_patterns_without_end_displace_nothing_that_is_used() {
    let cache = PatternCache::new(BUDGET);
    let often: Vec<TestToken> = (0..20)
        .map(|n| {
            let text = format!("^often-{n}-(?:\\pL\\d?)+$");
            token(ResourceKind::Channel, [text.as_str()])
        })
        .collect();
    let (mut asked, mut found) = (0, 0);
    let mut ask_often = |round: usize| {
        let n = round % often.len();
        let (allowed, allocations) = may_read(&cache, &often[n], &format!("often-{n}-я1k"));
        assert!(allowed);
        asked += 1;
        found += usize::from(allocations <= ALLOCATIONS_MAX);
    };
    (0..2 * often.len()).for_each(&mut ask_often);
    for round in 0..tokens() {
        let text = format!("^once-{round}-(?:a|b)*$");
        let once = token(ResourceKind::Channel, [text.as_str()]);
        assert!(may_read(&cache, &once, &format!("once-{round}-ab")).0);
        assert!(cache.bytes() <= BUDGET, "{cache:?}");
        if round % 4 == 0 {
            ask_often(round / 4);
        }
    }
    assert!(cache.len() > 100, "{cache:?}");
    let missed = asked - found;
    assert!(
        missed <= often.len() + asked / 100,
        "{missed} of {asked} compiled again"
    );
}

/// R08: what a set weighs is no less than the memory that it takes.
#[test]
fn the_budget_is_counted_in_bytes_that_are_taken() {
    let most: Vec<String> = (0..PATTERNS_PER_TOKEN_MAX)
        .map(|n| format!("^(?:room-{n})+$"))
        .collect();
    let large: Vec<String> = (0..20).map(|n| format!("^(?:\\pL{{2}}|{n})$")).collect();
    let refused: Vec<String> = (0..20)
        .map(|n| format!("^(?:{})+++$", "a".repeat(n)))
        .collect();
    let one = vec!["^(?:ab)+$".to_owned()];
    for patterns in [most, large, refused, one] {
        let token = token(ResourceKind::Channel, patterns.iter().map(String::as_str));
        let cache = PatternCache::new(16 * BUDGET);
        // Tables that are made once for the process.
        let _ = may_read(&PatternCache::new(0), &token, "other");
        let targets = [Target::new(ResourceKind::Channel, "other")];
        let targets = Targets::new(&targets).unwrap();
        let keyset = Keyset::new(SUBSCRIBE_KEY);
        let request = Request::new(keyset, Operation::History, targets).sharing(&cache);
        let counted = measure(|| {
            drop(authorize(
                &token,
                &request,
                UnixSeconds(NOW),
                &NoRevocations,
            ));
        });
        assert_eq!(cache.len(), 1);
        let taken = u64::try_from(counted.bytes_current).unwrap();
        // The cache's own table of entries is not part of the set.
        let weight = cache.bytes();
        assert!(
            weight + 1_024 >= taken,
            "{} patterns: {weight} < {taken}",
            patterns.len()
        );
        assert!(
            weight <= 3 * taken,
            "{} patterns: {weight} > {taken}",
            patterns.len()
        );
    }
}

/// A set without room is compiled for each decision, and the answers are the
/// same.
#[test]
fn a_cache_without_room_changes_nothing() {
    let cache = PatternCache::new(0);
    let token = token(ResourceKind::Channel, ["^(?:ab)+$"]);
    for _ in 0..3 {
        assert!(may_read(&cache, &token, "abab").0);
        assert!(!may_read(&cache, &token, "aba").0);
    }
    assert!(cache.is_empty());
}

fn tokens() -> usize {
    std::env::var_os("USHER_PATTERN_TOKENS")
        .map_or(TOKENS, |n| n.to_str().unwrap().parse().unwrap())
}
