//! kill -9 with writers in flight (attack D01): nothing acknowledged is lost.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use token_store::Standing;

use crate::fixture::{START, TestClock, open, standing, token};

/// Tells the test binary, started again, to be the writer in this directory.
const WRITER: &str = "USHER_TEST_WRITER";

const THREADS: u64 = 12;

/// Does nothing in a test run; started by the test below, it revokes until it
/// is killed, and prints what was asked for (`?`) and what was acknowledged
/// (`!`).
#[test]
fn writer() {
    let Some(directory) = std::env::var_os(WRITER) else {
        return;
    };
    let store = open(Path::new(&directory), &TestClock::new()).unwrap();
    let say = |line: String| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush()).unwrap();
    };
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, say) = (&store, &say);
            scope.spawn(move || {
                for n in (thread..).step_by(THREADS as usize) {
                    say(format!("?{n}"));
                    store.revoke(vec![token(n, START + 600)]).unwrap();
                    say(format!("!{n}"));
                }
            });
        }
    });
}

/// One round: how many were acknowledged, and how many asked for and not
/// answered, when the writer was killed.
fn round(wanted: usize) -> (usize, usize) {
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::writer", "--nocapture"])
        .env(WRITER, directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut asked, mut acknowledged) = (0_usize, Vec::new());
    let mut note = |line: &str, acknowledged: &mut Vec<u64>| {
        // The harness prints before and between.
        let mark = line.rfind(['?', '!']);
        let Some((mark, number)) = mark
            .map(|at| line.split_at(at))
            .map(|(_, rest)| rest.split_at(1))
        else {
            return;
        };
        let Ok(number) = number.parse() else { return };
        if mark == "!" {
            acknowledged.push(number);
        } else {
            asked += 1;
        }
    };
    while acknowledged.len() < wanted {
        note(&lines.next().unwrap().unwrap(), &mut acknowledged);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had said before it died counts too; a cut line does not.
    for line in lines.map_while(Result::ok) {
        note(&line, &mut acknowledged);
    }
    let store = open(directory.path(), &TestClock::new()).unwrap();
    for n in &acknowledged {
        assert_ne!(
            standing(&store, *n, START, None),
            Standing::Good,
            "{n} was acknowledged"
        );
    }
    (acknowledged.len(), asked - acknowledged.len())
}

#[test]
fn an_acknowledged_revocation_survives_kill_9() {
    let rounds = std::env::var_os("USHER_KILL_ROUNDS")
        .map_or(200, |rounds| rounds.to_str().unwrap().parse().unwrap());
    let (mut counted, mut told) = (0, 0);
    for attempt in 0.. {
        let (acknowledged, unanswered) = round(1 + attempt * 7 % 90);
        // A round counts when the kill met a write in flight.
        counted += usize::from(acknowledged > 0 && unanswered > 0);
        told += acknowledged;
        if counted == rounds {
            break;
        }
        assert!(attempt < rounds * 4, "too few rounds met a write in flight");
    }
    println!(
        "table: kill -9 with {THREADS} writers in flight | {counted} rounds, {told} acknowledged, 0 lost"
    );
}
