//! Usher behind real proxies, with the configurations of `docs/proxies`: what
//! reaches the application is what Usher allowed. Attacks F01 to F06.

mod dashboards;
mod exchange;
mod relay;
pub(crate) mod running;

use core::time::Duration;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use crate::case_file::cases;
use crate::forward_auth::{Words, trusting, words};
use crate::harness::Harness;
use crate::log::Log;

use exchange::{Application, Arrived, Sent, send};
use relay::{Relay, Way};
use running::{Proxy, Running};

/// A request to a proxy, and what becomes of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(rename = "attack")]
    _attack: Option<String>,
    #[serde(default = "get")]
    method: String,
    target: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    /// Of every proxy that `by` does not name.
    outcome: Option<Outcome>,
    #[serde(default)]
    by: BTreeMap<String, Outcome>,
}

fn get() -> String {
    "GET".to_owned()
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outcome {
    status: u16,
    /// The code of a denial. Absent: the proxy refuses by itself.
    reason: Option<String>,
    /// The target that reaches the application; `as sent` for the same.
    arrives: Option<String>,
}

/// No header of these names may reach the application from a client.
const NOT_FROM_CLIENTS: [&str; 14] = [
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    "x-original-method",
    "x-original-uri",
    "x-forwarded-method",
    "x-forwarded-uri",
    "x-usher-reason",
    "x-usher-rule",
    "x-usher-operation",
    "x-usher-token-id",
    "x-usher-expires-at",
];

/// Everything around one proxy.
struct Scene {
    harness: Harness,
    words: Words,
    relay: Relay,
    application: Application,
    proxy: Running,
    _usher: token_server::Server,
}

impl Scene {
    async fn with(proxy: Proxy) -> Option<Self> {
        let (harness, usher) = trusting().await;
        let words = words(&harness).await;
        let relay = Relay::to(usher.internal_address()).await;
        let application = Application::start().await;
        let documented = proxy.documented();
        let proxy = proxy
            .start(&documented, relay.address, application.address)
            .await?;
        assert_eq!(application.arrived(), []);
        Some(Self {
            harness,
            words,
            relay,
            application,
            proxy,
            _usher: usher,
        })
    }

    fn request(&self, case: &Case) -> Sent {
        let said = |(name, value): &(String, String)| (name.clone(), self.words.of(value));
        Sent {
            method: case.method.clone(),
            target: self.words.of(&case.target),
            headers: case.headers.iter().map(said).collect(),
            body: case.body.clone(),
        }
    }

    async fn outcome(&self, request: &Sent) -> (Outcome, Vec<Arrived>) {
        let reply = send(self.proxy.address, request).await.expect("an answer");
        let arrived = self.application.arrived();
        let reason = reply.header("x-usher-reason").to_owned();
        let outcome = Outcome {
            status: reply.status,
            reason: Some(reason).filter(|reason| !reason.is_empty()),
            arrives: arrived.first().map(|arrived| arrived.target.clone()),
        };
        (outcome, arrived)
    }

    /// The status, once it is `expected` or a deadline has passed.
    async fn status_until(&self, request: &Sent, expected: u16) -> u16 {
        let mut status = 0;
        let becomes = async {
            while status != expected {
                tokio::time::sleep(Duration::from_millis(20)).await;
                status = self.outcome(request).await.0.status;
            }
        };
        // Whether in time or not, the last status is the answer.
        drop(timeout(Duration::from_secs(20), becomes).await);
        status
    }

    /// What is wrong about something that arrived, whatever was sent.
    async fn faults(&self, arrived: &Arrived) -> Vec<String> {
        let mut faults = Vec::new();
        let line = json!({"method": arrived.method, "path": arrived.target});
        let reply = self.harness.admin("POST", "/v1/check", &line).await.json();
        if reply["decision"] != "allow" {
            faults.push(format!("{arrived:?} arrived and is not allowed: {reply}"));
        }
        for name in NOT_FROM_CLIENTS {
            if arrived.header(name).contains("spoof") {
                faults.push(format!("{name} of the client arrived"));
            }
        }
        faults
    }
}

async fn every_case(proxy: Proxy) {
    let log = Log::of_this_thread();
    let Some(scene) = Scene::with(proxy).await else {
        return;
    };
    let file = include_str!("../../../../testdata/forward-auth/proxied.toml");
    let cases: Vec<Case> = cases(file, 70);
    let mut wrong = Vec::new();
    for case in &cases {
        let request = scene.request(case);
        let (outcome, arrived) = scene.outcome(&request).await;
        let mut expected = case.by.get(proxy.name()).or(case.outcome.as_ref()).cloned();
        for target in expected
            .iter_mut()
            .filter_map(|expected| expected.arrives.as_mut())
        {
            *target = match target.as_str() {
                "as sent" => request.target.clone(),
                other => scene.words.of(other),
            };
        }
        let mut faults = Vec::new();
        if expected.as_ref() != Some(&outcome) {
            faults.push(format!("{outcome:?}, not {expected:?}"));
        }
        if arrived
            .iter()
            .any(|arrived| arrived.method != case.method || arrived.body != case.body)
        {
            faults.push(format!("{arrived:?}"));
        }
        if arrived.len() > 1 {
            faults.push("arrived more than once".to_owned());
        }
        for arrived in &arrived {
            faults.extend(scene.faults(arrived).await);
        }
        for fault in faults {
            wrong.push(format!("{}: {fault}", case.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n{}",
        wrong.join("\n"),
        scene.proxy.log()
    );
    check_log(proxy, &log.text());
}

/// Attack F06: denials name the client that the proxy saw, and no address that
/// a client wrote.
fn check_log(proxy: Proxy, log: &str) {
    let is_denial = |line: &&str| line.contains("answered") && !line.contains("reason=\"allowed\"");
    let denials = log.lines().filter(is_denial);
    let clients: Vec<&str> = denials
        .filter(|line| line.contains("path=\"/v1/auth/"))
        .filter_map(|line| line.split_once("client=")?.1.split([' ', '}']).next())
        .collect();
    assert!(clients.len() > 40, "{log}");
    assert!(!log.contains("198.51.100.1"), "{log}");
    // For a peer on loopback Envoy writes the address of its own machine.
    let known = |client: &&str| proxy == Proxy::Envoy || *client == "127.0.0.1";
    assert!(clients.iter().all(known), "{clients:?}");
}

#[tokio::test]
async fn nginx_passes_on_what_usher_allows_and_nothing_else() {
    every_case(Proxy::Nginx).await;
}

#[tokio::test]
async fn caddy_passes_on_what_usher_allows_and_nothing_else() {
    every_case(Proxy::Caddy).await;
}

#[tokio::test]
async fn traefik_passes_on_what_usher_allows_and_nothing_else() {
    every_case(Proxy::Traefik).await;
}

#[tokio::test]
async fn envoy_passes_on_what_usher_allows_and_nothing_else() {
    every_case(Proxy::Envoy).await;
}

/// What an authorizer that is out of order answers.
const DISORDER: [Way; 6] = [
    Way::Closed,
    Way::Answered("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"),
    Way::Answered("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
    Way::Answered("HTTP/1.1 302 Found\r\nLocation: /time/0\r\nContent-Length: 0\r\n\r\n"),
    Way::Answered("200 OK\r\n\r\n"),
    Way::Silent,
];

/// Attack F05.
async fn every_disorder(proxy: Proxy) {
    let Some(scene) = Scene::with(proxy).await else {
        return;
    };
    let allowed = Sent::get(&scene.words.of("/v2/subscribe/{SUB}/room/0?auth={ROOM}"));
    for way in DISORDER {
        scene.relay.turn(way);
        let (outcome, _) = scene.outcome(&allowed).await;
        assert_denied(way, &outcome);
        scene.relay.turn(Way::Through);
        assert_eq!(
            scene.status_until(&allowed, 200).await,
            200,
            "after {way:?}"
        );
    }
    let Scene {
        relay,
        application,
        proxy,
        ..
    } = scene;
    relay.stop().await;
    let reply = send(proxy.address, &allowed).await.expect("an answer");
    assert!(reply.status >= 400, "{reply:?}");
    assert_eq!(application.arrived(), []);
}

fn assert_denied(way: Way, outcome: &Outcome) {
    assert!(
        outcome.status >= 300 && outcome.arrives.is_none(),
        "{way:?}: {outcome:?}"
    );
}

#[tokio::test]
async fn f05_nginx_denies_when_usher_is_down_slow_or_out_of_order() {
    every_disorder(Proxy::Nginx).await;
}

#[tokio::test]
async fn f05_caddy_denies_when_usher_is_down_slow_or_out_of_order() {
    every_disorder(Proxy::Caddy).await;
}

/// Traefik waits for half a minute, and cannot be told otherwise.
#[tokio::test]
async fn f05_traefik_denies_when_usher_is_down_slow_or_out_of_order() {
    every_disorder(Proxy::Traefik).await;
}

#[tokio::test]
async fn f05_envoy_denies_when_usher_is_down_slow_or_out_of_order() {
    every_disorder(Proxy::Envoy).await;
}
