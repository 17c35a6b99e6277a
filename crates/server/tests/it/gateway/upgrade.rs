//! `WebSockets` through the gateway, where a rule names them.

use std::path::Path;

use serde_json::json;

use super::world::{Peer, World};

const SWITCHED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                          Upgrade: websocket\r\nSec-WebSocket-Accept: yes\r\n\r\n";

async fn world() -> World {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/rules/chat.toml");
    World::with(|config| config.rules = vec![rules]).await
}

async fn token(world: &World) -> String {
    let permissions = json!({"resources": {"channels": {"room": 1}}, "uuid": "alice"});
    world.token(permissions).await
}

fn handshake(target: &str, more: &str) -> Vec<u8> {
    format!(
        "GET {target} HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\n\
         sec-websocket-key: key\r\n{more}\r\n"
    )
    .into_bytes()
}

/// A client and its upstream with a WebSocket between them.
async fn open(world: &World, token: &str) -> (Peer, Peer) {
    let mut client = world.connect().await;
    let target = format!("/socket?user=alice&token={token}");
    client
        .write(&handshake(&target, "upgrade: WebSocket\r\n"))
        .await;
    let mut upstream = world.accept().await;
    let asked = upstream.message().await;
    assert_eq!(asked.header("upgrade"), Some("websocket"));
    assert_eq!(asked.header("connection"), Some("upgrade"));
    assert_eq!(asked.header("sec-websocket-key"), Some("key"));
    upstream.write(SWITCHED).await;
    let answer = client.message().await;
    assert_eq!(answer.status(), 101);
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    assert_eq!(answer.header("sec-websocket-accept"), Some("yes"));
    (client, upstream)
}

#[tokio::test]
async fn bytes_of_any_kind_go_both_ways_until_one_end_closes() {
    let world = world().await;
    let (mut client, mut upstream) = open(&world, &token(&world).await).await;
    // Nothing of it is read as HTTP.
    let odd: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    for _ in 0..3 {
        client.write(&odd).await;
        assert_eq!(upstream.bytes(odd.len()).await, odd);
        upstream.write(&odd).await;
        assert_eq!(client.bytes(odd.len()).await, odd);
    }
    drop(upstream);
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn a_websocket_ends_at_expiry_and_at_revocation() {
    for revoke in [false, true] {
        let world = world().await;
        let token = token(&world).await;
        let (mut client, mut upstream) = open(&world, &token).await;
        client.write(b"a").await;
        assert_eq!(upstream.bytes(1).await, b"a");
        if revoke {
            let reply = world.harness.revoke(&token.replace("%3D", "=")).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
        } else {
            world.harness.clock.advance(3600);
        }
        assert_eq!(client.rest().await, b"");
        assert_eq!(upstream.rest().await, b"");
    }
}

/// Attack H01: with another protocol, or where no rule says so, requests could
/// follow that nobody decided on.
#[tokio::test]
async fn only_a_websocket_that_a_rule_names_is_upgraded() {
    let world = world().await;
    let token = token(&world).await;
    let socket = format!("/socket?user=alice&token={token}");
    let messages = format!("/rooms/room/messages?user=alice&token={token}");
    for (target, more) in [
        (&socket, "upgrade: h2c\r\n"),
        (&socket, "upgrade: websocket, h2c\r\n"),
        (&socket, "upgrade: websocket\r\nupgrade: h2c\r\n"),
        (&socket, "upgrade: websocket\r\ncontent-length: 4\r\n"),
        (&messages, "upgrade: websocket\r\n"),
    ] {
        let mut client = world.connect().await;
        client.write(&handshake(target, more)).await;
        let status = client.message().await.status();
        assert_eq!(status, 400, "{target} {more}");
    }
    let mut client = world.connect().await;
    let anonymous = handshake("/socket?user=alice", "upgrade: websocket\r\n");
    client.write(&anonymous).await;
    assert_eq!(client.message().await.status(), 401);
    world.assert_upstream_unasked().await;
}

#[tokio::test]
async fn an_upstream_that_declines_is_passed_on_and_a_connection_counts() {
    let world = world().await;
    let token = token(&world).await;
    let mut client = world.connect().await;
    let target = format!("/socket?user=alice&token={token}");
    client
        .write(&handshake(&target, "upgrade: websocket\r\n"))
        .await;
    let mut upstream = world.accept().await;
    upstream.message().await;
    let declined =
        "HTTP/1.1 426 Upgrade Required\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    upstream.write(declined.as_bytes()).await;
    assert_eq!(client.message().await.status(), 426);
    drop(client);
    let (client, upstream) = open(&world, &token).await;
    let metrics = world
        .harness
        .admin("GET", "/metrics", &serde_json::Value::Null)
        .await;
    let open = "usher_connections_open{listener=\"public\"} 0";
    assert!(!metrics.body.contains(open), "{}", metrics.body);
    drop((client, upstream));
    world.server.shutdown().await;
}
