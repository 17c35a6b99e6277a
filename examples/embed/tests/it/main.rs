//! The service itself, over real sockets: allowed, denied, revoked.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

use token_codec::{TokenKey, encode};
use token_core::{
    Claims, Grants, Permission, ResourceKind, ResourceName, SubscribeKey, TtlMinutes, UnixSeconds,
};

const SIGNING_KEY: [u8; 32] = *b"a signing key for the tests only";

/// The running program.
struct Service {
    process: Child,
    public: String,
    internal: String,
}

impl Service {
    fn start(test: &str) -> Self {
        let key_file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.key"));
        std::fs::write(&key_file, SIGNING_KEY).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_embed"))
            .arg(key_file)
            .args(["127.0.0.1:0", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut address = || {
            let line = lines.next().unwrap().unwrap();
            line.split_once("http://").unwrap().1.to_owned()
        };
        Self {
            public: address(),
            internal: address(),
            process,
        }
    }

    fn grant(&self, channel: &str) -> String {
        let (status, token) = send(&self.internal, "POST", "/tokens", channel);
        assert_eq!(status, 200, "{token}");
        token
    }

    fn revoke(&self, token: &str) -> (u16, String) {
        send(&self.internal, "POST", "/revocations", token)
    }

    /// What a subscriber of `channel` is answered.
    fn subscribe(&self, channel: &str, token: &str) -> (u16, String) {
        let target = format!("/v2/subscribe/sub-c-demo/{channel}/0?uuid=alice&auth={token}");
        send(&self.public, "GET", &target, "")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// One request on a connection of its own.
fn send(address: &str, method: &str, target: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

fn denied(code: &str) -> (u16, String) {
    (403, code.to_owned())
}

fn allowed() -> (u16, String) {
    (200, "allowed".to_owned())
}

/// A token for `room-1` that was issued `seconds` ago and lives a minute.
fn token_issued_ago(seconds: u64, signing_key: &[u8; 32]) -> String {
    #[expect(clippy::disallowed_methods, reason = "the service reads it, too")]
    let now = SystemTime::now();
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let issued_at = UnixSeconds(now.as_secs()).saturating_sub(seconds);
    let mut grants = Grants::new();
    let room = ResourceName::new("room-1").unwrap();
    grants.allow(ResourceKind::Channel, room, Permission::Read.into());
    let key = TokenKey::hmac(signing_key, &SubscribeKey::new("sub-c-demo").unwrap());
    encode(&Claims::new(issued_at, TtlMinutes(1), grants), &key).unwrap()
}

#[test]
fn a_token_passes_until_it_is_revoked() {
    let service = Service::start("revoked");
    let (one, other) = (service.grant("room-1"), service.grant("room-2"));
    assert_eq!(service.subscribe("room-1", &one), allowed());
    assert_eq!(
        service.subscribe("room-2", &one),
        denied("permission_missing")
    );

    let (status, id) = service.revoke(&one);
    assert_eq!((status, id.len()), (200, 32));
    assert_eq!(service.subscribe("room-1", &one), denied("revoked"));
    assert_eq!(service.subscribe("room-2", &other), allowed());

    // The form without padding is the same token.
    let bare = one.trim_end_matches('=');
    assert_eq!(service.subscribe("room-1", bare), denied("revoked"));
}

#[test]
fn a_body_is_looked_into_where_names_are_in_it() {
    let service = Service::start("body");
    let token = service.grant("room-1");
    let target = format!("/publish/pub-c-demo/sub-c-demo/0/room-1/0?auth={token}");
    assert_eq!(
        send(&service.public, "POST", &target, "\"hello\""),
        allowed()
    );

    let target = format!("/v2/objects/sub-c-demo/uuids/alice/channels?auth={token}");
    let twice = r#"{"set":[],"set":[{"channel":{"id":"room-1"}}]}"#;
    assert_eq!(
        send(&service.public, "PATCH", &target, twice),
        denied("invalid_request")
    );

    // The very byte that is too many, so that nothing is left unread.
    let large = "x".repeat(64 * 1024 + 1);
    assert_eq!(send(&service.public, "PATCH", &target, &large).0, 400);
}

#[test]
fn a_token_that_is_not_good_is_refused() {
    let service = Service::start("refused");
    let live = token_issued_ago(0, &SIGNING_KEY);
    assert_eq!(service.subscribe("room-1", &live), allowed());

    let expired = token_issued_ago(60, &SIGNING_KEY);
    assert_eq!(service.subscribe("room-1", &expired), denied("expired"));

    let foreign = token_issued_ago(0, &[7; 32]);
    assert_eq!(
        service.subscribe("room-1", &foreign),
        denied("invalid_token")
    );
    assert_eq!(
        service.subscribe("room-1", "nonsense"),
        denied("invalid_token")
    );
    let (status, message) = service.revoke(&foreign);
    assert_eq!(
        (status, message.as_str()),
        (400, "the signature does not match the token")
    );
}

#[test]
fn a_request_that_no_token_can_carry_is_refused() {
    let service = Service::start("requests");
    let token = service.grant("room-1");
    let cases = [
        (
            "GET",
            "/v2/subscribe/sub-c-demo/room-1/0".to_owned(),
            "token_required",
        ),
        (
            "GET",
            format!("/v2/subscribe/sub-c-other/room-1/0?auth={token}"),
            "wrong_keyset",
        ),
        (
            "GET",
            format!("/publish/pub-c-other/sub-c-demo/0/room-1/0/1?auth={token}"),
            "wrong_keyset",
        ),
        (
            "GET",
            format!("/v2/subscribe/sub-c-demo/room-1/0?auth={token}&auth={token}"),
            "ambiguous_request",
        ),
        (
            "GET",
            format!("/v2/subscribe/sub-c-demo/room-1/0?auth={token}&signature=v2.x"),
            "secret_key_required",
        ),
        ("POST", "/revocations".to_owned(), "unknown_operation"),
    ];
    for (method, target, code) in cases {
        assert_eq!(
            send(&service.public, method, &target, ""),
            denied(code),
            "{target}"
        );
    }
    assert_eq!(send(&service.public, "GET", "/time/0", ""), allowed());
}
