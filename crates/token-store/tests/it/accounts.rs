//! Accounts and what is in them (oem 1, oem 3): changed all or nothing, durable,
//! moved by exports, sealed, and pruned by their own horizon.

use std::path::Path;

use token_core::limits::OEM_LIFE_SECONDS_MAX;
use token_core::{Revocations as _, TokenId, TokenKind, UnixSeconds};
use token_store::{
    Account, AccountChange, AccountChanged, AccountStep, CUSTOMER_KEYSETS_MAX, ExportFile,
    ExportSecrets, InvalidAccount, KeysetChange, MasterKey, NewKeyset, OpenOptions, Revocation,
    Secret, Standing, Store, StoreError, Subject, rekey, restore,
};

use crate::exports::{export, quiet};
use crate::fixture::{KEYSET, START, TestClock, make_keyset, open};

const API_KEY: &str = "partner-api-key-0123456789";

fn create(store: &Store, api_key: Option<&str>) -> AccountChanged {
    let change = AccountChange::Create {
        name: "Partner".to_owned(),
        api_key: api_key.map(|key| Secret::new(key.to_owned())),
    };
    store.change_account(change).unwrap()
}

fn step(store: &Store, account: u64, step: AccountStep) -> Result<AccountChanged, StoreError> {
    store.change_account(AccountChange::Change { account, step })
}

/// The id of what a step made.
fn made(store: &Store, account: u64, wanted: AccountStep) -> String {
    step(store, account, wanted).unwrap().made.unwrap()
}

fn add_keyset(store: &Store, account: u64, application: u64, key: &str) -> u64 {
    let subscribe_key = key.to_owned();
    let wanted = AccountStep::AddKeyset {
        application,
        subscribe_key,
    };
    made(store, account, wanted).parse().unwrap()
}

fn customer(external_id: &str, keysets: &[u64]) -> AccountStep {
    AccountStep::CreateCustomer {
        external_id: external_id.to_owned(),
        name: "Acme".to_owned(),
        keysets: keysets.to_vec(),
    }
}

struct World {
    directory: tempfile::TempDir,
    clock: TestClock,
    store: Store,
    account: u64,
    application: u64,
    keyset: u64,
    customer: String,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = TestClock::new();
        let store = open(&directory.path().join("data"), &clock).unwrap();
        make_keyset(&store);
        let account = create(&store, Some(API_KEY)).account.id;
        let name = "Game".to_owned();
        let application = made(&store, account, AccountStep::CreateApplication { name });
        let application = application.parse().unwrap();
        let keyset = add_keyset(&store, account, application, KEYSET);
        let customer = made(&store, account, customer("acme", &[keyset]));
        Self {
            directory,
            clock,
            store,
            account,
            application,
            keyset,
            customer,
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn step(&self, wanted: AccountStep) -> Result<AccountChanged, StoreError> {
        step(&self.store, self.account, wanted)
    }

    fn refused(&self, wanted: AccountStep) -> StoreError {
        let before = self.store.accounts();
        let error = self.step(wanted).unwrap_err();
        assert_eq!(self.store.accounts(), before, "nothing of it is done");
        error
    }

    fn standing(&self, issued_at: u64, expires_at: u64) -> Standing {
        self.store.standing(&Subject {
            kind: TokenKind::Oem,
            scope: &self.account.to_string(),
            id: TokenId([9; 16]),
            ancestors: &[],
            uuid: Some("u-1"),
            issued_at: UnixSeconds(issued_at),
            expires_at: UnixSeconds(expires_at),
        })
    }
}

fn seeds(account: &Account) -> Vec<String> {
    let seed = |key: &token_store::SigningKey| {
        let bytes = key.expose();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    account.signing_keys.iter().map(seed).collect()
}

/// Everything of an account is there after a restart.
#[test]
fn an_account_and_what_is_in_it_are_durable() {
    let world = World::new();
    let before = world.store.accounts();
    let World {
        directory,
        clock,
        store,
        account,
        application,
        keyset,
        customer,
    } = world;
    drop(store);
    let store = open(&directory.path().join("data"), &clock).unwrap();
    assert_eq!(store.accounts(), before);
    let held = store.account(account).unwrap();
    assert_eq!(held.customer_called("acme").unwrap().0, customer);
    assert!(held.serves(&customer, application));
    assert!(!held.serves(&customer, application + 1));
    assert_eq!(held.keysets_of(&customer).next().unwrap().0, keyset);
    assert_eq!(store.account_of_key(API_KEY).unwrap().id, account);
    assert!(store.account_of_key("partner-api-key-012345678").is_none());
}

/// oem 3: external ids are unique, a keyset has one customer, ids are known.
#[test]
fn a_step_that_is_refused_changes_nothing() {
    let world = World::new();
    let refused = |wanted, expected: InvalidAccount| {
        assert_eq!(world.refused(wanted), StoreError::Account(expected));
    };
    refused(customer("acme", &[]), InvalidAccount::ExternalIdTaken);
    for id in ["", "a b", "\u{e9}", "a/b", &"a".repeat(256)] {
        refused(customer(id, &[]), InvalidAccount::ExternalId);
    }
    refused(
        customer("two", &[world.keyset]),
        InvalidAccount::KeysetTaken,
    );
    refused(customer("two", &[7]), InvalidAccount::UnknownKeyset);
    let name = String::new();
    refused(
        AccountStep::CreateApplication { name },
        InvalidAccount::Name,
    );
    let subscribe_key = KEYSET.to_owned();
    let again = AccountStep::AddKeyset {
        application: world.application,
        subscribe_key,
    };
    refused(again, InvalidAccount::KeysetTaken);
    let subscribe_key = "sub-none".to_owned();
    let unknown = world.refused(AccountStep::AddKeyset {
        application: world.application,
        subscribe_key,
    });
    assert!(matches!(unknown, StoreError::UnknownKeyset { .. }));
    let error = step(&world.store, 1, customer("x", &[])).unwrap_err();
    assert_eq!(error, InvalidAccount::UnknownAccount.into());
    let long = customer(&"a".repeat(255), &[]);
    world.step(long).unwrap();
}

/// oem 1: at most three API keys, each kept as a hash, each of one account.
#[test]
fn api_keys_come_and_go_one_by_one() {
    let world = World::new();
    let add = |key: Option<&str>| AccountStep::AddApiKey {
        api_key: key.map(|key| Secret::new(key.to_owned())),
    };
    let taken = world.refused(add(Some(API_KEY)));
    assert_eq!(taken, InvalidAccount::ApiKeyTaken.into());
    assert_eq!(
        world.refused(add(Some("short"))),
        InvalidAccount::ApiKey.into()
    );
    let made = world.step(add(None)).unwrap();
    let second = made.api_key.unwrap();
    assert!(second.expose().starts_with("usher_api_"));
    world.step(add(None)).unwrap();
    assert!(matches!(
        world.refused(add(None)),
        StoreError::Account(InvalidAccount::TooMany { most: 3, .. })
    ));
    let id = made.made.unwrap();
    world.step(AccountStep::RemoveApiKey { id }).unwrap();
    assert!(world.store.account_of_key(second.expose()).is_none());
    assert!(world.store.account_of_key(API_KEY).is_some());
    let id = "none".to_owned();
    let unknown = world.refused(AccountStep::RemoveApiKey { id });
    assert_eq!(unknown, InvalidAccount::UnknownApiKey.into());
}

/// oem 3: a customer has at most five keysets, and they stay when it goes.
#[test]
fn keysets_of_a_customer_are_counted_and_freed() {
    let world = World::new();
    let ids: Vec<u64> = (0..CUSTOMER_KEYSETS_MAX)
        .map(|n| {
            let key = format!("sub-{n}");
            let new = NewKeyset {
                name: key.clone(),
                subscribe_key: Some(key.clone()),
                ..NewKeyset::default()
            };
            world
                .store
                .change_keyset(KeysetChange::Create(new))
                .unwrap();
            add_keyset(&world.store, world.account, world.application, &key)
        })
        .collect();
    let customer = world.customer.clone();
    let keysets = ids.clone();
    let assign = AccountStep::AssignKeysets { customer, keysets };
    assert!(matches!(
        world.refused(assign),
        StoreError::Account(InvalidAccount::TooMany { most: 5, .. })
    ));
    let customer = world.customer.clone();
    let keysets = ids[1..].to_vec();
    world
        .step(AccountStep::AssignKeysets { customer, keysets })
        .unwrap();
    let customer = world.customer.clone();
    world
        .step(AccountStep::DeleteCustomer { customer })
        .unwrap();
    let account = world.store.account(world.account).unwrap();
    assert!(account.customers.is_empty());
    assert!(account.keysets.values().all(|k| k.assigned.is_none()));
    world.step(self::customer("acme", &ids)).unwrap();
    let application = world.application;
    world
        .step(AccountStep::DeleteApplication { application })
        .unwrap();
    let account = world.store.account(world.account).unwrap();
    assert!(account.keysets.is_empty() && account.applications.is_empty());
}

/// A key is announced 245 s ahead; an emergency kills what was issued.
#[test]
fn signing_keys_rotate_with_and_without_notice() {
    let world = World::new();
    let rotate = |emergency| world.step(AccountStep::Rotate { emergency });
    let account = rotate(false).unwrap().account;
    let starts: Vec<u64> = account.signing_keys.iter().map(|key| key.from.0).collect();
    assert_eq!(starts, [0, START + 245]);
    assert_eq!(
        account.signing_keys[0].until,
        Some(UnixSeconds(START + 245))
    );
    let pending = world.refused(AccountStep::Rotate { emergency: false });
    assert!(matches!(pending, StoreError::RotationPending { .. }));
    world.clock.walk(400);
    assert_eq!(world.standing(START + 400, START + 9_000), Standing::Good);
    let account = rotate(true).unwrap().account;
    let revoked = world.standing(START + 400, START + 9_000);
    assert!(matches!(revoked, Standing::Revoked { .. }), "{revoked:?}");
    let last = account.signing_keys.last().unwrap();
    assert_eq!(last.from.0, START + 401);
    assert_eq!(world.standing(START + 401, START + 9_000), Standing::Good);
}

fn file(world: &World, text: &str) -> ExportFile {
    let path = world.path("export");
    std::fs::write(&path, text).unwrap();
    quiet(|progress| ExportFile::open(&path, progress)).unwrap()
}

/// What was revoked after an export is not in it: every token is dead.
#[test]
fn an_export_holds_accounts_and_a_restore_revokes_their_tokens() {
    let world = World::new();
    let text = export(&world.store, ExportSecrets::Include);
    let file = file(&world, &text);
    let to = world.path("restored");
    let options = OpenOptions::new(world.clock.clone());
    let imported = quiet(|progress| restore(&file, &to, options, progress)).unwrap();
    assert_eq!(imported.added_accounts, [world.account]);
    let store = open(&to, &world.clock).unwrap();
    assert_eq!(store.accounts(), world.store.accounts());
    let scope = world.account.to_string();
    let rule = store.rule(TokenKind::Oem, &scope, None);
    assert_eq!(rule, imported.revoked_until);
    assert!(rule.unwrap().0 >= START + 60);
    let again = quiet(|progress| store.import(&file, progress)).unwrap();
    assert_eq!(again.kept_accounts, [world.account]);
    let bare = export(&world.store, ExportSecrets::LeaveOut);
    assert!(!bare.contains("acme") && !bare.contains("signing_key"));
}

/// The seeds are secrets: sealed in the file, exported sealed, opened again.
#[test]
fn seeds_are_sealed_under_the_master_key() {
    let world = World::new();
    let seeds = seeds(&world.store.account(world.account).unwrap());
    let held = world.store.accounts();
    let World {
        directory,
        clock,
        store,
        ..
    } = world;
    drop(store);
    let data = directory.path().join("data");
    let key = || MasterKey::from_hex(&"0123456789abcdef".repeat(4)).unwrap();
    assert!(holds(&data, &seeds[0]), "in plain without a master key");
    quiet(|progress| rekey(&data, &OpenOptions::new(clock.clone()), key(), progress)).unwrap();
    assert!(!holds(&data, &seeds[0]), "sealed");
    let mut options = OpenOptions::new(clock);
    options.master_key = Some(key());
    let store = Store::open(&data, options).unwrap();
    assert_eq!(store.accounts(), held);
    let text = export(&store, ExportSecrets::Include);
    assert!(text.contains("\"account\"") && !text.contains(&seeds[0]));
    assert!(!text.contains(API_KEY));
}

fn holds(directory: &Path, secret: &str) -> bool {
    let files = std::fs::read_dir(directory).unwrap();
    files.map(|entry| entry.unwrap().path()).any(|path| {
        path.is_file() && {
            let bytes = std::fs::read(&path).unwrap();
            bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes())
        }
    })
}

/// Pruned by the horizon of the key that signed them, which knows the longest
/// life of 30 days (oem 2).
#[test]
fn revocations_of_an_account_are_pruned_with_its_horizon() {
    let world = World::new();
    let scope = world.account.to_string();
    let expires_at = START + 600;
    let token = Revocation::Token {
        kind: TokenKind::Oem,
        scope: scope.clone(),
        id: TokenId([9; 16]),
        issued_at: Some(UnixSeconds(START)),
        expires_at: UnixSeconds(expires_at),
    };
    let rule = Revocation::Keyset {
        kind: TokenKind::Oem,
        scope,
        until: None,
    };
    world.store.revoke(vec![token, rule]).unwrap();
    world.clock.walk(OEM_LIFE_SECONDS_MAX - 10);
    let pruned = world.store.prune().unwrap();
    assert_eq!((pruned.tokens, pruned.rules), (1, 0));
    world.clock.walk(600);
    assert_eq!(world.store.prune().unwrap().rules, 1);
    world.clock.step_to(START + 10);
    assert_eq!(world.standing(START, expires_at), Standing::Expired);
}

/// Its tokens do not verify any more, and its keys are gone.
#[test]
fn a_deleted_account_is_gone() {
    let world = World::new();
    let account = world.account;
    world
        .store
        .change_account(AccountChange::Delete { account })
        .unwrap();
    assert!(world.store.accounts().is_empty());
    assert!(world.store.account_of_key(API_KEY).is_none());
    create(&world.store, Some(API_KEY));
    assert!(
        format!("{:?}", world.store.accounts())
            .find(API_KEY)
            .is_none()
    );
}
