//! The API of a dashboard, for the tokens of customers (oem 2, 4): by checks, by
//! forward-auth, in the gateway and behind a real proxy. Attack T13.

use serde_json::{Value, json};
use token_server::{Caller, Config, Server};

use super::exchange::{Application, Sent, send};
use super::running::Proxy;
use crate::forward_auth::{replace_rules, started};
use crate::harness::{Harness, Reply, SUBSCRIBE_KEY, read_on};
use crate::oem::World;

const RULES: &str = include_str!("../../../../../testdata/rules/dashboards.toml");

/// A server with the rules of the dashboard, for the account of the world.
struct Scene {
    world: World,
    server: Server,
    /// Tokens by name.
    tokens: Vec<(&'static str, String)>,
}

async fn scene(rules: &str) -> Scene {
    let (harness, server, config) = started(0).await;
    let world = World::on(harness).await;
    add_customer(&world, "beta").await;
    let rules = rules_of(rules, world.account);
    put_rules(&world.harness, &server, &config, &rules).await;
    let granted = json!({"ttl": 60, "permissions": {"resources": {"channels": {"room-1": 255}}}});
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}/tokens");
    let channel = world.harness.admin("POST", &path, &granted).await.token();
    let reader = world.token_with(&["dashboard:read"], "acme").await;
    let mut forged = reader.clone();
    forged.insert(reader.len().saturating_sub(9), 'A');
    let tokens = vec![
        ("reader", reader),
        ("forged", forged),
        ("channel", channel),
        ("beta", world.token_with(&["dashboard:read"], "beta").await),
        (
            "writer",
            world
                .token_with(&["dashboard:write", "metric:read"], "acme")
                .await,
        ),
        ("half", world.token_with(&["dashboard:write"], "acme").await),
    ];
    Scene {
        world,
        server,
        tokens,
    }
}

/// Another customer, with a keyset of its own in the same application.
async fn add_customer(world: &World, name: &str) {
    let subscribe_key = format!("sub-{name}");
    let harness = &world.harness;
    harness
        .create(&subscribe_key, "sec-other-0123456789", json!({}))
        .await;
    let body = json!({"application": world.application, "subscribe_key": subscribe_key});
    let keyset = world.made("keysets", &body).await["id"].clone();
    let body = json!({"external_id": name, "name": name, "keysets": [keyset]});
    world.made("customers", &body).await;
}

/// The same rules for another account.
fn rules_of(rules: &str, account: u64) -> String {
    let is_account = |line: &&str| line.starts_with("account = ");
    let line = rules.lines().find(is_account).unwrap();
    rules.replacen(line, &format!("account = {account}"), 1)
}

async fn put_rules(harness: &Harness, server: &Server, config: &Config, rules: &str) {
    let file = harness.dir.path().join("dashboards.toml");
    std::fs::write(&file, rules).unwrap();
    replace_rules(server, config, &file).await;
}

impl Scene {
    fn token(&self, name: &str) -> &str {
        let found = self.tokens.iter().find(|(known, _)| *known == name);
        &found.unwrap().1
    }

    fn headers(&self, token: &str) -> Vec<(String, String)> {
        let bearer = |token: &str| ("authorization".to_owned(), format!("Bearer {token}"));
        match token {
            "" => Vec::new(),
            name => vec![bearer(self.token(name))],
        }
    }

    async fn forward_auth(&self, token: &str, line: &str) -> Reply {
        let (method, target) = line.split_once(' ').unwrap();
        let headers = self.headers(token);
        let mut all = vec![("x-original-method", method), ("x-original-uri", target)];
        all.extend(headers.iter().map(|(name, value)| (&**name, &**value)));
        let harness = &self.world.harness;
        harness
            .internal(Caller::InProcess, "GET", "/v1/auth/nginx", &all, "")
            .await
    }

    async fn gateway(&self, token: &str, line: &str) -> Reply {
        let (method, target) = line.split_once(' ').unwrap();
        let headers = self.headers(token);
        let headers: Vec<_> = headers.iter().map(|(n, v)| (&**n, &**v)).collect();
        let harness = &self.world.harness;
        harness.public(method, target, &headers, "").await
    }

    async fn check(&self, token: &str, line: &str) -> Value {
        let (method, path) = line.split_once(' ').unwrap();
        let mut body = json!({"method": method, "path": path});
        if !token.is_empty() {
            body["token"] = json!(self.token(token));
        }
        let reply = self.world.harness.admin("POST", "/v1/check", &body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()
    }
}

/// Token, request, status of forward-auth, reason.
const DECIDED: [(&str, &str, u16, &str); 16] = [
    ("reader", "GET /dashboards/7", 200, "allowed"),
    ("reader", "GET /profile", 200, "allowed"),
    ("reader", "GET /logo", 200, "allowed"),
    ("", "GET /logo", 200, "allowed"),
    ("", "GET /dashboards/7", 401, "token_required"),
    ("reader", "PUT /dashboards/7", 403, "permission_missing"),
    ("writer", "PUT /dashboards/7", 200, "allowed"),
    ("writer", "DELETE /dashboards/7", 200, "allowed"),
    ("writer", "GET /dashboards/7", 403, "permission_missing"),
    ("half", "PUT /dashboards/7", 403, "permission_missing"),
    ("beta", "GET /dashboards/7", 200, "allowed"),
    ("forged", "GET /dashboards/7", 401, "invalid_token"),
    ("forged", "GET /logo", 401, "invalid_token"),
    ("channel", "GET /profile", 401, "invalid_token"),
    ("reader", "POST /dashboards/7", 403, "unknown_operation"),
    ("reader", "GET /dashboards/7/8", 403, "unknown_operation"),
];

#[tokio::test]
async fn a_dashboard_is_open_to_whom_the_token_permits_it() {
    let scene = scene(RULES).await;
    for (token, line, status, reason) in DECIDED {
        let reply = scene.forward_auth(token, line).await;
        let told = reply.headers["x-usher-reason"].to_str().unwrap();
        assert_eq!((reply.status, told), (status, reason), "{token} {line}");
        let user = reply.headers.get("x-dashboard-user");
        let is_told = status == 200 && !token.is_empty();
        assert_eq!(user.is_some(), is_told, "{token} {line}");
        assert!(user.is_none_or(|user| user == "u-1"));
        let told = scene.check(token, line).await;
        assert_eq!(told["reason"]["code"], reason, "{token} {line}");
        // 501: authorised, and nothing is behind the gateway.
        let passed = scene.gateway(token, line).await.status == 501;
        assert_eq!(passed, status == 200, "{token} {line}");
    }
    let told = scene.check("half", "PUT /dashboards/7").await;
    let missing = json!([{"kind": "customer", "name": "metric:read", "permissions": []}]);
    assert_eq!(told["missing"], missing);
    assert_eq!(told.get("remedy"), None, "no grant gives it: {told}");
}

/// T13: what is good for an account is good for no keyset, and for no other
/// account, whatever is said beside the request.
#[tokio::test]
async fn a_token_of_another_account_opens_no_dashboard() {
    let scene = scene(RULES).await;
    let harness = &scene.world.harness;
    let path = format!("/v1/keysets/{SUBSCRIBE_KEY}/tokens");
    assert!(
        !harness
            .admin("POST", &path, &read_on("room-1"))
            .await
            .token()
            .is_empty()
    );
    let line = json!({"method": "GET", "path": "/dashboards/7", "token": scene.token("reader"),
        "subscribe_key": SUBSCRIBE_KEY});
    let told = harness.admin("POST", "/v1/check", &line).await.json();
    assert_eq!(told["reason"]["code"], "ambiguous_request", "{told}");

    let (other, server, config) = started(0).await;
    let other = World::on(other).await;
    let rules = rules_of(RULES, other.account + 1);
    put_rules(&other.harness, &server, &config, &rules).await;
    let bearer = format!("Bearer {}", other.token().await);
    let headers = [("authorization", bearer.as_str())];
    let asked = [
        ("x-original-method", "GET"),
        ("x-original-uri", "/dashboards/7"),
        headers[0],
    ];
    let owner = Caller::InProcess;
    let reply = other
        .harness
        .internal(owner, "GET", "/v1/auth/nginx", &asked, "")
        .await;
    assert_eq!(reply.status, 403);
    assert_eq!(reply.headers["x-usher-reason"], "wrong_keyset");
}

/// Everything of a customer is taken back at once, and of nobody else; its next
/// token is good, also in the same second.
#[tokio::test]
async fn the_tokens_of_a_customer_are_revoked_together() {
    let scene = scene(RULES).await;
    let customers = scene.world.admin("GET", "/customers", &Value::Null).await;
    let customers = customers.json()["customers"].clone();
    let acme = customers
        .as_array()
        .unwrap()
        .iter()
        .find(|held| held["external_id"] == "acme");
    let acme = acme.unwrap()["id"].as_str().unwrap().to_owned();
    // Its tokens outlive the customer.
    let gone = scene
        .world
        .admin("DELETE", &format!("/customers/{acme}"), &Value::Null)
        .await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    let reason = async |token: &str| {
        let told = scene.check(token, "GET /profile").await;
        told["reason"]["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(reason("writer").await, "allowed");
    for wrong in [
        json!({}),
        json!({"all": false}),
        json!({"customer": acme, "all": true}),
    ] {
        let refused = scene.world.admin("POST", "/revocations", &wrong).await;
        assert_eq!(refused.status, 400, "{wrong}: {}", refused.body);
    }
    let body = json!({ "customer": acme });
    let done = scene.world.admin("POST", "/revocations", &body).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert_eq!(done.json()["kind"], "customer");
    assert_eq!(reason("reader").await, "revoked");
    assert_eq!(reason("writer").await, "revoked");
    assert_eq!(reason("beta").await, "allowed");
    assert!(!scene.world.is_active(scene.token("reader")).await);

    let beta = customers.as_array().unwrap();
    let beta = beta.iter().find(|held| held["external_id"] == "beta");
    let body = json!({ "customer": beta.unwrap()["id"] });
    let done = scene.world.admin("POST", "/revocations", &body).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert_eq!(reason("beta").await, "revoked");
    let next = scene.world.token_with(&["dashboard:read"], "beta").await;
    assert!(scene.world.is_active(&next).await, "issued just after");

    let body = json!({"all": true});
    let done = scene.world.admin("POST", "/revocations", &body).await;
    assert_eq!(
        (done.status, &done.json()["kind"]),
        (200, &json!("account"))
    );
    assert!(!scene.world.is_active(&next).await);
}

/// The rules of `docs/oem.md`, as they stand there.
fn documented() -> &'static str {
    let text = include_str!("../../../../../docs/oem.md");
    let block = text.split("```toml\n").nth(1).unwrap();
    block.split("```").next().unwrap()
}

/// Token, request, status behind nginx with the documented rules.
const BEHIND_NGINX: [(&str, &str, u16); 10] = [
    ("reader", "GET /dashboards/7", 200),
    ("beta", "GET /dashboards/7", 200),
    ("reader", "PUT /dashboards/7", 403),
    ("writer", "PUT /dashboards/7", 200),
    ("writer", "GET /dashboards/7", 403),
    ("", "GET /dashboards/7", 401),
    ("forged", "GET /dashboards/7", 401),
    ("channel", "GET /dashboards/7", 401),
    ("reader", "DELETE /dashboards/7", 403),
    ("reader", "GET /dashboards/7/../8", 403),
];

#[tokio::test]
async fn nginx_protects_a_dashboard_with_the_tokens_of_customers() {
    let scene = scene(documented()).await;
    let application = Application::start().await;
    let usher = scene.server.internal_address();
    let documented = Proxy::Nginx.documented();
    let started = Proxy::Nginx.start(&documented, usher, application.address);
    let Some(proxy) = started.await else {
        return;
    };
    assert_eq!(application.arrived(), []);
    for (token, line, status) in BEHIND_NGINX {
        let (method, target) = line.split_once(' ').unwrap();
        let mut request = Sent::get(target);
        method.clone_into(&mut request.method);
        request.headers = scene.headers(token);
        let reply = send(proxy.address, &request).await.expect("an answer");
        assert_eq!(reply.status, status, "{token} {line}: {reply:?}");
        let arrived: Vec<_> = application.arrived();
        assert_eq!(arrived.len(), usize::from(status == 200), "{token} {line}");
        assert!(arrived.iter().all(|arrived| arrived.target == target));
    }
}
