//! Rule files: what they say of a request, and what is wrong with them.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use token_core::limits::{RULE_CAPTURES_MAX, RULE_PATH_BYTES_MAX, RULES_MAX};
use token_policy::{Family, InvalidRules, Keyset, Requirement, RuleSet};

use crate::token::SUBSCRIBE_KEY;

fn text(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/rules");
    fs::read_to_string(folder.join(file)).unwrap()
}

/// A rule file of testdata.
pub(crate) fn rule_set(file: &str) -> RuleSet {
    RuleSet::parse([(file, text(file).as_str())]).unwrap_or_else(|error| panic!("{error}"))
}

/// `Name: value` as a pair.
pub(crate) fn headers(lines: &[String]) -> Vec<(String, String)> {
    let pair = |line: &String| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_owned(), value.to_owned())
    };
    lines.iter().map(pair).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requests {
    case: Vec<RequestCase>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestCase {
    rules: String,
    request: String,
    #[serde(default)]
    headers: Vec<String>,
    error: Option<String>,
    rule: Option<String>,
    #[serde(default)]
    targets: Vec<String>,
    /// The account whose tokens are good, in place of the keyset's.
    account: Option<String>,
    #[serde(default)]
    customer: Vec<String>,
    token: Option<String>,
    uuid: Option<String>,
    uuid_header: Option<String>,
    #[serde(default)]
    upgrade: bool,
}

/// Attacks N02, N03, N07.
#[test]
fn a_request_is_read_by_one_rule_or_refused() {
    let file: Requests = toml::from_str(&text("requests.toml")).unwrap();
    for case in &file.case {
        check_request(case);
    }
}

fn check_request(case: &RequestCase) {
    let rules = rule_set(&case.rules);
    let (method, target) = case.request.split_once(' ').unwrap();
    let headers = headers(&case.headers);
    let found = match rules.classify(method, target, headers.as_slice()) {
        Ok(found) => found,
        Err(error) => {
            assert_eq!(Some(error.to_string()), case.error, "{}", case.request);
            return;
        }
    };
    assert_eq!(case.error, None, "{}: {found:?}", case.request);
    assert_eq!(Some(found.asked().name()), case.rule.as_deref(), "{case:?}");
    assert_eq!(found.family, Family::Http);
    let keyset = case.account.is_none().then_some(SUBSCRIBE_KEY);
    assert_eq!(found.subscribe_key, keyset, "{case:?}");
    assert_eq!(found.account, case.account.as_deref(), "{case:?}");
    assert_eq!(found.uuid.as_deref(), case.uuid.as_deref(), "{case:?}");
    let token = found.token.as_ref().map(token_policy::Token::as_str);
    assert_eq!(token, case.token.as_deref(), "{case:?}");
    let header = case.uuid_header.as_deref();
    assert_eq!(found.uuid_header, header, "{case:?}");
    assert_eq!(found.upgrade, case.upgrade, "{case:?}");
    let request = found.request(Keyset::new(SUBSCRIBE_KEY));
    let caller_is_token = header.is_some() || case.account.is_some() && case.uuid.is_none();
    assert_eq!(request.caller_is_token, caller_is_token, "{case:?}");
    let customer = match request.asked.requirement() {
        Requirement::Customer(needed) => needed.iter().map(ToString::to_string).collect(),
        Requirement::Public
        | Requirement::Token
        | Requirement::SecretKey
        | Requirement::Listing(_)
        | Requirement::Names(_)
        | Requirement::Each(_)
        | Requirement::Collection(_)
        | Requirement::Record(_)
        | Requirement::NewRecord(_) => Vec::new(),
    };
    assert_eq!(customer, case.customer, "{case:?}");
    let needed = if let Requirement::Each(needed) = request.asked.requirement() {
        needed
    } else {
        &[]
    };
    let names = request.targets.names().iter().zip(needed);
    let targets: Vec<_> = names
        .map(|(target, needed)| format!("{} {} {needed}", target.kind, target.name))
        .collect();
    assert_eq!(targets, case.targets, "{case:?}");
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    case: Vec<FaultCase>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultCase {
    name: String,
    /// What stands before the rules; the usual five lines unless said.
    head: Option<String>,
    rules: String,
    findings: Vec<String>,
}

const HEAD: &str = "keyset = \"sub-c-demo\"\n\n[token]\nbearer = true\n\n";

/// Every finding with its line, column, severity, code and text.
#[test]
fn every_fault_of_a_rule_file_is_found_where_it_stands() {
    let file: Faults = toml::from_str(&text("faults.toml")).unwrap();
    for case in &file.case {
        let text = format!("{}{}", case.head.as_deref().unwrap_or(HEAD), case.rules);
        let parsed = RuleSet::parse([("f", text.as_str())]);
        let found = match &parsed {
            Ok(rules) => rules.warnings(),
            Err(error) => error.findings(),
        };
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, case.findings, "{}\n{text}", case.name);
        let errors = found.iter().any(|line| line.contains(": error: "));
        assert_eq!(parsed.is_err(), errors, "{}", case.name);
    }
}

fn with_rules(rules: usize, path: impl Fn(usize) -> String) -> Result<RuleSet, InvalidRules> {
    let rules = (0..rules).map(|number| {
        format!(
            "[[rule]]\nname = \"{number}\"\nmethods = [\"GET\"]\npath = '{}'\npublic = true\n",
            path(number)
        )
    });
    let text = format!("{HEAD}{}", rules.collect::<String>());
    RuleSet::parse([("f", text.as_str())])
}

#[test]
fn the_bounds_of_rule_files_are_those_that_are_said() {
    let many = |rules| with_rules(rules, |number| format!("^/{number}$"));
    assert_eq!(many(RULES_MAX).unwrap().names().count(), RULES_MAX);
    let error = many(RULES_MAX + 1).unwrap_err();
    assert_eq!(error.findings()[0].code, "too_many_rules");

    let long = |bytes| with_rules(1, |_| format!("^/{}$", "a".repeat(bytes - 3)));
    assert!(long(RULE_PATH_BYTES_MAX).is_ok());
    let error = long(RULE_PATH_BYTES_MAX + 1).unwrap_err();
    assert_eq!(error.findings()[0].code, "path_too_large");

    let captures = |count| {
        let parts = (0..count).map(|number| format!("/(?<c{number}>[a-z]+)"));
        let parts: String = parts.collect();
        with_rules(1, |_| format!("^{parts}$"))
    };
    assert!(captures(RULE_CAPTURES_MAX).is_ok());
    let error = captures(RULE_CAPTURES_MAX + 1).unwrap_err();
    assert_eq!(error.findings()[0].code, "too_many_captures");
}

#[test]
fn rules_of_two_files_may_not_meet() {
    let one = text("chat.toml");
    let two = one.replace("sub-c-demo", "sub-c-other");
    let error = RuleSet::parse([("a", one.as_str()), ("b", two.as_str())]).unwrap_err();
    let first = error.findings()[0].to_string();
    assert_eq!(
        first,
        "b:12:1: error: there are two rules `read-messages` [duplicate_name]"
    );
    let shop = text("shop.toml");
    let both = RuleSet::parse([("a", one.as_str()), ("b", shop.as_str())]).unwrap();
    assert_eq!(both.uuid_headers().collect::<Vec<_>>(), ["x-shop-user"]);
    let asked = both.classify("GET", "/me", token_policy::NoHeaders);
    assert_eq!(asked.unwrap().asked().name(), "me");
}

#[test]
fn a_rule_for_a_request_that_is_an_operation_is_found() {
    let shared = |paths: &[&str]| {
        let set = with_rules(paths.len(), |number| paths[number].to_owned()).unwrap();
        set.shared_with_operations()
    };
    assert!(shared(&["^/rooms/[^/]+$", "^/time/1$"]).is_empty());
    assert_eq!(
        shared(&["^/rooms$", "^/time/[^/]+$"]),
        ["`GET /time/0` is of the rule `1` and of an operation"]
    );
    assert_eq!(shared(&["^/.*$"]).len(), 1);
    assert!(rule_set("chat.toml").shared_with_operations().is_empty());
}
