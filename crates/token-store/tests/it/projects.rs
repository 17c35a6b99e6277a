//! Projects and their API tokens (signalwire 1, signalwire 2): changed all or
//! nothing, kept as hashes, moved by exports; their tokens die, and are pruned,
//! with the signing keys of the keyset.

use std::sync::Arc;

use token_core::limits::TTL_MINUTES_MAX;
use token_core::{Revocations as _, TokenId, TokenKind, UnixSeconds};
use token_store::{
    API_TOKENS_MAX, ApiTokenScope, ExportFile, ExportSecrets, InvalidProject, Keyset, KeysetChange,
    NewApiToken, NewKeyset, OpenOptions, Revocation, Rotation, Secret, Standing, Store, StoreError,
    Subject, restore,
};

use crate::exports::{export, quiet};
use crate::fixture::{KEYSET, START, TestClock, make_keyset, open};

const PROJECT: &str = "7b981d06-0000-4000-8000-000000000001";
const TOKEN: &str = "PTcanarycanary0123456789";

fn new(token: &str) -> Result<NewApiToken, StoreError> {
    let token = Secret::new(token.to_owned());
    NewApiToken::new(Some(PROJECT), Some(token), [ApiTokenScope::PubSub])
}

fn add_to(store: &Store, keyset: &str, new: NewApiToken) -> Result<Arc<Keyset>, StoreError> {
    let subscribe_key = keyset.to_owned();
    store.change_keyset(KeysetChange::AddApiToken { subscribe_key, new })
}

struct World {
    directory: tempfile::TempDir,
    clock: TestClock,
    store: Store,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = TestClock::new();
        let store = open(&directory.path().join("data"), &clock).unwrap();
        make_keyset(&store);
        add_to(&store, KEYSET, new(TOKEN).unwrap()).unwrap();
        // A store that was just opened assumes tokens ahead of its clock.
        clock.walk(120);
        Self {
            directory,
            clock,
            store,
        }
    }

    fn rotate(&self, rotation: Rotation) -> Arc<Keyset> {
        let subscribe_key = KEYSET.to_owned();
        let change = KeysetChange::Rotate {
            subscribe_key,
            rotation,
        };
        self.store.change_keyset(change).unwrap()
    }

    fn remove(&self, project: &str, id: &str) -> Result<Arc<Keyset>, StoreError> {
        self.store.change_keyset(KeysetChange::RemoveApiToken {
            subscribe_key: KEYSET.to_owned(),
            project: project.to_owned(),
            id: id.to_owned(),
        })
    }

    fn refused(&self, error: Result<Arc<Keyset>, StoreError>, expected: InvalidProject) {
        assert_eq!(error.unwrap_err(), StoreError::Project(expected));
        let keyset = self.store.keyset(KEYSET).unwrap();
        assert_eq!(keyset.project(PROJECT).unwrap().api_tokens.len(), 1);
        assert_eq!(keyset.projects.len(), 1);
    }

    fn standing(&self, kind: TokenKind, scope: &str, issued_at: u64, expires_at: u64) -> Standing {
        self.store.standing(&Subject {
            kind,
            scope,
            id: TokenId([9; 16]),
            ancestors: &[],
            uuid: None,
            issued_at: UnixSeconds(issued_at),
            expires_at: UnixSeconds(expires_at),
        })
    }
}

/// signalwire 1: each token has scopes of its own; the text is nowhere.
#[test]
fn an_api_token_is_durable_as_a_hash() {
    let World {
        directory,
        clock,
        store,
    } = World::new();
    let before = store.keysets();
    assert!(!format!("{before:?}").contains(TOKEN));
    assert!(!export(&store, ExportSecrets::Include).contains(TOKEN));
    drop(store);
    let data = directory.path().join("data");
    let bytes = std::fs::read(data.join("usher.redb")).unwrap();
    let holds = |text: &str| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(holds(PROJECT) && !holds(TOKEN));
    let store = open(&data, &clock).unwrap();
    assert_eq!(store.keysets(), before);
    assert!(store.keyset_of_project("none").is_none());
    let keyset = store.keyset_of_project(PROJECT).unwrap();
    let project = keyset.project(PROJECT).unwrap();
    let held = project.api_token(TOKEN).unwrap();
    assert!(held.scopes.contains(&ApiTokenScope::PubSub));
    assert!(!held.scopes.contains(&ApiTokenScope::Chat));
    for wrong in ["", "PTcanarycanary012345678", "PTcanarycanary01234567890"] {
        assert!(project.api_token(wrong).is_none(), "{wrong}");
    }
}

/// signalwire 1, signalwire 2: a project is a UUID, a token is `PT` and 48
/// hexadecimal digits.
#[test]
fn what_is_left_out_is_made() {
    let made = NewApiToken::new(None, None, []).unwrap();
    assert_eq!(made.scopes.len(), 2);
    let token = made.token.expose();
    assert!(token.len() == 50 && token.starts_with("PT"));
    let parts: Vec<usize> = made.project.split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12]);
    assert_eq!(&made.project[14..15], "4");
    assert!("89ab".contains(&made.project[19..20]));
    let upper = PROJECT.to_ascii_uppercase();
    let lower = NewApiToken::new(Some(&upper), None, []).unwrap();
    assert_eq!(lower.project, PROJECT);
}

#[test]
fn a_change_that_is_refused_changes_nothing() {
    let world = World::new();
    let id = |project| NewApiToken::new(Some(project), None, []).unwrap_err();
    for wrong in [
        "",
        "p",
        &PROJECT[1..],
        "7b981d0600000-4000-8000-00000000000g",
    ] {
        assert_eq!(id(wrong), InvalidProject::Id.into(), "{wrong}");
    }
    assert_eq!(new("short").unwrap_err(), InvalidProject::ApiToken.into());
    let again = add_to(&world.store, KEYSET, new(TOKEN).unwrap());
    world.refused(again, InvalidProject::ApiTokenTaken);
    let other = NewKeyset {
        name: "other".to_owned(),
        subscribe_key: Some("sub-other".to_owned()),
        ..NewKeyset::default()
    };
    let change = KeysetChange::Create(other);
    world.store.change_keyset(change).unwrap();
    let taken = add_to(&world.store, "sub-other", new(TOKEN).unwrap());
    world.refused(taken, InvalidProject::Taken);
    world.refused(world.remove("none", "x"), InvalidProject::Unknown);
    world.refused(world.remove(PROJECT, "x"), InvalidProject::UnknownApiToken);
}

#[test]
fn api_tokens_come_and_go_one_by_one() {
    let world = World::new();
    let token = |n| new(&format!("PT-canary-canary-{n}")).unwrap();
    for n in 1..API_TOKENS_MAX {
        add_to(&world.store, KEYSET, token(n)).unwrap();
    }
    let what = "API tokens of a project";
    let most = API_TOKENS_MAX;
    let full = add_to(&world.store, KEYSET, token(API_TOKENS_MAX)).unwrap_err();
    assert_eq!(full, InvalidProject::TooMany { what, most }.into());
    let keyset = world.store.keyset(KEYSET).unwrap();
    let held = keyset.project(PROJECT).unwrap().api_token(TOKEN).unwrap();
    let keyset = world.remove(PROJECT, &held.id).unwrap();
    let project = keyset.project(PROJECT).unwrap();
    assert!(project.api_token(TOKEN).is_none());
    assert!(project.api_token("PT-canary-canary-1").is_some());
}

/// Each project has a secret of its own in each period of a signing key.
#[test]
fn secrets_differ_by_project_and_by_key() {
    let world = World::new();
    let keys = world.rotate(Rotation::Signing).signing_keys.clone();
    let secret = |key: usize, project| *keys[key].project_secret(project);
    assert_eq!(secret(0, PROJECT), secret(0, PROJECT));
    assert_ne!(secret(0, PROJECT), secret(1, PROJECT));
    assert_ne!(secret(0, PROJECT), secret(0, "7b981d06"));
    let context = [b"usher crt v1\0", PROJECT.as_bytes()].concat();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA512, &*keys[0].expose());
    let expected = ring::hmac::sign(&key, &context);
    assert_eq!(secret(0, PROJECT).as_slice(), expected.as_ref());
}

/// A signing key that leaked signs for every project: the rules of all reach
/// one instant, also past what only one of them issued.
#[test]
fn an_emergency_kills_the_tokens_of_every_project() {
    let world = World::new();
    let now = START + 120;
    let (kind, far) = (TokenKind::Crt, now + 9_000);
    assert_eq!(world.standing(kind, PROJECT, now, far), Standing::Good);
    world
        .store
        .note_issued(kind, PROJECT, UnixSeconds(now + 30));
    let keyset = world.rotate(Rotation::Emergency);
    assert_eq!(keyset.signing_keys.last().unwrap().from.0, now + 31);
    for (kind, scope) in [(kind, PROJECT), (TokenKind::AccessManager, KEYSET)] {
        let forged = world.standing(kind, scope, now + 30, far);
        assert!(
            matches!(forged, Standing::Revoked { .. }),
            "{scope}: {forged:?}"
        );
        assert_eq!(world.standing(kind, scope, now + 31, far), Standing::Good);
    }
}

/// Pruned by the horizon of the key that signed them, which knows that they
/// may live for 30 days, whatever the settings of the keyset say.
#[test]
fn revocations_of_a_project_are_pruned_with_its_horizon() {
    let world = World::new();
    let now = START + 120;
    let (kind, expires_at) = (TokenKind::Crt, now + 600);
    let token = Revocation::Token {
        kind,
        scope: PROJECT.to_owned(),
        id: TokenId([9; 16]),
        issued_at: Some(UnixSeconds(now)),
        expires_at: UnixSeconds(expires_at),
    };
    let rule = Revocation::Keyset {
        kind,
        scope: PROJECT.to_owned(),
        until: None,
    };
    world.store.revoke(vec![token, rule]).unwrap();
    world.clock.walk(u64::from(TTL_MINUTES_MAX) * 60 - 10);
    let pruned = world.store.prune().unwrap();
    assert_eq!((pruned.tokens, pruned.rules), (1, 0));
    world.clock.walk(600);
    assert_eq!(world.store.prune().unwrap().rules, 1);
    world.clock.step_to(now + 10);
    let standing = world.standing(kind, PROJECT, now, expires_at);
    assert_eq!(standing, Standing::Expired);
}

/// What was revoked after an export is not in it: every token is dead.
#[test]
fn a_restore_brings_projects_and_revokes_their_tokens() {
    let world = World::new();
    let path = world.directory.path().join("export");
    std::fs::write(&path, export(&world.store, ExportSecrets::Include)).unwrap();
    let file = quiet(|progress| ExportFile::open(&path, progress)).unwrap();
    let to = world.directory.path().join("restored");
    let options = OpenOptions::new(world.clock.clone());
    let imported = quiet(|progress| restore(&file, &to, options, progress)).unwrap();
    let store = open(&to, &world.clock).unwrap();
    let held = store.keyset(KEYSET).unwrap();
    assert_eq!(held.projects, world.store.keyset(KEYSET).unwrap().projects);
    let rule = store.rule(TokenKind::Crt, PROJECT, None);
    assert!(rule.is_some() && rule == imported.revoked_until);
}
