//! A database that lost an acknowledged commit with all checksums in order
//! (attacks D01, D04): an older copy, or one bit of the file's head.

use std::fs;
use std::path::Path;
use std::sync::mpsc;

use token_store::{OpenError, Standing, StoreError};

use crate::faults::{self, EIO, Fault};
use crate::fixture::{START, TestClock, make_keyset, open, revoke, standing, token};

/// Where redb keeps its flags, of which one says which commit is current.
const FLAGS_AT: usize = 9;

/// The files of a running store, as kill -9 would leave them.
fn copy_files(from: &Path, to: &Path) {
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
fn a_flipped_bit_after_a_kill_never_costs_the_last_commit() {
    let (running, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let clock = TestClock::new();
    let store = open(running.path(), &clock).unwrap();
    make_keyset(&store);
    for n in 0..5 {
        revoke(&store, token(n, START + 600));
    }
    copy_files(running.path(), killed.path());
    let database = killed.path().join("usher.redb");
    let whole = fs::read(&database).unwrap();
    let (mut rolled_back, mut opened) = (0, 0);
    let flags = (0..8).map(|bit| (FLAGS_AT, bit));
    for (at, bit) in flags.chain((0..320).step_by(7).map(|at| (at, at % 8))) {
        copy_files(running.path(), killed.path());
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << bit;
        fs::write(&database, &damaged).unwrap();
        match open(killed.path(), &clock) {
            Ok(store) => {
                assert_eq!(
                    store.denied_tokens(),
                    5,
                    "bit {bit} of byte {at} cost an entry"
                );
                opened += 1;
            }
            Err(OpenError::RolledBack { .. }) => rolled_back += 1,
            Err(_) => {}
        }
    }
    assert!(
        rolled_back > 0,
        "no bit showed that the sequence is compared"
    );
    assert!(opened > 0, "no bit is harmless");
}

#[test]
fn an_older_copy_of_the_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let (database, copy) = (
        directory.path().join("usher.redb"),
        directory.path().join("copy"),
    );
    let store = open(directory.path(), &clock).unwrap();
    revoke(&store, token(1, START + 600));
    drop(store);
    fs::copy(&database, &copy).unwrap();
    let store = open(directory.path(), &clock).unwrap();
    revoke(&store, token(2, START + 600));
    drop(store);
    fs::copy(&copy, &database).unwrap();
    let error = open(directory.path(), &clock).unwrap_err();
    let is_rolled_back = matches!(
        error,
        OpenError::RolledBack {
            found: 1,
            noted: 2,
            ..
        }
    );
    assert!(is_rolled_back, "{error}");
    assert!(
        error.to_string().contains("restore the whole directory"),
        "{error}"
    );
}

#[test]
fn an_empty_database_stays_empty() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path(), &TestClock::new()).unwrap());
    let database = directory.path().join("usher.redb");
    fs::write(&database, "").unwrap();
    for _ in 0..2 {
        let error = open(directory.path(), &TestClock::new()).unwrap_err();
        assert!(error.to_string().contains("the file is empty"), "{error}");
        assert_eq!(fs::metadata(&database).unwrap().len(), 0);
    }
}

/// It is not synced, so a power cut may leave it behind or in pieces.
#[test]
fn a_sequence_that_is_gone_or_torn_says_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = open(directory.path(), &clock).unwrap();
    revoke(&store, token(1, START + 600));
    drop(store);
    for text in ["", "9", &"9".repeat(40), &"x".repeat(40)] {
        fs::write(directory.path().join("usher.sequence"), text).unwrap();
        let store = open(directory.path(), &clock).unwrap();
        assert_eq!(store.denied_tokens(), 1);
    }
}

#[test]
fn a_file_that_changed_after_a_fault_is_not_written_to() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("usher.redb");
    let fault = Fault::default();
    let store = faults::open(directory.path(), &fault);
    revoke(&store, token(1, START + 600));
    let older = fs::read(&database).unwrap();
    revoke(&store, token(2, START + 600));
    fault.set(EIO);
    store.revoke(vec![token(3, START + 600)]).unwrap_err();
    fs::write(&database, older).unwrap();
    fault.set(0);
    let refused = store.revoke(vec![token(4, START + 600)]).unwrap_err();
    assert!(
        matches!(&refused, StoreError::Unavailable { reason } if reason.contains("older copy"))
    );
    assert_ne!(
        standing(&store, 2, START, None),
        Standing::Good,
        "memory still knows"
    );
}

/// D11: redb lets its own lock go while the file is not trusted.
#[test]
fn a_store_whose_disk_failed_is_still_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let fault = Fault::default();
    let store = faults::open(directory.path(), &fault);
    fault.set(EIO);
    for _ in 0..2 {
        store.revoke(vec![token(1, START + 600)]).unwrap_err();
    }
    let error = open(directory.path(), &TestClock::new()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
}

#[test]
fn the_last_clone_may_go_in_a_callback() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), &TestClock::new()).unwrap();
    let last = store.clone();
    let (go, may_go) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    store.submit_revocations(vec![token(1, START + 600)], move |answer| {
        may_go.recv().unwrap();
        drop(last);
        tell.send(answer.is_ok()).unwrap();
    });
    drop(store);
    go.send(()).unwrap();
    assert_eq!(told.recv(), Ok(true));
}
