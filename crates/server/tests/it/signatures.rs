//! testdata/signatures: contract 1.1, contract 1.2, contract 1.3,
//! contract 1.4 and contract 1.5; attacks S03, S04, S05, S06.

use serde::Deserialize;
use token_server::{Accept, Query, QueryError, SignedRequest, SigningKeys};

use crate::case_file::cases;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    expect: Expect,
    accept: Forms,
    method: String,
    path: String,
    query: String,
    #[serde(default)]
    body: String,
    secret_key: String,
    publish_key: String,
    subscribe_key: String,
    signature: String,
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Valid,
    Mismatch,
    Duplicate,
    Percent,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Forms {
    Strict,
    Publish,
}

fn outcome(case: &Case) -> Expect {
    let query = match Query::parse(&case.query) {
        Ok(query) => query,
        Err(QueryError::Duplicate { .. }) => return Expect::Duplicate,
        Err(_) => return Expect::Percent,
    };
    let request = SignedRequest {
        method: &case.method,
        path: &case.path,
        query: &query,
        body: case.body.as_bytes(),
    };
    let keys = SigningKeys {
        subscribe_key: &case.subscribe_key,
        publish_key: &case.publish_key,
        secret_key: &case.secret_key,
        previous_secret_key: None,
    };
    let accept = match case.accept {
        Forms::Strict => Accept::Strict,
        Forms::Publish => Accept::PublishToo,
    };
    match request.verify(case.signature.as_bytes(), &keys, accept) {
        Ok(()) => Expect::Valid,
        Err(_) => Expect::Mismatch,
    }
}

fn run(text: &str, at_least: usize) {
    for case in &cases::<Case>(text, at_least) {
        assert_eq!(outcome(case), case.expect, "{}", case.name);
    }
}

#[test]
fn a_query_may_have_256_parameters_and_no_more() {
    let query = |n: usize| (0..n).map(|i| format!("p{i}=&")).collect::<String>();
    assert!(Query::parse(&query(256)).is_ok());
    assert_eq!(Query::parse(&query(257)).unwrap_err(), QueryError::TooMany);
}

#[test]
fn every_sdk_vector_and_worked_example_is_accepted() {
    run(
        include_str!("../../../../testdata/signatures/valid.toml"),
        30,
    );
}

#[test]
fn every_forged_or_shifted_signature_is_refused() {
    run(
        include_str!("../../../../testdata/signatures/refused.toml"),
        45,
    );
}

/// Every single byte of a signed request is under the signature (S03).
#[test]
fn no_byte_of_a_signed_request_can_change() {
    let valid = include_str!("../../../../testdata/signatures/valid.toml");
    let case = cases::<Case>(valid, 1).remove(0);
    assert_eq!(outcome(&case), Expect::Valid);
    let mut tried = 0;
    for field in 0..4 {
        let original = [&case.method, &case.path, &case.query, &case.body][field].clone();
        for at in 0..original.len() {
            let mut bytes = original.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else {
                continue;
            };
            let mut other = Case {
                name: String::new(),
                expect: Expect::Mismatch,
                accept: Forms::Publish,
                method: case.method.clone(),
                path: case.path.clone(),
                query: case.query.clone(),
                body: case.body.clone(),
                secret_key: case.secret_key.clone(),
                publish_key: case.publish_key.clone(),
                subscribe_key: case.subscribe_key.clone(),
                signature: case.signature.clone(),
            };
            *[
                &mut other.method,
                &mut other.path,
                &mut other.query,
                &mut other.body,
            ][field] = changed;
            assert_ne!(outcome(&other), Expect::Valid, "field {field}, byte {at}");
            tried += 1;
        }
    }
    assert!(tried > 150);
}
