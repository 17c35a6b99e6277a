//! What a store says when it refuses to open, word for word (attacks D04,
//! D11, D14).

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use token_store::OpenError;

use crate::fixture::{START, TestClock, make_keyset, open, revoke, token};

/// Tells the test binary, started again, to open this directory and to say
/// what came of it.
const OPENER: &str = "USHER_TEST_OPENER";

/// What is done to a directory, and what opening it says then; `DIR` stands
/// for the directory.
type Case = (fn(&Path), &'static str);

const CASES: [Case; 10] = [
    (
        |dir| fs::remove_file(dir.join("usher.redb")).unwrap(),
        "`DIR/usher.redb` is gone although `usher.json` says that it was there; restore it from \
         a backup: starting without it would forget every revocation",
    ),
    (
        |dir| fs::remove_file(dir.join("usher.json")).unwrap(),
        "`DIR` has a database but no `usher.json`; restore the whole directory from a backup, or \
         move the database away to start empty, which forgets every revocation",
    ),
    (
        |dir| fs::write(dir.join("usher.redb"), "").unwrap(),
        "`DIR/usher.redb` is damaged (the file is empty); restore the data directory from a backup",
    ),
    (
        |dir| {
            let other = tempfile::tempdir().unwrap();
            drop(open(other.path(), &TestClock::new()).unwrap());
            fs::copy(other.path().join("usher.redb"), dir.join("usher.redb")).unwrap();
        },
        "`DIR/usher.redb` belongs to another data directory than its `usher.json`; restore both \
         together",
    ),
    (
        |dir| {
            write_marker(
                dir,
                r#"{"format":4,"id":"00000000000000000000000000000000"}"#,
            );
        },
        "`DIR/usher.json` has format 4 and this version reads up to 3; use the version that wrote \
         it, or a newer one",
    ),
    (
        // A format to come need not look like ours.
        |dir| write_marker(dir, r#"{"format":5,"cluster":"x"}"#),
        "`DIR/usher.json` has format 5 and this version reads up to 3; use the version that wrote \
         it, or a newer one",
    ),
    (
        |dir| write_marker(dir, r#"{"format":1,"id":"000000000000000000000000000000"}"#),
        "`DIR/usher.json` is no marker of a data directory; restore it from a backup",
    ),
    (
        |dir| write_marker(dir, ""),
        "`DIR/usher.json` is no marker of a data directory; restore it from a backup",
    ),
    (
        |dir| {
            fs::remove_file(dir.join("usher.redb")).unwrap();
            fs::create_dir(dir.join("usher.redb")).unwrap();
        },
        "cannot open `DIR/usher.redb`: Is a directory (os error 21)",
    ),
    (
        |dir| {
            fs::write(
                dir.join("usher.sequence"),
                format!("{:020}{:020}", 9, !9_u64),
            )
            .unwrap();
        },
        "`DIR/usher.redb` holds changes up to 2, and 9 were acknowledged: it is an older copy or \
         damaged; restore the whole directory from a backup, and revoke all tokens of each keyset \
         if revocations may be missing",
    ),
];

fn write_marker(directory: &Path, text: &str) {
    fs::write(directory.join("usher.json"), text).unwrap();
}

#[test]
fn every_refusal_says_what_is_wrong_and_what_to_do() {
    for (damage, expected) in CASES {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path(), &TestClock::new()).unwrap();
        make_keyset(&store);
        revoke(&store, token(1, START + 600));
        drop(store);
        damage(directory.path());
        let files = || {
            let names = fs::read_dir(directory.path()).unwrap();
            let mut files: Vec<_> = names
                .map(|file| file.unwrap().path())
                // The database counts its own openings.
                .map(|path| {
                    (
                        fs::read(&path)
                            .ok()
                            .filter(|_| !path.ends_with("usher.redb")),
                        path,
                    )
                })
                .collect();
            files.sort();
            files
        };
        let before = files();
        let error = open(directory.path(), &TestClock::new()).unwrap_err();
        let expected = expected.replace("DIR", directory.path().to_str().unwrap());
        assert_eq!(error.to_string(), expected);
        assert!(before == files(), "{error}: a refusal changes nothing");
    }
}

/// Does nothing in a test run; started by the test below.
#[test]
fn opener() {
    if let Some(directory) = std::env::var_os(OPENER) {
        let opened = open(Path::new(&directory), &TestClock::new());
        fs::write(
            Path::new(&directory).join("said"),
            opened.map_or_else(|error| error.to_string(), |_| "opened".to_owned()),
        )
        .unwrap();
    }
}

#[test]
fn another_process_is_refused_while_one_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let ask = || {
        let done = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "refusals::opener"])
            .env(OPENER, directory.path())
            .stdout(Stdio::null())
            .status();
        assert!(done.unwrap().success());
        fs::read_to_string(directory.path().join("said")).unwrap()
    };
    let store = open(directory.path(), &TestClock::new()).unwrap();
    let path = directory.path().to_owned();
    assert_eq!(ask(), OpenError::InUse { path: path.clone() }.to_string());
    assert_eq!(
        ask(),
        format!(
            "`{}` is in use by another process; ask that server with --server, or stop it",
            path.display()
        )
    );
    drop(store);
    assert_eq!(ask(), "opened");
}
