//! What revoking does (attacks D12, D13), and how it is listed.

use proptest::prelude::*;
use token_core::limits::REVOCATIONS_PER_BATCH_MAX;
use token_core::{Revocations as _, TokenKind, UnixSeconds};
use token_store::{Listed, Outcome, Revocation, RevokedBy, Standing, Store, StoreError, Subject};

use crate::fixture::{
    KEYSET, KIND, START, TestClock, id, of_keyset, of_uuid, open, revoke, standing, token,
};

fn store() -> (tempfile::TempDir, TestClock, Store) {
    let directory = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = open(directory.path(), &clock).unwrap();
    // Past the time in which a node that was killed assumes the worst.
    clock.walk(61);
    (directory, clock, store)
}

/// Now, in [`store`].
const NOW: u64 = START + 61;

#[test]
fn a_token_is_revoked_once_and_stays_so() {
    let (_directory, _, store) = store();
    assert_eq!(standing(&store, 1, START, None), Standing::Good);
    assert_eq!(
        revoke(&store, token(1, NOW + 60)),
        Outcome::Revoked { until: None }
    );
    assert_eq!(
        revoke(&store, token(1, NOW + 60)),
        Outcome::Already { until: None }
    );
    let revoked = Standing::Revoked {
        by: RevokedBy::Token,
        at: None,
    };
    assert_eq!(standing(&store, 1, START, None), revoked);
    assert_eq!(standing(&store, 2, START, None), Standing::Good);
}

#[test]
fn kinds_and_scopes_are_apart() {
    let (_directory, _, store) = store();
    revoke(&store, token(1, NOW + 60));
    let ask = |kind, scope| {
        store.standing(&Subject {
            kind,
            scope,
            id: id(1),
            ancestors: &[],
            uuid: None,
            issued_at: UnixSeconds(START),
            expires_at: UnixSeconds(u64::MAX),
        })
    };
    assert_ne!(ask(KIND, KEYSET), Standing::Good);
    assert_eq!(ask(TokenKind::Crt, KEYSET), Standing::Good);
    assert_eq!(ask(KIND, "sub-other"), Standing::Good);
}

#[test]
fn a_token_dies_with_each_of_its_ancestors() {
    let (_directory, _, store) = store();
    revoke(&store, token(9, NOW + 60));
    let ancestors = [id(7), id(8), id(9)];
    let stands = store.standing(&Subject {
        kind: KIND,
        scope: KEYSET,
        id: id(1),
        ancestors: &ancestors,
        uuid: None,
        issued_at: UnixSeconds(START),
        expires_at: UnixSeconds(u64::MAX),
    });
    assert_eq!(
        stands,
        Standing::Revoked {
            by: RevokedBy::Ancestor,
            at: None
        }
    );
}

#[test]
fn what_has_expired_is_not_kept() {
    let (_directory, _, store) = store();
    let storm: Vec<_> = (0..1_000).map(|n| token(n, NOW)).collect();
    let outcomes = store.revoke(storm).unwrap();
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Expired));
    assert_eq!(store.denied_tokens(), 0);
    for _ in 0..3 {
        revoke(&store, token(1, NOW + 60));
    }
    assert_eq!(store.denied_tokens(), 1);
}

#[test]
fn a_token_must_pass_the_rule_of_its_uuid_and_that_of_its_keyset() {
    for (uuid_rule, keyset_rule) in [(NOW - 10, NOW - 20), (NOW - 20, NOW - 10)] {
        let (_directory, _, store) = store();
        revoke(&store, of_uuid("alice", Some(uuid_rule)));
        revoke(&store, of_keyset(Some(keyset_rule)));
        assert_ne!(standing(&store, 1, NOW - 10, Some("alice")), Standing::Good);
        assert_eq!(standing(&store, 1, NOW - 9, Some("alice")), Standing::Good);
        let bob_dies = standing(&store, 1, NOW - 10, Some("bob")) != Standing::Good;
        assert_eq!(bob_dies, keyset_rule == NOW - 10);
        let rule = store.rule(KIND, KEYSET, Some("alice"));
        assert_eq!(rule, Some(UnixSeconds(NOW - 10)));
    }
}

#[test]
fn rules_merge_by_their_maximum() {
    let (_directory, _, store) = store();
    let at = |until| Some(UnixSeconds(until));
    let rule = |until| revoke(&store, of_uuid("alice", Some(until)));
    assert_eq!(
        rule(NOW - 50),
        Outcome::Revoked {
            until: at(NOW - 50)
        }
    );
    assert_eq!(
        rule(NOW - 90),
        Outcome::Already {
            until: at(NOW - 50)
        }
    );
    assert_eq!(
        rule(NOW - 10),
        Outcome::Revoked {
            until: at(NOW - 10)
        }
    );
    // A later instant than now is not taken.
    assert_eq!(rule(NOW + 500), Outcome::Revoked { until: at(NOW) });
}

#[test]
fn a_batch_has_at_most_1000_items() {
    let (_directory, _, store) = store();
    let batch = |items: usize| (0..items as u64).map(|n| token(n, NOW + 60)).collect();
    assert_eq!(
        store
            .revoke(batch(REVOCATIONS_PER_BATCH_MAX))
            .unwrap()
            .len(),
        1_000
    );
    let refused = store.revoke(batch(REVOCATIONS_PER_BATCH_MAX + 1));
    assert_eq!(
        refused,
        Err(StoreError::TooManyRevocations { items: 1_001 })
    );
}

#[test]
fn a_scope_or_uuid_that_cannot_be_is_refused_whole() {
    let (_directory, _, store) = store();
    let long = Revocation::Keyset {
        kind: KIND,
        scope: "s".repeat(256),
        until: None,
    };
    assert_eq!(
        store.revoke(vec![token(1, NOW + 60), long]),
        Err(StoreError::TooLong)
    );
    assert_eq!(store.denied_tokens(), 0);
    assert_eq!(
        store.revoke(vec![of_uuid(&"u".repeat(1_025), None)]),
        Err(StoreError::TooLong)
    );
}

#[test]
fn concurrent_revocations_share_commits() {
    let (_directory, _, store) = store();
    let before = store.sequence();
    let (sender, receiver) = std::sync::mpsc::channel();
    for n in 0..500 {
        let sender = sender.clone();
        store.submit_revocations(vec![token(n, NOW + 60)], move |outcome| {
            sender.send(outcome.is_ok()).unwrap();
        });
    }
    assert!((0..500).all(|_| receiver.recv().unwrap()));
    assert_eq!(store.denied_tokens(), 500);
    let commits = store.sequence() - before;
    assert!(commits < 250, "{commits} commits for 500 revocations");
}

#[test]
fn a_cursor_of_nobody_is_refused() {
    let (_directory, _, store) = store();
    for cursor in ["", "x", "t0", "tzz", "é", "r0g"] {
        let listed = store.list_revocations(KIND, KEYSET, Some(cursor), 10);
        assert_eq!(listed, Err(StoreError::Cursor), "{cursor}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Pages hold everything once, whatever their size.
    #[test]
    fn pages_neither_lose_nor_repeat(
        tokens in prop::collection::btree_set(0_u64..500, 0..40),
        uuids in prop::collection::btree_set("[a-c]{1,3}", 0..8),
        everything in any::<bool>(),
        limit in 1_usize..12,
    ) {
        let (_directory, _, store) = store();
        let mut batch: Vec<_> = tokens.iter().map(|n| token(*n, NOW + 60)).collect();
        batch.extend(uuids.iter().map(|uuid| of_uuid(uuid, None)));
        batch.extend(everything.then(|| of_keyset(None)));
        // Another scope, which must not show.
        batch.push(Revocation::Keyset { kind: KIND, scope: "sub-demo2".to_owned(), until: None });
        store.revoke(batch).unwrap();

        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = store.list_revocations(KIND, KEYSET, after.as_deref(), limit).unwrap();
            prop_assert!(page.items.len() <= limit);
            listed.extend(page.items);
            after = page.next;
            if after.is_none() { break; }
        }
        let mut expected = Vec::new();
        expected.extend(everything.then_some(Listed::Keyset { until: UnixSeconds(NOW) }));
        expected.extend(uuids.into_iter().map(|uuid| Listed::Uuid { uuid, until: UnixSeconds(NOW) }));
        expected.extend(tokens.into_iter().map(|n| Listed::Token { id: id(n), expires_at: UnixSeconds(NOW + 60) }));
        prop_assert_eq!(listed, expected);
    }

    /// The store beside a model, closed and opened between.
    #[test]
    fn the_store_is_its_model(
        steps in prop::collection::vec((0_u64..12, 0_u64..3, 1_u64..100, any::<bool>()), 1..40),
    ) {
        let (directory, clock, mut store) = store();
        let mut tokens = std::collections::BTreeSet::new();
        let mut rules = std::collections::BTreeMap::<u64, u64>::new();
        for (n, what, back, reopen) in steps {
            match what {
                0 => {
                    revoke(&store, token(n, NOW + 1_000_000));
                    tokens.insert(n);
                }
                _ => {
                    // Rule 0 is the keyset's.
                    let rule = rules.entry(n % 3).or_default();
                    *rule = (*rule).max(NOW - back);
                    let uuid = ["", "alice", "bob"][(n % 3) as usize];
                    let until = Some(NOW - back);
                    revoke(&store, if uuid.is_empty() { of_keyset(until) } else { of_uuid(uuid, until) });
                }
            }
            if reopen {
                drop(store);
                store = open(directory.path(), &clock).unwrap();
            }
            for n in 0..12 {
                for (of, uuid) in [(1, "alice"), (2, "bob"), (9, "carol")] {
                    let at = NOW - 50;
                    let dead = tokens.contains(&n)
                        || rules.get(&0).is_some_and(|until| at <= *until)
                        || rules.get(&of).is_some_and(|until| at <= *until);
                    prop_assert_eq!(standing(&store, n, at, Some(uuid)) != Standing::Good, dead);
                }
            }
        }
    }
}
