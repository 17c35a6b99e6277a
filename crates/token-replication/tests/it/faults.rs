//! Servers that die, ways that are cut, logs that are down.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use crate::link::Link;
use crate::nats::Nats;
use crate::node::{Node, eventually, options, within};

/// D07
#[tokio::test(flavor = "multi_thread")]
async fn after_a_partition_both_sides_know_everything() {
    let Some(nats) = Nats::start(1).await else {
        return;
    };
    let link = Link::to(nats.port()).await;
    let (here, there) = (
        Node::ready(&nats.url()).await,
        Node::ready(&link.url()).await,
    );
    here.make_keyset();
    here.revoke(0).await.unwrap();
    eventually("it passes", || there.denies(0)).await;

    link.cut();
    here.revoke(1).await.unwrap();
    let since = Instant::now();
    there.revoke(2).await.unwrap_err();
    assert!(
        since.elapsed() < Duration::from_millis(2_500),
        "it waits 2 s at most"
    );
    assert!(there.denies(2) && !here.denies(2) && !there.denies(1));
    let age = Duration::from_secs(2);
    eventually("age shows it", || there.replication.age().unwrap() > age).await;
    assert!(here.replication.age().unwrap() < age);
    eventually("it is noticed", || !there.replication.status().connected).await;

    link.heal();
    let healed = within(Duration::from_secs(5), "healed", || {
        there.denies(1) && here.denies(2)
    })
    .await;
    println!("table: a partition heals | {healed:?} until both sides know everything");
    eventually("fresh again", || there.replication.age().unwrap() < age).await;
    assert_eq!(
        there.replication.status().anew,
        1,
        "it went on where it was"
    );
}

fn rounds() -> usize {
    let count = std::env::var("USHER_REPLICATION_KILLS").ok();
    count.and_then(|count| count.parse().ok()).unwrap_or(1)
}

/// A round counts only with revocations acknowledged before the kill and others
/// unanswered at it.
#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_revocation_is_lost_with_the_leader() {
    let Some(mut nats) = Nats::start(3).await else {
        return;
    };
    let urls = nats.urls();
    let one = Arc::new(Node::ready(&urls).await);
    let two = Node::ready(&urls).await;
    one.make_keyset();
    let mut acknowledged = Vec::new();
    for round in 0..rounds() {
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = JoinSet::new();
        for writer in 0..8_u64 {
            let (node, stop) = (Arc::clone(&one), Arc::clone(&stop));
            let first = (round as u64 * 8 + writer) << 32;
            writers.spawn(async move {
                let (mut good, mut bad) = (Vec::new(), 0_u64);
                for n in first.. {
                    match node.revoke(n).await {
                        Ok(_) => good.push(n),
                        Err(_) => bad += 1,
                    }
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                }
                (good, bad)
            });
        }
        let count = |node: &Node| node.store.denied_tokens();
        let before = count(&two);
        eventually("some are through", || count(&two) > before + 100).await;
        let leader = nats.leader().await;
        nats.kill(leader);
        let at_kill = count(&two);
        eventually("it goes on", || count(&two) > at_kill + 200).await;
        stop.store(true, Ordering::SeqCst);
        let mut unanswered = 0;
        while let Some(written) = writers.join_next().await {
            let (good, bad) = written.unwrap();
            acknowledged.extend(good);
            unanswered += bad;
        }
        assert!(unanswered > 0, "none was on its way at the kill");
        nats.launch(leader);
        nats.ready().await;
    }
    // Those that nobody acknowledged come, too, in their time.
    let all = one.store.denied_tokens();
    eventually("everything is delivered", || {
        two.store.denied_tokens() >= all
    })
    .await;
    let lost = acknowledged.iter().filter(|n| !two.denies(**n)).count();
    println!(
        "table: kill -9 of the leader of the log, {} times | {} acknowledged, {lost} lost",
        rounds(),
        acknowledged.len()
    );
    assert_eq!(lost, 0);
    let late = Node::ready(&urls).await;
    assert!(
        acknowledged.iter().all(|n| late.denies(*n)),
        "the log has them"
    );
}

/// D05, D06: down at the start, down for a while.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_down_delays_and_loses_nothing() {
    let Some(mut nats) = Nats::start(1).await else {
        return;
    };
    let url = nats.url();
    let (one, two) = (Node::ready(&url).await, Node::ready(&url).await);
    one.make_keyset();
    one.revoke(0).await.unwrap();
    eventually("it passes", || two.denies(0)).await;
    let old = two.stop().await;

    one.revoke(1).await.unwrap();
    nats.kill(0);
    let since = Instant::now();
    one.revoke(2).await.unwrap_err();
    assert!(since.elapsed() < Duration::from_millis(2_500));
    assert!(one.denies(2), "in force here");
    // A node that starts now knows what it knew, and that this may be old.
    let two = Node::start_in(old, options(&url)).await.unwrap();
    assert!(two.denies(0) && !two.denies(1));
    assert!(!two.replication.is_caught_up());
    assert_eq!(two.replication.age(), None);

    nats.launch(0);
    two.caught_up().await;
    assert!(two.denies(1), "whoever has caught up has this");
    eventually("delivered after all", || two.denies(2)).await;
    eventually("nothing waits", || {
        one.store.unpublished(&[], 1).unwrap().is_empty()
    })
    .await;
}

/// D06: each message takes 2 s, both ways.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_slow_delays_and_loses_nothing() {
    let Some(nats) = Nats::start(1).await else {
        return;
    };
    let link = Link::to(nats.port()).await;
    let (here, there) = (
        Node::ready(&nats.url()).await,
        Node::ready(&link.url()).await,
    );
    here.make_keyset();
    here.revoke(0).await.unwrap();
    eventually("it passes", || there.denies(0)).await;

    link.slow(Duration::from_secs(2));
    let since = Instant::now();
    there.revoke(1).await.unwrap_err();
    assert!(since.elapsed() < Duration::from_millis(2_500));
    assert!(there.denies(1), "in force here");
    here.revoke(2).await.unwrap();
    let age = Duration::from_secs(2);
    eventually("age shows it", || there.replication.age().unwrap() > age).await;

    link.slow(Duration::ZERO);
    eventually("both know everything", || here.denies(1) && there.denies(2)).await;
    eventually("fresh again", || there.replication.age().unwrap() < age).await;
}

/// D06: half a second of nothing in every second.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_comes_and_goes_loses_nothing() {
    let Some(nats) = Nats::start(1).await else {
        return;
    };
    let link = Link::to(nats.port()).await;
    let (here, there) = (
        Node::ready(&nats.url()).await,
        Node::ready(&link.url()).await,
    );
    here.make_keyset();
    let flapping = async {
        for _ in 0..4 {
            link.cut();
            tokio::time::sleep(Duration::from_millis(500)).await;
            link.heal();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let revoking = async {
        let (mut acknowledged, mut waiting) = (0_u64, 0_u64);
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(4) {
            let n = acknowledged.saturating_add(waiting);
            match there.revoke(n).await {
                Ok(_) => acknowledged = acknowledged.saturating_add(1),
                Err(_) => waiting = waiting.saturating_add(1),
            }
            assert!(there.denies(n), "in force here");
        }
        (acknowledged, waiting)
    };
    let ((), (acknowledged, waiting)) = tokio::join!(flapping, revoking);
    assert!(waiting > 0, "it never went");
    let all = acknowledged.saturating_add(waiting);
    eventually("everything is delivered", || {
        (0..all).all(|n| here.denies(n))
    })
    .await;
    println!(
        "table: a log that comes and goes, 4 times | {acknowledged} acknowledged, {waiting} later, 0 lost"
    );
}
