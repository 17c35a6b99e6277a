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
