//! The keys of the internal API: names, roles, expiry, overlap, and two ways to
//! be rid of one.

use token_core::UnixSeconds;
use token_store::{AccessKeyChange, Role, Secret, Store, StoreError};

use crate::fixture::{START, TestClock, open};

fn store() -> (tempfile::TempDir, TestClock, Store) {
    let directory = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = open(directory.path(), &clock).unwrap();
    (directory, clock, store)
}

fn create(
    store: &Store,
    name: &str,
    role: Role,
    expires_at: Option<u64>,
) -> Result<Secret, StoreError> {
    let change = AccessKeyChange::Create {
        name: name.to_owned(),
        role,
        expires_at: expires_at.map(UnixSeconds),
    };
    store
        .change_access_key(change)
        .map(|changed| changed.key.unwrap())
}

fn rotate(store: &Store, name: &str, overlap_seconds: u64) -> Result<Secret, StoreError> {
    let name = name.to_owned();
    let change = AccessKeyChange::Rotate {
        name,
        overlap_seconds,
    };
    store
        .change_access_key(change)
        .map(|changed| changed.key.unwrap())
}

fn remove(store: &Store, name: &str) -> Result<(), StoreError> {
    let name = name.to_owned();
    store
        .change_access_key(AccessKeyChange::Remove { name })
        .map(drop)
}

/// Name and role of what a key opens.
fn opened(store: &Store, key: &Secret) -> Option<(String, Role)> {
    let access_key = store.access_key(key.expose())?;
    Some((access_key.name.clone(), access_key.role))
}

#[test]
fn a_key_opens_what_its_role_says_after_a_restart_too() {
    let (directory, clock, store) = store();
    let keys = Role::ALL.map(|role| {
        let name = format!("the-{}", role.name());
        let key = create(&store, &name, role, None).unwrap();
        assert!(key.expose().starts_with(&format!("usher_{}_", role.name())));
        (name, role, key)
    });
    drop(store);
    let store = open(directory.path(), &clock).unwrap();
    for (name, role, key) in keys {
        assert_eq!(opened(&store, &key), Some((name, role)));
    }
    for key in ["", "usher_admin_", "usher_admin_00"] {
        assert!(store.access_key(key).is_none());
    }
    assert_eq!(store.access_keys().len(), 4);
}

#[test]
fn names_are_taken_once_and_are_plain() {
    let (_directory, _, store) = store();
    create(&store, "ci", Role::Issuer, None).unwrap();
    let again = create(&store, "ci", Role::Admin, None);
    assert_eq!(again.unwrap_err(), StoreError::AccessKeyExists);
    for name in ["", "a b", "a/b", "caf\u{e9}", "a\n", &"n".repeat(65)] {
        let refused = create(&store, name, Role::Issuer, None);
        assert!(
            matches!(refused, Err(StoreError::AccessKey { .. })),
            "{name}"
        );
    }
    create(&store, &"n".repeat(64), Role::Issuer, None).unwrap();
}

#[test]
fn an_expired_key_opens_nothing() {
    let (_directory, clock, store) = store();
    let born_dead = create(&store, "ci", Role::Issuer, Some(START));
    assert!(matches!(born_dead, Err(StoreError::AccessKey { .. })));
    let key = create(&store, "ci", Role::Issuer, Some(START + 60)).unwrap();
    assert!(opened(&store, &key).is_some());
    clock.walk(60);
    assert_eq!(opened(&store, &key), None);
}

/// Attack K01, of these keys.
#[test]
fn a_rotated_key_overlaps_for_as_long_as_was_asked_for() {
    let (directory, clock, store) = store();
    let first = create(&store, "ci", Role::Issuer, None).unwrap();
    let second = rotate(&store, "ci", 60).unwrap();
    drop(store);
    let store = open(directory.path(), &clock).unwrap();
    assert!(opened(&store, &first).is_some() && opened(&store, &second).is_some());
    clock.walk(60);
    assert_eq!(opened(&store, &first), None);
    let third = rotate(&store, "ci", 60).unwrap();
    // Without an overlap nothing older is good.
    let fourth = rotate(&store, "ci", 0).unwrap();
    for key in [&first, &second, &third] {
        assert_eq!(opened(&store, key), None);
    }
    assert!(opened(&store, &fourth).is_some());
    let week = 7 * 86_400;
    rotate(&store, "ci", week).unwrap();
    let refused = rotate(&store, "ci", week + 1).unwrap_err();
    assert_eq!(refused, StoreError::Overlap { seconds_max: week });
    let unknown = rotate(&store, "cd", 0).unwrap_err();
    assert_eq!(unknown, StoreError::UnknownAccessKey);
}

#[test]
fn a_removed_key_opens_nothing_and_the_last_admin_key_stays() {
    let (_directory, clock, store) = store();
    let issuer = create(&store, "ci", Role::Issuer, None).unwrap();
    create(&store, "one", Role::Admin, None).unwrap();
    remove(&store, "ci").unwrap();
    assert_eq!(opened(&store, &issuer), None);
    assert_eq!(
        remove(&store, "ci").unwrap_err(),
        StoreError::UnknownAccessKey
    );
    assert_eq!(remove(&store, "one").unwrap_err(), StoreError::LastAdminKey);
    // One that has expired is no other.
    create(&store, "short", Role::Admin, Some(START + 60)).unwrap();
    clock.walk(60);
    assert_eq!(remove(&store, "one").unwrap_err(), StoreError::LastAdminKey);
    create(&store, "two", Role::Admin, None).unwrap();
    remove(&store, "one").unwrap();
}

#[test]
fn the_key_of_a_role_replaces_the_one_before() {
    let (_directory, _, store) = store();
    assert!(!store.has_access_key(Role::Admin));
    let renew = || {
        let change = AccessKeyChange::Renew { role: Role::Admin };
        store.change_access_key(change).unwrap().key.unwrap()
    };
    let (first, second) = (renew(), renew());
    assert_eq!(opened(&store, &first), None);
    assert_eq!(
        opened(&store, &second),
        Some(("admin".to_owned(), Role::Admin))
    );
    create(&store, "verifier", Role::Issuer, None).unwrap();
    let taken = store.change_access_key(AccessKeyChange::Renew {
        role: Role::Verifier,
    });
    assert_eq!(taken.unwrap_err(), StoreError::AccessKeyExists);
}

#[test]
fn there_are_only_so_many_keys() {
    let (_directory, _, store) = store();
    for n in 0..256 {
        create(&store, &format!("key-{n}"), Role::Issuer, None).unwrap();
    }
    let refused = create(&store, "one-more", Role::Issuer, None).unwrap_err();
    assert_eq!(refused, StoreError::TooManyAccessKeys { keys_max: 256 });
}
