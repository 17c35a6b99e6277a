//! What reaches the upstream, and how its answers come back.

use core::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::world::{LONG, World, get, history, publish, subscribe};
use crate::case_file::cases;

/// A request, and what of it the upstream gets.
#[derive(Deserialize)]
struct Forwarded {
    name: String,
    /// Without `host`; `TOKEN` stands for a token.
    request: String,
    /// The lines of the head that the upstream gets beside `host`, sorted.
    head: Vec<String>,
    #[serde(default)]
    body: String,
}

/// contract 5: method, target, end-to-end headers and body as received.
#[tokio::test]
async fn what_is_allowed_reaches_the_upstream_as_it_was_received() {
    let world = World::new().await;
    let token = world.room().await;
    let host = format!("host: {}", world.upstream.local_addr().unwrap());
    let text = include_str!("../../../../../testdata/gateway/forward.toml");
    for case in cases::<Forwarded>(text, 12) {
        let mut client = world.connect().await;
        let request = case.request.replace("TOKEN", &token).replace('\n', "\r\n");
        let request = request.replacen("\r\n", "\r\nHost: client.test\r\n", 1);
        client.write(request.as_bytes()).await;
        let mut upstream = world.accept().await;
        let received = upstream.message().await;
        let mut lines: Vec<&str> = received.head.trim_end().split("\r\n").collect();
        let (line, headers) = lines.split_first_mut().unwrap();
        headers.sort_unstable();
        let mut expected: Vec<String> = case.head.clone();
        expected[0] = expected[0].replace("TOKEN", &token);
        expected.push(host.clone());
        expected[1..].sort_unstable();
        assert_eq!(*line, expected[0], "{}", case.name);
        assert_eq!(*headers, expected[1..], "{}", case.name);
        assert_eq!(received.text(), case.body, "{}", case.name);
        upstream.answer("200 OK", "fine").await;
        assert_eq!(client.message().await.text(), "fine", "{}", case.name);
        // The pooled connection would serve the next case too.
        drop(upstream);
    }
}

#[tokio::test]
async fn an_answer_comes_back_without_what_belongs_to_the_connection() {
    let world = World::new().await;
    let mut client = world.connect().await;
    client.write(&get(&history(&world.room().await))).await;
    let mut upstream = world.accept().await;
    upstream.message().await;
    let answer = "HTTP/1.1 418 Teapot\r\nConnection: x-own, keep-alive\r\nX-Own: 1\r\n\
                  Keep-Alive: timeout=5\r\nX-Pn-Other: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\
                  Access-Control-Allow-Origin: https://a.test\r\nContent-Length: 2\r\n\r\nhi";
    upstream.write(answer.as_bytes()).await;
    let message = client.message().await;
    assert_eq!((message.status(), message.text()), (418, "hi"));
    assert_eq!(message.header("x-pn-other"), Some("2"));
    assert_eq!(
        message.header("access-control-allow-origin"),
        Some("https://a.test")
    );
    assert_eq!(message.head.matches("set-cookie: ").count(), 2);
    for gone in ["x-own", "keep-alive", "connection"] {
        assert_eq!(message.header(gone), None, "{}", message.head);
    }
}

#[tokio::test]
async fn what_is_denied_never_reaches_the_upstream() {
    let world = World::new().await;
    let token = world.room().await;
    let refused = [
        (403, "GET", history("bad")),
        (403, "GET", history(&token).replace("room", "other")),
        (
            400,
            "GET",
            history(&token)
                .replace(":", "")
                .replace("sub-c-demo", "sub-c-other"),
        ),
        (
            400,
            "POST",
            publish(&token).replace("pub-c-demo", "pub-c-other"),
        ),
        (404, "GET", format!("/unknown?auth={token}")),
        (
            404,
            "GET",
            format!("/v2/history/sub-key/sub-c-demo/channel/room/more?auth={token}"),
        ),
        (405, "PUT", history(&token)),
        (405, "OPTIONS", history(&token)),
        (405, "TRACE", history(&token)),
        (405, "HEAD", history(&token)),
        (404, "CONNECT", "/".to_owned()),
        (400, "GET", format!("{}&auth={token}", history(&token))),
        (
            400,
            "GET",
            format!("/v2/auth/grant/sub-key/sub-c-demo?auth={token}"),
        ),
        (400, "GET", format!("http://a.test{}", history(&token))),
    ];
    for (status, method, target) in refused {
        let request = format!("{method} {target} HTTP/1.1\r\nhost: a\r\n\r\n");
        let mut client = world.connect().await;
        client.write(request.as_bytes()).await;
        let head = client.head().await;
        let line = format!("HTTP/1.1 {status} ");
        assert!(head.starts_with(&line), "{method} {target}: {head}");
    }
    for header in [
        "X-HTTP-Method-Override: DELETE",
        "X-HTTP-Method: GET",
        "Upgrade: websocket",
    ] {
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: a\r\n{header}\r\n\r\n",
            history(&token)
        );
        assert_eq!(
            world.send(request.as_bytes()).await.status(),
            400,
            "{header}"
        );
    }
    world.assert_upstream_unasked().await;
}

#[tokio::test]
async fn bodies_that_a_decision_is_read_from_are_read_in_one_way_only() {
    let world = World::new().await;
    let grant = json!({"resources": {"uuids": {"alice": 64}, "channels": {"room": 128}}});
    let token = world.token(grant).await;
    let target = format!("/v2/objects/sub-c-demo/uuids/alice/channels?auth={token}");
    let room = r#"{"set":[{"channel":{"id":"room"}}]}"#;
    let patch = |more: &str, body: &str| {
        let length = body.len();
        format!(
            "PATCH {target} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n{more}\r\n{body}"
        )
    };
    let rows = [
        (400, patch("content-encoding: gzip\r\n", room)),
        (400, patch("content-encoding: identity\r\n", room)),
        (
            400,
            patch(
                "connection: content-encoding\r\ncontent-encoding: gzip\r\n",
                room,
            ),
        ),
        (
            400,
            patch("", r#"{"set":[],"set":[{"channel":{"id":"room"}}]}"#),
        ),
        (
            400,
            patch("", r#"{"set":[{"channel":{"id":"room","id":"other"}}]}"#),
        ),
        (400, patch("", r#"{"set":[{"channel":"room"}]}"#)),
        (400, patch("", r#"{"sets":[{"channel":{"id":"room"}}]}"#)),
        (400, patch("", "[]")),
        (400, patch("", "")),
        (
            403,
            patch(
                "",
                r#"{"set":[{"channel":{"id":"room"}},{"channel":{"id":"other"}}]}"#,
            ),
        ),
        (
            403,
            patch(
                "",
                r#"{"set":[{"channel":{"id":"room"}}],"delete":[{"channel":{"id":"x"}}]}"#,
            ),
        ),
    ];
    for (status, request) in rows {
        let message = world.send(request.as_bytes()).await;
        assert_eq!(message.status(), status, "{request}: {}", message.text());
    }
    world.assert_upstream_unasked().await;
    // The very bytes that were read are passed on, in either framing.
    let strange = "{ \"set\" : [ {\"channel\":{\"id\":\"ro\\u006fm\"},\"custom\":{\"a\":1e0}} ]}\n";
    let chunked = format!(
        "PATCH {target} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{strange}\r\n0\r\n\r\n",
        strange.len()
    );
    for request in [patch("", strange), chunked] {
        let mut client = world.connect().await;
        client.write(request.as_bytes()).await;
        let mut upstream = world.accept().await;
        assert_eq!(upstream.message().await.text(), strange);
    }
}

#[tokio::test]
async fn a_large_message_streams_through_while_it_is_sent() {
    let world = World::new().await;
    let target = publish(&world.room().await);
    let most = 2 * 1024 * 1024;
    let head =
        |n: usize| format!("POST {target} HTTP/1.1\r\nhost: a\r\ncontent-length: {n}\r\n\r\n");
    let mut client = world.connect().await;
    let half = vec![b'a'; most / 2];
    client.write(head(most).as_bytes()).await;
    client.write(&half).await;
    let mut upstream = world.accept().await;
    let received = upstream.head().await;
    assert!(
        received.contains("content-length: 2097152\r\n"),
        "{received}"
    );
    // The client has not sent the other half yet.
    assert_eq!(upstream.bytes(most / 2).await, half);
    client.write(&half).await;
    assert_eq!(upstream.bytes(most / 2).await, half);
    upstream.answer("200 OK", "[1]").await;
    assert_eq!(client.message().await.text(), "[1]");
    // One byte more is refused before any of it is read.
    let refused = world.send(head(most + 1).as_bytes()).await;
    assert_eq!(refused.status(), 413);
    assert_eq!(refused.header("connection"), Some("close"));
    // Without a length it is refused when it goes over.
    let chunked =
        format!("POST {target} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    let mut client = world.connect().await;
    let (mut read, mut write) = client.0.split();
    let sending = async {
        let chunk = [b"100000\r\n", &vec![b'a'; 0x10_0000][..], b"\r\n"].concat();
        drop(write.write_all(chunked.as_bytes()).await);
        for _ in 0..3 {
            drop(write.write_all(&chunk).await);
        }
    };
    let receiving = async {
        let mut received = [0; 12];
        tokio::io::AsyncReadExt::read_exact(&mut read, &mut received)
            .await
            .unwrap();
        assert_eq!(&received, b"HTTP/1.1 413");
    };
    let swallowing = async {
        // The connection of the first exchange, or a new one.
        drop(upstream.rest().await);
    };
    tokio::time::timeout(LONG, async { tokio::join!(sending, receiving, swallowing) })
        .await
        .unwrap();
}

#[tokio::test]
async fn an_answer_streams_back_while_it_is_made() {
    let world = World::new().await;
    let mut client = world.connect().await;
    client.write(&get(&history(&world.room().await))).await;
    let mut upstream = world.accept().await;
    upstream.message().await;
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    upstream
        .write(format!("{head}3\r\none\r\n").as_bytes())
        .await;
    assert!(client.head().await.contains("transfer-encoding: chunked"));
    assert_eq!(client.chunk().await, b"one");
    upstream.write(b"3\r\ntwo\r\n0\r\n\r\n").await;
    assert_eq!(client.chunk().await, b"two");
    assert_eq!(client.chunk().await, b"");
    // An answer that breaks off is not made to look whole.
    client.write(&get(&history(&world.room().await))).await;
    upstream.message().await;
    upstream
        .write(format!("{head}3\r\none\r\n").as_bytes())
        .await;
    client.head().await;
    assert_eq!(client.chunk().await, b"one");
    drop(upstream);
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_request_along() {
    let world = World::new().await;
    let target = subscribe(&world.room().await);
    for answered in [false, true] {
        let mut client = world.connect().await;
        client.write(&get(&target)).await;
        let mut upstream = world.accept().await;
        upstream.message().await;
        if answered {
            upstream
                .write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
                .await;
            client.head().await;
        }
        drop(client);
        assert_eq!(upstream.rest().await, b"", "answered: {answered}");
    }
}

/// A long poll is held for as long as its token is good.
#[tokio::test]
async fn a_held_answer_ends_when_its_token_does() {
    let world = World::new().await;
    let expired =
        r#"{"error":true,"status":403,"service":"Access Manager","message":"Token is expired."}"#;
    let revoked =
        r#"{"error":true,"status":403,"service":"Access Manager","message":"Token is revoked"}"#;
    for (revoke, expected, cause) in [(true, revoked, "4001"), (false, expired, "4002")] {
        // A grant of another second is another token.
        world.harness.clock.advance(1);
        let token = world.room().await;
        let mut waiting = world.connect().await;
        waiting.write(&get(&subscribe(&token))).await;
        let mut first = world.accept().await;
        first.message().await;
        let mut streaming = world.connect().await;
        streaming.write(&get(&subscribe(&token))).await;
        let mut second = world.accept().await;
        second.message().await;
        second
            .write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
            .await;
        streaming.head().await;
        assert_eq!(streaming.chunk().await, b"a");
        if revoke {
            let reply = world.harness.revoke(&token.replace("%3D", "=")).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
        } else {
            world.harness.clock.advance(3600);
        }
        let message = waiting.message().await;
        assert_eq!(
            (message.status(), message.text().trim_end()),
            (403, expected)
        );
        assert_eq!(message.header("x-pn-cause"), Some(cause));
        assert_eq!(first.rest().await, b"");
        assert_eq!(streaming.rest().await, b"");
        assert_eq!(second.rest().await, b"");
    }
}

#[tokio::test]
async fn an_upstream_that_breaks_the_protocol_is_502() {
    let world = World::new().await;
    let token = world.room().await;
    let bad = r#"{"message":"Bad Gateway","error":true,"service":"Access Manager","status":502}"#;
    for answer in [
        &b""[..],
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ] {
        let mut client = world.connect().await;
        client.write(&get(&history(&token))).await;
        let mut upstream = world.accept().await;
        upstream.message().await;
        upstream.write(answer).await;
        drop(upstream);
        let message = client.message().await;
        assert_eq!((message.status(), message.text()), (502, bad));
        assert_eq!(message.header("access-control-allow-origin"), Some("*"));
    }
}

/// A history must be quick; a subscribe may wait.
#[tokio::test]
async fn an_upstream_that_is_slow_is_504() {
    let world = World::with(|config| {
        config.upstream_timeout = Duration::from_millis(100);
        config.upstream_hold = Duration::from_secs(600);
    })
    .await;
    let token = world.room().await;
    let mut client = world.connect().await;
    client.write(&get(&history(&token))).await;
    let mut slow = world.accept().await;
    let late =
        r#"{"message":"Gateway Timeout","error":true,"service":"Access Manager","status":504}"#;
    let message = client.message().await;
    assert_eq!((message.status(), message.text()), (504, late));
    // The connection ends, whatever of the request had arrived.
    drop(slow.rest().await);
    let mut client = world.connect().await;
    client.write(&get(&subscribe(&token))).await;
    let mut upstream = world.accept().await;
    upstream.message().await;
    let early = tokio::time::timeout(Duration::from_millis(300), client.head()).await;
    assert!(early.is_err(), "{early:?}");
    upstream.answer("200 OK", "{}").await;
    assert_eq!(client.message().await.text(), "{}");
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_502() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let world = World::with(|config| config.upstream = Some(url.parse().unwrap())).await;
    let token = world.room().await;
    assert_eq!(world.send(&get(&history(&token))).await.status(), 502);
}
