//! Another configuration for a server that runs. Attack K02.

use core::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use token_server::{Bytes, Caller, Config, Server, StartError};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::harness::{NOW, TestClock};

const PEER: [u8; 4] = [10, 1, 2, 3];

/// A configuration that can be loaded again with other lines.
fn config(dir: &Path, more: &str) -> Config {
    let file = dir.join("usher.toml");
    let data = dir.join("data");
    let text = format!(
        "data_dir = {data:?}\nlisten = \"127.0.0.1:0\"\ninternal_listen = \"127.0.0.1:0\"\n{more}"
    );
    std::fs::write(&file, text).unwrap();
    Config::load(Some(&file), |_| None).unwrap()
}

fn keyset(dir: &Path, subscribe_key: &str, secret_key: &str, settings: &str) -> String {
    let secret = dir.join(subscribe_key);
    std::fs::write(&secret, secret_key).unwrap();
    format!(
        "[[keyset]]\nname = \"n\"\nsubscribe_key = \"{subscribe_key}\"\n\
         publish_key = \"pub-{subscribe_key}\"\nsecret_key_file = {secret:?}\n\
         settings = {{ {settings} }}\n"
    )
}

async fn start(config: Config) -> Server {
    Server::start_at(config, TestClock::at(NOW)).await.unwrap()
}

/// The status of an open route for a host name.
async fn host(server: &Server, name: &str) -> u16 {
    let request = http::Request::get("/healthz").header("host", name);
    let request = request.body(Bytes::new()).unwrap();
    let caller = Caller::Peer(PEER.into());
    server
        .service()
        .internal(caller, request)
        .await
        .status()
        .into()
}

/// The status of a check by a peer that has no key.
async fn check(server: &Server) -> u16 {
    let body = json!({"subscribe_key": "sub-c-one", "operation": "time"}).to_string();
    let request = http::Request::post("/v1/check")
        .header("host", "localhost")
        .header("content-type", "application/json");
    let request = request.body(Bytes::from(body)).unwrap();
    let caller = Caller::Peer(PEER.into());
    server
        .service()
        .internal(caller, request)
        .await
        .status()
        .into()
}

/// A keyset as the internal API shows it, or null.
async fn shown(server: &Server, subscribe_key: &str) -> Value {
    let request = http::Request::get(format!("/v1/keysets/{subscribe_key}"));
    let request = request.body(Bytes::new()).unwrap();
    let answer = server.service().internal(Caller::InProcess, request).await;
    let answer: Value = serde_json::from_slice(answer.body()).unwrap();
    answer["keyset"].clone()
}

/// Whether a new connection is kept open while another one is.
async fn second_connection_lives(address: SocketAddr) -> bool {
    let _first = TcpStream::connect(address).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    let mut byte = [0];
    let read = second.read(&mut byte);
    let closed = tokio::time::timeout(core::time::Duration::from_millis(300), read).await;
    closed.is_err()
}

#[tokio::test]
async fn a_reload_replaces_what_can_be_replaced_and_names_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let one = keyset(dir, "sub-c-one", "sec-c-one-0123456789", "max_ttl = 60");
    let server = start(config(dir, &format!("internal_hosts = [\"old\"]\n{one}"))).await;
    assert_eq!(
        (host(&server, "old").await, host(&server, "new").await),
        (200, 421)
    );
    assert_eq!(check(&server).await, 401);
    assert_eq!(shown(&server, "sub-c-one").await["settings"]["max_ttl"], 60);
    assert!(second_connection_lives(server.public_address()).await);

    let one = keyset(dir, "sub-c-one", "sec-c-one-0123456789", "max_ttl = 30");
    let two = keyset(
        dir,
        "sub-c-two",
        "sec-c-two-0123456789",
        "require_uuid = true",
    );
    let mut next = config(
        dir,
        &format!(
            "internal_hosts = [\"new\"]\ntrusted_peers = [\"10.0.0.0/8\"]\n\
             [limits]\nconnections = 1\n{one}{two}"
        ),
    );
    next.data_dir = dir.join("elsewhere");
    next.listen = "127.0.0.1:1".parse().unwrap();
    let reloaded = server.reload(next).await.unwrap();
    assert_eq!(reloaded.needs_restart, ["data_dir", "listen"]);
    assert!(!dir.join("elsewhere").exists());
    assert_eq!(
        (host(&server, "old").await, host(&server, "new").await),
        (421, 200)
    );
    assert_eq!(check(&server).await, 200);
    assert_eq!(shown(&server, "sub-c-one").await["settings"]["max_ttl"], 30);
    assert_eq!(
        shown(&server, "sub-c-two").await["settings"]["require_uuid"],
        true
    );
    assert!(!second_connection_lives(server.public_address()).await);

    // What is no longer declared stays, and nothing is written for nothing.
    let version = shown(&server, "sub-c-one").await["version"].clone();
    let again = config(dir, &one);
    let reloaded = server.reload(again).await.unwrap();
    assert!(reloaded.needs_restart.is_empty());
    assert_eq!(shown(&server, "sub-c-one").await["version"], version);
    assert_eq!(
        shown(&server, "sub-c-two").await["subscribe_key"],
        "sub-c-two"
    );
    server.shutdown().await;
}

#[tokio::test]
async fn a_reload_that_fails_leaves_the_old_configuration_whole() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let one = keyset(dir, "sub-c-one", "sec-c-one-0123456789", "max_ttl = 60");
    let server = start(config(dir, &format!("internal_hosts = [\"old\"]\n{one}"))).await;
    // The new keyset, the new setting and the new host come before the fault.
    let changed = keyset(dir, "sub-c-one", "sec-c-canary-6789012345", "max_ttl = 30");
    let two = keyset(dir, "sub-c-two", "sec-c-two-0123456789", "");
    let next = config(dir, &format!("internal_hosts = [\"new\"]\n{two}{changed}"));
    let refused = server.reload(next).await.unwrap_err();
    assert!(matches!(refused, StartError::KeysetDiffers { .. }));
    let told = refused.to_string();
    assert!(
        told.contains("the keyset `n` (sub-c-one) is in the store with another secret_key;"),
        "{told}"
    );
    assert!(!told.contains("canary"), "{told}");
    assert_eq!(
        (host(&server, "old").await, host(&server, "new").await),
        (200, 421)
    );
    assert_eq!(shown(&server, "sub-c-two").await, Value::Null);
    assert_eq!(shown(&server, "sub-c-one").await["settings"]["max_ttl"], 60);
    server.shutdown().await;
    // The same message at a start.
    let next = config(dir, &changed);
    let refused = Server::start_at(next, TestClock::at(NOW))
        .await
        .unwrap_err();
    assert_eq!(refused.to_string(), told);
}

/// Secrets stay sealed as they are: another master key counts after a restart.
#[tokio::test]
async fn another_master_key_needs_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let key = |name: &str, digits: &str| {
        let file = dir.join(name);
        std::fs::write(&file, digits.repeat(4)).unwrap();
        format!("master_key_file = {file:?}\n")
    };
    let (one, two) = (
        key("one", "8f1d5c0a7be94263"),
        key("two", "417fce098ad2b653"),
    );
    let server = start(config(dir, &one)).await;
    for next in [config(dir, &two), config(dir, "")] {
        let reloaded = server.reload(next).await.unwrap();
        assert_eq!(reloaded.needs_restart, ["master_key_file"]);
    }
    // Still sealed under the first.
    let made = server.service().internal(
        Caller::InProcess,
        http::Request::post("/v1/keysets")
            .header("content-type", "application/json")
            .body(Bytes::from_static(b"{\"name\":\"n\"}"))
            .unwrap(),
    );
    assert_eq!(made.await.status(), 201);
    server.shutdown().await;
    let again = start(config(dir, &one)).await;
    assert_eq!(
        again
            .service()
            .internal(Caller::InProcess, list())
            .await
            .status(),
        200
    );
    again.shutdown().await;
    for wrong in [config(dir, &two), config(dir, "")] {
        let refused = Server::start_at(wrong, TestClock::at(NOW))
            .await
            .unwrap_err();
        assert!(matches!(refused, StartError::Store(_)), "{refused}");
    }
}

fn list() -> http::Request<Bytes> {
    http::Request::get("/v1/keysets")
        .body(Bytes::new())
        .unwrap()
}

/// Port 0 is no port that anybody reaches: who issues is where it listens.
#[tokio::test]
async fn the_issuer_has_the_port_that_was_taken_also_after_a_reload() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(config(dir.path(), "")).await;
    let account = http::Request::post("/v1/accounts")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Bytes::from_static(br#"{"name":"partner"}"#))
        .unwrap();
    let service = server.service();
    let made = service.internal(Caller::InProcess, account).await;
    assert_eq!(made.status(), 201);
    let issuer = async || {
        let request = http::Request::get("/.well-known/oauth-authorization-server");
        let answer = service.public(request.body(Bytes::new()).unwrap()).await;
        let metadata: Value = serde_json::from_slice(answer.body()).unwrap();
        metadata["issuer"].as_str().unwrap().to_owned()
    };
    assert_eq!(issuer().await, server.public_url());
    server.reload(config(dir.path(), "")).await.unwrap();
    assert_eq!(issuer().await, server.public_url());
    let named = config(dir.path(), "issuer = \"https://access.example.com\"");
    server.reload(named).await.unwrap();
    assert_eq!(issuer().await, "https://access.example.com");
}
