//! Clocks that step at random between grants, revocations, rotations,
//! pruning and restarts (attacks X04, X05): a token that was revoked never
//! stands again while the key that signed it verifies it.

use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use token_core::UnixSeconds;
use token_store::{Keyset, KeysetChange, Outcome, Revocation, Rotation, Standing, Store};

use crate::disk::Disk;
use crate::fixture::{
    KEYSET, KIND, START, TestClock, id, make_keyset, of_keyset, of_uuid, revoke, standing_until,
};

#[derive(Clone, Debug)]
enum Step {
    /// Issues a token with this life in seconds.
    Issue(u64),
    RevokeToken(prop::sample::Index),
    RevokeUuid(usize),
    RevokeKeyset,
    Rotate(bool),
    /// Both clocks.
    Walk(u64),
    /// The wall clock alone, to this many seconds around the start.
    JumpTo(i64),
    Prune,
    Restart,
}

const DAY: u64 = 24 * 3_600;
const UUIDS: [&str; 3] = ["alice", "bob", "carol"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (60..3 * DAY).prop_map(Step::Issue),
        4 => any::<prop::sample::Index>().prop_map(Step::RevokeToken),
        1 => (0..UUIDS.len()).prop_map(Step::RevokeUuid),
        1 => Just(Step::RevokeKeyset),
        2 => any::<bool>().prop_map(Step::Rotate),
        5 => prop_oneof![1..600_u64, Just(3_600), DAY..40 * DAY].prop_map(Step::Walk),
        2 => (-5_000_000..50_000_000_i64).prop_map(Step::JumpTo),
        6 => Just(Step::Prune),
        1 => Just(Step::Restart),
    ]
}

struct Issued {
    uuid: &'static str,
    issued_at: u64,
    expires_at: u64,
    key: Option<[u8; 32]>,
    revoked: bool,
}

fn key_at(keyset: &Keyset, t: u64) -> Option<[u8; 32]> {
    let holds = |from: UnixSeconds, until: Option<UnixSeconds>| {
        from.0 <= t && until.is_none_or(|until| t < until.0)
    };
    let mut keys = keyset.signing_keys.iter();
    keys.find(|key| holds(key.from, key.until))
        .map(|key| *key.expose())
}

fn open(directory: &Path, disk: &Disk, clock: &TestClock) -> Store {
    Store::open(directory, disk.options(clock)).unwrap()
}

struct World<'a> {
    directory: &'a Path,
    disk: Disk,
    clock: TestClock,
    store: Option<Store>,
    tokens: Vec<Issued>,
}

impl World<'_> {
    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn now(&self) -> u64 {
        token_store::Clock::now(&self.clock).0
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Issue(life) => self.issue(*life),
            Step::RevokeToken(index) => self.revoke_token(index),
            Step::RevokeUuid(at) => self.rule(of_uuid(UUIDS[*at], None), Some(UUIDS[*at])),
            Step::RevokeKeyset => self.rule(of_keyset(None), None),
            Step::Rotate(emergency) => {
                let rotation = if *emergency {
                    Rotation::Emergency
                } else {
                    Rotation::Signing
                };
                let subscribe_key = KEYSET.to_owned();
                let change = KeysetChange::Rotate {
                    subscribe_key,
                    rotation,
                };
                // A rotation may be pending, or there are 4 keys.
                self.store().change_keyset(change).ok();
            }
            Step::Walk(seconds) => self.clock.walk(*seconds),
            Step::JumpTo(offset) => self.clock.step_to(START.saturating_add_signed(*offset)),
            Step::Prune => drop(self.store().prune().unwrap()),
            Step::Restart => {
                self.store = None;
                self.store = Some(open(self.directory, &self.disk, &self.clock));
            }
        }
    }

    fn issue(&mut self, life: u64) {
        let issued_at = self.now();
        self.store()
            .note_issued(KIND, KEYSET, UnixSeconds(issued_at));
        self.tokens.push(Issued {
            uuid: UUIDS[self.tokens.len() % UUIDS.len()],
            issued_at,
            expires_at: issued_at + life,
            key: key_at(&self.store().keyset(KEYSET).unwrap(), issued_at),
            revoked: false,
        });
    }

    fn revoke_token(&mut self, index: &prop::sample::Index) {
        if self.tokens.is_empty() {
            return;
        }
        let n = index.index(self.tokens.len());
        let token = &self.tokens[n];
        let outcome = revoke(
            self.store(),
            Revocation::Token {
                kind: KIND,
                scope: KEYSET.to_owned(),
                id: id(n as u64),
                issued_at: (!n.is_multiple_of(4)).then_some(UnixSeconds(token.issued_at)),
                expires_at: UnixSeconds(token.expires_at),
            },
        );
        // What has expired is not taken, and said to be so.
        self.tokens[n].revoked |= outcome != Outcome::Expired;
    }

    fn rule(&mut self, rule: Revocation, uuid: Option<&str>) {
        let outcome = revoke(self.store(), rule);
        let (Outcome::Revoked { until: Some(until) } | Outcome::Already { until: Some(until) }) =
            outcome
        else {
            panic!("{outcome:?}")
        };
        for token in &mut self.tokens {
            let is_meant = uuid.is_none_or(|uuid| uuid == token.uuid);
            token.revoked |= is_meant && token.issued_at <= until.0;
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let keyset = self.store().keyset(KEYSET).unwrap();
        for (n, token) in self.tokens.iter().enumerate() {
            let verifies = key_at(&keyset, token.issued_at) == token.key;
            if !(token.revoked && verifies && token.key.is_some()) {
                continue;
            }
            let (issued_at, expires_at) = (token.issued_at, token.expires_at);
            let stands = standing_until(
                self.store(),
                n as u64,
                issued_at,
                expires_at,
                Some(token.uuid),
            );
            prop_assert_ne!(stands, Standing::Good, "token {} stands again", n);
        }
        Ok(())
    }
}

#[test]
fn no_clock_revives_a_revoked_token() {
    let cases = std::env::var_os("USHER_CLOCK_HISTORIES")
        .map_or(48, |cases| cases.to_str().unwrap().parse().unwrap());
    let mut runner = TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let histories = prop::collection::vec(step(), 1..80);
    let outcome = runner.run(&histories, |steps| {
        let directory = tempfile::tempdir().unwrap();
        let clock = TestClock::new();
        let disk = Disk::default();
        let store = open(directory.path(), &disk, &clock);
        make_keyset(&store);
        let mut world = World {
            directory: directory.path(),
            disk,
            clock,
            store: Some(store),
            tokens: Vec::new(),
        };
        steps.iter().try_for_each(|step| {
            world.take(step);
            world.check()
        })
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    println!("table: clocks that step up to a year, with restarts | {cases} histories, 0 revived");
}
