//! `usher account`, `usher application`, `usher customer`, and a token of theirs
//! from the server that holds them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::serve::Running;
use crate::usher::on;

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

    let server = Running::start(&data, &[]);
    let body = format!(
        r#"{{"permissions":["dashboard:read"],"externalId":"acme","customerUserId":"u-1","appId":{application}}}"#
    );
    let (status, answer) = ask(&server, "POST /v2/oem/access-token", &body);
    assert_eq!(status, 200, "{answer}");
    assert!(answer["accessToken"].as_str().unwrap().split('.').count() == 3);
    let (status, keys) = ask(&server, "GET /.well-known/jwks.json", "");
    assert_eq!((status, keys["keys"].as_array().unwrap().len()), (200, 1));
    drop(server);

    on(&data, &["account", "rotate"]).yes();
    let shown = on(&data, &["account", "show", "--account", "Partner"]).yes();
    assert_eq!(
        shown["account"]["signing_keys"].as_array().unwrap().len(),
        2
    );
    let second = on(&data, &["account", "add-key"]).yes();
    let id = second["id"].as_str().unwrap();
    on(&data, &["account", "remove-key", id]).yes();
    on(&data, &["application", "delete", &application]).yes();
    on(&data, &["account", "delete"]).yes();
    let list = on(&data, &["account", "list"]).yes();
    assert_eq!(list["accounts"], Value::Array(Vec::new()));
}
