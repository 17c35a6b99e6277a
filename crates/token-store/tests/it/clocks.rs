//! Clocks that step (attacks X04, X05), pruning, and the instant of a rule.

use token_core::limits::{ISSUED_AHEAD_SECONDS_MAX, REQUEST_SKEW_SECONDS_MAX};
use token_core::{TokenKind, UnixSeconds};
use token_store::{Clock, KeysetChange, Outcome, Pruned, Revocation, Standing, Store};

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

const LIFE: u64 = 43_200 * 60;

/// A rule whose tokens have all expired, and when the last of them had.
fn expired_rule(store: &Store, clock: &TestClock, rule: Revocation) -> u64 {
    clock.walk(61);
    let Outcome::Revoked { until: Some(until) } = revoke(store, rule) else {
        panic!("a new rule has an instant");
    };
    until.0 + LIFE + ISSUED_AHEAD_SECONDS_MAX
}

#[test]
fn a_rule_is_dropped_when_all_its_tokens_have_expired() {
    for rule in [of_keyset(None), of_uuid("alice", None)] {
        let (directory, clock, store) = store();
        let last = expired_rule(&store, &clock, rule);
        let until = last - LIFE - ISSUED_AHEAD_SECONDS_MAX;
        clock.walk(last - 1 - Clock::now(&clock).0);
        assert_eq!(store.prune().unwrap(), some_pruned(0, 0));
        clock.walk(1);
        assert_eq!(store.prune().unwrap(), some_pruned(0, 1));
        assert_eq!(store.rule(KIND, KEYSET, Some("alice")), None);
        // What it covered is expired for good, whatever the clock says.
        clock.step_to(START);
        let stands = |store: &Store| standing_until(store, 3, until, until + LIFE, Some("alice"));
        assert_eq!(stands(&store), Standing::Expired);
        drop(store);
        let store = open(directory.path(), &clock).unwrap();
        assert_eq!(stands(&store), Standing::Expired);
        let listed = store.list_revocations(KIND, KEYSET, None, 10).unwrap();
        assert_eq!(listed.items, []);
    }
}

#[test]
fn rules_of_uuids_do_not_pile_up() {
    let (_directory, clock, store) = store();
    clock.walk(HOUR);
    for n in 0..400_u64 {
        revoke(&store, of_uuid(&format!("user-{n}"), None));
        clock.walk(LIFE / 40);
        store.prune().unwrap();
        let listed = store.list_revocations(KIND, KEYSET, None, 1_000).unwrap();
        assert!(listed.items.len() <= 42, "{}", listed.items.len());
    }
}

/// Its review was for the earlier instant.
#[test]
fn a_rule_that_was_raised_is_kept_for_the_later_instant() {
    let (_directory, clock, store) = store();
    let first = expired_rule(&store, &clock, of_uuid("alice", None));
    clock.walk(LIFE / 2);
    let second = expired_rule(&store, &clock, of_uuid("alice", None));
    clock.walk(first - Clock::now(&clock).0);
    assert_eq!(store.prune().unwrap().rules, 0);
    clock.walk(second - Clock::now(&clock).0);
    assert_eq!(store.prune().unwrap().rules, 1);
}

/// Settings may allow longer lives after a rule was made.
#[test]
fn a_rule_is_kept_for_the_longest_life_that_was_ever_allowed() {
    let (_directory, clock, store) = store();
    let last = expired_rule(&store, &clock, of_uuid("alice", None));
    let settings = |max_ttl: u64, revocation: bool| KeysetChange::Set {
        subscribe_key: KEYSET.to_owned(),
        settings: vec![
            ("revocation".to_owned(), revocation.into()),
            ("max_ttl".to_owned(), max_ttl.into()),
        ],
    };
    store.change_keyset(settings(100_000, false)).unwrap();
    store.change_keyset(settings(60, true)).unwrap();
    clock.walk(last - Clock::now(&clock).0);
    assert_eq!(store.prune().unwrap().rules, 0);
    clock.walk((100_000 - 43_200) * 60);
    assert_eq!(store.prune().unwrap().rules, 1);
}

#[test]
fn rules_of_a_deleted_keyset_go_and_others_stay() {
    let (_directory, clock, store) = store();
    clock.walk(HOUR);
    revoke(&store, of_uuid("alice", None));
    let other = Revocation::Uuid {
        kind: TokenKind::Crt,
        scope: "account".to_owned(),
        uuid: "alice".to_owned(),
        until: None,
    };
    revoke(&store, other);
    let subscribe_key = KEYSET.to_owned();
    store
        .change_keyset(KeysetChange::Delete { subscribe_key })
        .unwrap();
    clock.walk(50 * LIFE);
    assert_eq!(store.prune().unwrap().rules, 1);
    assert_eq!(store.rule(KIND, KEYSET, Some("alice")), None);
    assert!(
        store
            .rule(TokenKind::Crt, "account", Some("alice"))
            .is_some()
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
