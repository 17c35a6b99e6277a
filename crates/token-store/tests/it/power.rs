//! Damage to the file (attack D04) and power cuts (attack D02): what was
//! acknowledged is there, or the store refuses to start.

use std::fs;
use std::path::Path;

use token_store::{OpenError, Standing, Store};

use crate::disk::{Disk, Operation, apply};
use crate::fixture::{KEYSET, KIND, START, TestClock, revoke, standing, token};

const ENTRIES: u64 = 30;

/// A data directory, and the bytes of its database as `kill -9` leaves them:
/// nothing closed it.
fn killed() -> (tempfile::TempDir, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let store = Store::open(directory.path(), disk.options(&TestClock::new())).unwrap();
    for n in 0..ENTRIES {
        revoke(&store, token(n, START + 600));
    }
    let bytes = disk.bytes();
    let noted = fs::read(directory.path().join("usher.sequence")).unwrap();
    drop(store);
    fs::write(directory.path().join("usher.sequence"), noted).unwrap();
    (directory, bytes)
}

fn open_bytes(directory: &Path, bytes: Vec<u8>) -> Result<Store, OpenError> {
    Store::open(directory, Disk::with(bytes).options(&TestClock::new()))
}

/// Opens damaged bytes. Whether it did; then nothing is missing.
fn opens_whole(directory: &Path, bytes: Vec<u8>, what: &str) -> bool {
    let sequence = directory.join("usher.sequence");
    let noted = fs::read(&sequence).unwrap();
    let opened = open_bytes(directory, bytes);
    if let Ok(store) = &opened {
        for n in 0..ENTRIES {
            let stands = standing(store, n, START, None);
            assert_ne!(stands, Standing::Good, "{what} cost entry {n}");
        }
        let listed = store.list_revocations(KIND, KEYSET, None, 1_000).unwrap();
        assert_eq!(listed.items.len() as u64, ENTRIES, "{what}");
    }
    let is_open = opened.is_ok();
    drop(opened);
    fs::write(&sequence, noted).unwrap();
    is_open
}

#[test]
fn a_bit_flipped_after_kill_9_costs_no_entry() {
    let (directory, whole) = killed();
    assert!(opens_whole(directory.path(), whole.clone(), "nothing"));
    // Every bit of the file's head, and some of every page.
    let head = (0..320 * 8_usize).map(|bit| (bit / 8, bit % 8));
    let body = (320..whole.len()).step_by(397).map(|at| (at, at % 8));
    let (mut refused, mut opened) = (0, 0);
    for (at, bit) in head.chain(body) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << bit;
        match opens_whole(
            directory.path(),
            damaged,
            &format!("bit {bit} of byte {at}"),
        ) {
            true => opened += 1,
            false => refused += 1,
        }
    }
    println!("table: a bit flipped after kill -9 | {refused} refused, {opened} whole, 0 lost");
    assert!(refused > 100 && opened > 100);
}

/// A power cut may take the sequence away, which is not synced. Then only the
/// two phases of each commit keep damage to the last one from rolling it back.
#[test]
fn a_bit_flipped_after_a_power_cut_costs_no_entry() {
    // redb's flags, of which one says which commit is current.
    const FLAGS_AT: usize = 9;
    let (directory, whole) = killed();
    let sequence = directory.path().join("usher.sequence");
    let head = (0..320).filter(|at| *at != FLAGS_AT).map(|at| (at, at % 8));
    let body = (320..whole.len()).step_by(397).map(|at| (at, at % 8));
    let (mut refused, mut opened) = (0, 0);
    for (at, bit) in head.chain(body) {
        fs::write(&sequence, "").unwrap();
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << bit;
        match open_bytes(directory.path(), damaged) {
            Ok(store) => {
                let entries = store.denied_tokens() as u64;
                assert_eq!(entries, ENTRIES, "bit {bit} of byte {at}");
                opened += 1;
            }
            Err(_) => refused += 1,
        }
    }
    println!("table: a bit flipped after a power cut | {refused} refused, {opened} whole, 0 lost");
    assert!(refused > 50 && opened > 50);
}

#[test]
fn a_cut_file_is_refused_or_whole() {
    let (directory, whole) = killed();
    for length in (1..whole.len())
        .step_by(8_191)
        .chain([1, 8, 9, 63, 320, 4_095, 4_096])
    {
        let cut = whole[..length].to_vec();
        opens_whole(directory.path(), cut, &format!("a cut to {length}"));
        let mut zeroed = whole.clone();
        zeroed[length..].fill(0);
        opens_whole(directory.path(), zeroed, &format!("zeros from {length}"));
    }
}

/// A disk that reads a byte wrongly, once, while the store is opened. redb
/// checks the file at each opening; what it only finds when it is asked once
/// more must not be trusted either.
#[test]
fn a_byte_that_is_read_wrongly_once_costs_no_entry() {
    let (directory, whole) = killed();
    let sequence = directory.path().join("usher.sequence");
    let noted = fs::read(&sequence).unwrap();
    let (mut refused, mut repaired, mut opened) = (0, 0, 0);
    for at in (0..320).step_by(3).chain((320..whole.len()).step_by(8_191)) {
        for reads in 0.. {
            let disk = Disk::with(whole.clone());
            disk.misread_after(reads, at);
            let result = Store::open(directory.path(), disk.options(&TestClock::new()));
            let has_misread = disk.has_misread();
            match &result {
                _ if !has_misread => {}
                Ok(store) => {
                    assert_eq!(store.denied_tokens() as u64, ENTRIES, "byte {at}");
                    opened += 1;
                }
                Err(OpenError::Corrupt { reason, .. }) if reason.contains("checksum") => {
                    repaired += 1;
                }
                Err(_) => refused += 1,
            }
            drop(result);
            fs::write(&sequence, &noted).unwrap();
            if !has_misread {
                break;
            }
        }
    }
    println!(
        "table: a byte read wrongly once | {refused} refused, {repaired} when asked again, {opened} whole, 0 lost"
    );
    assert!(refused > 50 && repaired > 0 && opened > 50);
}

/// Some of the operations that no sync had covered reach the disk: which, is
/// what `pick` says of each. The last of them is torn when `torn`.
fn after_power_cut(
    base: &[u8],
    log: &[Operation],
    torn: bool,
    pick: impl Fn(usize) -> bool,
) -> Vec<u8> {
    let mut bytes = base.to_vec();
    let synced = log
        .iter()
        .rposition(|operation| matches!(operation, Operation::Sync))
        .unwrap_or(0);
    let (durable, lost) = log.split_at(synced);
    durable
        .iter()
        .for_each(|operation| apply(&mut bytes, operation));
    let kept = lost.iter().enumerate().filter(|(at, _)| pick(*at));
    let mut kept: Vec<Operation> = kept.map(|(_, operation)| operation.clone()).collect();
    if let (true, Some(Operation::Write(_, data))) = (torn, kept.last_mut()) {
        data.truncate(data.len().div_ceil(2));
    }
    kept.iter()
        .for_each(|operation| apply(&mut bytes, operation));
    bytes
}

#[test]
fn a_power_cut_costs_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let store = Store::open(directory.path(), disk.options(&TestClock::new())).unwrap();
    // One revocation before, so that the file has all its tables.
    revoke(&store, token(0, START + 600));
    let base = disk.bytes();
    disk.forget_log();
    let pair = |n: u64| vec![token(2 * n, START + 600), token(2 * n + 1, START + 600)];
    let commits = std::env::var_os("USHER_POWER_COMMITS")
        .map_or(7, |commits| commits.to_str().unwrap().parse().unwrap());
    for n in 1..=commits {
        store.revoke(pair(n)).unwrap();
        disk.acknowledged(n);
    }
    let log = disk.log();
    drop(store);
    // It was not synced, so it may be gone.
    fs::remove_file(directory.path().join("usher.sequence")).unwrap();

    let mut opened = 0;
    for cut in 1..=log.len() {
        let log = &log[..cut];
        let cases: [(bool, &dyn Fn(usize) -> bool); 5] = [
            (false, &|_| false),
            (false, &|_| true),
            (true, &|_| true),
            (false, &|at| at % 2 == cut % 2),
            (true, &|at| (at * 7 + cut) % 3 == 0),
        ];
        for (torn, pick) in cases {
            let bytes = after_power_cut(&base, log, torn, pick);
            let store = open_bytes(directory.path(), bytes)
                .unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
            let stands = |n| standing(&store, n, START, None);
            for n in 1..=commits {
                let told = |operation: &Operation| matches!(operation, Operation::Acknowledged(told) if *told == n);
                assert_eq!(
                    stands(2 * n),
                    stands(2 * n + 1),
                    "a batch is whole or absent"
                );
                if log.iter().any(told) {
                    assert_ne!(stands(2 * n), Standing::Good, "cut at {cut} cost {n}");
                }
            }
            opened += 1;
            drop(store);
            fs::remove_file(directory.path().join("usher.sequence")).unwrap();
        }
    }
    println!("table: power cut at any operation, torn and out of order | {opened} cuts, 0 lost");
}

#[test]
fn a_disk_that_fails_at_any_operation_costs_no_acknowledged_entry() {
    // No space, I/O error, interrupted, read-only; and writes that are cut short.
    let mut faults = 0;
    for (errno, torn) in [(28, false), (28, true), (5, true), (4, true), (30, false)] {
        for operations in 0.. {
            let directory = tempfile::tempdir().unwrap();
            let disk = Disk::default();
            disk.tear(torn);
            let options = || disk.options(&TestClock::new());
            let store = Store::open(directory.path(), options()).unwrap();
            revoke(&store, token(1, START + 600));
            disk.fail_after(operations, errno);
            let during = store.revoke(vec![token(2, START + 600)]);
            let in_memory = standing(&store, 2, START, None) != Standing::Good;
            assert_eq!(in_memory, during.is_ok(), "after {operations} operations");
            assert_ne!(standing(&store, 1, START, None), Standing::Good);
            let failed = disk.heal();
            // By itself, and with whatever reached the disk.
            revoke(&store, token(3, START + 600));
            let on_disk = standing(&store, 2, START, None);
            if during.is_ok() {
                assert_ne!(on_disk, Standing::Good);
            }
            let listed = store.list_revocations(KIND, KEYSET, None, 10).unwrap();
            drop(store);
            let store = Store::open(directory.path(), options()).unwrap();
            assert_eq!(
                standing(&store, 2, START, None),
                on_disk,
                "memory is what the disk has"
            );
            assert_eq!(store.denied_tokens(), listed.items.len());
            for n in [1, 3] {
                assert_ne!(standing(&store, n, START, None), Standing::Good);
            }
            if !failed {
                assert!(operations > 4, "a revocation takes some operations");
                break;
            }
            faults += 1;
        }
    }
    println!("table: disk operations of a revocation that fail | {faults} faults, 0 wrong answers");
}

/// Whoever restores a backup for a full disk loses what was revoked since.
#[test]
fn a_full_disk_is_not_called_damage() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let options = || disk.options(&TestClock::new());
    let store = Store::open(directory.path(), options()).unwrap();
    revoke(&store, token(1, START + 600));
    drop(store);
    for operations in 0.. {
        disk.fail_after(operations, 28);
        let opened = Store::open(directory.path(), options());
        let failed = disk.heal();
        match opened {
            Err(OpenError::File { reason, .. }) => assert!(reason.contains("No space"), "{reason}"),
            Err(other) => panic!("{other}"),
            Ok(_) if failed => {}
            Ok(store) => {
                assert_eq!(store.denied_tokens(), 1);
                assert!(operations > 0);
                break;
            }
        }
    }
}
