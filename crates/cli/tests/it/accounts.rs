//! `usher account`, `usher application`, `usher customer`, and a token of theirs
//! from the server that holds them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use serde_json::Value;

use crate::serve::Running;
use crate::usher::{Ran, on, run};

const API_KEY: &str = "partner-api-key-canary-0123456789";

/// What a request to the public address is answered.
fn ask(server: &Running, head: &str, body: &str) -> (u16, Value) {
    let address = server.public.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let request = format!(
        "{head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {API_KEY}\r\n\
         PubNub-Version: 2026-02-09\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

/// A verb asked of a running server.
fn at(server: &Running, key: &str, arguments: &[&str]) -> Ran {
    let connection = ["--json", "--server", &server.internal, "--admin-key", key];
    run(&[arguments, &connection].concat())
}

/// T13: a customer's token through the verbs, each with its exit code.
fn every_verb_takes_it(server: &Running, key: &str, token: &str) {
    let inspected = run(&["inspect", token, "--json"]).yes();
    assert_eq!(inspected["kind"], "oem");
    assert_eq!(inspected["header"]["typ"], "at+jwt");
    assert_eq!(inspected["claims"]["permissions"][0], "dashboard:read");
    let id = inspected["claims"]["jti"].as_str().unwrap();
    assert_eq!(inspected["id"], id.replace('-', ""));
    let two = token.rsplit_once('.').unwrap().0;
    for unreadable in [two, &format!("{token}="), &format!("{token}.")] {
        assert_eq!(run(&["inspect", unreadable]).exit, 3, "{unreadable}");
    }
    let ask = |arguments: &[&str]| at(server, key, arguments).exit;
    let check = ["check", token, "publish", "--channel", "c"];
    assert_eq!(ask(&check), 3, "no token of a keyset");
    assert_eq!(ask(&["verify", token]), 0);
    let mut forged = token.to_owned();
    forged.insert(token.len().saturating_sub(9), 'A');
    assert_eq!(ask(&["verify", &forged]), 3);
    assert_eq!(ask(&["revoke", &forged]), 3, "nothing is revoked");
    assert_eq!(ask(&["verify", token]), 0);
    assert_eq!(ask(&["revoke", token]), 0);
    assert_eq!(ask(&["verify", token]), 2);
    assert_eq!(ask(&["revoke", token]), 0, "once more");
}

/// What a token of the customer is once all of them are revoked.
fn customer_revoked(server: &Running, key: &str, customer: &str, body: &str) -> Value {
    let (_, answer) = ask(server, "POST /v2/oem/access-token", body);
    let token = answer["accessToken"].as_str().unwrap();
    assert_eq!(at(server, key, &["verify", token]).exit, 0);
    let revoked = at(server, key, &["customer", "revoke", customer]).yes();
    assert_eq!(revoked["customer"], customer);
    let verdict = at(server, key, &["verify", token]);
    assert_eq!(verdict.exit, 2);
    verdict.json()["status"].clone()
}

#[test]
fn an_account_is_made_and_issues_tokens() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let create = [
        "account",
        "create",
        "--name",
        "Partner",
        "--api-key",
        API_KEY,
    ];
    let made = on(&data, &create).yes();
    assert_eq!(made["api_key"], API_KEY);
    let keyset = [
        "keyset",
        "create",
        "--name",
        "demo",
        "--subscribe-key",
        "sub-demo",
    ];
    on(&data, &keyset).yes();
    let application =
        on(&data, &["application", "create", "--name", "Game"]).yes()["id"].to_string();
    let add = [
        "application",
        "add-keyset",
        &application,
        "--keyset",
        "sub-demo",
    ];
    let keyset = on(&data, &add).yes()["id"].to_string();
    let create = [
        "customer",
        "create",
        "--external-id",
        "acme",
        "--name",
        "Acme",
    ];
    let customer = on(&data, &[&create[..], &["--keyset", &keyset]].concat()).yes();
    assert_eq!(customer["keysets"][0]["id"].to_string(), keyset);
    let id = customer["id"].as_str().unwrap();
    assert_eq!(on(&data, &["customer", "show", id]).yes(), customer);
    assert_eq!(on(&data, &["customer", "show", "none"]).exit, 1);
    assert_eq!(on(&data, &["customer", "show", "../.."]).exit, 1);
    assert_eq!(on(&data, &create).exit, 1, "an external id is taken once");

    let renewed = on(&data, &["admin-key", "rotate"]).yes();
    let key = renewed["admin_key"].as_str().unwrap().to_owned();
    let server = Running::start(&data, &[]);
    let body = format!(
        r#"{{"permissions":["dashboard:read"],"externalId":"acme","customerUserId":"u-1","appId":{application}}}"#
    );
    let (status, answer) = ask(&server, "POST /v2/oem/access-token", &body);
    assert_eq!(status, 200, "{answer}");
    let token = answer["accessToken"].as_str().unwrap();
    every_verb_takes_it(&server, &key, token);
    assert_eq!(customer_revoked(&server, &key, id, &body), "revoked");
    let (status, keys) = ask(&server, "GET /.well-known/jwks.json", "");
    assert_eq!((status, keys["keys"].as_array().unwrap().len()), (200, 1));
    drop(server);

    it_is_taken_apart(&data, &application);
}

/// Keys come and go, and in the end there is no account.
fn it_is_taken_apart(data: &Path, application: &str) {
    on(data, &["account", "rotate"]).yes();
    let shown = on(data, &["account", "show", "--account", "Partner"]).yes();
    assert_eq!(
        shown["account"]["signing_keys"].as_array().unwrap().len(),
        2
    );
    let second = on(data, &["account", "add-key"]).yes();
    let id = second["id"].as_str().unwrap();
    on(data, &["account", "remove-key", id]).yes();
    on(data, &["application", "delete", application]).yes();
    on(data, &["account", "delete"]).yes();
    let list = on(data, &["account", "list"]).yes();
    assert_eq!(list["accounts"], Value::Array(Vec::new()));
}
