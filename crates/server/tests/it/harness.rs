//! A service on a directory of its own, at a time of the test's choosing, and
//! a client that signs as SDKs do.

use core::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};
use tempfile::TempDir;
use token_core::UnixSeconds;
use token_server::{Bytes, Caller, Config, Query, Service, Upstream};
use token_store::Clock;

pub(crate) const NOW: u64 = 1_790_000_000;
pub(crate) const SUBSCRIBE_KEY: &str = "sub-c-demo";
pub(crate) const PUBLISH_KEY: &str = "pub-c-demo";
pub(crate) const SECRET_KEY: &str = "sec-c-demo-0123456789";

/// A clock that stands until it is told to go.
#[derive(Clone, Debug)]
pub(crate) struct TestClock {
    walked: Arc<AtomicU64>,
    /// By how much the wall clock was set since.
    set: Arc<AtomicI64>,
}

impl TestClock {
    pub(crate) fn at(now: u64) -> Self {
        Self {
            walked: Arc::new(AtomicU64::new(now)),
            set: Arc::default(),
        }
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.walked.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Sets the wall clock, forward or back; the other one walks on.
    pub(crate) fn step(&self, seconds: i64) {
        self.set.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixSeconds {
        let walked = self.walked.load(Ordering::SeqCst);
        let set = self.set.load(Ordering::SeqCst);
        UnixSeconds(walked.saturating_add_signed(set))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.walked.load(Ordering::SeqCst))
    }
}

pub(crate) struct Harness {
    pub(crate) service: Service,
    pub(crate) clock: TestClock,
    pub(crate) dir: TempDir,
}

/// A status and a body.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON answer")
    }

    /// The token of a grant that went well.
    pub(crate) fn token(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.body);
        let json = self.json();
        let token = json["data"]["token"]
            .as_str()
            .or_else(|| json["token"].as_str());
        token.expect("a token").to_owned()
    }
}

impl From<http::Response<Bytes>> for Reply {
    fn from(response: http::Response<Bytes>) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).expect("UTF-8"),
        }
    }
}

impl Harness {
    /// A service without a keyset. The clock then moves past the first minute
    /// after the start, in which rules reach into the future.
    pub(crate) fn empty() -> Self {
        Self::configured(Config::default())
    }

    /// A service with the keyset `sub-c-demo` before this upstream.
    pub(crate) async fn behind(upstream: Upstream) -> Self {
        let mut config = Config::default();
        config.upstream = Some(upstream);
        let harness = Self::configured(config);
        harness.create(SUBSCRIBE_KEY, SECRET_KEY, json!({})).await;
        harness
    }

    /// As [`Harness::empty`], on a directory of its own.
    pub(crate) fn configured(mut config: Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        config.data_dir = dir.path().to_owned();
        let clock = TestClock::at(NOW - 100);
        let service = Service::configured(&config, clock.clone()).unwrap();
        clock.advance(100);
        Self {
            service,
            clock,
            dir,
        }
    }

    /// A service with the keyset `sub-c-demo` and these settings.
    pub(crate) async fn with(settings: Value) -> Self {
        let harness = Self::empty();
        harness.create_demo(settings).await;
        harness
    }

    pub(crate) async fn create_demo(&self, settings: Value) {
        self.create(SUBSCRIBE_KEY, SECRET_KEY, settings).await;
    }

    pub(crate) async fn new() -> Self {
        Self::with(json!({})).await
    }

    pub(crate) async fn create(&self, subscribe_key: &str, secret_key: &str, settings: Value) {
        let body = json!({"name": "demo", "subscribe_key": subscribe_key,
            "publish_key": PUBLISH_KEY, "secret_key": secret_key, "settings": settings});
        let reply = self.admin("POST", "/v1/keysets", &body).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
    }

    /// A request to the internal API, as the owner of the data directory.
    pub(crate) async fn admin(&self, method: &str, path: &str, body: &Value) -> Reply {
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.internal(Caller::InProcess, method, path, &[], &text)
            .await
    }

    pub(crate) async fn internal(
        &self,
        caller: Caller,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost");
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::from(body.to_owned())).unwrap();
        self.service.internal(caller, request).await.into()
    }

    pub(crate) async fn public(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut request = http::Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::from(body.to_owned())).unwrap();
        self.service.public(request).await.into()
    }

    pub(crate) fn clock_now(&self) -> u64 {
        self.clock.now().0
    }

    /// A grant signed at `timestamp`.
    pub(crate) async fn grant_at(&self, timestamp: u64, body: &Value) -> Reply {
        let body = body.to_string();
        let target = signed(
            SECRET_KEY,
            "POST",
            &grant_path(),
            &query_at(timestamp),
            &body,
        );
        let headers = [("content-type", "application/json")];
        self.public("POST", &target, &headers, &body).await
    }

    /// A revoke signed now.
    pub(crate) async fn revoke(&self, token: &str) -> Reply {
        let now = self.clock.now().0;
        let path = format!("{}/{}", grant_path(), token.replace('=', "%3D"));
        let target = signed(SECRET_KEY, "DELETE", &path, &query_at(now), "");
        self.public("DELETE", &target, &[], "").await
    }

    /// `allow`, or the code of the denial, for reading a channel.
    pub(crate) async fn decision(&self, token: &str, channel: &str) -> String {
        let body = json!({"subscribe_key": SUBSCRIBE_KEY, "token": token,
            "operation": "history", "channels": [channel]});
        let reply = self.admin("POST", "/v1/check", &body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let json = reply.json();
        if json["decision"] == "allow" {
            return "allow".to_owned();
        }
        json["reason"]["code"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn grant_path() -> String {
    format!("/v3/pam/{SUBSCRIBE_KEY}/grant")
}

pub(crate) fn query_at(timestamp: u64) -> String {
    format!("timestamp={timestamp}&uuid=server")
}

/// Read on one channel for an hour.
pub(crate) fn read_on(channel: &str) -> Value {
    json!({"ttl": 60, "permissions": {"resources": {"channels": {channel: 1}}}})
}

/// The request target with its signature, as an SDK makes it (contract 1.1).
/// What the server cannot read is signed as it stands.
pub(crate) fn signed(secret: &str, method: &str, path: &str, query: &str, body: &str) -> String {
    let signature = signature(secret, method, path, query, body);
    let join = if query.is_empty() { "" } else { "&" };
    format!("{path}?{query}{join}signature={signature}")
}

pub(crate) fn signature(secret: &str, method: &str, path: &str, query: &str, body: &str) -> String {
    let mut parameters: Vec<&str> = query.split('&').collect();
    parameters.sort_by_key(|parameter| parameter.split('=').next());
    let query = parameters.join("&");
    assert!(Query::parse(&query).is_ok() || !query.is_empty());
    let text = [method, PUBLISH_KEY, path, &query, body].join("\n");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mac = hmac::sign(&key, text.as_bytes());
    format!("v2.{}", URL_SAFE_NO_PAD.encode(mac))
}
