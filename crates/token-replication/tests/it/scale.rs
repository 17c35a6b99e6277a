//! Many live revocations in the log: its size, and how soon a new node has read
//! it. `cargo xtask durability` takes 1e6.

use std::time::Instant;

use token_core::{TokenId, TokenKind, UnixSeconds};
use token_store::Revocation;

use crate::nats::Nats;
use crate::node::{KEYSET, Node, options, within};

fn entries() -> u64 {
    let given = std::env::var_os("USHER_LOG_ENTRIES");
    given.map_or(3_000, |text| text.to_str().unwrap().parse().unwrap())
}

fn revocation(n: u64, now: u64) -> Revocation {
    let mut id = [0xA5; 16];
    id[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    Revocation::Token {
        kind: TokenKind::AccessManager,
        scope: KEYSET.to_owned(),
        id: TokenId(id),
        issued_at: Some(UnixSeconds(now)),
        expires_at: UnixSeconds(now + 86_400),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_is_small_and_soon_read() {
    let Some(nats) = Nats::start(1).await else {
        return;
    };
    let count = entries();
    let alone = Node::start("nats://127.0.0.1:1").await;
    alone.make_keyset();
    let all: Vec<u64> = (0..count).collect();
    for some in all.chunks(1_000) {
        let now = alone.now();
        let made = some.iter().map(|n| revocation(*n, now)).collect();
        alone.store.revoke(made).unwrap();
    }
    let dir = alone.stop().await;

    let one = Node::start_in(dir, options(&nats.url())).await.unwrap();
    let since = Instant::now();
    let patience = core::time::Duration::from_secs(60 + count / 100);
    within(patience, "everything is published", || {
        one.replication.is_caught_up() && one.store.unpublished(&[], 1).unwrap().is_empty()
    })
    .await;
    let published = since.elapsed();
    let mut log = nats.jetstream().await.get_stream("usher").await.unwrap();
    let bytes = log.info().await.unwrap().state.bytes;

    let since = Instant::now();
    let two = Node::start(&nats.url()).await;
    within(patience, "caught up", || two.replication.is_caught_up()).await;
    let read = since.elapsed();
    assert_eq!(two.store.denied_tokens() as u64, count);
    println!(
        "table: {count} live revocations in the log | {} bytes each, published in \
         {published:.1?}, read by a new node in {read:.1?}",
        bytes / count
    );
}
