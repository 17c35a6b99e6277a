//! Opening: what is made, what is kept, what is refused (attacks D04, D11,
//! D14).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;
use token_core::UnixSeconds;
use token_store::{AccessKeyChange, KeysetChange, OpenError, RevokedBy, Role, Rotation, Standing};

use crate::fixture::{
    KEYSET, START, TestClock, make_keyset, of_keyset, of_uuid, open, revoke, standing, token,
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_store_is_made_private() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    let store = open(&directory, &TestClock::new()).unwrap();
    assert_eq!(mode(&directory), 0o700);
    for file in fs::read_dir(&directory).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
    assert!(store.keysets().is_empty());
}

#[test]
fn everything_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = open(directory.path(), &clock).unwrap();
    make_keyset(&store);
    let change = KeysetChange::Set {
        subscribe_key: KEYSET.to_owned(),
        settings: vec![
            ("max_ttl".to_owned(), json!(90)),
            ("meta".to_owned(), json!("scalar")),
        ],
    };
    store.change_keyset(change).unwrap();
    let rotate = KeysetChange::Rotate {
        subscribe_key: KEYSET.to_owned(),
        rotation: Rotation::Signing,
    };
    let keyset = store.change_keyset(rotate).unwrap();
    let renew = AccessKeyChange::Renew { role: Role::Admin };
    let key = store.change_access_key(renew).unwrap().key.unwrap();
    revoke(&store, token(1, START + 600));
    revoke(&store, of_uuid("alice", Some(START - 10)));
    revoke(&store, of_keyset(Some(START - 20)));
    let sequence = store.sequence();
    drop(store);

    let store = open(directory.path(), &clock).unwrap();
    assert_eq!(*store.keyset(KEYSET).unwrap(), *keyset);
    assert_eq!(keyset.signing_keys.len(), 2);
    let access_key = store.access_key(key.expose()).unwrap();
    assert_eq!(access_key.role, Role::Admin);
    assert_eq!(store.sequence(), sequence);
    assert_eq!(store.denied_tokens(), 1);
    let by = |by, until: Option<u64>| Standing::Revoked {
        by,
        at: until.map(UnixSeconds),
    };
    assert_eq!(standing(&store, 1, START, None), by(RevokedBy::Token, None));
    let uuid_rule = by(RevokedBy::Uuid, Some(START - 10));
    assert_eq!(standing(&store, 2, START - 10, Some("alice")), uuid_rule);
    let keyset_rule = by(RevokedBy::Keyset, Some(START - 20));
    assert_eq!(standing(&store, 2, START - 20, Some("bob")), keyset_rule);
    assert_eq!(
        standing(&store, 2, START - 9, Some("alice")),
        Standing::Good
    );
}

/// Opens a store with one revocation, closes it, lets `damage` at its files,
/// and returns what opening it says then.
fn refused_after(damage: impl FnOnce(&Path)) -> OpenError {
    let directory = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = open(directory.path(), &clock).unwrap();
    revoke(&store, token(1, START + 600));
    drop(store);
    damage(directory.path());
    let before = fs::read_dir(directory.path()).unwrap().count();
    let error = open(directory.path(), &clock).expect_err("the store opened");
    let after = fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(before, after, "a refusal changes nothing");
    error
}

fn write(directory: &Path, name: &str, text: &str) {
    fs::write(directory.join(name), text).unwrap();
}

#[test]
fn a_database_that_is_gone_is_never_made_anew() {
    let error = refused_after(|dir| fs::remove_file(dir.join("usher.redb")).unwrap());
    assert!(matches!(error, OpenError::NoDatabase { .. }), "{error}");
    assert!(
        error.to_string().contains("restore it from a backup"),
        "{error}"
    );
}

#[test]
fn a_database_without_its_marker_is_refused() {
    let error = refused_after(|dir| fs::remove_file(dir.join("usher.json")).unwrap());
    assert!(matches!(error, OpenError::NoMarker { .. }), "{error}");
}

#[test]
fn an_empty_or_cut_database_is_refused() {
    let cut = |bytes: usize| {
        refused_after(|dir| {
            let path = dir.join("usher.redb");
            let whole = fs::read(&path).unwrap();
            fs::write(&path, &whole[..bytes.min(whole.len())]).unwrap();
        })
    };
    for bytes in [0, 1, 64, 4_096, 20_000] {
        let error = cut(bytes);
        assert!(
            matches!(error, OpenError::Corrupt { .. }),
            "{bytes}: {error}"
        );
    }
}

#[test]
fn a_marker_that_is_none_newer_or_foreign_is_refused() {
    for text in [
        "",
        "{",
        "{}",
        r#"{"format":0,"id":"x"}"#,
        r#"{"format":1,"id":"short"}"#,
    ] {
        let error = refused_after(|dir| write(dir, "usher.json", text));
        assert!(
            matches!(error, OpenError::BadMarker { .. }),
            "{text}: {error}"
        );
    }
    let other = "0".repeat(32);
    let newer = format!(r#"{{"format":4,"id":"{other}"}}"#);
    let error = refused_after(|dir| write(dir, "usher.json", &newer));
    assert!(
        matches!(
            error,
            OpenError::Newer {
                found: 4,
                supported: 3,
                ..
            }
        ),
        "{error}"
    );
    let foreign = format!(r#"{{"format":1,"id":"{other}"}}"#);
    let error = refused_after(|dir| write(dir, "usher.json", &foreign));
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
}

#[test]
fn one_process_has_it_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), &TestClock::new()).unwrap();
    let error = open(directory.path(), &TestClock::new()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    drop(store);
    open(directory.path(), &TestClock::new()).unwrap();
}

#[test]
fn a_creation_that_was_cut_short_is_finished() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path(), &TestClock::new()).unwrap());
    let name = |name: &str| directory.path().join(name);
    // Killed after the marker, before the database got its name.
    fs::rename(name("usher.redb"), name("usher.redb.new")).unwrap();
    drop(open(directory.path(), &TestClock::new()).unwrap());
    // Killed before the marker: nothing was acknowledged, so it starts over.
    fs::rename(name("usher.redb"), name("usher.redb.new")).unwrap();
    fs::remove_file(name("usher.json")).unwrap();
    open(directory.path(), &TestClock::new()).unwrap();
}

#[test]
fn a_flipped_bit_never_makes_the_deny_list_shorter() {
    let directory = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = open(directory.path(), &clock).unwrap();
    for n in 0..50 {
        revoke(&store, token(n, START + 600));
    }
    drop(store);
    let path = directory.path().join("usher.redb");
    let whole = fs::read(&path).unwrap();
    let (mut refused, mut opened) = (0, 0);
    // A stride that meets every part of a page and of the file's head.
    for at in (0..512)
        .step_by(3)
        .chain((512..whole.len()).step_by(whole.len() / 150))
    {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&path, &damaged).unwrap();
        match open(directory.path(), &clock) {
            Err(_) => refused += 1,
            Ok(store) => {
                assert_eq!(store.denied_tokens(), 50, "bit {at} cost an entry");
                opened += 1;
            }
        }
    }
    assert!(
        refused > 0 && opened > 0,
        "{refused} refused, {opened} opened"
    );
}
