//! More changes than the disk takes: each is refused as the contract says, and
//! none is half done (attack D03).

use core::future::Future as _;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, Condvar, Mutex};

use serde_json::json;
use token_core::UnixSeconds;
use token_server::Service;
use token_store::Clock;

use crate::harness::{Harness, NOW, SUBSCRIBE_KEY, TestClock, read_on};

/// Holds up the thread that writes, which asks for the time of each change.
#[derive(Clone, Debug)]
struct Gate {
    clock: TestClock,
    closed: Arc<(Mutex<bool>, Condvar)>,
}

impl Gate {
    fn set(&self, closed: bool) {
        *self.closed.0.lock().unwrap() = closed;
        self.closed.1.notify_all();
    }
}

impl Clock for Gate {
    fn now(&self) -> UnixSeconds {
        if std::thread::current().name() == Some("token-store") {
            let (closed, opened) = &*self.closed;
            drop(opened.wait_while(closed.lock().unwrap(), |closed| *closed));
        }
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }
}

#[tokio::test]
async fn a_full_queue_is_503_on_both_apis_and_decisions_go_on() {
    let clock = TestClock::at(NOW);
    let gate = Gate {
        clock: clock.clone(),
        closed: Arc::default(),
    };
    let dir = tempfile::tempdir().unwrap();
    let service = Service::open(dir.path(), gate.clone()).unwrap();
    let harness = Harness {
        service,
        clock,
        dir,
    };
    harness.create_demo(json!({})).await;
    let token = harness.grant_at(NOW, &read_on("room")).await.token();

    gate.set(true);
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}/revocations");
    let mut waiting = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    let refused = loop {
        let body = json!({ "id": format!("{:032x}", waiting.len()) });
        let (harness, path) = (&harness, &path);
        let mut asked = Box::pin(async move { harness.admin("POST", path, &body).await });
        match asked.as_mut().poll(&mut context) {
            Poll::Ready(reply) => break reply,
            Poll::Pending => waiting.push(asked),
        }
        assert!(waiting.len() < 10_000, "the queue has no end");
    };
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert_eq!(refused.json()["error"]["code"], "store_unavailable");
    let revoked = harness.revoke(&token).await;
    assert_eq!(revoked.status, 503, "{}", revoked.body);
    assert_eq!(revoked.json()["error"]["message"], "Service Unavailable");
    assert_eq!(harness.decision(&token, "room").await, "allow");

    gate.set(false);
    for asked in waiting {
        assert_eq!(asked.await.status, 200);
    }
    assert_eq!(harness.revoke(&token).await.status, 200);
    assert_eq!(harness.decision(&token, "room").await, "revoked");
}
