//! Memory under many tokens and many revocations, and under garbage (attack
//! M01), in processes of their own. `cargo xtask durability` takes a million of
//! each, `cargo xtask long` ten million of the garbage.

use std::fs;
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::harness::{Harness, NOW, SUBSCRIBE_KEY, read_on};

/// Set in the process that is measured.
const MEASURED: &str = "USHER_MEMORY_MEASURED";

/// Everything together: the budgets of the caches, 1,000,000 deny entries and
/// the process, in bytes.
const RESIDENT_MAX: u64 = 256 * 1024 * 1024;

/// What the cache of verified tokens may take (64 MiB), and a quarter more.
const TOKENS_MAX: u64 = 80 * 1024 * 1024;

/// Names in a large token, which make its text some 15 KiB.
const NAMES: usize = 430;

/// How many tokens, and how many revocations; the latter never fewer than 20,000.
fn counts() -> (u64, u64) {
    let given = std::env::var_os("USHER_MEMORY_TOKENS");
    let tokens = given.map_or(9_000, |text| text.to_str().unwrap().parse().unwrap());
    (tokens, tokens.max(20_000))
}

/// Resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kilobytes.saturating_mul(1_024)
}

fn id(n: u64) -> String {
    format!("{:032x}", u128::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// Revokes `count` tokens, 1,000 at a time.
async fn revoke(harness: &Harness, count: u64) {
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}/revocations");
    let ids: Vec<u64> = (0..count).collect();
    for ids in ids.chunks(1_000) {
        let one = |n: &u64| json!({"id": id(*n), "expires_at": NOW + 86_400});
        let items: Vec<Value> = ids.iter().map(one).collect();
        let body = json!({"revocations": items});
        assert_eq!(harness.admin("POST", &path, &body).await.status, 200);
    }
}

/// The `n`th large token, and one name in it.
async fn issue(harness: &Harness, n: u64) -> (String, String) {
    let name = |at: usize| format!("{n:08x}-large-room-{at:04}");
    let channels: Map<String, Value> = (0..NAMES)
        .map(|at| (name(at), Value::Array(vec!["read".into()])))
        .collect();
    let body = json!({"ttl": 1440, "permissions": {"resources": {"channels": channels}}});
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}/tokens");
    let reply = harness.admin("POST", &path, &body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    (reply.json()["token"].as_str().unwrap().to_owned(), name(7))
}

/// Does nothing in a test run; started by the test below.
#[tokio::test]
async fn measured() {
    if std::env::var_os(MEASURED).is_none() {
        return;
    }
    let (tokens, revocations) = counts();
    let harness = Harness::new().await;
    let revoked = harness.grant_at(NOW, &read_on("room")).await.token();
    assert_eq!(harness.revoke(&revoked).await.status, 200);
    revoke(&harness, revocations).await;
    let before = resident();
    let mut issued: u64 = 0;
    for n in 0..tokens {
        let (token, channel) = issue(&harness, n).await;
        issued = issued.saturating_add(u64::try_from(token.len()).unwrap());
        assert_eq!(harness.decision(&token, &channel).await, "allow");
    }
    let after = resident();
    let metrics = harness.admin("GET", "/metrics", &Value::Null).await.body;
    let denied = format!("usher_denied_tokens {}\n", revocations.saturating_add(1));
    assert!(metrics.contains(&denied), "an entry made room for a token");
    assert_eq!(harness.decision(&revoked, "room").await, "revoked");
    println!("resident: {before} {after} {issued}");
}

/// What the test `name` measures in a process of its own.
fn numbers_of(name: &str) -> [u64; 3] {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(MEASURED, "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let measured = text.lines().find_map(|line| line.split_once("resident: "));
    let (_, numbers) = measured.unwrap_or_else(|| panic!("{text}{errors}"));
    let mut numbers = numbers.split(' ');
    [(); 3].map(|()| numbers.next().unwrap().trim().parse().unwrap())
}

#[test]
fn m02_tokens_and_revocations_stay_within_the_budget() {
    let [before, after, issued] = numbers_of("memory::measured");
    let (tokens, revocations) = counts();
    let mib = |bytes: u64| bytes >> 20;
    println!(
        "table: {tokens} large tokens ({} MiB) verified, {revocations} revoked | {} MiB resident",
        mib(issued),
        mib(after),
    );
    assert!(issued > TOKENS_MAX, "too few tokens to show anything");
    assert!(
        after.saturating_sub(before) <= TOKENS_MAX,
        "{before} bytes without tokens, {after} with"
    );
    assert!(after <= RESIDENT_MAX, "{after} bytes");
}

/// What garbage may leave behind, in bytes.
const GARBAGE_MAX: u64 = 16 * 1024 * 1024;

/// How many tokens of the garbage are measured after: everything that is made
/// once was made by then.
const WARM: u64 = 2_000;

/// Does nothing in a test run; started by the test below.
#[tokio::test]
async fn garbage() {
    if std::env::var_os(MEASURED).is_none() {
        return;
    }
    let given = std::env::var_os("USHER_TEST_GARBAGE_TOKENS");
    let count = given.map_or(20_000, |text| text.to_str().unwrap().parse().unwrap());
    let harness = Harness::new().await;
    let token = harness.grant_at(NOW, &read_on("room")).await.token();
    assert_eq!(harness.decision(&token, "room").await, "allow");
    let (claims, signature) = token.split_at(token.len() - 60);
    let (_, rest) = signature.split_at(20);
    let mut before = 0;
    for n in 0..count {
        if n == WARM {
            before = resident();
        }
        match n % 4 {
            // Another signature on real claims, in a check and at the gateway.
            0 | 1 => {
                let forged = format!("{claims}{n:020}{rest}");
                let decision = harness.decision(&forged, "room").await;
                assert_eq!(decision, "invalid_token");
            }
            2 => {
                let rest = rest.replace('=', "%3D");
                let target = format!(
                    "/v2/history/sub-key/{SUBSCRIBE_KEY}/channel/room?auth={claims}{n:020}{rest}"
                );
                assert_eq!(harness.public("GET", &target, &[], "").await.status, 403);
            }
            // No token at all.
            _ => {
                let decision = harness.decision(&format!("garbage-{n:032x}"), "room").await;
                assert_eq!(decision, "invalid_token");
            }
        }
    }
    let after = resident();
    let metrics = harness.admin("GET", "/metrics", &Value::Null).await.body;
    let value = |name: &str| -> u64 {
        let mut lines = metrics.lines();
        let line = lines.find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().parse().unwrap()
    };
    // The one is there because it was asked about.
    assert_eq!(value("usher_token_cache_entries "), 1);
    assert!(value("usher_token_cache_misses_total ") >= count - count / 4);
    println!("resident: {before} {after} {count}");
}

#[test]
fn m01_garbage_never_enters_the_cache_and_leaves_nothing_behind() {
    let [before, after, count] = numbers_of("memory::garbage");
    println!("table: {count} tokens that are none | {before} bytes, then {after}");
    assert!(count > WARM);
    assert!(
        after.saturating_sub(before) <= GARBAGE_MAX,
        "{before} bytes, then {after}"
    );
}
