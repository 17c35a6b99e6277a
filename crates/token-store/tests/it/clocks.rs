//! Clocks that step (attacks X04, X05), pruning, and the instant of a rule.

use token_core::UnixSeconds;
use token_core::limits::{ISSUED_AHEAD_SECONDS_MAX, REQUEST_SKEW_SECONDS_MAX};
use token_store::{Outcome, Pruned, Standing, Store};

use crate::fixture::{
    KEYSET, KIND, START, TestClock, make_keyset, of_keyset, of_uuid, open, revoke, standing_until,
    token,
};

const HOUR: u64 = 3_600;
const YEAR: u64 = 365 * 24 * HOUR;

fn store() -> (tempfile::TempDir, TestClock, Store) {
    let directory = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = open(directory.path(), &clock).unwrap();
    make_keyset(&store);
    (directory, clock, store)
}

fn pruned(store: &Store) -> usize {
    store.prune().unwrap().tokens
}

#[test]
fn nothing_is_forgotten_before_the_clocks_agreed_for_an_hour() {
    let (_directory, clock, store) = store();
    revoke(&store, token(1, START + 60));
    clock.walk(HOUR - 1);
    assert_eq!(pruned(&store), 0);
    clock.walk(1);
    assert_eq!(pruned(&store), 1);
    assert_eq!(store.denied_tokens(), 0);
}

#[test]
fn a_step_of_the_wall_clock_starts_the_hour_anew() {
    let (_directory, clock, store) = store();
    revoke(&store, token(1, START + 600));
    clock.walk(HOUR - 1);
    clock.step_to(START + YEAR);
    assert_eq!(pruned(&store), 0);
    clock.walk(HOUR - 1);
    assert_eq!(pruned(&store), 0);
    assert_eq!(store.denied_tokens(), 1);
}

#[test]
fn a_pruned_token_stays_dead_whatever_the_clock_says() {
    let (directory, clock, store) = store();
    let expires_at = START + 600;
    revoke(&store, token(1, expires_at));
    clock.walk(2 * HOUR);
    assert_eq!(pruned(&store), 1);
    let stands = |store: &Store| standing_until(store, 1, START, expires_at, None);
    assert_eq!(stands(&store), Standing::Expired);
    // Back by hours, with a restart between: the horizon is on the disk.
    clock.step_to(START + 1);
    assert_eq!(stands(&store), Standing::Expired);
    drop(store);
    let store = open(directory.path(), &clock).unwrap();
    assert_eq!(stands(&store), Standing::Expired);
    // A token that expires after the horizon is not touched by it.
    assert_eq!(
        standing_until(&store, 2, START, expires_at + 1, None),
        Standing::Good
    );
}

#[test]
fn a_year_forward_and_back_revives_nothing() {
    let (directory, clock, store) = store();
    revoke(&store, token(1, START + 600));
    revoke(&store, of_uuid("alice", None));
    clock.step_to(START + YEAR);
    pruned(&store);
    drop(store);
    let store = open(directory.path(), &clock).unwrap();
    pruned(&store);
    clock.step_to(START + 10);
    pruned(&store);
    assert_ne!(
        standing_until(&store, 1, START, START + 600, None),
        Standing::Good
    );
    assert_ne!(
        standing_until(&store, 2, START, START + 600, Some("alice")),
        Standing::Good
    );
}

#[test]
fn a_rule_is_dropped_only_when_the_horizon_covers_all_its_tokens() {
    let (_directory, clock, store) = store();
    clock.walk(61);
    let Outcome::Revoked { until: Some(rule) } = revoke(&store, of_keyset(None)) else {
        panic!("a new rule has an instant");
    };
    let life = 43_200 * 60;
    let last = rule.0 + life + ISSUED_AHEAD_SECONDS_MAX;
    // The horizon only moves with tokens that were pruned.
    revoke(&store, token(1, last - 1));
    clock.walk(2 * life);
    assert_eq!(store.prune().unwrap(), some_pruned(1, 0));
    clock.step_to(last - 100);
    revoke(&store, token(2, last));
    clock.step_to(rule.0 + 3 * life);
    assert_eq!(pruned(&store), 0, "the clock has just stepped");
    clock.walk(HOUR);
    assert_eq!(store.prune().unwrap(), some_pruned(1, 1));
    assert_eq!(store.rule(KIND, KEYSET, None), None);
    let covered = standing_until(&store, 3, rule.0, rule.0 + life, None);
    assert_eq!(
        covered,
        Standing::Expired,
        "what the rule covered is expired for good"
    );
}

fn some_pruned(tokens: usize, rules: usize) -> Pruned {
    let mut pruned = Pruned::default();
    (pruned.tokens, pruned.rules) = (tokens, rules);
    pruned
}

fn instant(store: &Store) -> u64 {
    match revoke(store, of_keyset(None)) {
        Outcome::Revoked { until: Some(until) } | Outcome::Already { until: Some(until) } => {
            until.0
        }
        other @ (Outcome::Revoked { .. } | Outcome::Already { .. } | Outcome::Expired) => {
            panic!("{other:?}")
        }
    }
}

#[test]
fn the_instant_of_a_rule_covers_everything_that_was_issued() {
    let (_directory, clock, store) = store();
    clock.walk(REQUEST_SKEW_SECONDS_MAX);
    let now = START + REQUEST_SKEW_SECONDS_MAX;
    assert_eq!(instant(&store), now);
    store.note_issued(KIND, KEYSET, UnixSeconds(now + 45));
    assert_eq!(instant(&store), now + 45);
    store.note_issued(KIND, "sub-other", UnixSeconds(now + 60));
    assert_eq!(instant(&store), now + 45);
}

#[test]
fn after_a_kill_a_node_assumes_that_it_issued_ahead_of_its_clock() {
    // A new store was never closed well, so it is like one after a kill.
    let (directory, clock, store) = store();
    assert_eq!(instant(&store), START + REQUEST_SKEW_SECONDS_MAX);
    clock.walk(REQUEST_SKEW_SECONDS_MAX);
    store.note_issued(KIND, KEYSET, UnixSeconds(START + 100));
    drop(store);
    // A node that was closed knows exactly.
    let store = open(directory.path(), &clock).unwrap();
    assert_eq!(instant(&store), START + 100);
}
