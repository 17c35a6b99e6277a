//! Attack M05: a panic in the middle of a request is one 500, and nothing is
//! half done.

use serde_json::json;

use crate::gateway::world::{Message, World, get, history};
use crate::harness::{SECRET_KEY, SUBSCRIBE_KEY, grant_path, query_at, read_on, signed};
use crate::log::Log;

/// A request that is signed with the secret key.
async fn send(world: &World, method: &str, path: &str, body: &str) -> Message {
    let query = query_at(world.harness.clock_now());
    let target = signed(SECRET_KEY, method, path, &query, body);
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    world.send(request.as_bytes()).await
}

async fn grant(world: &World) -> Message {
    send(world, "POST", &grant_path(), &read_on("room").to_string()).await
}

fn token(message: &Message) -> String {
    let answer: serde_json::Value = serde_json::from_str(message.text()).unwrap();
    answer["data"]["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn m05_a_panic_in_a_grant_or_a_revoke_is_one_500_and_leaves_nothing_half_done() {
    let log = Log::of_this_thread();
    let world = World::new().await;
    log.panic_at("token issued");
    assert_eq!(grant(&world).await.status(), 500);
    let granted = grant(&world).await;
    assert_eq!(granted.status(), 200, "{}", granted.text());
    let token = token(&granted);
    assert_eq!(world.harness.decision(&token, "room").await, "allow");

    let path = format!("{}/{}", grant_path(), token.replace('=', "%3D"));
    log.panic_at("token revoked");
    assert_eq!(send(&world, "DELETE", &path, "").await.status(), 500);
    // It was durable before it was said.
    assert_eq!(world.harness.decision(&token, "room").await, "revoked");
    assert_eq!(send(&world, "DELETE", &path, "").await.status(), 200);

    // The store writes on, for everybody.
    let made = json!({"name": "another"});
    let made = world.harness.admin("POST", "/v1/keysets", &made).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let shown = format!("/v1/keysets/{SUBSCRIBE_KEY}/revocations");
    let shown = world.harness.admin("GET", &shown, &json!(null)).await;
    assert_eq!(shown.json()["revocations"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn m05_a_panic_in_the_gateway_is_one_500_and_its_connection_lives() {
    let log = Log::of_this_thread();
    let world = World::new().await;
    let target = history(&world.room().await);
    let mut client = world.connect().await;
    for expected in [500, 502] {
        if expected == 500 {
            log.panic_at("the upstream did not answer");
        }
        client.write(&get(&target)).await;
        // An upstream that hangs up at once.
        let mut upstream = world.accept().await;
        upstream.message().await;
        drop(upstream);
        assert_eq!(client.message().await.status(), expected);
    }
    client.write(&get(&target)).await;
    let mut upstream = world.accept().await;
    upstream.message().await;
    upstream.answer("200 OK", "fine").await;
    assert_eq!(client.message().await.text(), "fine");
}
