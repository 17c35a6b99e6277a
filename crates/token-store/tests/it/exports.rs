//! Export, import, backup, restore: what is denied stays denied, and a file
//! that is not whole is not used.

use core::sync::atomic::{AtomicBool, Ordering};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use token_core::UnixSeconds;
use token_store::{
    AccessKeyChange, ExportError, ExportFile, ExportSecrets, Imported, KeysetChange, NewKeyset,
    OpenOptions, Progress, Role, Rotation, Standing, Store, restore,
};

use crate::fixture::{
    KEYSET, KIND, START, TestClock, make_keyset, of_keyset, of_uuid, open, revoke, standing,
    standing_until, token,
};

pub(crate) struct World {
    pub(crate) root: tempfile::TempDir,
    pub(crate) clock: TestClock,
    pub(crate) store: Store,
}

impl World {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn open(&self, name: &str) -> Store {
        open(&self.path(name), &self.clock).unwrap()
    }
}

/// A store with something of everything, 1,000 s after its start.
pub(crate) fn world() -> World {
    let root = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = open(&root.path().join("data"), &clock).unwrap();
    make_keyset(&store);
    let other = NewKeyset {
        name: "other".to_owned(),
        subscribe_key: Some("sub-other".to_owned()),
        ..NewKeyset::default()
    };
    store.change_keyset(KeysetChange::Create(other)).unwrap();
    let subscribe_key = "sub-other".to_owned();
    let delete = KeysetChange::Delete { subscribe_key };
    store.change_keyset(delete).unwrap();
    let renew = AccessKeyChange::Renew { role: Role::Admin };
    store.change_access_key(renew).unwrap();
    revoke(&store, token(100, START + 60));
    clock.walk(3_600);
    store.prune().unwrap();
    for n in 0..20 {
        revoke(&store, token(n, START + 90_000 + n));
    }
    revoke(&store, of_uuid("alice", None));
    revoke(&store, of_uuid("b\u{f6}b \"\\\n", Some(START)));
    World { root, clock, store }
}

pub(crate) fn quiet<T>(work: impl FnOnce(&mut Progress<'_>) -> T) -> T {
    work(&mut Progress::new(&mut |_| {}))
}

pub(crate) fn export(store: &Store, secrets: ExportSecrets) -> String {
    let mut out = Vec::new();
    let exported = quiet(|progress| store.export(&mut out, secrets, progress)).unwrap();
    assert_eq!(exported.bytes, out.len() as u64);
    String::from_utf8(out).unwrap()
}

fn read(path: &Path) -> Result<ExportFile, ExportError> {
    quiet(|progress| ExportFile::open(path, progress))
}

fn read_text(world: &World, text: &str) -> Result<ExportFile, ExportError> {
    let path = world.path("export");
    fs::write(&path, text).unwrap();
    read(&path)
}

fn import(store: &Store, file: &ExportFile) -> Imported {
    quiet(|progress| store.import(file, progress)).unwrap()
}

fn restored(world: &World, file: &ExportFile, name: &str) -> Imported {
    let options = OpenOptions::new(world.clock.clone());
    quiet(|progress| restore(file, &world.path(name), options, progress)).unwrap()
}

/// The entries, without what only the restore of a backup adds.
fn entries(text: &str) -> Vec<Value> {
    let lines: Vec<&str> = text.lines().collect();
    let entries = &lines[1..lines.len() - 1];
    let entries = entries
        .iter()
        .map(|line| serde_json::from_str(line).unwrap());
    let added = |entry: &Value| !entry["rule"].is_null() && entry["rule"]["uuid"].is_null();
    entries.filter(|entry| !added(entry)).collect()
}

#[test]
fn a_restored_store_holds_what_was_backed_up_and_a_rule_more() {
    let world = world();
    let backup = quiet(|progress| world.store.backup(&world.path("backups"), progress)).unwrap();
    let file = read(&backup.path).unwrap();
    assert_eq!(file.entries(), backup.exported.entries);
    assert_eq!(file.sequence(), world.store.sequence());
    // Revoked after the backup: it does not know.
    revoke(&world.store, token(50, START + 90_000));
    let now = START + 3_600;

    let imported = restored(&world, &file, "restored");
    assert_eq!((imported.tokens, imported.rules), (20, 2));
    assert_eq!(imported.added_keysets, [KEYSET]);
    let until = imported.revoked_until.unwrap();
    assert_eq!(
        until,
        UnixSeconds(now + 60),
        "as far as a clock may be ahead"
    );
    let store = world.open("restored");
    assert_eq!(store.rule(KIND, KEYSET, None), Some(until));
    assert_ne!(standing(&store, 50, now, None), Standing::Good);
    assert_ne!(standing(&store, 51, until.0, None), Standing::Good);
    assert_eq!(standing(&store, 52, until.0 + 1, None), Standing::Good);
    let pruned = standing_until(&store, 100, START, START + 60, None);
    assert_ne!(pruned, Standing::Good);
    assert_eq!(store.keyset(KEYSET), {
        let before = world.store.keyset(KEYSET);
        assert!(before.is_some());
        before
    });
    assert!(store.has_access_key(Role::Admin));
    assert_eq!(store.keyset("sub-other"), None);
    // Everything else is equal, entry by entry.
    let backed_up = fs::read_to_string(&backup.path).unwrap();
    let again = export(&store, ExportSecrets::Include);
    assert_eq!(entries(&backed_up), entries(&again));
    drop(store);
    assert_eq!(world.open("restored").rule(KIND, KEYSET, None), Some(until));
}

/// A tombstone stays one: the keyset of an older export does not come back.
#[test]
fn an_import_only_adds() {
    let world = world();
    let path = world.path("older.jsonl");
    fs::write(&path, export(&world.store, ExportSecrets::Include)).unwrap();
    let file = read(&path).unwrap();
    revoke(&world.store, token(50, START + 90_000));
    revoke(&world.store, of_uuid("carol", None));
    revoke(&world.store, of_keyset(Some(START + 5)));
    let subscribe_key = KEYSET.to_owned();
    let rotate = KeysetChange::Rotate {
        subscribe_key: subscribe_key.clone(),
        rotation: Rotation::Secret { overlap_seconds: 0 },
    };
    world.store.change_keyset(rotate).unwrap();
    let before = entries(&export(&world.store, ExportSecrets::Include));
    let imported = import(&world.store, &file);
    let mut expected = Imported::default();
    expected.kept_keysets = vec![KEYSET.to_owned(), "sub-other".to_owned()];
    assert_eq!(imported, expected);
    assert_eq!(
        entries(&export(&world.store, ExportSecrets::Include)),
        before
    );
    assert_eq!(
        world.store.rule(KIND, KEYSET, None),
        Some(UnixSeconds(START + 5))
    );

    let delete = KeysetChange::Delete { subscribe_key };
    world.store.change_keyset(delete).unwrap();
    import(&world.store, &file);
    assert_eq!(world.store.keyset(KEYSET), None);
}

/// An entry of both has the later end, and what is in either is denied.
#[test]
fn two_deny_lists_merge() {
    let world = world();
    let text = export(&world.store, ExportSecrets::LeaveOut);
    let file = read_text(&world, &text).unwrap();
    let store = world.open("second");
    make_keyset(&store);
    revoke(&store, token(3, START + 3_700));
    revoke(&store, token(70, START + 90_000));
    revoke(&store, of_uuid("alice", Some(START + 7)));
    let imported = import(&store, &file);
    assert_eq!((imported.tokens, imported.rules), (20, 2));
    assert_eq!(imported.missing_keysets, ["sub-other"]);
    let rule = store.rule(KIND, KEYSET, Some("alice"));
    assert_eq!(rule, world.store.rule(KIND, KEYSET, Some("alice")));
    world.clock.walk(40_000);
    store.prune().unwrap();
    for n in (0..20).chain([70]) {
        assert_ne!(
            standing(&store, n, START + 3_600, None),
            Standing::Good,
            "{n}"
        );
    }
    drop(store);
    assert_eq!(world.open("second").denied_tokens(), 21);
}

#[test]
fn a_file_that_is_not_whole_is_refused_and_changes_nothing() {
    let world = world();
    let text = export(&world.store, ExportSecrets::Include);
    assert!(read_text(&world, &text).is_ok());
    // Cut at every line, and inside of some.
    let ends = text.match_indices('\n').map(|(at, _)| at);
    for cut in ends.clone().chain(ends.map(|at| at + 1)).chain([0, 1, 40]) {
        if cut < text.len() {
            let refused = read_text(&world, &text[..cut]).unwrap_err();
            let is_cut = matches!(refused, ExportError::Truncated { .. });
            assert!(is_cut, "{cut}: {refused}");
        }
    }
    // A line less, twice, or changed.
    let lines: Vec<&str> = text.lines().collect();
    let join = |lines: Vec<&str>| format!("{}\n", lines.join("\n"));
    for at in 1..lines.len() - 1 {
        let mut fewer = lines.clone();
        fewer.remove(at);
        let mut more = lines.clone();
        more.insert(at, lines[at]);
        let changed = lines[at].replacen(KEYSET, "sub-dema", 1);
        let mut other = lines.clone();
        other[at] = &changed;
        for damaged in [fewer, more, other] {
            if damaged != lines {
                let refused = read_text(&world, &join(damaged)).unwrap_err();
                assert_eq!(refused, ExportError::Damaged, "line {at}");
            }
        }
    }
    let head = text.replacen("\"sequence\":", "\"sequence\":1", 1);
    assert_eq!(read_text(&world, &head).unwrap_err(), ExportError::Damaged);
    for (damaged, expected) in [
        (format!("{text}{text}"), "the last, and more follows"),
        (
            text.replacen("\"rule\"", "\"role\"", 1),
            "not one that can be read",
        ),
        (
            text.replacen("usher_export", "export", 1),
            "not that of an export",
        ),
        ("x".repeat(70_000), "too long"),
    ] {
        let refused = read_text(&world, &damaged).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
    let newer = text.replacen("\"usher_export\":2", "\"usher_export\":3", 1);
    let refused = read_text(&world, &newer).unwrap_err();
    assert_eq!(refused, ExportError::Newer { found: 3 });
}

/// The lines are documented (docs/store.md): they are these and no others.
#[test]
fn the_lines_are_as_documented() {
    let world = world();
    let text = export(&world.store, ExportSecrets::LeaveOut);
    let lines: Vec<Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let head = &lines[0];
    assert_eq!(head["usher_export"], 2);
    assert_eq!(head["secrets"], "none");
    assert_eq!(head["made_at"], START + 3_600);
    assert_eq!(head["sequence"], world.store.sequence());
    assert_eq!(head["store"].as_str().unwrap().len(), 32);
    let horizon = json!({"horizon": {"kind": "access-manager", "scope": KEYSET, "from": 0,
        "until": START + 60}});
    assert_eq!(lines[1], horizon);
    let rule = json!({"rule": {"kind": "access-manager", "scope": KEYSET, "uuid": "alice",
        "until": START + 3_600}});
    assert_eq!(lines[2], rule);
    let token = json!({"token": {"kind": "access-manager", "scope": KEYSET,
        "id": "00000000000000005a5a5a5a5a5a5a5a", "issued_at": START,
        "expires_at": START + 90_000}});
    assert_eq!(lines[4], token);
    let keyset = json!({"keyset": {"subscribe_key": KEYSET, "name": "demo"}});
    assert_eq!(lines[24], keyset);
    let end = lines.last().unwrap();
    assert_eq!(end["end"]["entries"], lines.len() - 2);
}

#[test]
fn secrets_are_left_out_unless_asked_for() {
    let world = world();
    let keyset = world.store.keyset(KEYSET).unwrap();
    let text = export(&world.store, ExportSecrets::LeaveOut);
    let signing = keyset.signing_keys[0].expose();
    let signing: String = signing.iter().map(|byte| format!("{byte:02x}")).collect();
    for secret in [keyset.secret_key.expose(), &signing, "access_key"] {
        assert!(!text.contains(secret));
        assert!(export(&world.store, ExportSecrets::Include).contains(secret));
    }
    let file = read_text(&world, &text).unwrap();
    assert!(!file.has_secrets());
    let options = OpenOptions::new(world.clock.clone());
    let to = world.path("restored");
    let refused = quiet(|progress| restore(&file, &to, options, progress)).unwrap_err();
    assert_eq!(refused, ExportError::NoSecrets);
    assert!(!to.exists());
}

#[test]
fn a_restore_takes_no_directory_that_holds_something() {
    let world = world();
    let file = read_text(&world, &export(&world.store, ExportSecrets::Include)).unwrap();
    let options = || OpenOptions::new(world.clock.clone());
    for name in ["data", "backups"] {
        let to = world.path(name);
        fs::create_dir_all(&to).unwrap();
        fs::write(to.join("something"), "").unwrap();
        let refused = quiet(|progress| restore(&file, &to, options(), progress)).unwrap_err();
        assert!(matches!(refused, ExportError::NotEmpty { .. }), "{refused}");
    }
    fs::create_dir(world.path("empty")).unwrap();
    restored(&world, &file, "empty");
}

/// Cut off anywhere, no keyset is there without what revokes its tokens.
#[test]
fn an_import_that_is_cut_off_lets_nothing_live_and_can_be_done_again() {
    let world = world();
    let file = read_text(&world, &export(&world.store, ExportSecrets::Include)).unwrap();
    for operations in 0.. {
        let name = format!("cut-{operations}");
        let disk = crate::disk::Disk::default();
        let store = Store::open(&world.path(&name), disk.options(&world.clock)).unwrap();
        disk.fail_after(operations, 28);
        let result = quiet(|progress| store.import(&file, progress));
        let failed = disk.heal();
        if store.keyset(KEYSET).is_some() {
            for n in 0..20 {
                assert_ne!(standing(&store, n, START, None), Standing::Good);
            }
            assert!(store.rule(KIND, KEYSET, None).is_some());
        } else {
            assert!(result.is_err());
        }
        import(&store, &file);
        assert_eq!(store.denied_tokens(), 20);
        assert!(store.keyset(KEYSET).is_some());
        if !failed {
            assert!(operations > 4);
            break;
        }
    }
}

#[test]
fn a_backup_is_one_state_while_others_write() {
    let world = world();
    let writer = world.store.clone();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writes = scope.spawn(|| {
            let mut n = 1_000;
            while !stop.load(Ordering::SeqCst) {
                // Each pair is one commit: a state has both or none.
                let pair = vec![token(n, START + 90_000), token(n + 1, START + 90_000)];
                writer.revoke(pair).unwrap();
                n += 2;
            }
            n
        });
        for _ in 0..20 {
            let before = world.store.sequence();
            let text = export(&world.store, ExportSecrets::LeaveOut);
            let file = read_text(&world, &text).unwrap();
            let after = world.store.sequence();
            assert!((before..=after).contains(&file.sequence()));
            let tokens = text.matches("{\"token\":").count();
            assert_eq!(tokens % 2, 0, "half a commit");
        }
        stop.store(true, Ordering::SeqCst);
        assert!(writes.join().unwrap() > 1_010, "nobody wrote");
    });
}

#[test]
fn a_backup_that_fails_leaves_nothing() {
    let world = world();
    let to = world.path("backups");
    fs::write(&to, "a file where the directory belongs").unwrap();
    let failed = quiet(|progress| world.store.backup(&to, progress)).unwrap_err();
    assert!(matches!(failed, ExportError::File { .. }), "{failed}");
    fs::remove_file(&to).unwrap();
    let backup = quiet(|progress| world.store.backup(&to, progress)).unwrap();
    let names: Vec<_> = fs::read_dir(&to)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    assert_eq!(names, core::slice::from_ref(&backup.path));
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&to), mode(&backup.path)), (0o700, 0o600));
}

#[test]
fn a_check_reads_everything_and_finds_a_missing_index_entry() {
    let world = world();
    let checked = quiet(|progress| world.store.check(progress)).unwrap();
    assert_eq!((checked.counts.tokens, checked.counts.rules), (20, 2));
    assert_eq!(checked.sequence, world.store.sequence());
    let data = world.path("data");
    drop(world.store);
    let database = redb::Database::open(data.join("usher.redb")).unwrap();
    let index = redb::TableDefinition::<(u64, &[u8]), ()>::new("deny_by_expiry");
    let transaction = database.begin_write().unwrap();
    let mut table = transaction.open_table(index).unwrap();
    assert!(table.pop_first().unwrap().is_some());
    drop(table);
    transaction.commit().unwrap();
    drop(database);
    let store = open(&data, &world.clock).unwrap();
    let found = quiet(|progress| store.check(progress)).unwrap_err();
    assert!(
        found.to_string().contains("would never be pruned"),
        "{found}"
    );
}

#[test]
fn long_work_says_how_far_it_is() {
    let world = world();
    for batch in 0..25 {
        let tokens = (0..1_000).map(|n| token(1_000 + batch * 1_000 + n, START + 90_000));
        world.store.revoke(tokens.collect()).unwrap();
    }
    let mut told = Vec::new();
    let mut tell = |done| told.push(done);
    let mut progress = Progress::new(&mut tell);
    let mut out = Vec::new();
    world
        .store
        .export(&mut out, ExportSecrets::LeaveOut, &mut progress)
        .unwrap();
    assert_eq!(told, [10_000, 20_000]);
}
