//! Keysets: keys, periods, settings, tombstones (attacks K03, K04).

use serde_json::{Value, json};
use token_core::UnixSeconds;
use token_core::limits::{KEY_ANNOUNCE_SECONDS_MIN, SIGNING_KEYS_MAX, TTL_MINUTES_MAX};
use token_store::{
    InvalidKeyset, InvalidSetting, Keyset, KeysetChange, NewKeyset, Rotation, SETTINGS, Secret,
    Settings, Standing, Store, StoreError,
};

use crate::fixture::{KEYSET, START, TestClock, make_keyset, open, standing};

fn store() -> (tempfile::TempDir, TestClock, Store) {
    let directory = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = open(directory.path(), &clock).unwrap();
    (directory, clock, store)
}

fn rotate(store: &Store, rotation: Rotation) -> Result<std::sync::Arc<Keyset>, StoreError> {
    let subscribe_key = KEYSET.to_owned();
    store.change_keyset(KeysetChange::Rotate {
        subscribe_key,
        rotation,
    })
}

fn create(store: &Store, new: NewKeyset) -> Result<(), StoreError> {
    store.change_keyset(KeysetChange::Create(new)).map(drop)
}

fn named(name: &str) -> NewKeyset {
    NewKeyset {
        name: name.to_owned(),
        ..NewKeyset::default()
    }
}

#[test]
fn keys_that_are_not_given_are_made() {
    let (_directory, _, store) = store();
    create(&store, named("a")).unwrap();
    create(&store, named("b")).unwrap();
    let [a, b] = store.keysets().try_into().unwrap();
    assert!(a.subscribe_key.as_str().starts_with("sub-"));
    assert!(a.publish_key.as_str().starts_with("pub-"));
    assert!(a.secret_key.expose().starts_with("sec-"));
    assert_ne!(a.secret_key, b.secret_key);
    assert_ne!(a.signing_keys[0].expose(), b.signing_keys[0].expose());
    assert_eq!(
        (a.signing_keys[0].from, a.signing_keys[0].until),
        (UnixSeconds(0), None)
    );
    let debug = format!("{a:?}");
    assert!(
        !debug.contains(a.secret_key.expose()) && debug.contains("Secret(..)"),
        "{debug}"
    );
}

#[test]
fn a_secret_key_that_is_weak_or_dirty_is_refused() {
    let (_directory, _, store) = store();
    let with = |secret: &str| {
        let secret_key = Some(Secret::new(secret.to_owned()));
        create(
            &store,
            NewKeyset {
                secret_key,
                ..named("k04")
            },
        )
        .unwrap_err()
    };
    for (secret, error) in [
        ("", InvalidKeyset::SecretKeyShort { bytes_min: 16 }),
        ("demo", InvalidKeyset::SecretKeyShort { bytes_min: 16 }),
        (
            "fifteen-bytes-x",
            InvalidKeyset::SecretKeyShort { bytes_min: 16 },
        ),
        ("                ", InvalidKeyset::SecretKeyEdges),
        (
            "a-good-secret-of-32-bytes-or-so\n",
            InvalidKeyset::SecretKeyEdges,
        ),
        (
            "\u{FEFF}a-good-secret-of-32-bytes-or-so",
            InvalidKeyset::SecretKeyEdges,
        ),
        (
            "a-good secret-of-32-bytes-or-so",
            InvalidKeyset::SecretKeyCharacter,
        ),
        ("secretsecretsecret", InvalidKeyset::SecretKeyWellKnown),
        ("PasswordPassword", InvalidKeyset::SecretKeyWellKnown),
        (
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            InvalidKeyset::SecretKeyWellKnown,
        ),
    ] {
        assert_eq!(with(secret), StoreError::Keyset(error), "{secret:?}");
    }
    let secret_key = Some(Secret::new("sec-c-demo-0123456789".to_owned()));
    create(
        &store,
        NewKeyset {
            secret_key,
            ..named("brought along")
        },
    )
    .unwrap();
}

#[test]
fn names_and_keys_have_their_form() {
    let (_directory, _, store) = store();
    for name in ["", "a\nb", &"n".repeat(256)] {
        assert_eq!(
            create(&store, named(name)),
            Err(InvalidKeyset::Name.into()),
            "{name:?}"
        );
    }
    let bad_subscribe = NewKeyset {
        subscribe_key: Some("a/b".to_owned()),
        ..named("x")
    };
    let refused = create(&store, bad_subscribe).unwrap_err();
    assert!(
        matches!(refused, StoreError::Keyset(InvalidKeyset::SubscribeKey(_))),
        "{refused}"
    );
    make_keyset(&store);
    let again = NewKeyset {
        subscribe_key: Some(KEYSET.to_owned()),
        ..named("again")
    };
    let exists = StoreError::KeysetExists {
        subscribe_key: KEYSET.to_owned(),
    };
    assert_eq!(create(&store, again), Err(exists));
}

#[test]
fn the_next_signing_key_is_announced_and_ends_the_last() {
    let (_directory, clock, store) = store();
    make_keyset(&store);
    let from = UnixSeconds(START + KEY_ANNOUNCE_SECONDS_MIN + 60);
    let keyset = rotate(&store, Rotation::Signing).unwrap();
    let periods: Vec<_> = keyset
        .signing_keys
        .iter()
        .map(|key| (key.from, key.until))
        .collect();
    assert_eq!(periods, [(UnixSeconds(0), Some(from)), (from, None)]);
    assert_eq!(keyset.version, 2);
    let pending = StoreError::RotationPending { from };
    assert_eq!(rotate(&store, Rotation::Signing).unwrap_err(), pending);
    clock.step_to(from.0);
    rotate(&store, Rotation::Signing).unwrap();
}

#[test]
fn at_most_4_signing_keys_are_alive() {
    let (_directory, clock, store) = store();
    make_keyset(&store);
    for _ in 1..SIGNING_KEYS_MAX {
        rotate(&store, Rotation::Signing).unwrap();
        clock.walk(300);
    }
    let refused = rotate(&store, Rotation::Signing).unwrap_err();
    let StoreError::TooManySigningKeys { after } = refused else {
        panic!("{refused}")
    };
    // When the tokens of the first key have all expired, it makes room.
    clock.step_to(after.0);
    let keyset = rotate(&store, Rotation::Signing).unwrap();
    assert_eq!(keyset.signing_keys.len(), SIGNING_KEYS_MAX);
    assert_ne!(keyset.signing_keys[0].from, UnixSeconds(0));
}

#[test]
fn an_emergency_kills_every_token_and_is_never_refused() {
    let (_directory, clock, store) = store();
    make_keyset(&store);
    for _ in 0..6 {
        clock.walk(300);
        rotate(&store, Rotation::Signing).ok();
        let keyset = rotate(&store, Rotation::Emergency).unwrap();
        let [.., last, newest] = keyset.signing_keys.as_slice() else {
            panic!("too few keys")
        };
        assert_eq!((last.until, newest.until), (Some(newest.from), None));
        assert!(keyset.signing_keys.len() <= SIGNING_KEYS_MAX);
        let until = newest.from.0 - 1;
        assert!(until >= START);
        assert_ne!(standing(&store, 1, until, None), Standing::Good);
        assert_eq!(standing(&store, 1, newest.from.0, None), Standing::Good);
    }
}

#[test]
fn a_keyset_that_was_deleted_comes_back_as_another() {
    let (directory, clock, store) = store();
    let first = make_keyset(&store);
    let delete = || KeysetChange::Delete {
        subscribe_key: KEYSET.to_owned(),
    };
    store.change_keyset(delete()).unwrap();
    assert!(store.keyset(KEYSET).is_none());
    let unknown = StoreError::UnknownKeyset {
        subscribe_key: KEYSET.to_owned(),
    };
    assert_eq!(store.change_keyset(delete()).unwrap_err(), unknown);
    drop(store);
    let store = open(directory.path(), &clock).unwrap();
    assert!(store.keyset(KEYSET).is_none());
    let second = make_keyset(&store);
    assert!(second.version > first.version + 1);
    assert_ne!(
        second.signing_keys[0].expose(),
        first.signing_keys[0].expose()
    );
}

#[test]
fn a_secret_key_is_replaced_alone() {
    let (_directory, _, store) = store();
    let before = make_keyset(&store);
    let after = rotate(&store, Rotation::Secret { overlap_seconds: 0 }).unwrap();
    assert_ne!(after.secret_key, before.secret_key);
    assert_eq!(after.signing_keys, before.signing_keys);
}

#[test]
fn every_setting_takes_its_values_and_no_others() {
    let cases: [(&str, &[Value], &[Value]); 11] = [
        (
            "access_manager",
            &[json!(false), json!("on")],
            &[json!(1), json!("yes"), json!(null)],
        ),
        ("revocation", &[json!(true), json!("off")], &[json!("")]),
        (
            "max_ttl",
            &[json!(1), json!("43200"), json!(5_256_000)],
            &[
                json!(0),
                json!(-1),
                json!(5_256_001),
                json!(1.5),
                json!("x"),
            ],
        ),
        (
            "list_users",
            &[json!("granted"), json!("open"), json!("off")],
            &[json!("Open"), json!(true)],
        ),
        ("list_channels", &[json!("open")], &[json!("")]),
        ("meta", &[json!("any"), json!("scalar")], &[json!("none")]),
        ("require_uuid", &[json!("true")], &[json!([])]),
        (
            "accept_unsigned_publish_body",
            &[json!("off")],
            &[json!({})],
        ),
        (
            "on_stale",
            &[json!("deny"), json!("serve")],
            &[json!("refuse")],
        ),
        (
            "max_staleness",
            &[json!(1), json!(86_400)],
            &[json!(0), json!(86_401)],
        ),
        (
            "signing_algorithm",
            &[json!("hmac"), json!("ed25519")],
            &[json!("rsa"), json!(true)],
        ),
    ];
    let named: Vec<_> = cases.iter().map(|(name, ..)| *name).collect();
    let table: Vec<_> = SETTINGS.iter().map(|row| row.name).collect();
    assert_eq!(named, table, "every row of the table has a case");
    let fields = serde_json::to_value(Settings::default()).unwrap();
    assert_eq!(fields.as_object().unwrap().len(), table.len());
    for (name, good, bad) in cases {
        for value in good {
            Settings::default()
                .set(name, value)
                .unwrap_or_else(|error| panic!("{value}: {error}"));
        }
        for value in bad {
            let mut settings = Settings::default();
            let refused = settings.set(name, value).expect_err(name);
            assert!(
                matches!(refused, InvalidSetting::Value { .. }),
                "{name} {value}: {refused}"
            );
            assert_eq!(settings, Settings::default());
        }
    }
    let unknown = Settings::default().set("max_tll", &json!(1)).unwrap_err();
    assert_eq!(unknown.to_string(), "there is no setting `max_tll`");
}

#[test]
fn long_lives_and_revocation_exclude_each_other() {
    let (_directory, _, store) = store();
    make_keyset(&store);
    let set = |settings: &[(&str, Value)]| {
        let settings = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        let change = KeysetChange::Set {
            subscribe_key: KEYSET.to_owned(),
            settings: settings.collect(),
        };
        store.change_keyset(change)
    };
    let long = ("max_ttl", json!(TTL_MINUTES_MAX + 1));
    let conflict = Err(StoreError::Setting(InvalidSetting::Conflict));
    assert_eq!(
        set(&[("require_uuid", json!(true)), long.clone()]).map(drop),
        conflict
    );
    assert!(
        !store.keyset(KEYSET).unwrap().settings.require_uuid,
        "all or none"
    );
    set(&[long, ("revocation", json!("off"))]).unwrap();
    assert_eq!(set(&[("revocation", json!("on"))]).map(drop), conflict);
}

/// Attack K01.
#[test]
fn a_replaced_secret_key_is_good_for_as_long_as_was_asked_for() {
    let (directory, clock, store) = store();
    let first = make_keyset(&store).secret_key.clone();
    let rotate = |store: &Store, overlap_seconds| {
        rotate(store, Rotation::Secret { overlap_seconds }).unwrap()
    };
    let previous = |store: &Store| {
        let keyset = store.keyset(KEYSET).unwrap();
        let previous = keyset.previous_secret_key(UnixSeconds(START + 30));
        previous.map(|(key, until)| (key.clone(), until.0))
    };
    assert_ne!(rotate(&store, 60).secret_key, first);
    drop(store);
    let store = open(directory.path(), &clock).unwrap();
    assert_eq!(previous(&store), Some((first.clone(), START + 60)));
    let keyset = store.keyset(KEYSET).unwrap();
    assert!(
        keyset
            .previous_secret_key(UnixSeconds(START + 60))
            .is_none()
    );
    // One before that is of no use any more.
    let second = keyset.secret_key.clone();
    rotate(&store, 60);
    assert_eq!(previous(&store), Some((second, START + 60)));
    rotate(&store, 0);
    assert_eq!(previous(&store), None);
    let week = 7 * 86_400;
    rotate(&store, week);
    let subscribe_key = KEYSET.to_owned();
    let rotation = Rotation::Secret {
        overlap_seconds: week + 1,
    };
    let too_long = KeysetChange::Rotate {
        subscribe_key,
        rotation,
    };
    let refused = store.change_keyset(too_long).unwrap_err();
    assert_eq!(refused, StoreError::Overlap { seconds_max: week });
}

/// After a leak nothing that was made with the old keys is good, and neither is
/// a secret key that was still to be good beside its successor.
#[test]
fn an_incident_renews_everything_at_once() {
    let (directory, clock, store) = store();
    let before = make_keyset(&store);
    let overlap = Rotation::Secret {
        overlap_seconds: 600,
    };
    let overlapping = rotate(&store, overlap).unwrap();
    let after = rotate(&store, Rotation::Incident).unwrap();
    assert_eq!(after.version, overlapping.version + 1, "one change");
    let secrets = [&before.secret_key, &overlapping.secret_key];
    assert!(!secrets.contains(&&after.secret_key));
    drop(store);
    let store = open(directory.path(), &clock).unwrap();
    let after = store.keyset(KEYSET).unwrap();
    assert!(after.previous_secret_key(UnixSeconds(START)).is_none());
    let newest = after.signing_keys.last().unwrap();
    assert_ne!(newest.expose(), before.signing_keys[0].expose());
    assert_eq!(newest.until, None);
    assert_ne!(standing(&store, 1, newest.from.0 - 1, None), Standing::Good);
    assert_eq!(standing(&store, 1, newest.from.0, None), Standing::Good);
}

#[test]
fn the_table_of_settings_names_the_defaults() {
    for row in SETTINGS {
        let mut settings = Settings::default();
        settings.set(row.name, &json!(row.default)).unwrap();
        assert_eq!(settings, Settings::default(), "{}", row.name);
    }
}

/// Lower limits bind new tokens only; a revocation by id must outlast the old.
#[test]
fn the_latest_expiry_remembers_the_longest_life_ever_allowed() {
    let (_directory, _clock, store) = store();
    create(
        &store,
        NewKeyset {
            subscribe_key: Some("sub-long".to_owned()),
            ..named("long")
        },
    )
    .unwrap();
    let change = KeysetChange::Set {
        subscribe_key: "sub-long".to_owned(),
        settings: vec![("max_ttl".to_owned(), json!(1))],
    };
    let keyset = store.change_keyset(change).unwrap();
    let latest = keyset.latest_expiry(UnixSeconds(START));
    assert_eq!(latest, UnixSeconds(START + 125 + 43_200 * 60));
}

/// The setting is about the keys that are made from then on: what is signed
/// stays as it is, and so does a key through a restart.
#[test]
fn the_next_key_signs_as_the_keyset_says() {
    use token_store::SigningAlgorithm::{Ed25519, Hmac};
    let (directory, clock, store) = store();
    make_keyset(&store);
    let change = |change| store.change_keyset(change).unwrap();
    let set = |value: &str| KeysetChange::Set {
        subscribe_key: KEYSET.to_owned(),
        settings: vec![("signing_algorithm".to_owned(), json!(value))],
    };
    let rotate = |rotation| KeysetChange::Rotate {
        subscribe_key: KEYSET.to_owned(),
        rotation,
    };
    let algorithms = |keyset: &Keyset| {
        let keys = keyset.signing_keys.iter();
        keys.map(|key| key.algorithm).collect::<Vec<_>>()
    };
    assert_eq!(algorithms(&change(set("ed25519"))), [Hmac]);
    assert_eq!(
        algorithms(&change(rotate(Rotation::Signing))),
        [Hmac, Ed25519]
    );
    clock.walk(300);
    let after = change(rotate(Rotation::Emergency));
    assert_eq!(algorithms(&after), [Hmac, Ed25519, Ed25519]);
    let kept: Vec<_> = after.signing_keys.iter().map(|key| key.expose()).collect();
    drop(store);
    let store = open(directory.path(), &clock).unwrap();
    let keyset = store.keyset(KEYSET).unwrap();
    assert_eq!(algorithms(&keyset), [Hmac, Ed25519, Ed25519]);
    let again: Vec<_> = keyset.signing_keys.iter().map(|key| key.expose()).collect();
    assert!(again == kept);
    let new = NewKeyset {
        name: "public".to_owned(),
        settings: vec![("signing_algorithm".to_owned(), json!("ed25519"))],
        ..NewKeyset::default()
    };
    let made = store.change_keyset(KeysetChange::Create(new)).unwrap();
    assert_eq!(algorithms(&made), [Ed25519]);
}
