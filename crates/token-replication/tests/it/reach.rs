//! What one node does, the others know.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use token_replication::NotPublished;
use token_store::KeysetChange;
use tokio::task::JoinSet;

use crate::nats::Nats;
use crate::node::{KEYSET, Node, eventually, options, within};

/// How many revocations are timed; `cargo xtask durability` says more.
fn revocations() -> u64 {
    let count = std::env::var("USHER_REPLICATION_REVOCATIONS").ok();
    count.and_then(|count| count.parse().ok()).unwrap_or(100)
}

/// Revokes on one node, takes the time until the others deny, and says it as a row
/// of the table.
async fn time(load: &str, one: &Node, others: [&Node; 2]) -> String {
    let mut times = Vec::new();
    for n in 0..revocations() {
        let since = Instant::now();
        let sequence = one.revoke(n).await.unwrap();
        for node in others {
            within(Duration::from_secs(5), "it is denied", || node.denies(n)).await;
        }
        times.push(since.elapsed());
        let reached = || others[0].replication.has_reached(&sequence);
        eventually("the sequence is reached", reached).await;
        assert!(others[0].denies(n));
    }
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    assert!(at(99) <= Duration::from_millis(250), "p99 {:?}", at(99));
    format!(
        "table: a revocation reaches two other nodes{load}, {} times | p50 {:.1?}, p99 {:.1?}, max {:.1?}",
        times.len(),
        at(50),
        at(99),
        at(100)
    )
}

/// Each of the others revokes in a loop, and decides all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_one_node_revokes_all_deny_under_load() {
    let Some(nats) = Nats::start(3).await else {
        return;
    };
    let urls = nats.urls();
    let one = Node::ready(&urls).await;
    let others = [Node::ready(&urls).await, Node::ready(&urls).await].map(Arc::new);
    one.make_keyset();
    let stop = Arc::new(AtomicBool::new(false));
    let mut load = JoinSet::new();
    for (at, node) in others.iter().enumerate() {
        let (node, stop) = (Arc::clone(node), Arc::clone(&stop));
        load.spawn(async move {
            let first = (at as u64 + 1) << 40;
            let (mut revoked, mut decided) = (0, 0);
            while !stop.load(Ordering::Relaxed) {
                node.revoke(first + revoked).await.unwrap();
                revoked += 1;
                for n in 0..1_000 {
                    node.denies(n);
                }
                decided += 1_000;
            }
            (revoked, decided)
        });
    }
    let row = time(" under load", &one, [&others[0], &others[1]]).await;
    println!("{row}");
    stop.store(true, Ordering::Relaxed);
    let worked = load.join_all().await;
    assert!(
        worked
            .iter()
            .all(|(revoked, decided)| *revoked > 0 && *decided > 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_revokes_all_deny() {
    let Some(nats) = Nats::start(3).await else {
        return;
    };
    let urls = nats.urls();
    let one = Node::ready(&urls).await;
    let (two, three) = (Node::ready(&urls).await, Node::ready(&urls).await);
    one.make_keyset();
    for node in [&two, &three] {
        eventually("the keyset is there", || {
            node.store.keyset(KEYSET) == one.store.keyset(KEYSET)
        })
        .await;
    }
    println!("{}", time("", &one, [&two, &three]).await);

    three.revoke_uuid("alice").await.unwrap();
    eventually("a rule, too", || {
        one.denies_uuid("alice") && two.denies_uuid("alice")
    })
    .await;
    assert!(!one.denies_uuid("bob"));
    let subscribe_key = KEYSET.to_owned();
    two.store
        .change_keyset(KeysetChange::Delete { subscribe_key })
        .unwrap();
    two.replication.wake();
    eventually("deleted", || {
        one.store.keyset(KEYSET).is_none() && three.store.keyset(KEYSET).is_none()
    })
    .await;
}

/// A node without the cluster key hears revocations and says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_only_verifies_hears_revocations() {
    let Some(nats) = Nats::start(1).await else {
        return;
    };
    let one = Node::ready(&nats.url()).await;
    one.make_keyset();
    let mut options = options(&nats.url());
    options.cluster_key = None;
    let verifier = Node::start_in(tempfile::tempdir().unwrap(), options)
        .await
        .unwrap();
    verifier.caught_up().await;
    one.revoke(1).await.unwrap();
    eventually("denied", || verifier.denies(1)).await;
    assert!(verifier.store.keyset(KEYSET).is_none());
    assert_eq!(verifier.revoke(2).await, Err(NotPublished::VerifierOnly));
    assert_eq!(verifier.replication.status().refused, 0);
}

/// A store that was in use before there was a log brings what it has.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_use_brings_what_it_has() {
    let Some(nats) = Nats::start(1).await else {
        return;
    };
    let down = "nats://127.0.0.1:1";
    let alone = Node::start(down).await;
    alone.make_keyset();
    for n in 0..700 {
        assert_eq!(alone.revoke(n).await, Err(NotPublished::NotConnected));
    }
    let dir = alone.stop().await;
    let one = Node::start_in(dir, options(&nats.url())).await.unwrap();
    one.caught_up().await;
    let two = Node::ready(&nats.url()).await;
    eventually("everything is there", || (0..700).all(|n| two.denies(n))).await;
    eventually("the keyset, too", || two.store.keyset(KEYSET).is_some()).await;
}
