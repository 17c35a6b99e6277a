//! The deny list of a real store, as the server asks it.

use core::time::Duration;

use tempfile::TempDir;
use token_core::{TokenId, TokenKind, UnixSeconds};
use token_policy::{Revocations, Standing, Subject};
use token_store::{Clock, OpenOptions, Revocation, Store};

use crate::token::{ISSUED_AT, NOW, SUBSCRIBE_KEY};

/// A store in a directory of its own.
#[derive(Debug)]
pub struct DenyList {
    store: Store,
    _directory: TempDir,
}

#[derive(Debug)]
struct StandingClock;

impl Clock for StandingClock {
    fn now(&self) -> UnixSeconds {
        NOW
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

impl DenyList {
    /// A deny list with `thousands` thousand tokens of the keyset, none of
    /// them one of ours.
    #[must_use]
    pub fn with_thousands(thousands: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), OpenOptions::new(StandingClock)).unwrap();
        for thousand in 0..thousands {
            let batch = (0..1_000).map(|n| token(thousand * 1_000 + n)).collect();
            store.revoke(batch).unwrap();
        }
        assert_eq!(store.denied_tokens() as u64, thousands * 1_000);
        Self {
            store,
            _directory: directory,
        }
    }
}

fn token(number: u64) -> Revocation {
    let number = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    Revocation::Token {
        kind: TokenKind::AccessManager,
        scope: SUBSCRIBE_KEY.to_owned(),
        id: TokenId(number.to_be_bytes()),
        issued_at: Some(ISSUED_AT),
        expires_at: NOW.saturating_add(3_600),
    }
}

impl Revocations for DenyList {
    fn standing(&self, subject: &Subject<'_>) -> Standing {
        self.store.standing(subject)
    }
}
