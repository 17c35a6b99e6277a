//! What goes into a shared log and what comes out of it, without a network:
//! nodes are stores, the log is a list.

use proptest::prelude::*;
use serde_json::{Value, json};
use token_core::UnixSeconds;
use token_store::{
    ExportSecrets, KeysetChange, LogEntry, LogPosition, Merge, Merged, Progress, Rotation,
    Standing, Store,
};

use crate::fixture::{
    KEYSET, KIND, START, TestClock, make_keyset, of_keyset, of_uuid, open, revoke, standing, token,
};

fn position(epoch: &str, sequence: u64) -> LogPosition {
    LogPosition {
        epoch: epoch.to_owned(),
        sequence,
        anchor: String::new(),
        complete: false,
        survivor: false,
    }
}

fn entry(value: &Value) -> LogEntry {
    LogEntry::from_bytes(value.to_string().as_bytes()).unwrap()
}

fn copy(entry: &LogEntry) -> LogEntry {
    LogEntry::from_bytes(&entry.to_bytes()).unwrap()
}

fn merge(store: &Store, entries: Vec<LogEntry>) -> Merged {
    let position = position("e", 1);
    store.merge(Merge { entries, position }).unwrap()
}

fn unpublished(store: &Store) -> Vec<LogEntry> {
    let mut all = Vec::new();
    let mut cursor = Vec::new();
    loop {
        let page = store.unpublished(&cursor, 3).unwrap();
        let Some(last) = page.last() else {
            return all;
        };
        cursor = last.cursor.clone();
        all.extend(page.into_iter().map(|waiting| waiting.entry));
    }
}

/// Everything that a store holds, as its export says it.
fn state(store: &Store) -> Vec<String> {
    let mut out = Vec::new();
    store
        .export(
            &mut out,
            ExportSecrets::Include,
            &mut Progress::new(&mut |_| {}),
        )
        .unwrap();
    let lines = String::from_utf8(out).unwrap();
    let mut lines: Vec<_> = lines.lines().skip(1).map(str::to_owned).collect();
    lines.pop();
    lines
}

/// A store that is sure that it issued nothing.
fn node(directory: &tempfile::TempDir, clock: &TestClock) -> Store {
    let store = open(directory.path(), clock).unwrap();
    clock.walk(61);
    store
}

fn rule(uuid: Option<&str>, until: u64) -> Value {
    let mut rule = json!({"kind": KIND.name(), "scope": KEYSET, "until": until});
    if let Some(uuid) = uuid {
        rule["uuid"] = uuid.into();
    }
    json!({ "rule": rule })
}

fn entries() -> impl Strategy<Value = Value> {
    let token = (0..4_u64, 1..4_u64, proptest::option::of(0..2_u64)).prop_map(
        |(id, expires_at, issued_at)| {
            let mut token = json!({
                "kind": KIND.name(), "scope": KEYSET, "id": format!("{id:032x}"),
                "expires_at": START + 1_000 * expires_at,
            });
            if let Some(at) = issued_at {
                token["issued_at"] = (START + at).into();
            }
            json!({ "token": token })
        },
    );
    let rules = (proptest::option::of("[ab]"), 0..4_u64)
        .prop_map(|(uuid, until)| rule(uuid.as_deref(), START + until));
    let keyset = (1..4_u64, 0..2_u8).prop_map(|(version, live)| {
        // One change for each number: two are for the order of the log.
        let live = (live == 1 || version != 2).then(|| {
            json!({
                "name": format!("v{version}"), "publish_key": "pub-demo",
                "secret_key": "sec-0123456789abcdef0123", "created_at": START,
                "signing_keys": [{"from": 0, "until": null, "key": "ab".repeat(32)}],
                "settings": {}, "longest_ttl": 43_200,
            })
        });
        let live = if version == 2 { None } else { live };
        let record = json!({"version": version, "keyset": live});
        json!({"keyset": {"subscribe_key": KEYSET, "record": record}})
    });
    prop_oneof![token, rules, keyset]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// D07: in any order, with anything twice, after any prefix and a restart:
    /// the same state.
    #[test]
    fn nodes_that_saw_the_same_entries_hold_the_same(
        log in proptest::collection::vec(entries(), 1..14),
        order in any::<u64>(),
        cut in 0..14_usize,
    ) {
        let log: Vec<LogEntry> = log.iter().map(entry).collect();
        let clock = TestClock::new();
        let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let straight = node(&homes[0], &clock);
        merge(&straight, log.iter().map(copy).collect());
        let other = node(&homes[1], &clock);
        merge(&other, log.iter().take(cut).map(copy).collect());
        drop(other);
        let other = node(&homes[1], &clock);
        let mut shuffled: Vec<&LogEntry> = log.iter().chain(&log).collect();
        shuffled.sort_by_key(|entry| {
            let mut hash = order;
            for byte in entry.to_bytes().iter() {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
            }
            hash
        });
        for entry in shuffled {
            merge(&other, vec![copy(entry)]);
        }
        prop_assert_eq!(state(&other), state(&straight));
    }
}

#[test]
fn what_is_held_waits_until_the_log_shows_it() {
    let (clock, home) = (TestClock::new(), tempfile::tempdir().unwrap());
    let store = node(&home, &clock);
    make_keyset(&store);
    revoke(&store, token(1, START + 9_000));
    assert!(unpublished(&store).is_empty(), "no log, nothing to publish");
    assert_eq!(store.log_position().unwrap(), None);

    store.attach(position("one", 0)).unwrap();
    revoke(&store, of_uuid("alice", None));
    revoke(&store, token(2, START + 9_000));
    drop(store);
    let store = node(&home, &clock);
    assert_eq!(store.log_position().unwrap(), Some(position("one", 0)));
    let waiting = unpublished(&store);
    assert_eq!(waiting.len(), 4);
    let last = String::from_utf8(waiting[3].to_bytes().to_vec()).unwrap();
    assert!(last.starts_with("{\"keyset\""), "what revokes comes first");
    assert!(store.is_unpublished(&token(2, START + 9_000)).unwrap());

    // All but the keyset come back.
    let position = position("one", 3);
    let entries = waiting.iter().take(3).map(copy).collect();
    let merged = store
        .merge(Merge {
            entries,
            position: position.clone(),
        })
        .unwrap();
    assert_eq!((merged.applied, unpublished(&store).len()), (0, 1));
    assert!(!store.is_unpublished(&token(2, START + 9_000)).unwrap());
    assert_eq!(store.log_position().unwrap(), Some(position));

    // D10: a new log has none of it.
    store.attach(self::position("two", 0)).unwrap();
    assert_eq!(unpublished(&store).len(), 4);
}

#[test]
fn a_later_change_waits_though_an_earlier_one_was_shown() {
    let (clock, home) = (TestClock::new(), tempfile::tempdir().unwrap());
    let store = node(&home, &clock);
    store.attach(position("e", 0)).unwrap();
    revoke(&store, of_uuid("alice", None));
    let shown = unpublished(&store);
    clock.walk(10);
    revoke(&store, of_uuid("alice", None));
    merge(&store, shown);
    let waiting = unpublished(&store);
    assert_eq!(waiting.len(), 1);
    merge(&store, waiting);
    assert!(unpublished(&store).is_empty());
}

#[test]
fn what_is_pruned_waits_no_longer() {
    let (clock, home) = (TestClock::new(), tempfile::tempdir().unwrap());
    let store = node(&home, &clock);
    store.attach(position("e", 0)).unwrap();
    revoke(&store, token(1, START + 500));
    assert_eq!(unpublished(&store).len(), 1);
    clock.walk(4_000);
    assert_eq!(store.prune().unwrap().tokens, 1);
    assert!(unpublished(&store).is_empty());
}

#[test]
fn a_new_keyset_and_its_end_reach_the_other_node() {
    let clock = TestClock::new();
    let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [one, two] = [0, 1].map(|n| node(&homes[n], &clock));
    one.attach(position("e", 0)).unwrap();
    make_keyset(&one);
    let made = unpublished(&one);
    assert_eq!(merge(&two, made.iter().map(copy).collect()).applied, 1);
    assert_eq!(two.keyset(KEYSET), one.keyset(KEYSET));
    let subscribe_key = KEYSET.to_owned();
    one.change_keyset(KeysetChange::Rotate {
        subscribe_key: subscribe_key.clone(),
        rotation: Rotation::Emergency,
    })
    .unwrap();
    merge(&two, unpublished(&one));
    assert_eq!(state(&two), state(&one), "the new key, and the rule");
    // D10: what is older than that changes nothing, whatever the log says.
    merge(&two, made.iter().map(copy).collect());
    assert_eq!(two.keyset(KEYSET), one.keyset(KEYSET));
    one.change_keyset(KeysetChange::Delete { subscribe_key })
        .unwrap();
    merge(&two, unpublished(&one));
    assert_eq!(two.keyset(KEYSET), None);
    drop(two);
    let two = node(&homes[1], &clock);
    merge(&two, made);
    assert_eq!(two.keyset(KEYSET), None, "deleted for good");
}

#[test]
fn of_two_changes_with_one_number_the_first_in_the_log_holds() {
    let clock = TestClock::new();
    let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let nodes = [0, 1].map(|n| node(&homes[n], &clock));
    for node in &nodes {
        node.attach(position("e", 0)).unwrap();
    }
    make_keyset(&nodes[0]);
    let made = unpublished(&nodes[0]);
    for node in &nodes {
        merge(node, made.iter().map(copy).collect());
    }
    for (node, name) in nodes.iter().zip(["require_uuid", "access_manager"]) {
        let settings = vec![(name.to_owned(), json!(name == "require_uuid"))];
        let subscribe_key = KEYSET.to_owned();
        node.change_keyset(KeysetChange::Set {
            subscribe_key,
            settings,
        })
        .unwrap();
    }
    let log: Vec<_> = [1, 0]
        .into_iter()
        .flat_map(|n| unpublished(&nodes[n]))
        .collect();
    assert_eq!(log.len(), 2);
    for node in &nodes {
        let merged = merge(node, log.iter().map(copy).collect());
        assert!(merged.conflicts.iter().all(|keyset| keyset == KEYSET));
        assert!(!merged.conflicts.is_empty());
        assert!(unpublished(node).is_empty());
        let settings = &node.keyset(KEYSET).unwrap().settings;
        assert!(!settings.access_manager && !settings.require_uuid);
    }
}

/// Design: a rule that comes from elsewhere covers what this node issued ahead
/// of it, and one raised so is raised nowhere else.
#[test]
fn a_rule_from_elsewhere_covers_what_was_issued_here() {
    let clock = TestClock::new();
    let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [one, two] = [0, 1].map(|n| node(&homes[n], &clock));
    one.attach(position("e", 0)).unwrap();
    two.attach(position("e", 0)).unwrap();
    let now = START + 122;
    two.note_issued(KIND, KEYSET, UnixSeconds(now + 45));
    assert_eq!(standing(&two, 1, now + 45, Some("alice")), Standing::Good);

    revoke(&one, of_uuid("alice", None));
    let merged = merge(&two, unpublished(&one));
    assert!(merged.unpublished);
    assert_ne!(standing(&two, 1, now + 45, Some("alice")), Standing::Good);
    assert_eq!(standing(&two, 1, now + 46, Some("alice")), Standing::Good);

    // The granter goes on here, and its later tokens live.
    one.note_issued(KIND, KEYSET, UnixSeconds(now + 50));
    let merged = merge(&one, unpublished(&two));
    assert!(!merged.unpublished);
    assert_ne!(standing(&one, 1, now + 45, Some("alice")), Standing::Good);
    assert_eq!(standing(&one, 1, now + 50, Some("alice")), Standing::Good);
    assert_eq!(
        one.rule(KIND, KEYSET, Some("alice")),
        two.rule(KIND, KEYSET, Some("alice"))
    );

    // A rule that it heard of late does not kill what it issued long after.
    two.note_issued(KIND, KEYSET, UnixSeconds(now + 5_000));
    merge(&two, vec![entry(&rule(None, now))]);
    assert_ne!(standing(&two, 1, now + 125, None), Standing::Good);
    assert_eq!(standing(&two, 1, now + 126, None), Standing::Good);
}

/// X04: an entry that says how long it is needed goes into the log with it.
#[test]
fn only_tokens_leave_the_log() {
    let held = Some(UnixSeconds(START));
    let of_token = LogEntry::of_revocation(&token(1, START + 9), None).unwrap();
    assert_eq!(of_token.expires_at(), Some(UnixSeconds(START + 9)));
    let of_rule = LogEntry::of_revocation(&of_keyset(None), held).unwrap();
    assert_eq!(of_rule.expires_at(), None);
    assert!(LogEntry::of_revocation(&of_keyset(None), None).is_none());
}
