//! Who may ask, from where, and what is not there at all.

use core::time::Duration;

use super::world::{World, get, history, subscribe};

/// Attack A01: whatever is internal, the public listener knows nothing of it.
#[tokio::test]
async fn a01_nothing_internal_is_served_on_the_public_listener() {
    let world = World::new().await;
    let unknown = world.send(&get("/no-such-thing")).await;
    assert_eq!(unknown.status(), 404);
    for path in [
        "/",
        "/metrics",
        "/readyz",
        "/openapi.json",
        "/v1/check",
        "/v1/check/batch",
        "/v1/verify",
        "/v1/keysets",
        "/v1/keysets/sub-c-demo",
        "/v1/keysets/sub-c-demo/tokens",
        "/v1/keysets/sub-c-demo/revocations",
        "/v1/revocations/feed",
        "/v1/audit",
        "/v1/admin-key/rotate",
        "/v1/auth/nginx",
        "/v1/auth/forwarded",
        "/v1/auth/envoy/x",
        "/debug/pprof/",
        "/admin",
        "//v1/keysets",
        "/./v1/keysets",
        "/%76%31/keysets",
    ] {
        for method in ["GET", "POST"] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                 authorization: Bearer x\r\ncontent-length: 0\r\n\r\n"
            );
            let message = world.send(request.as_bytes()).await;
            assert_eq!(message.status(), 404, "{method} {path}");
            assert_eq!(message.body, unknown.body, "{method} {path}");
        }
    }
    world.assert_upstream_unasked().await;
}

/// Attack H08: an origin is never reflected, and credentials never allowed.
#[tokio::test]
async fn h08_no_origin_is_reflected_and_no_credentials_are_allowed() {
    let world = World::new().await;
    let origin = "host: localhost\r\norigin: https://evil.test\r\n";
    let preflight = |method: &str| {
        format!(
            "{origin}access-control-request-method: {method}\r\n\
             access-control-request-headers: authorization, content-type\r\n\r\n"
        )
    };
    let internal = world.server.internal_address();
    for path in [
        "/v1/check",
        "/v1/keysets",
        "/healthz",
        "/readyz",
        "/v1/auth/nginx",
        "/nothing",
    ] {
        for request in [
            format!("GET {path} HTTP/1.1\r\n{origin}\r\n"),
            format!("OPTIONS {path} HTTP/1.1\r\n{}", preflight("POST")),
        ] {
            let stream = tokio::net::TcpStream::connect(internal).await.unwrap();
            let mut peer = super::world::Peer(stream);
            peer.write(request.as_bytes()).await;
            let head = peer.head().await.to_lowercase();
            assert!(!head.contains("access-control-"), "{request}{head}");
        }
    }
    // Client operations answer any origin and send no credentials.
    let target = history("x");
    let request = format!("OPTIONS {target} HTTP/1.1\r\n{}", preflight("GET"));
    let allowed = world.send(request.as_bytes()).await;
    assert_eq!(allowed.status(), 204);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("*"));
    assert!(
        allowed
            .header("access-control-allow-methods")
            .unwrap()
            .contains("PATCH")
    );
    let headers = allowed.header("access-control-allow-headers").unwrap();
    assert!(headers.contains("Content-Type") && headers.contains("If-Match"));
    let denied = world
        .send(format!("GET {target} HTTP/1.1\r\n{origin}\r\n").as_bytes())
        .await;
    assert_eq!(denied.status(), 403);
    assert_eq!(denied.header("access-control-allow-origin"), Some("*"));
    for message in [&allowed, &denied] {
        assert_eq!(message.header("access-control-allow-credentials"), None);
        assert!(!message.head.contains("evil.test"));
    }
    // Attack H07: what is no preflight, or for nothing, is 405.
    for request in [
        format!("OPTIONS {target} HTTP/1.1\r\n{origin}\r\n"),
        format!("OPTIONS {target} HTTP/1.1\r\n{}", preflight("TRACE")),
        format!("OPTIONS /nothing HTTP/1.1\r\n{}", preflight("GET")),
        format!("OPTIONS * HTTP/1.1\r\n{}", preflight("GET")),
    ] {
        let message = world.send(request.as_bytes()).await;
        assert_eq!(message.status(), 405, "{request}");
        assert_eq!(message.header("access-control-allow-origin"), None);
    }
    world.assert_upstream_unasked().await;
}

/// Attack H02: a client that stops reading is let go, and with it its request.
#[tokio::test]
async fn h02_a_client_that_stops_reading_is_cut_off() {
    let world = World::with(|config| config.limits.write = Duration::from_millis(200)).await;
    let mut client = world.connect().await;
    client.write(&get(&subscribe(&world.room().await))).await;
    let mut upstream = world.accept().await;
    upstream.message().await;
    upstream
        .write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    let chunk = [b"100000\r\n", &vec![b'a'; 0x10_0000][..], b"\r\n"].concat();
    // Until the buffers are full the gateway takes it; then it closes.
    let flood = async {
        loop {
            let written = tokio::io::AsyncWriteExt::write_all(&mut upstream.0, &chunk).await;
            if written.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(super::world::LONG, flood)
        .await
        .expect("cut off in time");
}

/// Attack H02: what is slow costs the others nothing, and is closed.
#[tokio::test]
async fn h02_slow_heads_and_slow_bodies_are_closed_while_others_are_served() {
    let world = World::with(|config| {
        config.limits.head = Duration::from_secs(2);
        config.limits.body = Duration::from_secs(2);
    })
    .await;
    let token = world.room().await;
    let mut slow = Vec::new();
    for i in 0..200 {
        let mut client = world.connect().await;
        let start = if i % 2 == 0 {
            "GET / HTTP/1.1\r\nhost: a\r\nx: ".to_owned()
        } else {
            let target = super::world::publish(&token);
            format!("POST {target} HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\na")
        };
        client.write(start.as_bytes()).await;
        slow.push(client);
    }
    let ping = world.send(&get("/time/0?auth=bad")).await;
    assert_eq!(ping.status(), 403);
    for client in &mut slow {
        let end = client.rest().await;
        let answered =
            end.is_empty() || end.starts_with(b"HTTP/1.1 408") || end.starts_with(b"HTTP/1.1 400");
        assert!(answered, "{}", String::from_utf8_lossy(&end));
    }
}
