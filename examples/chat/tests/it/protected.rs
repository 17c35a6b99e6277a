//! The chat behind the gateway and behind nginx: one rule file, the same story.

use core::time::Duration;
use std::time::Instant;

use crate::nginx::Nginx;
use crate::program::{Chat, Stream};
use crate::usher::Usher;

/// Longer than a held answer may outlive its token.
const PATIENCE: Duration = Duration::from_secs(20);

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}")
}

fn say(front: &str, room: &str, headers: &[&str]) -> u16 {
    let path = format!("/rooms/{room}/messages");
    Stream::send(front, "POST", &path, headers, "hello").status
}

/// What happens in front of the chat, whatever stands there.
async fn story(usher: &Usher, front: &str) {
    let alice = usher.token("alice", &["read", "write"]).await;
    let bob = usher.token("bob", &["read"]).await;
    let (alice_may, bob_may) = (bearer(&alice), bearer(&bob));

    let listen = format!("/rooms/lobby/events?token={bob}");
    let mut heard = Stream::open(front, &listen, &[]);
    assert_eq!(say(front, "lobby", &[&alice_may]), 201);
    assert_eq!(heard.event(), r#"{"from":"alice","text":"hello"}"#);
    // Who it is says the token, not the client: the gateway refuses such a
    // header, nginx puts its own in its place.
    let forged = say(front, "lobby", &[&alice_may, "x-chat-user: mallory"]);
    if forged != 400 {
        assert_eq!(forged, 201);
        assert_eq!(heard.event(), r#"{"from":"alice","text":"hello"}"#);
    }

    // Each of these is denied for a reason of its own.
    assert_eq!(say(front, "lobby", &[&bob_may]), 403);
    assert_eq!(say(front, "kitchen", &[&alice_may]), 403);
    assert_eq!(say(front, "lobby", &[]), 401);
    assert_eq!(say(front, "lobby", &[&bearer(&alice[1..])]), 401);
    let status = |method, path| Stream::send(front, method, path, &[&alice_may], "").status;
    assert_ne!(status("DELETE", "/rooms/lobby/messages"), 200);
    assert_ne!(status("GET", "/rooms/lobby%2Fevents"), 200);
    assert_ne!(status("GET", "/rooms/lobby/../kitchen/events"), 200);
    assert_eq!(Stream::send(front, "GET", "/health", &[], "").status, 200);

    usher.revoke(&alice).await;
    assert_eq!(say(front, "lobby", &[&alice_may]), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_the_gateway_only_what_the_rules_allow_is_heard() {
    let chat = Chat::start();
    let usher = Usher::before(&chat.address).await;
    story(&usher, &usher.gateway()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx_only_what_the_rules_allow_is_heard() {
    let chat = Chat::start();
    let usher = Usher::before(&chat.address).await;
    if let Some(nginx) = Nginx::start(usher.internal(), &chat.address) {
        story(&usher, &nginx.address).await;
    }
}

/// The gateway ends what is open, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_listener_whose_token_is_revoked_hears_no_more() {
    let chat = Chat::start();
    let usher = Usher::before(&chat.address).await;
    let bob = usher.token("bob", &["read"]).await;
    let path = format!("/rooms/lobby/events?token={bob}");
    let mut heard = Stream::open(&usher.gateway(), &path, &[]);
    usher.revoke(&bob).await;
    let start = Instant::now();
    assert!(heard.ends(), "it goes on after {:?}", start.elapsed());
    assert!(start.elapsed() < PATIENCE);
}
