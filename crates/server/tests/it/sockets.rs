//! A whole server on real sockets: first start, both listeners, their limits,
//! restart. Attack H03.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use serde_json::{Value, json};
use token_core::limits::{CHECK_BODY_BYTES_MAX, GRANT_BODY_BYTES_MAX, REQUEST_HEAD_BYTES_MAX};
use token_server::{Config, Server, StartError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Harness, NOW, TestClock, query_at, read_on};

pub(crate) fn config(dir: &Path) -> Config {
    let any_port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let mut config = Config::default();
    config.data_dir = dir.join("data");
    config.listen = any_port;
    config.internal_listen = any_port;
    config
}

/// One request on a connection of its own: status, head and body.
pub(crate) async fn send(address: SocketAddr, request: &[u8]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut received = Vec::new();
    drop(stream.read_to_end(&mut received).await);
    let text = String::from_utf8(received).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}

async fn post(address: SocketAddr, target: &str, headers: &str, body: &str) -> (u16, String) {
    let request = format!(
        "POST {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, _, body) = send(address, request.as_bytes()).await;
    (status, body)
}

fn field(body: &str, pointer: &str) -> String {
    let json: Value = serde_json::from_str(body).unwrap();
    json.pointer(pointer).unwrap().as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_first_start_makes_keys_that_work_and_shows_them_once() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::at(NOW);
    let server = Server::start_at(config(dir.path()), clock.clone())
        .await
        .unwrap();
    let first = server.first_start().unwrap();
    let admin_key = first.admin_key.as_ref().unwrap().expose().to_owned();
    let keyset = first.keyset.as_ref().unwrap();
    let (subscribe_key, publish_key) = (keyset.subscribe_key.clone(), keyset.publish_key.clone());
    let secret_key = keyset.secret_key.expose().to_owned();
    // A signed grant on the public listener.
    let body = read_on("room").to_string();
    let path = format!("/v3/pam/{subscribe_key}/grant");
    let text = ["POST", &publish_key, &path, &query_at(NOW), &body].join("\n");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret_key.as_bytes());
    let mac = base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        ring::hmac::sign(&key, text.as_bytes()),
    );
    let target = format!("{path}?{}&signature=v2.{mac}", query_at(NOW));
    let (status, answer) = post(server.public_address(), &target, "", &body).await;
    assert_eq!(status, 200, "{answer}");
    let token = field(&answer, "/data/token");
    // Checked on the internal one, which trusts this machine.
    let check = json!({"subscribe_key": subscribe_key, "token": token,
        "operation": "history", "channels": ["room"]})
    .to_string();
    let (status, answer) = post(server.internal_address(), "/v1/check", "", &check).await;
    assert_eq!(
        (status, field(&answer, "/decision").as_str()),
        (200, "allow")
    );
    // Revoked with the admin key.
    let target = format!("/v1/keysets/{subscribe_key}/revocations");
    let revoke = json!({"token": token}).to_string();
    let (status, _) = post(server.internal_address(), &target, "", &revoke).await;
    assert_eq!(status, 401);
    let bearer = format!("authorization: Bearer {admin_key}\r\n");
    let (status, _) = post(server.internal_address(), &target, &bearer, &revoke).await;
    assert_eq!(status, 200);
    // Nothing internal is served on the public listener, nor the other way.
    for path in ["/v1/check", "/v1/verify", "/v1/keysets", "/readyz"] {
        assert_eq!(
            post(server.public_address(), path, &bearer, "{}").await.0,
            404,
            "{path}"
        );
    }
    let grant = format!("/v3/pam/{subscribe_key}/grant");
    assert_eq!(
        post(server.internal_address(), &grant, "", &body).await.0,
        401
    );
    server.shutdown().await;
    // After a restart the revocation stands and nothing is shown again.
    let server = Server::start_at(config(dir.path()), clock).await.unwrap();
    assert!(server.first_start().is_none());
    let (_, answer) = post(server.internal_address(), "/v1/check", "", &check).await;
    assert_eq!(field(&answer, "/reason/code"), "revoked");
    server.shutdown().await;
}

/// contract 2.5: sizes on the public listener, with the bodies of a balancer.
#[tokio::test]
async fn h03_a_request_that_is_too_large_is_refused_early() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_at(config(dir.path()), TestClock::at(NOW))
        .await
        .unwrap();
    let public = server.public_address();
    let long = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(33_000));
    let (status, _, body) = send(public, long.as_bytes()).await;
    let expected =
        r#"{"message":"Request URI Too Long","error":true,"service":"Balancer","status":414}"#;
    assert_eq!((status, body.as_str()), (414, expected));
    // Every byte of the head counts, to the empty line.
    let head = |target: &str, value: &str| {
        format!("GET /{target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: {value}\r\n\r\n")
    };
    for (more, in_header, in_target) in [(0, 404, 404), (1, 431, 414)] {
        let fill = "a".repeat(REQUEST_HEAD_BYTES_MAX - head("", "").len() + more);
        for (head, status) in [(head("", &fill), in_header), (head(&fill, ""), in_target)] {
            assert_eq!(head.len(), REQUEST_HEAD_BYTES_MAX + more);
            assert_eq!(send(public, head.as_bytes()).await.0, status);
        }
    }
    let expected =
        r#"{"status":413,"error":true,"service":"Balancer","message":"Request Entity Too Large."}"#;
    for size in [GRANT_BODY_BYTES_MAX + 1, 100_000_000] {
        let head =
            format!("POST /v3/pam/s/grant HTTP/1.1\r\nhost: a\r\ncontent-length: {size}\r\n\r\n");
        let (status, _, body) = send(public, head.as_bytes()).await;
        assert_eq!((status, body.as_str()), (413, expected));
    }
    let whole = " ".repeat(GRANT_BODY_BYTES_MAX);
    assert_eq!(post(public, "/v3/pam/s/grant", "", &whole).await.0, 400);
    let internal = server.internal_address();
    let head = format!(
        "POST /v1/check HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        CHECK_BODY_BYTES_MAX + 1
    );
    let (status, head, body) = send(internal, head.as_bytes()).await;
    assert_eq!(
        (status, field(&body, "/error/code").as_str()),
        (413, "body_too_large")
    );
    assert!(head.contains("cache-control: no-store"));
    let whole = " ".repeat(CHECK_BODY_BYTES_MAX);
    assert_eq!(post(internal, "/v1/check", "", &whole).await.0, 400);
    // A million names in a list that is small enough to arrive.
    let names = vec!["a"; 200_000];
    let check = json!({"subscribe_key": "s", "operation": "history", "channels": names});
    let (status, body) = post(internal, "/v1/check", "", &check.to_string()).await;
    assert_eq!(
        (status, field(&body, "/reason/code").as_str()),
        (200, "invalid_request")
    );
    server.shutdown().await;
}

#[tokio::test]
async fn an_internal_address_that_others_reach_must_be_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut reachable = config(dir.path());
    reachable.internal_listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    let refused = Server::start(reachable.clone()).await.unwrap_err();
    assert!(
        matches!(refused, StartError::InternalReachable { .. }),
        "{refused}"
    );
    reachable.internal_allow_remote = true;
    Server::start(reachable).await.unwrap().shutdown().await;
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config(dir.path());
    config.listen = taken.local_addr().unwrap();
    let refused = Server::start(config).await.unwrap_err().to_string();
    assert!(
        refused.contains(&taken.local_addr().unwrap().to_string()),
        "{refused}"
    );
}

#[tokio::test]
async fn declared_keysets_exist_after_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "sec-c-declared-0123456789").unwrap();
    let file = dir.path().join("usher.toml");
    let text = format!(
        "data_dir = {:?}\nlisten = \"127.0.0.1:0\"\ninternal_listen = \"127.0.0.1:0\"\n\
         [[keyset]]\nname = \"declared\"\nsubscribe_key = \"sub-c-declared\"\n\
         publish_key = \"pub-c-declared\"\nsecret_key_file = {secret:?}\n\
         settings = {{ max_ttl = 60, require_uuid = true }}\n",
        dir.path().join("data"),
    );
    std::fs::write(&file, text).unwrap();
    for _ in 0..2 {
        let config = Config::load(Some(&file), |_| None).unwrap();
        let server = Server::start_at(config, TestClock::at(NOW)).await.unwrap();
        let body = json!({"subscribe_key": "sub-c-declared", "operation": "time"}).to_string();
        assert_eq!(
            post(server.internal_address(), "/v1/check", "", &body)
                .await
                .0,
            200
        );
        let path = "/v1/keysets/sub-c-declared";
        let request = http::Request::get(path)
            .body(token_server::Bytes::new())
            .unwrap();
        let shown = server
            .service()
            .internal(token_server::Caller::InProcess, request)
            .await;
        let shown: Value = serde_json::from_slice(shown.body()).unwrap();
        assert_eq!(shown["keyset"]["settings"]["max_ttl"], 60);
        server.shutdown().await;
    }
    assert!(Harness::empty().dir.path().exists());
}
