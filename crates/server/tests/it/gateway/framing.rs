//! Attack H01: where a request ends is never a matter of opinion.

use serde::Deserialize;

use tokio::net::TcpStream;

use super::world::{LONG, Peer, World, get, history, publish};
use crate::case_file::cases;
use crate::proxies::running::Proxy;

/// nginx before the gateway, over connections that are kept.
const NGINX: &str = "
upstream gateway { server 127.0.0.1:9000; keepalive 4; }
server {
    listen 127.0.0.1:8000;
    client_header_timeout 2s;
    client_body_timeout 2s;
    location = / { return 403; } # it is ready
    location / {
        proxy_pass http://gateway;
        proxy_http_version 1.1;
        proxy_set_header Connection \"\";
        proxy_request_buffering off;
    }
}
";

#[derive(Deserialize)]
struct Case {
    name: String,
    /// As it goes over the wire; `PUBLISH` and `HISTORY` stand for targets that
    /// a token allows.
    raw: String,
}

fn all() -> Vec<Case> {
    cases(
        include_str!("../../../../../testdata/gateway/framing.toml"),
        40,
    )
}

#[tokio::test]
async fn h01_ambiguous_framing_is_400_and_closes_the_connection() {
    let world = World::new().await;
    let token = world.room().await;
    for case in all() {
        let raw = case
            .raw
            .replace("PUBLISH", &publish(&token))
            .replace("HISTORY", &history(&token));
        // At once, and byte by byte: no buffer makes a difference.
        for bytewise in [false, true] {
            let mut client = world.connect().await;
            client.0.set_nodelay(true).unwrap();
            if bytewise {
                for byte in raw.as_bytes() {
                    // It may be closed before the end.
                    if tokio::io::AsyncWriteExt::write_all(&mut client.0, &[*byte])
                        .await
                        .is_err()
                    {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            } else {
                client.write(raw.as_bytes()).await;
            }
            let answer = String::from_utf8(client.rest().await).unwrap();
            // A reset may take the answer along, but there is never another.
            let refused = answer.starts_with("HTTP/1.1 400 ") || (bytewise && answer.is_empty());
            assert!(refused, "{}: {answer}", case.name);
            assert_eq!(
                answer.matches("HTTP/1.1 ").count().max(1),
                1,
                "{}: {answer}",
                case.name
            );
        }
    }
}

#[tokio::test]
async fn h01_nothing_of_an_ambiguous_request_reaches_the_upstream_whole() {
    let world = World::new().await;
    let token = world.room().await;
    for case in all() {
        let raw = case
            .raw
            .replace("PUBLISH", &publish(&token))
            .replace("HISTORY", &history(&token));
        let mut client = world.connect().await;
        client.write(raw.as_bytes()).await;
        client.rest().await;
    }
    // A body in chunks is passed on as it comes, so the head of one that goes
    // wrong later may have got there; its end never does, and nothing after it.
    let own = TcpStream::connect(world.upstream.local_addr().unwrap())
        .await
        .unwrap();
    let own = own.local_addr().unwrap();
    loop {
        let (stream, peer) = tokio::time::timeout(LONG, world.upstream.accept())
            .await
            .unwrap()
            .unwrap();
        if peer == own {
            break;
        }
        let seen = String::from_utf8(Peer(stream).rest().await).unwrap();
        assert!(!seen.contains("smuggled"), "{seen}");
        assert!(!seen.contains("0\r\n\r\n"), "{seen}");
        assert!(seen.matches("HTTP/1.1").count() <= 1, "{seen}");
    }
}

/// What is framed strictly is taken, however it is cut into pieces.
#[tokio::test]
async fn strict_framing_is_taken_in_any_pieces() {
    let world = World::new().await;
    let bad = "/v2/history/sub-key/sub-c-demo/channel/room?auth=bad";
    let post = "/publish/pub-c-demo/sub-c-demo/0/room/0?auth=bad";
    let requests = format!(
        "\r\nGET {bad} HTTP/1.1\r\nHost: a\r\nX: a:b\r\nY:\r\nZ:  z \t\r\n\r\n\
         DELETE {} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n\
         GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n\
         GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        bad.replace("/v2/", "/v3/"),
    );
    for cut in 1..requests.len() {
        let (first, second) = requests.as_bytes().split_at(cut);
        let mut client = world.connect().await;
        client.0.set_nodelay(true).unwrap();
        client.write(first).await;
        client.write(second).await;
        let answers = String::from_utf8(client.rest().await).unwrap();
        assert_eq!(
            answers.matches("HTTP/1.1 403 ").count(),
            2,
            "cut at {cut}: {answers}"
        );
        assert_eq!(
            answers.matches("HTTP/1.1 200 ").count(),
            2,
            "cut at {cut}: {answers}"
        );
    }
    // Bodies are skipped exactly: what stands in them is no head.
    let token = world.room().await;
    let good = post.replace("bad", &token);
    let inner = "GET /x HTTP/1.1\nhost : a\r\n\r\n";
    let bodies = format!(
        "POST {good} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{inner}\
         POST {good} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: Chunked\r\n\r\n{:X};a=b\r\n{inner}\r\n0\r\nx: y\r\n\r\n\
         GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        inner.len(),
        inner.len(),
    );
    let mut client = world.connect().await;
    client.write(bodies.as_bytes()).await;
    for _ in 0..2 {
        let mut upstream = world.accept().await;
        assert_eq!(upstream.message().await.text(), inner);
        let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nfine";
        upstream.write(answer).await;
    }
    let answers = String::from_utf8(client.rest().await).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 3, "{answers}");
}

/// The same cases through a real nginx in front of the gateway: whatever nginx
/// makes of them, both agree on where each request ends.
#[tokio::test]
async fn h01_behind_nginx_there_is_no_desync() {
    let world = World::new().await;
    let token = world.room().await;
    let gateway = world.server.public_address();
    let before = [("nginx.conf", NGINX.to_owned())];
    let Some(nginx) = Proxy::Nginx.start(&before, gateway, gateway).await else {
        return;
    };
    let connect = async || Peer(TcpStream::connect(nginx.address).await.unwrap());
    let (target, plain) = (publish(&token), history(&token));
    let upstream = async {
        loop {
            let mut peer = world.accept().await;
            tokio::spawn(async move {
                // Until the connection ends, in whatever way.
                while let Some(message) = peer.try_message().await {
                    assert!(!message.head.contains("smuggled"), "{}", message.head);
                    let marker = message.head.split("marker=").nth(1).unwrap_or("none");
                    let marker = marker
                        .split([' ', '&'])
                        .next()
                        .unwrap_or_default()
                        .to_owned();
                    peer.answer("200 OK", &marker).await;
                }
            });
        }
    };
    let clients = async {
        for (number, case) in all().iter().enumerate() {
            let raw = case
                .raw
                .replace("PUBLISH", &target)
                .replace("HISTORY", &plain);
            let mut attacker = connect().await;
            drop(tokio::io::AsyncWriteExt::write_all(&mut attacker.0, raw.as_bytes()).await);
            drop(tokio::io::AsyncWriteExt::shutdown(&mut attacker.0).await);
            let answers = attacker.rest().await;
            let answers = String::from_utf8_lossy(&answers);
            assert!(!answers.contains("smuggled"), "{}: {answers}", case.name);
            // The pooled connection between the two is not out of step.
            for victim in 0..2 {
                let marker = format!("{number}-{victim}");
                let mut client = connect().await;
                client
                    .write(&get(&format!("{plain}&marker={marker}")))
                    .await;
                let message = client.message().await;
                assert_eq!(message.text(), marker, "{}", case.name);
            }
        }
    };
    tokio::select! {
        () = upstream => {}
        () = clients => {}
    }
}
