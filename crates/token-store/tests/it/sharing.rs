//! The one writer: shared commits, a bounded queue, and callbacks.

use std::sync::mpsc::{Sender, channel};

use token_core::UnixSeconds;
use token_store::{KeysetChange, Outcome, Revocation, Rotation, Standing, Store, StoreError};

use crate::disk::{Disk, Operation};
use crate::fixture::{
    KEYSET, KIND, START, TestClock, id, make_keyset, open, revoke, standing, standing_until, token,
};

/// Most changes that wait for the writer.
const WAITING_MAX: u64 = 1_024;

#[test]
fn what_waits_shares_one_commit_and_the_queue_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), &TestClock::new()).unwrap();
    let release = hold_writer(&store);
    let (told, answers) = channel();
    let submit = |n: u64| {
        let told = told.clone();
        store.submit_revocations(vec![token(n, START + 600)], move |done| {
            told.send(done).unwrap();
        });
    };
    (0..WAITING_MAX).for_each(submit);
    assert!(
        answers.try_recv().is_err(),
        "nothing is acknowledged before its commit"
    );
    assert_eq!(store.denied_tokens(), 0);
    submit(WAITING_MAX);
    let refused = StoreError::Unavailable {
        reason: "too many changes are waiting".to_owned(),
    };
    assert_eq!(answers.try_recv(), Ok(Err(refused)));

    let before = store.sequence();
    drop(release);
    for _ in 0..WAITING_MAX {
        assert_eq!(
            answers.recv().unwrap(),
            Ok(vec![Outcome::Revoked { until: None }])
        );
    }
    // One for all of them.
    assert_eq!(store.sequence() - before, 1);
    assert_eq!(store.denied_tokens() as u64, WAITING_MAX);
}

#[test]
fn an_answer_comes_after_the_last_sync_of_its_commit() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let store = Store::open(directory.path(), disk.options(&TestClock::new())).unwrap();
    revoke(&store, token(1, START + 600));
    disk.forget_log();
    let acknowledged = disk.clone();
    let (told, answer) = channel();
    store.submit_revocations(vec![token(2, START + 600)], move |_| {
        acknowledged.acknowledged(2);
        told.send(()).unwrap();
    });
    answer.recv().unwrap();
    let log = disk.log();
    let syncs = log
        .iter()
        .filter(|operation| matches!(operation, Operation::Sync))
        .count();
    assert_eq!(syncs, 2, "two phases");
    assert!(matches!(
        log.as_slice(),
        [.., Operation::Sync, Operation::Acknowledged(2)]
    ));
}

#[test]
fn a_callback_that_panics_costs_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), &TestClock::new()).unwrap();
    store.submit_revocations(vec![token(1, START + 600)], |_| {
        panic!("this one is on purpose")
    });
    revoke(&store, token(2, START + 600));
    assert_ne!(standing(&store, 1, START, None), Standing::Good);
}

/// A pruning that shares its commit with an emergency must not know the key
/// that the emergency drops: its horizon would hide the one of the key that
/// took its place (attack X04).
#[test]
fn a_pruning_knows_what_changed_in_its_own_commit() {
    const HOUR: u64 = 3_600;
    let directory = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = open(directory.path(), &clock).unwrap();
    make_keyset(&store);
    let rotation = |rotation| KeysetChange::Rotate {
        subscribe_key: KEYSET.to_owned(),
        rotation,
    };
    let issued = |n, issued_at: Option<u64>, expires_at| Revocation::Token {
        kind: KIND,
        scope: KEYSET.to_owned(),
        id: id(n),
        issued_at: issued_at.map(UnixSeconds),
        expires_at: UnixSeconds(expires_at),
    };
    clock.walk(2 * HOUR);
    let announced = store.change_keyset(rotation(Rotation::Signing)).unwrap();
    let announced = announced.signing_keys.last().unwrap().from.0;
    // Its issue is unknown, so it moves the horizon of every key.
    revoke(&store, issued(1, None, START + 2 * HOUR + 1));
    clock.walk(1);
    let release = hold_writer(&store);
    let (told, answers) = channel();
    let tell = told.clone();
    store.submit_keyset_change(rotation(Rotation::Emergency), move |done| {
        tell.send(done.is_ok()).unwrap();
    });
    store.submit_prune(move |done| told.send(done.unwrap().tokens == 1).unwrap());
    drop(release);
    assert!(answers.recv().unwrap() && answers.recv().unwrap());
    // Issued by the emergency's key when the dropped one would have begun.
    let (issued_at, expires_at) = (announced + 10, announced + 20);
    revoke(&store, issued(2, Some(issued_at), expires_at));
    clock.walk(HOUR);
    assert_eq!(store.prune().unwrap().tokens, 1);
    clock.step_to(issued_at + 1);
    let stands = standing_until(&store, 2, issued_at, expires_at, None);
    assert_eq!(stands, Standing::Expired);
}

/// Keeps the writer's thread busy until the answer is dropped: what is
/// submitted meanwhile shares one commit.
fn hold_writer(store: &Store) -> Sender<()> {
    let (held, is_held) = channel();
    let (release, until) = channel();
    store.submit_revocations(Vec::new(), move |_| {
        held.send(()).unwrap();
        until.recv().ok();
    });
    is_held.recv().unwrap();
    release
}
