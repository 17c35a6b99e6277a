//! The master key: without it the data does not open, and with it no file of
//! the data directory holds a secret in plain.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use token_store::{
    ExportError, ExportFile, ExportSecrets, InvalidMasterKey, KeysetChange, MasterKey, NewKeyset,
    OpenError, OpenOptions, Rotation, Secret, Standing, Store, compact, rekey, restore,
};

use crate::disk::Disk;
use crate::exports::{export, quiet};
use crate::fixture::{KEYSET, START, TestClock, make_keyset, revoke, standing, token};

const ONE: &str = "3f1ddb6f7a4c0c9b8e5a2d1c0b9a8f7e6d5c4b3a2918070605040302010f0e0d";
const TWO: &str = "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef";
const CANARY: &str = "sec-canary-4f6d1b8c2e7a9035";

fn key(text: &str) -> MasterKey {
    MasterKey::from_hex(text).unwrap()
}

fn options(clock: &TestClock, master_key: Option<&str>) -> OpenOptions {
    let mut options = OpenOptions::new(clock.clone());
    options.master_key = master_key.map(key);
    options
}

fn open(dir: &Path, master_key: Option<&str>) -> Result<Store, OpenError> {
    Store::open(dir, options(&TestClock::new(), master_key))
}

fn make_canary(store: &Store) -> Vec<String> {
    let new = NewKeyset {
        name: "canary".to_owned(),
        subscribe_key: Some("sub-canary".to_owned()),
        secret_key: Some(Secret::new(CANARY.to_owned())),
        ..NewKeyset::default()
    };
    let keyset = store.change_keyset(KeysetChange::Create(new)).unwrap();
    let signing = keyset.signing_keys[0].expose();
    let signing: String = signing.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![CANARY.to_owned(), signing]
}

/// The files under `dir` that hold one of `secrets`, as text or raw.
fn holders(dir: &Path, secrets: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holders(&path, secrets));
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let holds = |secret: &[u8]| bytes.windows(secret.len()).any(|part| part == secret);
        if secrets.iter().any(|secret| holds(secret.as_bytes())) {
            found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    found
}

#[test]
fn a_plain_store_holds_its_secrets_and_a_sealed_one_does_not() {
    for master_key in [None, Some(ONE)] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), master_key).unwrap();
        let secrets = make_canary(&store);
        let subscribe_key = "sub-canary".to_owned();
        for _ in 0..3 {
            store
                .change_keyset(KeysetChange::Rotate {
                    subscribe_key: subscribe_key.clone(),
                    rotation: Rotation::Emergency,
                })
                .unwrap();
        }
        // While it runs, and after.
        let running = holders(dir.path(), &secrets);
        drop(store);
        let stopped = holders(dir.path(), &secrets);
        if master_key.is_none() {
            assert_eq!(stopped, ["usher.redb"], "the canary must be found in plain");
        } else {
            assert_eq!((running, stopped), (vec![], vec![]));
            let store = open(dir.path(), master_key).unwrap();
            let keyset = store.keyset("sub-canary").unwrap();
            assert_eq!(keyset.secret_key.expose(), CANARY);
        }
    }
}

#[test]
fn sealed_data_opens_under_its_key_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Some(ONE)).unwrap();
    make_keyset(&store);
    drop(store);
    let without = open(dir.path(), None).unwrap_err();
    assert!(matches!(without, OpenError::Sealed { .. }), "{without}");
    let other = open(dir.path(), Some(TWO)).unwrap_err();
    assert!(matches!(other, OpenError::WrongMasterKey { .. }), "{other}");
    for error in [without, other] {
        let text = error.to_string();
        assert!(text.contains(key(ONE).id()), "{text}");
        assert!(
            !text.contains(&ONE[..16]) && !text.contains(&TWO[..16]),
            "{text}"
        );
    }
    assert!(
        open(dir.path(), Some(ONE))
            .unwrap()
            .keyset(KEYSET)
            .is_some()
    );
    // A plain database where a sealed one is expected is not believed.
    let plain = tempfile::tempdir().unwrap();
    drop(open(plain.path(), None).unwrap());
    let error = open(plain.path(), Some(ONE)).unwrap_err();
    assert!(matches!(error, OpenError::NotSealed { .. }), "{error}");
    assert!(error.to_string().contains("usher store rekey"), "{error}");
}

#[test]
fn a_key_is_64_digits_and_shows_nothing_of_itself() {
    let digits = InvalidMasterKey::Digits;
    for (text, error) in [
        ("", digits),
        (&ONE[1..], digits),
        (&format!("{ONE}0"), digits),
        (&ONE.replace('a', "g"), digits),
        (&"0".repeat(64), InvalidMasterKey::OneDigit),
        (&"f".repeat(64), InvalidMasterKey::OneDigit),
    ] {
        assert_eq!(MasterKey::from_hex(text).unwrap_err(), error, "{text}");
    }
    let one = key(ONE);
    assert_eq!(one, key(&format!(" {}\n", ONE.to_uppercase())));
    assert_ne!(one, key(TWO));
    assert_eq!(one.id().len(), 16);
    let debug = format!("{one:?}");
    assert!(
        debug.contains(one.id()) && !debug.contains(&ONE[..8]),
        "{debug}"
    );
}

/// Enabling on a plain store, then changing the key: nothing is lost, and old
/// pages hold nothing.
#[test]
fn rekey_seals_what_is_there_and_leaves_no_page_behind() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = open(dir.path(), None).unwrap();
    make_keyset(&store);
    let secrets = make_canary(&store);
    for n in 0..500 {
        revoke(&store, token(n, START + 90_000));
    }
    let before = export(&store, ExportSecrets::Include);
    drop(store);
    fs::create_dir(dir.path().join("format-1")).unwrap();
    fs::write(dir.path().join("format-1/usher.redb"), CANARY).unwrap();

    for (old, new) in [(None, ONE), (Some(ONE), TWO)] {
        let options = options(&clock, old);
        quiet(|progress| rekey(dir.path(), &options, key(new), progress)).unwrap();
        assert!(open(dir.path(), old).is_err(), "the old way in");
        let store = open(dir.path(), Some(new)).unwrap();
        assert_eq!(store.denied_tokens(), 500);
        assert_ne!(standing(&store, 3, START, None), Standing::Good);
        assert_eq!(
            store.keyset("sub-canary").unwrap().secret_key.expose(),
            CANARY
        );
        assert_eq!(store.sequence(), before_sequence(&before));
        drop(store);
        assert_eq!(holders(dir.path(), &secrets), [""; 0]);
    }
}

fn before_sequence(export: &str) -> u64 {
    let head: serde_json::Value = serde_json::from_str(export.lines().next().unwrap()).unwrap();
    head["sequence"].as_u64().unwrap()
}

#[test]
fn a_wrong_key_rekeys_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    make_keyset(&open(dir.path(), Some(ONE)).unwrap());
    for wrong in [None, Some(TWO)] {
        let options = options(&clock, wrong);
        let refused = quiet(|progress| rekey(dir.path(), &options, key(TWO), progress));
        assert!(refused.is_err());
    }
    assert!(open(dir.path(), Some(ONE)).is_ok());
}

/// A rewrite that was cut off leaves the old database, and its own half is
/// taken away.
#[test]
fn a_rewrite_that_was_cut_off_leaves_the_old_database() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Some(ONE)).unwrap();
    revoke(&store, token(1, START + 90_000));
    drop(store);
    let half = dir.path().join("usher.redb.rewrite");
    fs::write(&half, "half").unwrap();
    assert_eq!(open(dir.path(), Some(ONE)).unwrap().denied_tokens(), 1);
    assert!(!half.exists());
}

#[test]
fn compacting_keeps_everything_and_gives_space_back() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = Store::open(dir.path(), options(&clock, Some(ONE))).unwrap();
    make_keyset(&store);
    for batch in 0..20 {
        let tokens = (0..1_000).map(|n| token(batch * 1_000 + n, START + 60));
        store.revoke(tokens.collect()).unwrap();
    }
    revoke(&store, token(99_999, START + 90_000));
    clock.walk(3_600);
    while store.prune().unwrap().tokens > 0 {}
    let before = export(&store, ExportSecrets::Include);
    drop(store);
    let options = options(&clock, Some(ONE));
    let rewritten = quiet(|progress| compact(dir.path(), &options, progress)).unwrap();
    assert!(
        rewritten.bytes_after * 2 < rewritten.bytes_before,
        "{rewritten:?}"
    );
    let store = Store::open(dir.path(), options).unwrap();
    let after = export(&store, ExportSecrets::Include);
    let entries = |text: &str| -> Vec<String> {
        let deny = text.lines().filter(|line| !line.starts_with("{\"keyset"));
        deny.skip(1).map(str::to_owned).collect()
    };
    // Secrets are sealed anew, with another nonce.
    let (before, after) = (entries(&before), entries(&after));
    assert_eq!(before[..before.len() - 1], after[..after.len() - 1]);
    quiet(|progress| store.check(progress)).unwrap();
}

#[test]
fn a_backup_of_a_sealed_store_is_sealed_and_needs_the_key() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    let store = open(&path("data"), Some(ONE)).unwrap();
    let secrets = make_canary(&store);
    let to = path("data").join("backups");
    let backup = quiet(|progress| store.backup(&to, progress)).unwrap();
    assert_eq!(holders(&path("data"), &secrets), [""; 0]);
    let file = quiet(|progress| ExportFile::open(&backup.path, progress)).unwrap();
    let clock = TestClock::new();
    for wrong in [None, Some(TWO)] {
        let options = options(&clock, wrong);
        let refused = quiet(|progress| restore(&file, &path("restored"), options, progress));
        let refused = refused.unwrap_err();
        assert!(matches!(refused, ExportError::Sealed { .. }), "{refused}");
        assert!(!path("restored").exists());
    }
    let options = options(&clock, Some(ONE));
    quiet(|progress| restore(&file, &path("restored"), options, progress)).unwrap();
    let store = open(&path("restored"), Some(ONE)).unwrap();
    assert_eq!(
        store.keyset("sub-canary").unwrap().secret_key.expose(),
        CANARY
    );
}

/// A sealed secret is bound to its keyset and use: moved, it does not open.
#[test]
fn a_sealed_secret_that_is_moved_does_not_open() {
    let moves: [fn(&mut serde_json::Value, &serde_json::Value); 3] = [
        |to, from| to["secret_key"] = from["secret_key"].clone(),
        |to, from| to["signing_keys"] = from["signing_keys"].clone(),
        |to, _| to["secret_key"] = to["signing_keys"][0]["key"].clone(),
    ];
    for (n, swap) in moves.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), Some(ONE)).unwrap();
        make_keyset(&store);
        make_canary(&store);
        drop(store);
        let database = redb::Database::open(dir.path().join("usher.redb")).unwrap();
        let table = redb::TableDefinition::<&str, &[u8]>::new("keysets");
        let transaction = database.begin_write().unwrap();
        {
            let mut table = transaction.open_table(table).unwrap();
            let read = |table: &redb::Table<'_, &str, &[u8]>, name: &str| -> serde_json::Value {
                use redb::ReadableTable as _;
                serde_json::from_slice(table.get(name).unwrap().unwrap().value()).unwrap()
            };
            let mut to = read(&table, KEYSET);
            let from = read(&table, "sub-canary");
            swap(&mut to["keyset"], &from["keyset"]);
            let text = to.to_string();
            table.insert(KEYSET, text.as_bytes()).unwrap();
        }
        transaction.commit().unwrap();
        drop(database);
        let error = open(dir.path(), Some(ONE)).unwrap_err();
        assert!(error.to_string().contains("does not open"), "{n}: {error}");
        assert!(!error.to_string().contains(CANARY));
    }
}

/// A fault while a keyset is changed: a sealed store answers as a plain one.
#[test]
fn a_failing_disk_leaves_a_sealed_keyset_as_it_was() {
    for operations in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        let clock = TestClock::new();
        let mut options = disk.options(&clock);
        options.master_key = Some(key(ONE));
        let store = Store::open(dir.path(), options).unwrap();
        let before = make_keyset(&store);
        disk.fail_after(operations, 5);
        let rotated = store.change_keyset(KeysetChange::Rotate {
            subscribe_key: KEYSET.to_owned(),
            rotation: Rotation::Secret { overlap_seconds: 0 },
        });
        let failed = disk.heal();
        let held = store.keyset(KEYSET).unwrap();
        match rotated {
            Ok(keyset) => assert_eq!(held, keyset),
            Err(_) => assert_eq!(held, before),
        }
        if !failed {
            break;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever bit of a sealed record changes, it is refused, not misread.
    #[test]
    fn no_changed_bit_of_a_sealed_secret_opens(at in any::<prop::sample::Index>(), digit in 0..16_u32) {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), Some(ONE)).unwrap();
        make_keyset(&store);
        let text = export(&store, ExportSecrets::Include);
        let marker = "\"secret_key\":\"";
        let start = text.find(marker).unwrap() + marker.len();
        let end = start + text[start..].find('"').unwrap();
        let at = start + at.index(end - start);
        let new = char::from_digit(digit, 16).unwrap();
        prop_assume!(!text[at..].starts_with(new));
        let mut lines: Vec<String> = {
            let mut changed = text.clone();
            changed.replace_range(at..=at, &new.to_string());
            changed.lines().map(str::to_owned).collect()
        };
        // With a last line that matches.
        let body = format!("{}\n", lines[..lines.len() - 1].join("\n"));
        let digest = ring::digest::digest(&ring::digest::SHA256, body.as_bytes());
        let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let last = lines.last_mut().unwrap();
        let entries = body.lines().count() - 1;
        *last = format!("{{\"end\":{{\"entries\":{entries},\"sha256\":\"{digest}\"}}}}");
        let path = dir.path().join("export");
        fs::write(&path, format!("{body}{last}\n")).unwrap();
        let file = quiet(|progress| ExportFile::open(&path, progress)).unwrap();
        let to = dir.path().join("restored");
        let options = options(&TestClock::new(), Some(ONE));
        let refused = quiet(|progress| restore(&file, &to, options, progress)).unwrap_err();
        prop_assert!(refused.to_string().contains("keys cannot be read"), "{refused}");
    }
}
