//! Attack H04: floods of HTTP/2 frames (RFC 9113), made by hand; and H02: peers
//! that take nothing.

use core::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::world::{LONG, Peer, World, get, subscribe};
use crate::http2::{
    ACK, CONTINUATION, DATA, END_HEADERS, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS,
    frame, next, post,
};

const SHORT: Duration = Duration::from_millis(300);

/// A publish, with or without the end of its head.
fn open(stream: u32, flags: u8) -> Vec<u8> {
    post(
        stream,
        "/publish/pub-c-demo/sub-c-demo/0/room/0?auth=bad",
        flags,
    )
}

/// Writes `flood` until the server says that it is over: GOAWAY or the end.
async fn is_ended(world: &World, start: Vec<u8>, flood: impl Fn(u32) -> Vec<u8>) -> bool {
    let Peer(stream) = world.connect().await;
    let (mut read, mut write) = stream.into_split();
    let writing = async {
        if write.write_all(&[PREFACE, &start].concat()).await.is_err() {
            return;
        }
        for i in 0..200_000 {
            if write.write_all(&flood(i)).await.is_err() {
                return;
            }
        }
        core::future::pending::<()>().await;
    };
    let reading = async {
        while let Some(frame) = next(&mut read).await {
            if frame.kind == GOAWAY {
                break;
            }
        }
        true
    };
    let ended = async {
        tokio::select! {
            () = writing => true,
            ended = reading => ended,
        }
    };
    timeout(LONG, ended).await.unwrap_or(false)
}

async fn assert_others_are_served(world: &World) {
    assert_eq!(world.send(&get("/healthz")).await.status(), 200);
}

#[tokio::test]
async fn h04_a_flood_of_continuations_ends_the_connection() {
    let world = World::new().await;
    let ended = is_ended(&world, open(1, 0), |_| {
        frame(CONTINUATION, 0, 1, &[0x40, 1, b'x', 1, b'y'])
    })
    .await;
    assert!(ended);
    assert_others_are_served(&world).await;
}

#[tokio::test]
async fn h04_a_flood_of_empty_continuations_ends_the_connection() {
    let world = World::new().await;
    assert!(is_ended(&world, open(1, 0), |_| frame(CONTINUATION, 0, 1, &[])).await);
    assert_others_are_served(&world).await;
}

#[tokio::test]
async fn h04_a_flood_of_empty_data_ends_the_connection() {
    let world = World::new().await;
    assert!(is_ended(&world, open(1, END_HEADERS), |_| frame(DATA, 0, 1, &[])).await);
    assert_others_are_served(&world).await;
}

#[tokio::test]
async fn h04_rapid_reset_of_operations_ends_the_connection() {
    let world = World::new().await;
    let flood = |i: u32| {
        let stream = 2 * i + 1;
        [
            open(stream, END_HEADERS),
            frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]),
        ]
        .concat()
    };
    assert!(is_ended(&world, Vec::new(), flood).await);
    assert_others_are_served(&world).await;
}

/// Each SETTINGS frame is acknowledged before the next is read, so a peer that
/// does not read the acknowledgements is not read either, and the limit on
/// writes ends the connection.
#[tokio::test]
async fn h04_a_flood_of_settings_is_not_piled_up() {
    let world = World::with(|config| config.limits.write = SHORT).await;
    let Peer(mut stream) = world.connect().await;
    let flood = frame(SETTINGS, 0, 0, &[]).repeat(9_000);
    let writing = async {
        drop(stream.write_all(PREFACE).await);
        while stream.write_all(&flood).await.is_ok() {}
    };
    timeout(LONG, writing).await.expect("the connection ends");
    assert_others_are_served(&world).await;
}

/// Frames that ask for nothing, whose answers are read.
#[tokio::test]
async fn h04_a_flood_of_settings_or_pings_ends_the_connection() {
    let world = World::new().await;
    let floods = [
        frame(SETTINGS, 0, 0, &[]),
        frame(PING, 0, 0, &[7; 8]),
        frame(PING, ACK, 0, &[7; 8]),
        // PRIORITY, and a kind that nobody knows.
        frame(2, 0, 1, &[0; 5]),
        frame(99, 0, 0, b"noise"),
    ];
    for flood in floods {
        assert!(is_ended(&world, Vec::new(), |_| flood.clone()).await);
        assert_others_are_served(&world).await;
    }
}

/// Far more than any honest peer sends, and yet no flood.
#[tokio::test]
async fn pings_and_settings_of_an_honest_peer_are_answered() {
    let world = World::new().await;
    let Peer(stream) = world.connect().await;
    let (mut read, mut write) = stream.into_split();
    let pings = frame(PING, 0, 0, &[7; 8]).repeat(4_000);
    let settings = frame(SETTINGS, 0, 0, &[]).repeat(4_000);
    let writing = async {
        let all = [PREFACE, &pings, &settings, &frame(PING, 0, 0, &[8; 8])].concat();
        write.write_all(&all).await.unwrap();
        core::future::pending::<()>().await;
    };
    let reading = async {
        loop {
            let frame = next(&mut read).await.expect("a connection");
            assert_ne!(frame.kind, GOAWAY);
            if frame.kind == PING && frame.payload == [8; 8] {
                break;
            }
        }
    };
    let answered = async {
        tokio::select! {
            () = writing => {}
            () = reading => {}
        }
    };
    timeout(LONG, answered).await.expect("answers in time");
}

/// Reads until the end, answers pings, and never opens the window of a stream.
/// Whether stream 1 was reset on the way.
async fn is_reset(client: &mut Peer, request: &[u8]) -> bool {
    // SETTINGS_INITIAL_WINDOW_SIZE is 4: a window of nothing.
    let closed = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let preface = PREFACE.strip_suffix(&frame(SETTINGS, 0, 0, &[])[..]);
    client
        .write(&[preface.unwrap(), &closed, request].concat())
        .await;
    let mut reset = false;
    let reading = async {
        while let Some(got) = next(&mut client.0).await {
            assert!(got.kind != DATA || got.payload.is_empty(), "{got:?}");
            reset |= got.kind == RST_STREAM && got.stream == 1;
            if got.kind == PING && got.flags & ACK == 0 {
                let answer = frame(PING, ACK, 0, &got.payload);
                // It may be over.
                drop(client.0.write_all(&answer).await);
            }
        }
    };
    timeout(LONG, reading).await.expect("the connection ends");
    reset
}

/// Attack H02: with the window of its stream closed a client reads and answers
/// everything and yet takes nothing.
#[tokio::test]
async fn h02_a_stream_whose_window_stays_closed_is_reset_and_its_room_comes_back() {
    let world = World::with(|config| {
        config.limits.connections = 1;
        config.limits.write = SHORT;
        config.limits.head = SHORT;
        config.limits.ping = SHORT;
    })
    .await;
    let target = subscribe(&world.room().await);
    let mut client = world.connect().await;
    let flood = async {
        let mut upstream = world.accept().await;
        upstream.message().await;
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        upstream.write(head).await;
        let chunk = [b"10000\r\n", &vec![b'a'; 0x1_0000][..], b"\r\n"].concat();
        // Until the gateway takes no more, and then until it lets go.
        while upstream.0.write_all(&chunk).await.is_ok() {}
    };
    let request = crate::http2::get(1, &target);
    let (reset, ()) = tokio::join!(is_reset(&mut client, &request), async {
        timeout(LONG, flood).await.expect("the upstream is let go");
    });
    assert!(reset);
    drop(client);
    world.until_served().await;
    // An answer of ours, which is in memory already.
    let mut client = world.connect().await;
    let request = crate::http2::get(1, "/time/0?auth=bad");
    assert!(is_reset(&mut client, &request).await);
    drop(client);
    world.until_served().await;
}

/// A client that takes its answer slowly but surely gets all of it.
#[tokio::test]
async fn a_window_that_is_opened_bit_by_bit_is_enough() {
    const WHOLE: usize = 40_000;
    let world = World::with(|config| config.limits.write = 2 * SHORT).await;
    let token = world
        .token(json!({"resources": {"channels": {"room": 1}}}))
        .await;
    let mut client = world.connect().await;
    // SETTINGS_INITIAL_WINDOW_SIZE is 4: 10,000 bytes.
    let settings = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0x27, 0x10]);
    let preface = PREFACE.strip_suffix(&frame(SETTINGS, 0, 0, &[])[..]);
    let request = crate::http2::get(1, &super::world::history(&token));
    let start = [preface.unwrap(), &settings, &request].concat();
    client.write(&start).await;
    let mut upstream = world.accept().await;
    upstream.message().await;
    upstream.answer("200 OK", &"a".repeat(WHOLE)).await;
    let mut taken = 0;
    let mut length = None;
    while taken < WHOLE {
        let got = timeout(LONG, next(&mut client.0)).await.expect("in time");
        let got = got.expect("a connection");
        assert_ne!(got.kind, RST_STREAM);
        if got.kind == HEADERS {
            let digits = WHOLE.to_string();
            length = Some(got.payload.windows(5).any(|w| w == digits.as_bytes()));
        }
        taken += got.payload.len() * usize::from(got.kind == DATA);
        if got.kind == DATA && taken % 10_000 == 0 {
            // Longer than nothing, shorter than the limit.
            tokio::time::sleep(SHORT).await;
            client.write(&frame(8, 0, 1, &[0, 0, 0x27, 0x10])).await;
        }
    }
    assert_eq!(taken, WHOLE);
    assert!(length.is_some(), "a head before the body");
}
