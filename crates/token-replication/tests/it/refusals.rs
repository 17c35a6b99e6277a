//! What a node does not start with.

use async_nats::jetstream::stream::{Config, StorageType};
use token_replication::{ClusterKey, FeedKey, Options, StartError};

use crate::nats::Nats;
use crate::node::{Node, options};

async fn refused(options: Options) -> String {
    let started = Node::start_in(tempfile::tempdir().unwrap(), options).await;
    match started {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_keys_are_refused() {
    let Some(nats) = Nats::start(1).await else {
        return;
    };
    let _one = Node::ready(&nats.url()).await;
    let other = "3d".repeat(32);
    let mut feed = options(&nats.url());
    feed.feed_key = FeedKey::from_hex(&other).unwrap();
    assert!(refused(feed).await.contains("another feed key"));
    let mut cluster = options(&nats.url());
    cluster.cluster_key = Some(ClusterKey::from_hex(&other).unwrap());
    let error = refused(cluster).await;
    assert!(error.contains("another cluster key") && !error.contains(&other));
}

/// D10: retention that drops live entries.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_forgets_is_refused() {
    let Some(nats) = Nats::start(1).await else {
        return;
    };
    let one = Node::ready(&nats.url()).await;
    let jetstream = nats.jetstream().await;
    let made = jetstream.get_stream("usher").await.unwrap();
    let made = made.cached_info().config.clone();
    drop(one);
    let with = |change: fn(&mut Config)| {
        let mut config = made.clone();
        change(&mut config);
        config
    };
    let cases = [
        (
            with(|c| c.max_age = core::time::Duration::from_secs(86_400)),
            "drops messages",
        ),
        (with(|c| c.max_messages_per_subject = 1), "drops messages"),
        (with(|c| c.max_bytes = 1 << 20), "drops messages"),
        (with(|c| c.storage = StorageType::Memory), "kept in memory"),
        (with(|c| c.allow_message_ttl = false), "let messages expire"),
        (with(|c| c.metadata.clear()), "not made by Usher"),
    ];
    for (config, said) in cases {
        jetstream.delete_stream("usher").await.unwrap();
        jetstream.create_stream(config).await.unwrap();
        let error = refused(options(&nats.url())).await;
        assert!(error.contains(said), "{error}");
    }
}

/// D06: wrong credentials, and a URL that is none.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_said_at_the_start() {
    let users = "authorization { user: usher, password: right }";
    let Some(nats) = Nats::start_with(1, users).await else {
        return;
    };
    let right = nats.url();
    Node::ready(&right).await;
    let url = right.replace("right", "wrong");
    let started = Node::start_in(tempfile::tempdir().unwrap(), options(&url)).await;
    assert_eq!(started.err(), Some(StartError::Credentials));
    let started = Node::start_in(tempfile::tempdir().unwrap(), options("nats://[::")).await;
    assert_eq!(started.err(), Some(StartError::Url));
}
