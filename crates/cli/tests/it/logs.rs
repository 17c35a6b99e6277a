//! What a server that runs tells about its requests, and what it never tells.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use serde_json::Value;

use crate::serve::Running;
use crate::usher::run;

/// Secrets that are this test's own, so that each can be looked for.
const SECRET_KEY: &str = "sec-c-canary-5a7bd1e0c9f24836";
const SIGNATURE: &str = "v2.canaryCanaryCanaryCanaryCanaryCanaryCanary1";

/// A server with a log of its own, before the sandbox.
struct Logged {
    server: Running,
    admin_key: String,
    directory: tempfile::TempDir,
}

impl Logged {
    fn start(format: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let text = format!(
            "upstream = \"sandbox\"\n[[keyset]]\nname = \"demo\"\nsubscribe_key = \"sub-c-demo\"\n\
             publish_key = \"pub-c-demo\"\nsecret_key_file = {:?}\n",
            at("secret").to_str().unwrap()
        );
        std::fs::write(at("usher.toml"), text).unwrap();
        std::fs::write(at("secret"), SECRET_KEY).unwrap();
        let log = File::create(at("log")).unwrap();
        let file = at("usher.toml");
        let more = ["--print-keys", "--log", format, "--config"];
        let more = [&more[..], &[file.to_str().unwrap()]].concat();
        let mut server = Running::logging(&at("data"), &more, log.into());
        let admin_key = server.key("admin key ");
        Self {
            server,
            admin_key,
            directory,
        }
    }

    fn usher(&self, arguments: &[&str]) -> String {
        let connection = ["--json", "--keyset", "sub-c-demo", "--server"];
        let connection = [&connection[..], &[&self.server.internal]].concat();
        let key = ["--admin-key", self.admin_key.as_str()];
        let ran = run(&[arguments, &connection, &key].concat());
        format!("{}{}", ran.stdout, ran.stderr)
    }

    fn public(&self, target: &str, headers: &str) -> String {
        answer(&self.server.public, target, headers)
    }

    fn internal(&self, target: &str, headers: &str) -> String {
        answer(&self.server.internal, target, headers)
    }

    /// What it wrote until it ended.
    fn stop(self) -> String {
        assert_eq!(self.server.stop(), Some(0));
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }
}

/// Head and body of what is answered.
fn answer(url: &str, target: &str, headers: &str) -> String {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {target} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The record of the request with this id.
fn record(log: &str, id: &str) -> Value {
    let records: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    let mut of_request = records
        .iter()
        .filter(|record| record["message"] == "answered" && record["span"]["request_id"] == id);
    let record = of_request
        .next()
        .unwrap_or_else(|| panic!("no {id}: {log}"));
    assert!(of_request.next().is_none(), "{id} twice: {log}");
    record.clone()
}

#[test]
fn every_request_is_one_record_with_its_id_client_and_decision() {
    let logged = Logged::start("json");
    let issued = logged.usher(&["grant", "--channel", "room=read"]);
    let issued: Value = serde_json::from_str(&issued).unwrap();
    let (token, id) = (issued["token"].as_str().unwrap(), issued["id"].as_str());
    let proxied = "X-Request-Id: from-the-proxy\r\nX-Forwarded-For: 198.51.100.1, 203.0.113.7\r\n";
    let subscribe = format!("/v2/subscribe/sub-c-demo/room/0?auth={token}");
    let allowed = logged.public(&subscribe, proxied);
    assert!(allowed.starts_with("HTTP/1.0 200"), "{allowed}");
    assert!(
        allowed.contains("x-request-id: from-the-proxy\r\n"),
        "{allowed}"
    );
    let denied = "X-Request-Id: denied\r\n";
    logged.public(&subscribe.replace("/room/", "/lobby/"), denied);
    logged.public("/nowhere/at/all", "X-Request-Id: nowhere\r\n");
    logged.public("/time/0", "X-Request-Id: upgrade\r\nUpgrade: websocket\r\n");
    let asked = format!(
        "X-Original-Method: GET\r\nX-Original-URI: {subscribe}0\r\nX-Request-Id: asked\r\n"
    );
    logged.internal("/v1/auth/nginx", &asked);
    // One that no log takes is replaced.
    let unfit = logged.public("/time/0", "X-Request-Id: a b\r\n");
    let own = unfit.split("x-request-id: ").nth(1).unwrap();
    let own = own.split("\r\n").next().unwrap().to_owned();
    assert!(own.len() == 16 && own.bytes().all(|byte| byte.is_ascii_hexdigit()));

    let log = logged.stop();
    let subscribed = record(&log, "from-the-proxy");
    assert_eq!(subscribed["method"], "GET");
    assert_eq!(subscribed["path"], "/v2/subscribe/sub-c-demo/room/0");
    assert_eq!(subscribed["status"], 200);
    assert!(subscribed["duration_us"].is_u64());
    let span = &subscribed["span"];
    assert_eq!(span["client"], "203.0.113.7");
    assert_eq!(span["asked"], "subscribe");
    assert_eq!(span["reason"], "allowed");
    assert_eq!(span["token_id"].as_str(), id);
    let rows = [
        ("denied", 403, "permission_missing"),
        ("nowhere", 404, "unknown_operation"),
        ("upgrade", 400, "invalid_request"),
        ("asked", 403, "invalid_token"),
    ];
    for (request_id, status, reason) in rows {
        let record = record(&log, request_id);
        assert_eq!(record["status"], status, "{record}");
        assert_eq!(record["span"]["reason"], reason, "{record}");
        assert_eq!(record["span"]["client"], "127.0.0.1", "{record}");
    }
    assert_eq!(record(&log, &own)["status"], 200);
    // A record of another kind is the request's, too.
    let issued = log.lines().find(|line| line.contains("token issued"));
    let issued: Value = serde_json::from_str(issued.unwrap()).unwrap();
    assert_eq!(issued["span"]["client"], "127.0.0.1");
    assert!(issued["span"]["request_id"].is_string());
}

/// Attack H06: real requests, their secrets in every place where they may go
/// astray; none of them shows in a log, a metric, the check of the
/// configuration or an answer.
#[test]
fn h06_no_secret_of_a_real_flow_shows_anywhere() {
    for format in ["text", "json"] {
        let logged = Logged::start(format);
        let issued = logged.usher(&[
            "grant",
            "--channel",
            "room=read",
            "--channel-pattern",
            "^r-.*$=read",
        ]);
        let issued: Value = serde_json::from_str(&issued).unwrap();
        let token = issued["token"].as_str().unwrap().to_owned();
        let (bare, admin_key) = (token.trim_end_matches('='), logged.admin_key.clone());
        let mut sinks = Vec::new();
        let mut secrets = vec![token.as_str(), SECRET_KEY, SIGNATURE, &admin_key];
        for secret in [token.as_str(), bare, SECRET_KEY, SIGNATURE, &admin_key] {
            sinks.extend(astray(&logged, secret));
        }
        let verifiers = logged.internal("/v1/auth/nginx", &format!("X-Original-Method: GET\r\nX-Original-URI: /v2/subscribe/sub-c-demo/x/0?auth={token}&signature={SIGNATURE}\r\n"));
        sinks.push(verifiers);
        sinks.push(logged.usher(&["revoke", &token]));
        sinks.push(logged.usher(&["check", &token, "subscribe", "--channel", "room"]));
        sinks.push(logged.internal("/metrics", ""));
        let file = logged.directory.path().join("usher.toml");
        sinks.push(checked(&file));
        let text = std::fs::read_to_string(&file).unwrap();
        let broken = text.replace("secret_key_file", &format!("secret_key = {SECRET_KEY:?} #"));
        std::fs::write(&file, broken).unwrap();
        sinks.push(checked(&file));
        let log = logged.stop();
        assert!(
            log.contains("token issued") && log.contains("answered"),
            "{log}"
        );
        assert!(log.lines().count() > 50, "{log}");
        sinks.push(log);
        secrets.push(bare);
        for secret in secrets {
            let leak = sinks.iter().find(|sink| sink.contains(secret));
            assert_eq!(leak, None, "{secret}");
        }
    }
}

fn checked(file: &Path) -> String {
    let ran = run(&["config", "check", file.to_str().unwrap()]);
    format!("{}{}", ran.stdout, ran.stderr)
}

/// What is answered to requests with `secret` where it does and does not belong.
fn astray(logged: &Logged, secret: &str) -> Vec<String> {
    let targets = [
        format!("/v2/subscribe/sub-c-demo/room/0?auth={secret}"),
        format!("/v2/subscribe/sub-c-demo/lobby/0?auth={secret}&auth={secret}"),
        format!("/v2/subscribe/{secret}/room/0?signature={secret}&timestamp=1"),
        format!("/v2/history/sub-key/sub-c-demo/channel/x?signature={secret}&auth={secret}"),
        format!("/v1/datasync/subkeys/sub-c-demo/entities?auth={secret}&signature={secret}"),
        format!("/v3/pam/sub-c-demo/grant/{secret}?timestamp=1&signature={secret}"),
        format!("/v3/pam/{secret}/grant?timestamp=1&signature={secret}"),
        format!("/{secret}?{secret}"),
        format!("/v1/keysets/{secret}/tokens"),
        format!("/time/0?auth={secret}"),
    ];
    let headers = [
        String::new(),
        format!("Authorization: Bearer {secret}\r\n"),
        format!("Cookie: token={secret}\r\nReferer: http://a/?auth={secret}\r\n"),
        format!("X-Request-Id: {secret} \"\r\nX-Forwarded-For: {secret}\r\n"),
        format!("{secret}\r\n"),
    ];
    let mut answers = Vec::new();
    for target in &targets {
        for headers in &headers {
            answers.push(logged.public(target, headers));
            answers.push(logged.internal(target, headers));
        }
    }
    answers
}
