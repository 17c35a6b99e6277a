//! HTTP/2 on the side of the client, TLS on the side of the upstream.

use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use token_server::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::world::{LONG, World, get, history, publish};

#[tokio::test]
async fn a_client_of_http_2_is_passed_on_like_any_other() {
    let world = World::new().await;
    let token = world.room().await;
    let stream = TcpStream::connect(world.server.public_address())
        .await
        .unwrap();
    let (mut send, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = http::Request::post(format!("http://client.test{}", publish(&token)))
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .body(Full::new(Bytes::from_static(b"\"hi\"")))
        .unwrap();
    let answer = send.send_request(request);
    let upstream = async {
        let mut peer = world.accept().await;
        let message = peer.message().await;
        let line = format!("POST {} HTTP/1.1\r\n", publish(&token));
        assert!(message.head.starts_with(&line), "{}", message.head);
        assert_eq!(message.header("cookie"), Some("a=1; b=2"));
        assert_eq!(message.text(), "\"hi\"");
        peer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        peer.write(b"2\r\nok\r\n0\r\n\r\n").await;
    };
    let (answer, ()) = tokio::join!(answer, upstream);
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    // A denial is the same too, and so is a stream that the client gives up.
    let denied = http::Request::get(format!("http://client.test{}", history("bad")));
    let denied = send
        .send_request(denied.body(Full::default()).unwrap())
        .await
        .unwrap();
    assert_eq!(
        (denied.status().as_u16(), &denied.headers()["x-pn-cause"]),
        (403, &"4004".parse().unwrap())
    );
    let held = http::Request::get(format!(
        "http://client.test{}",
        super::world::subscribe(&token)
    ));
    let held = send.send_request(held.body(Full::default()).unwrap());
    let held = tokio::spawn(held);
    let mut upstream = world.accept().await;
    upstream.message().await;
    held.abort();
    assert_eq!(upstream.rest().await, b"");
}

/// A TLS upstream on loopback that answers every connection once.
async fn secure(names: &[&str]) -> (String, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            assert!(
                head.contains(&format!("\r\nhost: localhost:{port}\r\n")),
                "{head}"
            );
            let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 6\r\n\r\nsecret";
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    (format!("https://localhost:{port}"), made.cert.pem())
}

#[tokio::test]
async fn an_https_upstream_must_show_a_certificate_that_is_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let rows = [
        (&["localhost"][..], true, 200),
        (&["localhost"], false, 502),
        (&["other.test"], true, 502),
    ];
    for (names, trusted, status) in rows {
        let (url, pem) = secure(names).await;
        let file = dir.path().join("ca.pem");
        std::fs::write(&file, pem).unwrap();
        let world = World::with(|config| {
            config.upstream = Some(url.parse().unwrap());
            config.upstream_ca_file = trusted.then_some(file);
        })
        .await;
        let request = get(&history(&world.room().await));
        let message = tokio::time::timeout(LONG, world.send(&request))
            .await
            .unwrap();
        assert_eq!(message.status(), status, "{names:?}, trusted: {trusted}");
    }
}
