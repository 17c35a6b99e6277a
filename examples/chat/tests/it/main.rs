//! The chat itself: what is said in a room is heard there.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "a test may panic"
)]

#[path = "../../../../crates/server/tests/it/proxies/exchange.rs"]
#[expect(dead_code, reason = "the tests of the server need more of it")]
mod exchange;
mod program;
mod protected;
#[path = "../../../../crates/server/tests/it/proxies/running.rs"]
mod running;
mod usher;

use program::{Chat, Stream};

#[test]
fn what_is_said_in_a_room_is_heard_there_and_nowhere_else() {
    let chat = Chat::start();
    let as_bob = ["x-chat-user: bob"];
    let mut lobby = Stream::open(&chat.address, "/rooms/lobby/events", &as_bob);
    let mut kitchen = Stream::open(&chat.address, "/rooms/kitchen/events", &as_bob);
    let as_alice = ["x-chat-user: alice"];
    let said = chat.post("/rooms/lobby/messages", &as_alice, "hello");
    assert_eq!(said, 201);
    assert_eq!(lobby.event(), r#"{"from":"alice","text":"hello"}"#);
    assert_eq!(chat.post("/rooms/kitchen/messages", &as_alice, "tea"), 201);
    assert_eq!(kitchen.event(), r#"{"from":"alice","text":"tea"}"#);
}

#[test]
fn nobody_is_heard_without_a_name() {
    let chat = Chat::start();
    assert_eq!(chat.post("/rooms/lobby/messages", &[], "hello"), 502);
    let as_alice = ["x-chat-user: alice"];
    let long = "a".repeat(4 * 1024 + 1);
    assert_eq!(chat.post("/rooms/lobby/messages", &as_alice, &long), 400);
    assert_eq!(chat.post("/elsewhere", &as_alice, "hello"), 404);
}
