//! The chat behind the gateway and behind four proxies: one rule file, the same
//! story.

use core::time::Duration;
use std::time::Instant;

use crate::program::{Chat, Stream};
use crate::running::{Configuration, Proxy};
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
    // header, a proxy puts its own in its place.
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

async fn behind(proxy: Proxy, configuration: &[Configuration]) {
    let chat = Chat::start();
    let usher = Usher::before(&chat.address).await;
    let application = chat.address.parse().unwrap();
    let started = proxy.start(configuration, usher.internal(), application);
    if let Some(running) = started.await {
        story(&usher, &running.address.to_string()).await;
    }
}

/// The configuration in `docs/proxies` with what its comments say to add for
/// a rule file: each piece before the first line that holds the mark.
fn documented(proxy: Proxy, additions: &[(&str, &str)]) -> Vec<Configuration> {
    let mut files = proxy.documented();
    for (mark, addition) in additions {
        let holds = |(_, text): &&mut Configuration| text.contains(mark);
        let (_, text) = files.iter_mut().find(holds).unwrap();
        let (before, _) = text.split_once(mark).unwrap();
        let lines = before.rsplit_once('\n').map(|(lines, _)| lines.len());
        let line = lines.map_or(0, |length| length.saturating_add(1));
        text.insert_str(line, addition);
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx_only_what_the_rules_allow_is_heard() {
    let configuration = include_str!("../../nginx.conf").to_owned();
    behind(Proxy::Nginx, &[("nginx.conf", configuration)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx_as_documented_only_what_the_rules_allow_is_heard() {
    let passed = "auth_request_set $chat_user $upstream_http_x_chat_user;\n\
                  proxy_set_header X-Chat-User $chat_user;\nproxy_buffering off;\n";
    let configuration = documented(Proxy::Nginx, &[("auth_request_set $usher_rule ", passed)]);
    behind(Proxy::Nginx, &configuration).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_caddy_only_what_the_rules_allow_is_heard() {
    let additions = [
        (
            "request_header -X-Usher-*",
            "\t\trequest_header -X-Chat-User\n",
        ),
        ("copy_headers ", "\t\t\tcopy_headers X-Chat-User\n"),
    ];
    behind(Proxy::Caddy, &documented(Proxy::Caddy, &additions)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_traefik_only_what_the_rules_allow_is_heard() {
    let additions = [
        ("X-Usher-Reason: \"\"", "          X-Chat-User: \"\"\n"),
        ("- X-Usher-Operation", "          - X-Chat-User\n"),
    ];
    behind(Proxy::Traefik, &documented(Proxy::Traefik, &additions)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_envoy_only_what_the_rules_allow_is_heard() {
    let additions = [
        (
            "- remove: x-usher-reason",
            "                          - remove: x-chat-user\n",
        ),
        (
            "- { exact: x-usher-operation }",
            "                              - { exact: x-chat-user }\n",
        ),
    ];
    behind(Proxy::Envoy, &documented(Proxy::Envoy, &additions)).await;
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
