//! Attack H04: floods of HTTP/2 frames (RFC 9113), made by hand.

use super::world::{LONG, Peer, World, get};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `POST /publish/.. http://a`, with or without the end of its head.
fn open(stream: u32, flags: u8) -> Vec<u8> {
    let path = b"/publish/pub-c-demo/sub-c-demo/0/room/0?auth=bad";
    let mut block = vec![0x83, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend(path);
    block.extend([0x01, 1, b'a']);
    frame(1, flags, stream, &block)
}

/// Writes `flood` until the server says that it is over: GOAWAY or the end.
async fn is_ended(world: &World, start: Vec<u8>, flood: impl Fn(u32) -> Vec<u8>) -> bool {
    let Peer(stream) = world.connect().await;
    let (mut read, mut write) = stream.into_split();
    let writing = async {
        use tokio::io::AsyncWriteExt as _;
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
        use tokio::io::AsyncReadExt as _;
        loop {
            let mut head = [0; 9];
            if read.read_exact(&mut head).await.is_err() || head[3] == 7 {
                return true;
            }
            let length =
                usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let mut payload = vec![0; length];
            if read.read_exact(&mut payload).await.is_err() {
                return true;
            }
        }
    };
    let ended = async {
        tokio::select! {
            () = writing => true,
            ended = reading => ended,
        }
    };
    tokio::time::timeout(LONG, ended).await.unwrap_or(false)
}

async fn assert_others_are_served(world: &World) {
    assert_eq!(world.send(&get("/healthz")).await.status(), 200);
}

#[tokio::test]
async fn h04_a_flood_of_continuations_ends_the_connection() {
    let world = World::new().await;
    let ended = is_ended(&world, open(1, 0), |_| {
        frame(9, 0, 1, &[0x40, 1, b'x', 1, b'y'])
    })
    .await;
    assert!(ended);
    assert_others_are_served(&world).await;
}

#[tokio::test]
async fn h04_a_flood_of_empty_continuations_ends_the_connection() {
    let world = World::new().await;
    assert!(is_ended(&world, open(1, 0), |_| frame(9, 0, 1, &[])).await);
    assert_others_are_served(&world).await;
}

#[tokio::test]
async fn h04_a_flood_of_empty_data_ends_the_connection() {
    let world = World::new().await;
    assert!(is_ended(&world, open(1, 4), |_| frame(0, 0, 1, &[])).await);
    assert_others_are_served(&world).await;
}

#[tokio::test]
async fn h04_rapid_reset_of_operations_ends_the_connection() {
    let world = World::new().await;
    let flood = |i: u32| {
        let stream = 2 * i + 1;
        [open(stream, 4), frame(3, 0, stream, &[0, 0, 0, 8])].concat()
    };
    assert!(is_ended(&world, Vec::new(), flood).await);
    assert_others_are_served(&world).await;
}

/// Each SETTINGS frame is acknowledged before the next is read, so a peer that
/// does not read the acknowledgements is not read either, and the limit on
/// writes ends the connection.
#[tokio::test]
async fn h04_a_flood_of_settings_is_not_piled_up() {
    let world =
        World::with(|config| config.limits.write = core::time::Duration::from_millis(300)).await;
    let Peer(mut stream) = world.connect().await;
    let flood = frame(4, 0, 0, &[]).repeat(10_000);
    let writing = async {
        use tokio::io::AsyncWriteExt as _;
        drop(stream.write_all(PREFACE).await);
        while stream.write_all(&flood).await.is_ok() {}
    };
    tokio::time::timeout(LONG, writing)
        .await
        .expect("the connection ends");
    assert_others_are_served(&world).await;
}
