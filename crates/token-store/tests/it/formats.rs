//! Data directories of older versions (testdata/store): each opens, says the
//! same as before, and is kept beside as it was.

use std::fs;
use std::path::{Path, PathBuf};

use redb::{ReadableDatabase as _, TableHandle as _};
use serde::Deserialize;
use token_core::{TokenKind, UnixSeconds};
use token_store::{OpenError, Role, Standing, Store};

use crate::fixture::{KEYSET, KIND, START, TestClock, open, standing, standing_until};

/// The formats before this one.
const OLDER: [u64; 2] = [1, 2];

fn stored(format: u64) -> PathBuf {
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/store");
    stored.join(format!("format-{format}"))
}

/// Makes the files of a data directory from testdata: `length N`, then every
/// 64 bytes that are not all zero, after where they are.
pub(crate) fn unpack(format: u64, to: &Path) {
    let from = stored(format);
    for name in ["usher.json", "usher.sequence"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let text = fs::read_to_string(from.join("usher.redb.hex")).unwrap();
    let mut lines = text.lines();
    let length = lines.next().unwrap().strip_prefix("length ").unwrap();
    let mut bytes = vec![0; length.parse().unwrap()];
    for line in lines {
        let (at, digits) = line.split_once(' ').unwrap();
        let at = usize::from_str_radix(at, 16).unwrap();
        for (n, pair) in digits.as_bytes().chunks(2).enumerate() {
            let pair = core::str::from_utf8(pair).unwrap();
            bytes[at + n] = u8::from_str_radix(pair, 16).unwrap();
        }
    }
    fs::write(to.join("usher.redb"), bytes).unwrap();
}

#[derive(Deserialize)]
struct Expected {
    publish_key: String,
    secret_key: String,
    admin_key: String,
    verifier_key: String,
    signing_key: Vec<ExpectedKey>,
}

#[derive(Deserialize)]
struct ExpectedKey {
    from: u64,
    key: String,
}

fn is_as_it_was(store: &Store) {
    let text = fs::read_to_string(stored(1).join("expected.toml")).unwrap();
    let expected: Expected = toml::from_str(&text).unwrap();
    let keysets = store.keysets();
    assert_eq!(keysets.len(), 1, "the other is deleted");
    let keyset = store.keyset(KEYSET).unwrap();
    assert_eq!(keyset.name, "demo");
    assert_eq!(keyset.publish_key.as_str(), expected.publish_key);
    assert_eq!(keyset.secret_key.expose(), expected.secret_key);
    assert!(keyset.settings.require_uuid);
    assert_eq!(keyset.signing_keys.len(), expected.signing_key.len());
    for (key, expected) in keyset.signing_keys.iter().zip(&expected.signing_key) {
        let digits: String = key.expose().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!((key.from.0, &digits), (expected.from, &expected.key));
    }
    let opens = [
        (expected.admin_key, Role::Admin),
        (expected.verifier_key, Role::Verifier),
    ];
    for (key, role) in opens {
        let access_key = store.access_key(&key).unwrap();
        assert_eq!((access_key.role, &*access_key.name), (role, role.name()));
    }
    assert_eq!(store.denied_tokens(), 21);
    for n in 0..21 {
        assert_ne!(standing(store, n, START + 7_000, None), Standing::Good);
    }
    let pruned = standing_until(store, 100, START + 1_000, START + 600, None);
    assert_eq!(pruned, Standing::Expired, "the horizon");
    let rule = |kind, scope, uuid| store.rule(kind, scope, uuid).map(|until| until.0);
    for uuid in ["alice", "bob", "caf\u{e9}"] {
        assert_eq!(rule(KIND, KEYSET, Some(uuid)), Some(START + 5_000));
    }
    assert_eq!(rule(KIND, KEYSET, None), Some(START + 100));
    let of_account = rule(TokenKind::Crt, "account-1", Some("carol"));
    assert_eq!(of_account, Some(START));
}

#[test]
fn a_store_of_an_older_format_opens_and_is_kept_beside() {
    for format in OLDER {
        let directory = tempfile::tempdir().unwrap();
        unpack(format, directory.path());
        let clock = TestClock::new();
        clock.step_to(START + 7_200);
        for _ in 0..2 {
            let store = open(directory.path(), &clock).unwrap();
            is_as_it_was(&store);
            assert_eq!(store.log_position().unwrap(), None);
            assert!(store.unpublished(&[], 10).unwrap().is_empty());
        }
        let kept = directory.path().join(format!("format-{format}"));
        // A whole directory, which the older version opens: marker and tables.
        for name in ["usher.json", "usher.sequence"] {
            let before = fs::read(stored(format).join(name)).unwrap();
            assert_eq!(fs::read(kept.join(name)).unwrap(), before);
        }
        let tables = tables(&kept.join("usher.redb"));
        assert!(tables.contains(&"rules".to_owned()), "{tables:?}");
        assert_eq!(tables.contains(&"rule_reviews".to_owned()), format > 1);
        assert!(!tables.contains(&"named_access_keys".to_owned()));
        is_as_it_was(&open(&kept, &clock).unwrap());
    }
}

fn tables(database: &Path) -> Vec<String> {
    let database = redb::Database::open(database).unwrap();
    let transaction = database.begin_read().unwrap();
    let tables = transaction.list_tables().unwrap();
    tables.map(|table| table.name().to_owned()).collect()
}

/// Rules of the older format go like any other.
#[test]
fn what_was_migrated_is_pruned() {
    let directory = tempfile::tempdir().unwrap();
    unpack(1, directory.path());
    let clock = TestClock::new();
    clock.step_to(START + 7_200);
    let store = open(directory.path(), &clock).unwrap();
    clock.walk(50_000 * 60);
    let pruned = store.prune().unwrap();
    assert_eq!((pruned.tokens, pruned.rules), (21, 4), "of the account not");
}

/// Each is what a cut at some step leaves.
#[test]
fn a_migration_that_was_cut_off_goes_on() {
    for (format, step) in OLDER
        .into_iter()
        .flat_map(|format| (0..4).map(move |n| (format, n)))
    {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        unpack(format, directory.path());
        let kept = format!("format-{format}");
        let clock = TestClock::new();
        clock.step_to(START + 7_200);
        match step {
            0 => {
                fs::create_dir(path(&format!("{kept}.new"))).unwrap();
                fs::write(path(&format!("{kept}.new/usher.redb")), "half").unwrap();
            }
            1 => {
                fs::create_dir(path(&kept)).unwrap();
                fs::write(path(&format!("{kept}/usher.redb")), "of an earlier try").unwrap();
            }
            2 => {
                let marker = fs::read_to_string(path("usher.json")).unwrap();
                let newer = marker.replace(&format!("\"format\":{format}"), "\"format\":3");
                assert_ne!(marker, newer);
                fs::write(path("usher.json"), newer).unwrap();
            }
            _ => {}
        }
        is_as_it_was(&open(directory.path(), &clock).unwrap());
        if step < 2 {
            let kept = fs::read(path(&format!("{kept}/usher.redb"))).unwrap();
            assert!(kept.starts_with(b"redb"));
        }
    }
}

#[test]
fn tables_of_an_unknown_format_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    drop(open(directory.path(), &clock).unwrap());
    let database = redb::Database::open(directory.path().join("usher.redb")).unwrap();
    let meta = redb::TableDefinition::<&str, &str>::new("meta");
    let transaction = database.begin_write().unwrap();
    transaction
        .open_table(meta)
        .unwrap()
        .insert("format", "4")
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = open(directory.path(), &clock).unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
}

#[test]
fn a_store_of_format_1_without_its_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    unpack(1, directory.path());
    fs::remove_file(directory.path().join("usher.redb")).unwrap();
    let error = open(directory.path(), &TestClock::new()).unwrap_err();
    assert!(matches!(error, OpenError::NoDatabase { .. }), "{error}");
}

/// It takes an hour of agreement to forget, so nothing is forgotten here.
#[test]
fn the_clock_does_not_matter_to_a_migration() {
    for now in [0, START + 10_000_000_000] {
        let directory = tempfile::tempdir().unwrap();
        unpack(1, directory.path());
        let clock = TestClock::new();
        clock.step_to(now);
        let store = open(directory.path(), &clock).unwrap();
        assert_eq!(store.prune().unwrap().tokens, 0);
        is_as_it_was(&store);
        let instant = store.rule(KIND, KEYSET, None);
        assert_eq!(instant, Some(UnixSeconds(START + 100)));
    }
}
