//! The horizon of what was pruned is one signing key's (attacks X04, X05): it
//! keeps its tokens dead whatever the clock says, and says nothing about those
//! of another key.

use token_core::UnixSeconds;
use token_store::{KeysetChange, Outcome, Revocation, Revoked, Rotation, Standing, Store};

use crate::fixture::{
    KEYSET, KIND, START, TestClock, id, make_keyset, open, revoke, standing_until, token,
};

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

fn store() -> (tempfile::TempDir, TestClock, Store) {
    let directory = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = open(directory.path(), &clock).unwrap();
    make_keyset(&store);
    (directory, clock, store)
}

/// The clock is a week ahead for so long that the store believes it, then it
/// is put right: everything up to `START + DAY` was pruned.
fn a_week_ahead_and_back(store: &Store, clock: &TestClock) {
    revoke(store, token(1, START + DAY));
    clock.step_to(START + 7 * DAY);
    assert_eq!(store.prune().unwrap().tokens, 0);
    clock.walk(HOUR);
    assert_eq!(store.prune().unwrap().tokens, 1);
    clock.step_to(START + 100);
}

fn change(store: &Store, rotation: Rotation) -> u64 {
    let subscribe_key = KEYSET.to_owned();
    let rotate = KeysetChange::Rotate {
        subscribe_key,
        rotation,
    };
    let keyset = store.change_keyset(rotate).unwrap();
    keyset.signing_keys.last().unwrap().from.0
}

#[test]
fn a_wrong_clock_costs_at_most_a_rotation() {
    let (directory, clock, store) = store();
    a_week_ahead_and_back(&store, &clock);
    let stands = |store: &Store, issued_at| standing_until(store, 2, issued_at, START + DAY, None);
    assert_eq!(stands(&store, START + 100), Standing::Expired);
    let from = change(&store, Rotation::Signing);
    assert_eq!(stands(&store, from - 1), Standing::Expired);
    assert_eq!(stands(&store, from), Standing::Good);
    drop(store);
    let store = open(directory.path(), &clock).unwrap();
    assert_eq!(stands(&store, from - 1), Standing::Expired);
    assert_eq!(stands(&store, from), Standing::Good);
}

/// The period of a key that was announced and never came belongs to the key
/// of the emergency, and so do its horizon and its tokens.
#[test]
fn a_key_that_never_came_hides_no_horizon() {
    let (_directory, clock, store) = store();
    let announced = change(&store, Rotation::Signing);
    let from = change(&store, Rotation::Emergency);
    assert!(from < announced);
    let issued_at = announced + 10;
    let expires_at = issued_at + 600;
    let revocation = Revocation::Token {
        kind: KIND,
        scope: KEYSET.to_owned(),
        id: id(1),
        issued_at: Some(UnixSeconds(issued_at)),
        expires_at: UnixSeconds(expires_at),
    };
    revoke(&store, revocation);
    clock.walk(2 * HOUR);
    assert_eq!(store.prune().unwrap().tokens, 1);
    clock.step_to(START);
    let stands = standing_until(&store, 1, issued_at, expires_at, None);
    assert_eq!(stands, Standing::Expired);
}

#[test]
fn a_keyset_made_again_starts_without_a_horizon() {
    let (directory, clock, store) = store();
    a_week_ahead_and_back(&store, &clock);
    let subscribe_key = KEYSET.to_owned();
    store
        .change_keyset(KeysetChange::Delete { subscribe_key })
        .unwrap();
    make_keyset(&store);
    let stands = |store: &Store| standing_until(store, 2, START + 100, START + DAY, None);
    assert_eq!(stands(&store), Standing::Good);
    drop(store);
    let store = open(directory.path(), &clock).unwrap();
    assert_eq!(stands(&store), Standing::Good);
}

/// By id with a guess, then by the token itself, or the other way round.
#[test]
fn of_two_expiries_of_an_entry_the_later_holds() {
    let late = START + 3 * HOUR;
    for expiries in [[START + 60, late], [late, START + 60]] {
        let (directory, clock, store) = store();
        for (n, expires_at) in expiries.into_iter().enumerate() {
            let outcome = revoke(&store, token(1, expires_at));
            let first = Outcome::Revoked { until: None };
            let again = Outcome::Already { until: None };
            assert_eq!(outcome, if n == 0 { first } else { again });
        }
        drop(store);
        let store = open(directory.path(), &clock).unwrap();
        clock.walk(2 * HOUR);
        assert_eq!(store.prune().unwrap().tokens, 0);
        let stands = standing_until(&store, 1, START, late, None);
        assert!(matches!(stands, Standing::Revoked { .. }), "{stands:?}");
        clock.walk(HOUR);
        assert_eq!(store.prune().unwrap().tokens, 1);
        assert_eq!(store.denied_tokens(), 0);
    }
}

/// Two times of issue contradict each other: every key's horizon is raised.
#[test]
fn an_entry_with_two_times_of_issue_moves_every_horizon() {
    let (_directory, clock, store) = store();
    let from = change(&store, Rotation::Signing);
    let expires_at = from + 600;
    for issued_at in [Some(START), Some(from)] {
        revoke(
            &store,
            Revocation::Token {
                kind: KIND,
                scope: KEYSET.to_owned(),
                id: id(1),
                issued_at: issued_at.map(UnixSeconds),
                expires_at: UnixSeconds(expires_at),
            },
        );
    }
    clock.walk(2 * HOUR);
    assert_eq!(store.prune().unwrap().tokens, 1);
    for issued_at in [START, from] {
        let stands = standing_until(&store, 1, issued_at, expires_at, None);
        assert_eq!(stands, Standing::Expired, "issued at {issued_at}");
    }
}

/// Whoever gets the list of everything that is revoked gets the horizons, too:
/// what was forgotten is in no other line of it.
#[test]
fn a_list_of_everything_has_the_horizons() {
    let (_directory, clock, store) = store();
    a_week_ahead_and_back(&store, &clock);
    let (mut revoked, mut at) = (Vec::new(), 0);
    let visit = &mut |one| {
        revoked.push(one);
        true
    };
    store
        .each_revoked(visit, &mut |sequence| at = sequence)
        .unwrap();
    let horizon = Revoked::Horizon {
        kind: KIND,
        scope: KEYSET.to_owned(),
        from: UnixSeconds(0),
        until: UnixSeconds(START + DAY),
    };
    assert_eq!(revoked, [horizon]);
    let line = serde_json::to_value(&revoked[0]).unwrap();
    let expected = serde_json::json!({"horizon": {"kind": "access-manager", "scope": KEYSET,
        "from": 0, "until": START + DAY}});
    assert_eq!((line, at), (expected, store.sequence()));
}
