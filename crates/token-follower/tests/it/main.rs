//! A follower before a server that is played byte by byte. What it does behind a
//! real one is tested in token-server.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    reason = "a test may panic"
)]

mod played;

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use token_core::{RevokedBy, Standing, Subject, TokenId, TokenKind, UnixSeconds};
use token_follower::{
    Clock, Follower, InvalidSource, OnStale, Options, Revocations as _, Source, SourceOptions,
};

use played::Played;

const NOW: u64 = 1_790_000_000;

/// Two clocks; the wall clock steps when it is told to.
#[derive(Clone, Debug)]
struct TestClock(Arc<AtomicU64>, std::time::Instant);

impl TestClock {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(NOW)), std::time::Instant::now())
    }

    fn step(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixSeconds {
        UnixSeconds(self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        self.1.elapsed()
    }
}

fn options(clock: &TestClock) -> Options {
    Options {
        clock: Arc::new(clock.clone()),
        ..Options::default()
    }
}

fn follow(server: &Played, options: Options) -> Follower {
    let source = Source::new(&server.url(), &SourceOptions::default()).unwrap();
    Follower::start(source, options).unwrap()
}

fn standing(follower: &Follower, number: u8) -> Standing {
    follower.standing(&subject(number, None, NOW - 10))
}

fn subject(number: u8, uuid: Option<&str>, issued_at: u64) -> Subject<'_> {
    Subject {
        kind: TokenKind::AccessManager,
        scope: "sub-c-demo",
        id: TokenId([number; 16]),
        ancestors: &[],
        uuid,
        issued_at: UnixSeconds(issued_at),
        expires_at: UnixSeconds(issued_at).saturating_add(3_600),
    }
}

fn token(number: u8) -> String {
    let (id, expires_at) = (TokenId([number; 16]), NOW + 3_600);
    format!(
        r#"{{"token":{{"kind":"access-manager","scope":"sub-c-demo","id":"{id}","expires_at":{expires_at}}}}}"#
    )
}

fn revocations(items: &[String], id: Option<&str>) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("{id}event: revocations\ndata: [{}]\n\n", items.join(","))
}

fn heartbeat(id: &str, after_ms: u64) -> String {
    format!("id: {id}\nevent: heartbeat\ndata: {{\"after_ms\":{after_ms}}}\n\n")
}

const RESET: &str = "event: reset\ndata: {}\n\n";
const REVOKED: Standing = Standing::Revoked {
    by: RevokedBy::Token,
    at: None,
};

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what} did not come about");
}

/// D05: a list with holes decides nothing.
#[tokio::test]
async fn nothing_is_decided_before_everything_was_heard() {
    let server = Played::new().await;
    let follower = follow(&server, options(&TestClock::new()));
    assert_eq!(standing(&follower, 1), Standing::Stale);
    let mut stream = server.accept("/v1/revocations/feed").await;
    stream.send(RESET).await;
    stream.send(&revocations(&[token(1)], None)).await;
    until("the revocation", || standing(&follower, 1) == REVOKED).await;
    assert_eq!(standing(&follower, 2), Standing::Stale);
    let served = follower.deny_list(OnStale::Serve);
    assert_eq!(served.standing(&subject(2, None, NOW)), Standing::Stale);
    stream.send(&heartbeat("5b.7", 0)).await;
    follower.caught_up().await;
    assert_eq!(
        (standing(&follower, 1), standing(&follower, 2)),
        (REVOKED, Standing::Good)
    );
    assert!(follower.has_reached("5b.7") && follower.has_reached("5b.6"));
    for beyond in ["5b.8", "5c.1", "7", "", "5b."] {
        assert!(!follower.has_reached(beyond), "{beyond}");
    }
}

/// What was cut off in the middle of an event is asked for again, and nothing
/// that was heard is lost.
#[tokio::test]
async fn a_feed_that_is_cut_anywhere_goes_on_where_it_was() {
    let server = Played::new().await;
    let follower = follow(&server, options(&TestClock::new()));
    let mut stream = server.accept("/v1/revocations/feed").await;
    let first = [
        RESET,
        &revocations(&[token(1)], None),
        &heartbeat("5b.1", 0),
    ]
    .concat();
    stream.send(&first).await;
    follower.caught_up().await;
    // Half of an event, up to each byte of it.
    let second = revocations(&[token(2)], Some("5b.2"));
    for cut in [1, 5, 12, second.len() / 2, second.len() - 1] {
        stream.send(&second[..cut]).await;
        drop(stream);
        stream = server.accept("/v1/revocations/feed?after=5b.1").await;
        assert_eq!(standing(&follower, 2), Standing::Good, "cut at {cut}");
        assert_eq!(standing(&follower, 1), REVOKED);
        stream.send(&heartbeat("5b.1", 0)).await;
        until("the heartbeat", || follower.status().fault.is_none()).await;
    }
    // In pieces of a byte it is the same event.
    for at in 0..second.len() {
        stream.send(&second[at..=at]).await;
    }
    until("the second", || standing(&follower, 2) == REVOKED).await;
    drop(stream);
    server.accept("/v1/revocations/feed?after=5b.2").await;
}

/// Behind a name may be two servers, and one may know a little less.
#[tokio::test]
async fn a_list_that_is_read_anew_loses_nothing_meanwhile() {
    let server = Played::new().await;
    let follower = follow(&server, options(&TestClock::new()));
    let mut stream = server.accept("/v1/revocations/feed").await;
    let first = [
        RESET,
        &revocations(&[token(1)], None),
        &heartbeat("5b.1", 0),
    ]
    .concat();
    stream.send(&first).await;
    follower.caught_up().await;
    drop(stream);
    let mut stream = server.accept("/v1/revocations/feed?after=5b.1").await;
    stream.send(RESET).await;
    stream.send(&revocations(&[token(2)], None)).await;
    until("the second", || standing(&follower, 2) == REVOKED).await;
    assert_eq!(standing(&follower, 1), REVOKED);
    stream.send(&heartbeat("77.1", 0)).await;
    until("the other epoch", || follower.has_reached("77.1")).await;
    assert_eq!(
        (standing(&follower, 1), standing(&follower, 2)),
        (REVOKED, REVOKED)
    );
    assert_eq!(standing(&follower, 3), Standing::Good);
}

#[tokio::test]
async fn rules_and_horizons_are_followed() {
    let server = Played::new().await;
    let follower = follow(&server, options(&TestClock::new()));
    let mut stream = server.accept("/v1/revocations/feed").await;
    let scope = r#""kind":"access-manager","scope":"sub-c-demo""#;
    let rules = follower.scope_rules();
    let items = [
        format!(
            r#"{{"horizon":{{{scope},"from":0,"until":{}}}}}"#,
            NOW - 5_000
        ),
        format!(
            r#"{{"rule":{{{scope},"uuid":"al\"ice","until":{}}}}}"#,
            NOW - 100
        ),
    ];
    let snapshot = [RESET, &revocations(&items, None), &heartbeat("5b.1", 0)].concat();
    stream.send(&snapshot).await;
    follower.caught_up().await;
    let ask = |uuid, issued_at| follower.standing(&subject(9, uuid, issued_at));
    let by_uuid = Standing::Revoked {
        by: RevokedBy::Uuid,
        at: Some(UnixSeconds(NOW - 100)),
    };
    assert_eq!(ask(Some("al\"ice"), NOW - 100), by_uuid);
    assert_eq!(ask(Some("al\"ice"), NOW - 99), Standing::Good);
    assert_eq!(ask(Some("bob"), NOW - 100), Standing::Good);
    // What expired up to the horizon may have been revoked and forgotten.
    assert_eq!(ask(None, NOW - 8_600), Standing::Expired);
    assert_eq!(ask(None, NOW - 8_599), Standing::Good);
    assert_eq!(*rules.borrow(), 0);
    let rule = [format!(r#"{{"rule":{{{scope},"until":{}}}}}"#, NOW - 50)];
    stream.send(&revocations(&rule, Some("5b.2"))).await;
    until("the rule", || ask(None, NOW - 50) != Standing::Good).await;
    assert_eq!(*rules.borrow(), 1, "keys may have been replaced");
}

/// D05: how old the list is counts from when the server had nothing more to tell,
/// not from when we heard of it.
#[tokio::test]
async fn an_old_list_is_stale_by_either_clock() {
    let (server, clock) = (Played::new().await, TestClock::new());
    let follower = follow(&server, options(&clock));
    let mut stream = server.accept("/v1/revocations/feed").await;
    stream.send(&[RESET, &heartbeat("5b.1", 0)].concat()).await;
    follower.caught_up().await;
    assert_eq!(standing(&follower, 1), Standing::Good);
    clock.step(61);
    assert_eq!(standing(&follower, 1), Standing::Stale);
    let served = follower.deny_list(OnStale::Serve);
    assert_eq!(served.standing(&subject(1, None, NOW)), Standing::Good);
    // 5 s into the stream by the server is 56 s ago: it lay somewhere.
    stream.send(&heartbeat("5b.1", 5_000)).await;
    until("the heartbeat", || {
        follower.age() < Some(Duration::from_secs(60))
    })
    .await;
    assert!(
        follower.age() >= Some(Duration::from_secs(55)),
        "{:?}",
        follower.age()
    );
    // Two that are late, and it asks anew.
    stream.send(&heartbeat("5b.1", 10_000)).await;
    let mut again = server.accept("/v1/revocations/feed?after=5b.1").await;
    again.send(&heartbeat("5b.1", 0)).await;
    until("the new age", || {
        follower.age() < Some(Duration::from_secs(3))
    })
    .await;
    assert_eq!(standing(&follower, 1), Standing::Good);
}

/// A kind of revocation that is not known here must not be passed over.
#[tokio::test]
async fn what_is_not_understood_is_not_passed_over() {
    let scope = r#""kind":"access-manager","scope":"sub-c-demo""#;
    let wrong = [
        r#"{"narrowed":{}}"#.to_owned(),
        format!(r#"{{"rule":{{{scope},"until":1,"channel":"x"}}}}"#),
        r#"{"rule":{"kind":"other","scope":"s","until":1}}"#.to_owned(),
        format!(r#"{{"token":{{{scope},"id":"0","expires_at":1}}}}"#),
        "7".to_owned(),
    ];
    for item in wrong {
        let server = Played::new().await;
        let follower = follow(&server, options(&TestClock::new()));
        let mut stream = server.accept("/v1/revocations/feed").await;
        stream
            .send(
                &[
                    RESET,
                    &revocations(core::slice::from_ref(&item), None),
                    &heartbeat("5b.1", 0),
                ]
                .concat(),
            )
            .await;
        until("the fault", || follower.status().fault.is_some()).await;
        assert!(!follower.is_caught_up(), "{item}");
        assert_eq!(standing(&follower, 1), Standing::Stale);
    }
    // Events of other names are for others.
    let server = Played::new().await;
    let follower = follow(&server, options(&TestClock::new()));
    let mut stream = server.accept("/v1/revocations/feed").await;
    stream
        .send(&["event: news\ndata: x\n\n", RESET, &heartbeat("5b.1", 0)].concat())
        .await;
    follower.caught_up().await;
}

#[tokio::test]
async fn memory_is_bounded() {
    let server = Played::new().await;
    let limited = Options {
        tokens_max: 3,
        ..options(&TestClock::new())
    };
    let follower = follow(&server, limited);
    let mut stream = server.accept("/v1/revocations/feed").await;
    let many: Vec<String> = (1..=4).map(token).collect();
    stream
        .send(&[RESET, &revocations(&many, None), &heartbeat("5b.1", 0)].concat())
        .await;
    until("the fault", || follower.status().fault.is_some()).await;
    assert_eq!(standing(&follower, 9), Standing::Stale);
    assert_eq!(standing(&follower, 1), REVOKED, "what it knows it says");
    assert!(follower.status().fault.unwrap().contains("more tokens"));
}

#[tokio::test]
async fn a_server_that_refuses_is_named_and_asked_again() {
    let server = Played::new().await;
    let follower = follow(&server, options(&TestClock::new()));
    server
        .answer(
            "/v1/revocations/feed",
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n",
        )
        .await;
    until("the fault", || follower.status().fault.is_some()).await;
    assert_eq!(
        follower.status().fault.as_deref(),
        Some("the server answers 401 Unauthorized")
    );
    let mut stream = server.accept("/v1/revocations/feed").await;
    stream.send(&[RESET, &heartbeat("5b.1", 0)].concat()).await;
    follower.caught_up().await;
    until("no fault", || follower.status().fault.is_none()).await;
}

#[test]
fn only_a_server_that_nobody_can_listen_to_is_followed() {
    let new = |url: &str, options: &SourceOptions| Source::new(url, options).err();
    let plain = SourceOptions::default();
    for good in [
        "http://127.0.0.1:8081",
        "http://localhost:1/",
        "http://[::1]:1",
        "https://usher.example:8081",
    ] {
        assert!(new(good, &plain).is_none(), "{good}");
    }
    for other in [
        "http://10.0.0.7:8081",
        "http://usher.example",
        "http://127.0.0.1.example:1",
    ] {
        assert!(
            matches!(new(other, &plain), Some(InvalidSource::Plain)),
            "{other}"
        );
        let allowed = SourceOptions {
            allow_plain: true,
            ..SourceOptions::default()
        };
        assert!(new(other, &allowed).is_none(), "{other}");
    }
    for bad in [
        "",
        "127.0.0.1:8081",
        "ftp://127.0.0.1",
        "http://127.0.0.1/v1",
        "http://a@127.0.0.1",
        "https://",
    ] {
        assert!(
            matches!(new(bad, &plain), Some(InvalidSource::Url)),
            "{bad}"
        );
    }
    let source = Source::new("http://127.0.0.1:1", &plain).unwrap();
    let outside = Follower::start(source, Options::default());
    assert!(outside.is_err(), "no runtime, and no panic");
}
