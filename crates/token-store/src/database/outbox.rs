//! What the shared log has not shown yet. Only keys are kept here: what is
//! published is what holds by then.

use redb::{Database, ReadableDatabase as _, ReadableTable as _, WriteTransaction};
use token_core::{TokenId, TokenKind, UnixSeconds};

use super::entries;
use super::key::{TableKey, rule_uuid, split};
use super::keysets::read_keyset_record;
use super::{DENY, Failed, KEYSETS, OUTBOX, RULES};
use crate::export::{Id, Kind};
use crate::log::Entry;
use crate::master_key::Seal;
use crate::writer::Effect;

/// The first byte of a key. Keysets are the last: who has one without what
/// revokes its tokens would let them pass.
const RULE: u8 = 0;
const TOKEN: u8 = 1;
const KEYSET: u8 = 2;

/// A rule that was raised here, which nobody raises again.
const RAISED: u8 = 1;

/// Something that waits to be published.
pub(crate) struct Waiting {
    pub(crate) key: Vec<u8>,
    pub(crate) entry: Entry,
}

fn tagged(tag: u8, key: &[u8]) -> Vec<u8> {
    [&[tag], key].concat()
}

/// Notes changes that were made here, and lets go of what was forgotten.
pub(crate) fn note(transaction: &WriteTransaction, effects: &[Effect]) -> Result<(), Failed> {
    let mut table = transaction.open_table(OUTBOX)?;
    let token = |kind, scope: &str, id| {
        TableKey::of_scope(kind, scope).map(|key| tagged(TOKEN, key.with_token(id).bytes()))
    };
    let rule = |kind, scope: &str, uuid: Option<&str>| {
        TableKey::of_scope(kind, scope).map(|key| tagged(RULE, key.with_rule(uuid).bytes()))
    };
    for effect in effects {
        let (key, flag) = match effect {
            Effect::Deny {
                kind, scope, id, ..
            } => (token(*kind, scope, *id), 0),
            Effect::Rule {
                kind,
                scope,
                uuid,
                raised,
                ..
            } => {
                let flag = if *raised { RAISED } else { 0 };
                (rule(*kind, scope, uuid.as_deref()), flag)
            }
            Effect::Keyset(keyset) => {
                let key = tagged(KEYSET, keyset.subscribe_key.as_str().as_bytes());
                (Some(key), 0)
            }
            Effect::NoKeyset(subscribe_key) => (Some(tagged(KEYSET, subscribe_key.as_bytes())), 0),
            // Neither is for the log: both are this node's.
            Effect::AccessKeys(_) | Effect::Account(_) | Effect::NoAccount(_) => (None, 0),
            Effect::Forget(forgotten) => {
                let tokens = forgotten.tokens.iter();
                let tokens = tokens.filter_map(|(kind, scope, id)| token(*kind, scope, *id));
                let rules = forgotten.rules.iter();
                let rules =
                    rules.filter_map(|(kind, scope, uuid)| rule(*kind, scope, uuid.as_deref()));
                for key in tokens.chain(rules) {
                    table.remove(key.as_slice())?;
                }
                (None, 0)
            }
        };
        if let Some(key) = key {
            table.insert(key.as_slice(), flag)?;
        }
    }
    Ok(())
}

/// Has everything that is held wait until the log shows it.
pub(crate) fn add_everything(transaction: &WriteTransaction) -> Result<(), Failed> {
    let mut table = transaction.open_table(OUTBOX)?;
    for entry in transaction.open_table(RULES)?.iter()? {
        table.insert(tagged(RULE, entry?.0.value()).as_slice(), 0)?;
    }
    for entry in transaction.open_table(DENY)?.iter()? {
        table.insert(tagged(TOKEN, entry?.0.value()).as_slice(), 0)?;
    }
    for entry in transaction.open_table(KEYSETS)?.iter()? {
        table.insert(tagged(KEYSET, entry?.0.value().as_bytes()).as_slice(), 0)?;
    }
    Ok(())
}

/// The log has shown a token with this expiry.
pub(crate) fn token_seen(
    transaction: &WriteTransaction,
    key: &TableKey,
    expires_at: UnixSeconds,
) -> Result<(), Failed> {
    let held = entries::read(&transaction.open_table(DENY)?, key.bytes())?;
    if held.is_none_or(|(held, _)| held <= expires_at.0) {
        remove(transaction, &tagged(TOKEN, key.bytes()))?;
    }
    Ok(())
}

/// The log has shown a rule with this instant.
pub(crate) fn rule_seen(
    transaction: &WriteTransaction,
    key: &TableKey,
    until: UnixSeconds,
) -> Result<(), Failed> {
    let held = transaction.open_table(RULES)?;
    let held = held.get(key.bytes())?.map(|held| held.value());
    if held.is_none_or(|held| held <= until.0) {
        remove(transaction, &tagged(RULE, key.bytes()))?;
    }
    Ok(())
}

/// The log has shown the keyset as it is held. Returns whether that is news.
pub(crate) fn seen(transaction: &WriteTransaction, subscribe_key: &str) -> Result<bool, Failed> {
    remove(transaction, &tagged(KEYSET, subscribe_key.as_bytes()))
}

fn remove(transaction: &WriteTransaction, key: &[u8]) -> Result<bool, Failed> {
    let removed = transaction.open_table(OUTBOX)?.remove(key)?.is_some();
    Ok(removed)
}

/// Whether a token or a rule waits.
pub(crate) fn is_waiting(
    database: &Database,
    key: &TableKey,
    is_token: bool,
) -> Result<bool, Failed> {
    let tag = if is_token { TOKEN } else { RULE };
    let table = database.begin_read()?.open_table(OUTBOX)?;
    Ok(table.get(tagged(tag, key.bytes()).as_slice())?.is_some())
}

/// Whether a keyset waits.
pub(crate) fn keyset_waits(
    transaction: &WriteTransaction,
    subscribe_key: &str,
) -> Result<bool, Failed> {
    let key = tagged(KEYSET, subscribe_key.as_bytes());
    let waits = transaction
        .open_table(OUTBOX)?
        .get(key.as_slice())?
        .is_some();
    Ok(waits)
}

/// At most `limit` of what waits after `after`, as it is held now.
pub(crate) fn waiting(
    database: &Database,
    seal: &Seal,
    after: &[u8],
    limit: usize,
) -> Result<Vec<Waiting>, Failed> {
    use core::ops::Bound::{Excluded, Unbounded};
    let transaction = database.begin_read()?;
    let deny = transaction.open_table(DENY)?;
    let rules = transaction.open_table(RULES)?;
    let keysets = transaction.open_table(KEYSETS)?;
    let outbox = transaction.open_table(OUTBOX)?;
    let mut found = Vec::new();
    for waiting in outbox.range::<&[u8]>((Excluded(after), Unbounded))? {
        if found.len() >= limit {
            break;
        }
        let (key, flag) = waiting?;
        let (key, raised) = (key.value().to_vec(), flag.value() == RAISED);
        let Some((tag, rest)) = key.split_first() else {
            continue;
        };
        let entry = match *tag {
            RULE => rules
                .get(rest)?
                .and_then(|until| rule_entry(rest, until.value(), raised)),
            TOKEN => entries::read(&deny, rest)?.and_then(|held| token_entry(rest, held)),
            _ => match core::str::from_utf8(rest) {
                Ok(subscribe_key) => match keysets.get(subscribe_key)? {
                    Some(record) => {
                        let record = read_keyset_record(subscribe_key, record.value(), seal)
                            .map_err(Failed::Corrupted)?;
                        let subscribe_key = subscribe_key.to_owned();
                        Some(Entry::Keyset {
                            subscribe_key,
                            record,
                        })
                    }
                    None => None,
                },
                Err(_) => None,
            },
        };
        if let Some(entry) = entry {
            found.push(Waiting { key, entry });
        }
    }
    Ok(found)
}

fn rule_entry(key: &[u8], until: u64, raised: bool) -> Option<Entry> {
    let (kind, scope, rest) = split(key)?;
    let uuid = rule_uuid(rest)?.map(str::to_owned);
    Some(Entry::Rule {
        kind: Kind(kind),
        scope: scope.to_owned(),
        uuid,
        until,
        raised,
    })
}

fn token_entry(key: &[u8], (expires_at, issued_at): (u64, Option<u64>)) -> Option<Entry> {
    let (kind, scope, id): (TokenKind, &str, &[u8]) = split(key)?;
    Some(Entry::Token {
        kind: Kind(kind),
        scope: scope.to_owned(),
        id: Id(TokenId(id.try_into().ok()?)),
        issued_at,
        expires_at,
    })
}
