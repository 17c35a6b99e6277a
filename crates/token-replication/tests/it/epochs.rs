//! Logs that are deleted, rolled back, made by others.

use async_nats::jetstream::stream::Config;

use crate::nats::{Nats, copy};
use crate::node::{KEYSET, Node, eventually, options};

/// D10: the nodes that are there bring back what each has.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_deleted_is_filled_again() {
    let Some(nats) = Nats::start(1).await else {
        return;
    };
    let url = nats.url();
    let (one, two) = (Node::ready(&url).await, Node::ready(&url).await);
    one.make_keyset();
    for n in 0..50 {
        one.revoke(n).await.unwrap();
    }
    one.revoke_uuid("alice").await.unwrap();
    eventually("they are there", || {
        two.denies(49) && two.denies_uuid("alice")
    })
    .await;
    let sequence = two.replication.sequence().unwrap();
    let jetstream = nats.jetstream().await;
    let stream = jetstream.get_stream("usher").await.unwrap();
    stream
        .purge()
        .await
        .expect_err("nobody purges it by accident");
    jetstream.delete_stream("usher").await.unwrap();

    eventually("both noticed", || {
        [&one, &two]
            .iter()
            .all(|node| node.replication.status().anew == 2)
    })
    .await;
    assert!(one.replication.is_caught_up(), "they have their own copies");
    eventually("another epoch", || {
        one.replication.sequence().is_some() && !one.replication.has_reached(&sequence)
    })
    .await;
    // Somebody who has nothing is not ready before all of it is there.
    let three = Node::ready(&url).await;
    assert!((0..50).all(|n| three.denies(n)) && three.denies_uuid("alice"));
    assert!(three.store.keyset(KEYSET).is_some());
    two.revoke(99).await.unwrap();
    eventually("and it goes on", || one.denies(99) && three.denies(99)).await;
}

/// D09: a server that forgets what it acknowledged. The nodes have it.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_rolled_back_is_filled_again() {
    let Some(mut nats) = Nats::start(1).await else {
        return;
    };
    let url = nats.url();
    let (one, two) = (Node::ready(&url).await, Node::ready(&url).await);
    one.make_keyset();
    one.revoke(1).await.unwrap();
    nats.kill(0);
    let kept = tempfile::tempdir().unwrap();
    copy(&nats.data(0), kept.path());
    nats.launch(0);
    nats.ready().await;
    eventually("it goes on", || one.replication.status().connected).await;
    for n in 2..40 {
        eventually_revoked(&one, n).await;
    }
    eventually("they are there", || two.denies(39)).await;
    let before = two.replication.status().anew;
    nats.kill(0);
    let data = nats.data(0);
    std::fs::remove_dir_all(&data).unwrap();
    copy(kept.path(), &data);
    nats.launch(0);
    nats.ready().await;

    eventually("both noticed", || {
        [&one, &two]
            .iter()
            .all(|node| node.replication.status().anew > before)
    })
    .await;
    eventually("nothing waits", || {
        [&one, &two]
            .iter()
            .all(|node| node.store.unpublished(&[], 1).unwrap().is_empty())
    })
    .await;
    let three = Node::ready(&url).await;
    assert!((1..40).all(|n| three.denies(n)), "the log has them again");
}

async fn eventually_revoked(node: &Node, n: u64) {
    while node.revoke(n).await.is_err() {
        tokio::task::yield_now().await;
    }
}

/// A node that has nothing of its own cannot know what an earlier log had.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_nothing_is_not_ready_until_somebody_says_it_is_all_there() {
    let Some(nats) = Nats::start(1).await else {
        return;
    };
    let url = nats.url();
    let old = Node::ready(&url).await;
    old.make_keyset();
    old.revoke(1).await.unwrap();
    eventually("marked complete", || {
        old.store
            .log_position()
            .unwrap()
            .is_some_and(|position| position.complete)
    })
    .await;
    let old = old.stop().await;
    let jetstream = nats.jetstream().await;
    let mut config: Config = jetstream
        .get_stream("usher")
        .await
        .unwrap()
        .cached_info()
        .config
        .clone();
    jetstream.delete_stream("usher").await.unwrap();
    config
        .metadata
        .insert("usher-prior-epoch".to_owned(), "gone".to_owned());
    jetstream.create_stream(config).await.unwrap();

    let new = Node::start(&url).await;
    eventually("it hears itself", || {
        let sequence = new.replication.sequence().unwrap_or_default();
        let number = sequence.rsplit_once('.').map_or("0", |(_, number)| number);
        number.parse::<u64>().unwrap() >= 3
    })
    .await;
    assert!(!new.replication.is_caught_up());
    assert_eq!(new.replication.age(), None);
    let old = Node::start_in(old, options(&url)).await.unwrap();
    new.caught_up().await;
    assert!(new.denies(1), "a survivor brought it");
    drop(old);

    // Or an operator says that there was nothing.
    drop(new);
    let jetstream = nats.jetstream().await;
    let config = jetstream.get_stream("usher").await.unwrap();
    let config = config.cached_info().config.clone();
    jetstream.delete_stream("usher").await.unwrap();
    jetstream.create_stream(config).await.unwrap();
    let mut seeding = options(&url);
    seeding.seed_epoch = true;
    let seeded = Node::start_in(tempfile::tempdir().unwrap(), seeding)
        .await
        .unwrap();
    seeded.caught_up().await;
    Node::ready(&url).await;
}
