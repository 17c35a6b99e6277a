//! Many live revocations: how soon the store is ready, and what an entry
//! costs. `USHER_SCALE_ENTRIES` says how many; `cargo xtask durability` takes 1e6 and 1e7.

use core::time::Duration;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use ring::digest::{Context, SHA256};
use token_store::{ExportFile, Standing};

use crate::exports::quiet;
use crate::fixture::{KEYSET, START, TestClock, id, make_keyset, open, standing};

const DIRECTORY: &str = "USHER_SCALE_DIRECTORY";
/// Of the map and its slack, in bytes of memory.
const BYTES_PER_ENTRY_MAX: u64 = 128;

fn entries() -> u64 {
    let given = std::env::var_os("USHER_SCALE_ENTRIES");
    given.map_or(50_000, |text| text.to_str().unwrap().parse().unwrap())
}

/// An export with `entries` tokens, scattered as signatures are.
fn write_export(path: &Path, entries: u64) {
    let mut out = BufWriter::new(fs::File::create(path).unwrap());
    let mut digest = Context::new(&SHA256);
    let mut line = |line: String| {
        digest.update(line.as_bytes());
        out.write_all(line.as_bytes()).unwrap();
    };
    line(format!(
        "{{\"usher_export\":1,\"store\":\"\",\"sequence\":1,\"made_at\":{START},\"secrets\":\"none\"}}\n"
    ));
    for n in 0..entries {
        line(format!(
            "{{\"token\":{{\"kind\":\"access-manager\",\"scope\":\"{KEYSET}\",\"id\":\"{}\",\"issued_at\":{START},\"expires_at\":{}}}}}\n",
            id(n.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            START + 90_000 + n % 1_000_000
        ));
    }
    let digest = digest.finish();
    let sha256: String = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    writeln!(
        out,
        "{{\"end\":{{\"entries\":{entries},\"sha256\":\"{sha256}\"}}}}"
    )
    .unwrap();
    out.flush().unwrap();
}

/// Resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kilobytes * 1_024
}

/// Does nothing in a test run; started by the test below, in a process whose
/// memory nobody else uses.
#[test]
fn opener() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let (before, started) = (resident(), Instant::now());
    let store = open(Path::new(&directory), &TestClock::new()).unwrap();
    let ready = started.elapsed();
    let entries = store.denied_tokens() as u64;
    for n in (0..entries).step_by(997) {
        let n = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        assert_ne!(standing(&store, n, START, None), Standing::Good);
    }
    let bytes = resident() - before;
    println!("measured {entries} {} {bytes}", ready.as_micros());
}

#[test]
fn many_revocations_are_ready_soon_and_small() {
    let entries = entries();
    let root = tempfile::tempdir().unwrap();
    let (export, data) = (root.path().join("export"), root.path().join("data"));
    write_export(&export, entries);
    let store = open(&data, &TestClock::new()).unwrap();
    make_keyset(&store);
    let started = Instant::now();
    let file = quiet(|progress| ExportFile::open(&export, progress)).unwrap();
    quiet(|progress| store.import(&file, progress)).unwrap();
    let imported = started.elapsed();
    drop(store);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "scale::opener", "--nocapture"])
        .env(DIRECTORY, &data)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let measured = text.lines().find_map(|line| line.split_once("measured "));
    let mut numbers = measured.unwrap_or_else(|| panic!("{text}")).1.split(' ');
    let mut next = || numbers.next().unwrap().parse::<u64>().unwrap();
    let (opened, ready, bytes) = (next(), Duration::from_micros(next()), next());
    let size = fs::metadata(data.join("usher.redb")).unwrap().len();
    println!(
        "table: {entries} live revocations | imported in {imported:.1?}, ready in {ready:.2?}, \
         {} bytes of memory and {} of disk each",
        bytes / entries,
        size / entries
    );
    assert_eq!(opened, entries);
    // The page cache and the process itself weigh on few entries.
    let slack = 48 * 1_024 * 1_024;
    assert!(
        bytes < entries * BYTES_PER_ENTRY_MAX + slack,
        "{bytes} bytes"
    );
}
