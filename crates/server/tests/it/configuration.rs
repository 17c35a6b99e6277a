//! `usher.toml` and `USHER_*`.

use token_server::{Config, ConfigError};

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("usher.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(Some(&file), |name| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn nothing_configured_is_the_embedded_default() {
    assert_eq!(Config::load(None, |_| None).unwrap(), Config::default());
    assert_eq!(Config::default().listen.to_string(), "127.0.0.1:8080");
    assert_eq!(
        Config::default().internal_listen.to_string(),
        "127.0.0.1:8081"
    );
}

#[test]
fn a_variable_wins_over_the_file() {
    let text = "listen = \"0.0.0.0:1\"\ndata_dir = \"a\"\n[limits]\nconnections = 5\n";
    let config = load(
        text,
        &[
            ("USHER_LISTEN", "127.0.0.1:2"),
            ("USHER_LIMITS_HEAD_SECONDS", "3"),
        ],
    );
    let config = config.unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:2");
    assert_eq!(config.data_dir.to_str(), Some("a"));
    assert_eq!(config.limits.connections, 5);
    assert_eq!(config.limits.head.as_secs(), 3);
    let peers = load("", &[("USHER_TRUSTED_PEERS", "10.0.0.0/8, ::1")])
        .unwrap()
        .trusted_peers;
    assert_eq!(peers.len(), 2);
    let kept = load("cache_seconds = 1\n", &[("USHER_CACHE_SECONDS", "10")]);
    assert_eq!(kept.unwrap().cache_seconds, 10);
}

#[test]
fn every_mistake_is_told_with_its_place_and_without_its_value() {
    let keyset = "[[keyset]]\nname = \"n\"\nsubscribe_key = \"s\"\npublish_key = \"p\"\n";
    let rows = [
        (
            "\nlsten = \"canary\"\n",
            "line 2: unknown field `lsten`, expected one of",
        ),
        (
            "listen = \"canary\"\n",
            "line 1: the value or the syntax is not what belongs here",
        ),
        ("listen = canary\n", "line 1: the value or the syntax"),
        ("trusted_peers = [\"canary\"]\n", "`trusted_peers` must be"),
        (
            "cache_seconds = 11\n",
            "`cache_seconds` must be a whole number, at most 10",
        ),
        ("[limits]\nconections = 1\n", "unknown field `conections`"),
        (
            &format!("{keyset}secret_key = \"canary\"\n"),
            "unknown field `secret_key`",
        ),
        (
            keyset,
            "the keyset `n`: give `secret_key_file` or `secret_key_env`",
        ),
        (
            &format!("{keyset}secret_key_env = \"NOT_SET\"\n"),
            "the variable of `secret_key_env` is not set",
        ),
        (
            &format!("{keyset}secret_key_file = \"/nonexistent\"\n"),
            "cannot read /nonexistent",
        ),
    ];
    for (text, expected) in rows {
        let error = load(text, &[]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
    let error = load("", &[("USHER_LISTEN", "canary")])
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "`USHER_LISTEN` must be an address with a port, such as 127.0.0.1:8080"
    );
}

#[test]
fn every_mistake_is_told_at_once() {
    let text = "listen = 5\ntrusted_peers = [\"x\"]\nlsten = 1\n\n[limits]\nconnections = 0\n\
                head_seconds = \"a\"\n\n[[keyset]]\nname = \"a\"\n\n[[keyset]]\nnme = \"b\"\n";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("usher.toml");
    let check = |text: &str, variables: &[(&str, &str)]| {
        std::fs::write(&file, text).unwrap();
        let errors = Config::check(Some(&file), |name| {
            let known = variables.iter().find(|(known, _)| *known == name);
            known.map(|(_, value)| (*value).to_owned())
        });
        let errors = errors.unwrap_err();
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let path = format!("{}, ", file.display());
        told.join("\n").replace(&path, "")
    };
    let told = check(text, &[]);
    let starts = ["line 1: the value", "line 3: unknown field `lsten`"];
    let more = ["line 6: the value", "line 7: the value"];
    let keysets = ["line 9: missing field", "line 13: unknown field `nme`"];
    for start in [starts, more, keysets].concat() {
        assert!(told.contains(start), "{start} in\n{told}");
    }
    assert_eq!(told.lines().count(), 6, "{told}");
    // What is no document at all is told by itself.
    let told = check("listen = \n[limits\nlsten = 1\n", &[]);
    assert!(told.starts_with("line 1: "), "{told}");
    // Values that only the meaning refuses, of the file and of variables.
    let keyset = "[[keyset]]\nname = \"n\"\nsubscribe_key = \"s\"\npublish_key = \"p\"\n\
                  secret_key_env = \"KEY\"\n";
    let twice = format!("trusted_peers = [\"x\"]\n{keyset}{keyset}");
    let told = check(
        &twice,
        &[
            ("KEY", "sec-0123456789abcdef"),
            ("USHER_LIMITS_STREAMS", "0"),
        ],
    );
    assert!(
        told.contains("`USHER_LIMITS_STREAMS` must be a whole number"),
        "{told}"
    );
    assert!(told.contains("`trusted_peers` must be"), "{told}");
    assert!(told.contains("another `[[keyset]]` has the same"), "{told}");
    let told = check(keyset, &[("KEY", "canary")]);
    assert!(
        told.contains("the keyset `n`: a secret key has at least"),
        "{told}"
    );
}

/// The keys that the reader knows, in the table `prefix`.
fn known_keys(prefix: &str) -> Vec<String> {
    let error = load(&format!("{prefix}\nno_such_key = 1\n"), &[])
        .unwrap_err()
        .to_string();
    let (_, list) = error.split_once("expected one of ").unwrap();
    let keys = list.split(", ").map(|key| key.trim_matches('`').to_owned());
    keys.collect()
}

#[test]
fn the_default_file_is_the_defaults_and_names_every_key() {
    assert_eq!(load(Config::DEFAULT_FILE, &[]).unwrap(), Config::default());
    let tables = [
        ("", ""),
        ("[audit]", "audit"),
        ("[limits]", "limits"),
        ("[[keyset]]", "keyset"),
    ];
    for (heading, table) in tables {
        let keys = known_keys(heading);
        assert!(keys.len() > 3, "{keys:?}");
        for key in keys {
            let heading = ["audit", "limits", "keyset"].contains(&key.as_str()) && table.is_empty();
            let named = Config::DEFAULT_FILE.lines().any(|line| {
                let line = line.strip_prefix("# ").unwrap_or(line);
                if heading {
                    return line.trim_matches(['[', ']']) == key;
                }
                line.starts_with(&format!("{key} = "))
            });
            assert!(named, "`{key}` is not in the default file");
        }
    }
    // What is commented out is right too.
    let example = |line: &str| line.starts_with("# ") && line.contains(" = ");
    let lines = Config::DEFAULT_FILE.lines();
    let mut examples: Vec<&str> = lines
        .map(|line| {
            if example(line) {
                line.trim_start_matches("# ")
            } else {
                line
            }
        })
        .collect();
    let is_file = |line: &str| line.contains("_key_file = ");
    examples.retain(|line| !is_file(line));
    let examples = examples.join("\n").replace("# [[keyset]]", "[[keyset]]");
    let config = load(&examples, &[("DEMO_SECRET_KEY", "sec-c-0123456789abcdef")]).unwrap();
    assert_eq!(config.keysets.len(), 1);
    assert!(config.internal_tls.unwrap().clients.is_some());
}

#[test]
fn every_key_has_a_variable_that_works() {
    let asked = core::cell::RefCell::new(Vec::new());
    let defaults = Config::load(None, |name| {
        asked.borrow_mut().push(name.to_owned());
        None
    });
    assert_eq!(defaults.unwrap(), Config::default());
    let mut asked = asked.into_inner();
    let top = known_keys("").into_iter();
    let top = top.filter(|key| !["audit", "limits", "keyset"].contains(&key.as_str()));
    let of_table = |table: &str| {
        let keys = known_keys(&format!("[{table}]")).into_iter();
        keys.map(|key| format!("{table}_{key}")).collect::<Vec<_>>()
    };
    let limits = [of_table("limits"), of_table("audit")].concat();
    let mut expected: Vec<String> = top
        .chain(limits)
        .map(|key| format!("USHER_{}", key.to_uppercase()))
        .collect();
    // The key itself stands in no file of the configuration.
    let keys = ["USHER_MASTER_KEY", "USHER_CLUSTER_KEY", "USHER_FEED_KEY"];
    asked.retain(|name| !keys.contains(&name.as_str()));
    asked.sort();
    expected.sort();
    assert_eq!(asked, expected);
    // Each changes something, with what belongs to it.
    let public = ["USHER_TLS_CERTIFICATE", "USHER_TLS_KEY"];
    let internal = ["USHER_INTERNAL_TLS_CERTIFICATE", "USHER_INTERNAL_TLS_KEY"];
    let authority = ["USHER_INTERNAL_CLIENT_CA"];
    let dir = tempfile::tempdir().unwrap();
    let master_key = dir.path().join("master.key");
    let random = "8f1d5c0a7be94263d0f4a91c6e3728b5417fce098ad2b6533e90c7d1f86a24bb";
    std::fs::write(&master_key, random).unwrap();
    for name in &asked {
        let beside: Vec<&str> = match name.as_str() {
            "USHER_TLS_CERTIFICATE" | "USHER_TLS_KEY" => public.to_vec(),
            name if internal.contains(&name) => internal.to_vec(),
            name if name.contains("INTERNAL_CLIENT") => [&internal[..], &authority].concat(),
            _ => Vec::new(),
        };
        let config = Config::load(None, |asked| {
            let value = match asked {
                "USHER_INTERNAL_ALLOW_REMOTE" => "true",
                "USHER_INTERNAL_CLIENT_CERTIFICATE" => "optional",
                "USHER_LISTEN" | "USHER_INTERNAL_LISTEN" => "127.0.0.1:9",
                "USHER_AUDIT_ON_FAILURE" => "refuse",
                "USHER_TRUSTED_PEERS" => "10.0.0.1",
                "USHER_UPSTREAM" => "sandbox",
                "USHER_ISSUER" => "https://access.example.com",
                "USHER_NATS_REPLICAS" => "5",
                "USHER_REVOKE_ACK" => "local",
                "USHER_MASTER_KEY_FILE" | "USHER_CLUSTER_KEY_FILE" | "USHER_FEED_KEY_FILE" => {
                    master_key.to_str().unwrap()
                }
                _ => "7",
            };
            (asked == name || beside.contains(&asked)).then(|| value.to_owned())
        });
        assert_ne!(config.unwrap(), Config::default(), "{name}");
    }
}

#[test]
fn keys_that_belong_together_are_both_there() {
    let rows = [
        (
            "tls_key = \"a\"\n",
            "tls_certificate and tls_key belong together",
        ),
        (
            "internal_tls_certificate = \"a\"\n",
            "internal_tls_certificate and internal_tls_key belong together",
        ),
        (
            "internal_client_ca = \"a\"\n",
            "internal_client_ca and internal_tls_certificate belong together",
        ),
        (
            "internal_client_certificate = \"optional\"\n",
            "internal_client_certificate and internal_client_ca belong together",
        ),
    ];
    for (text, expected) in rows {
        let error = load(text, &[]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn what_is_risky_is_said_and_what_is_not_is_not() {
    assert_eq!(Config::default().risks(), []);
    let text = "listen = \"0.0.0.0:80\"\ninternal_listen = \"10.0.0.1:81\"\n\
                internal_allow_remote = true\ntrusted_peers = [\"::/0\", \"10.0.0.0/8\"]\n\
                cache_seconds = 5\n";
    let config = load(text, &[]).unwrap();
    assert!(config.verify().is_ok());
    let risks = config.risks();
    let starts = [
        "internal_listen 10.0.0.1:81",
        "listen 0.0.0.0:80",
        "trusted_peers ::/0",
        "cache_seconds 5",
    ];
    assert_eq!(risks.len(), starts.len(), "{risks:?}");
    for (risk, start) in risks.iter().zip(starts) {
        assert!(risk.message.starts_with(start), "{risk:?}");
    }
    let closed = text.replace("internal_allow_remote = true\n", "");
    let refused = load(&closed, &[])
        .unwrap()
        .verify()
        .unwrap_err()
        .to_string();
    assert!(refused.contains("internal_tls_certificate"), "{refused}");
}

/// Attack K04: a secret key that is none, everybody's, or not what it seems.
#[test]
fn k04_a_weak_or_dirty_secret_key_is_refused_from_file_and_variable() {
    const GOOD: &str = "sec-c-0123456789abcdef";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    let keyset = "[[keyset]]\nname = \"n\"\nsubscribe_key = \"s\"\npublish_key = \"p\"\n";
    let of_file = format!("{keyset}secret_key_file = {file:?}\n");
    let of_variable = format!("{keyset}secret_key_env = \"KEY\"\n");
    let refused = [
        String::new(),
        " ".repeat(20),
        "\n".to_owned(),
        "demo".to_owned(),
        "demo".repeat(8),
        "changeme".repeat(4),
        "0".repeat(32),
        "sec-c-0123456789".get(..15).unwrap().to_owned(),
        format!("{GOOD}\n"),
        format!("{GOOD}\r\n"),
        format!(" {GOOD}"),
        format!("{GOOD}\t"),
        format!("\u{feff}{GOOD}"),
        format!("\u{a0}{GOOD}"),
        format!("{GOOD}\u{200b}"),
        "sec c 0123456789abcdef".to_owned(),
    ];
    for secret in &refused {
        std::fs::write(&file, secret).unwrap();
        for text in [&of_file, &of_variable] {
            let error = load(text, &[("KEY", secret)]).unwrap_err().to_string();
            assert!(error.starts_with("the keyset `n`: "), "{secret:?}: {error}");
            assert!(!error.contains("0123456789"), "{error}");
        }
    }
    std::fs::write(&file, GOOD).unwrap();
    for text in [&of_file, &of_variable] {
        assert_eq!(load(text, &[("KEY", GOOD)]).unwrap().keysets.len(), 1);
    }
}
