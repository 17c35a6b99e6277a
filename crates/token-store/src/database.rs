//! The tables, and every read and write of them.

use redb::{
    Database, Durability, ReadTransaction, ReadableDatabase as _, ReadableTable as _,
    TableDefinition, WriteTransaction,
};
use token_core::{TokenId, TokenKind, UnixSeconds};

use crate::access_key::AccessKeyKind;
use crate::deny_list::DenyList;
use crate::keyset::{Keyset, Record};

/// `(kind, scope, id)` to when the token expires and when it was issued.
const DENY: TableDefinition<'_, &[u8], (u64, u64)> = TableDefinition::new("deny");
/// The same by expiry, for pruning.
const DENY_BY_EXPIRY: TableDefinition<'_, (u64, &[u8]), ()> =
    TableDefinition::new("deny_by_expiry");
/// `(kind, scope, uuid?)` to the instant up to which tokens are dead.
const RULES: TableDefinition<'_, &[u8], u64> = TableDefinition::new("rules");
/// Subscribe key to record (JSON).
const KEYSETS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("keysets");
/// Kind of access key to the SHA-256 of the key.
const ACCESS_KEYS: TableDefinition<'_, &str, [u8; 32]> = TableDefinition::new("access_keys");
/// `(kind, scope)` and start of a signing key's period to its horizon.
const HORIZONS: TableDefinition<'_, (&[u8], u64), u64> = TableDefinition::new("horizons");
/// What there is one of.
const META: TableDefinition<'_, &str, &str> = TableDefinition::new("meta");

const ID: &str = "id";
const SEQUENCE: &str = "sequence";
/// The latest `t` issued by scope, as JSON; there while no process has it open.
const LATEST_ISSUED: &str = "latest_issued";

/// Stands for an unknown time of issue.
const UNKNOWN: u64 = u64::MAX;

/// Any error of the database. Its details matter to people only.
pub(crate) type Failed = redb::Error;

/// A table key: dialect, scope, and what is in the scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TableKey(Vec<u8>);

impl TableKey {
    /// The key of a scope; `None` when the scope is too long.
    pub(crate) fn of_scope(kind: TokenKind, scope: &str) -> Option<Self> {
        let tag = tag_of(kind);
        let length = u8::try_from(scope.len()).ok()?;
        let mut key = vec![tag, length];
        key.extend_from_slice(scope.as_bytes());
        Some(Self(key))
    }

    pub(crate) fn with_token(mut self, id: TokenId) -> Self {
        self.0.extend_from_slice(&id.0);
        self
    }

    pub(crate) fn with_rule(mut self, uuid: Option<&str>) -> Self {
        self.0.push(u8::from(uuid.is_some()));
        self.0
            .extend_from_slice(uuid.unwrap_or_default().as_bytes());
        self
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

pub(crate) const fn tag_of(kind: TokenKind) -> u8 {
    match kind {
        TokenKind::AccessManager => 0,
        TokenKind::Crt => 1,
        TokenKind::Oem => 2,
    }
}

pub(crate) const fn kind_of(tag: u8) -> Option<TokenKind> {
    match tag {
        0 => Some(TokenKind::AccessManager),
        1 => Some(TokenKind::Crt),
        2 => Some(TokenKind::Oem),
        _ => None,
    }
}

/// Splits a key into dialect, scope and the rest.
fn split(key: &[u8]) -> Option<(TokenKind, &str, &[u8])> {
    let (kind, rest) = key.split_first()?;
    let kind = kind_of(*kind)?;
    let (length, rest) = rest.split_first()?;
    let (scope, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((kind, core::str::from_utf8(scope).ok()?, rest))
}

/// The uuid of a rule's key, `None` for a keyset rule.
fn rule_uuid(rest: &[u8]) -> Option<Option<&str>> {
    match rest.split_first()? {
        (0, []) => Some(None),
        (1, uuid) => core::str::from_utf8(uuid).ok().map(Some),
        _ => None,
    }
}

/// A transaction whose commit is on the disk when it returns. With redb's
/// one-phase commit, damage to the last commit may roll it back unnoticed.
pub(crate) fn begin(database: &Database) -> Result<WriteTransaction, Failed> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

/// Makes every table, and gives the database its id.
pub(crate) fn create(database: &Database, id: &str) -> Result<(), Failed> {
    let transaction = begin(database)?;
    transaction.open_table(DENY)?;
    transaction.open_table(DENY_BY_EXPIRY)?;
    transaction.open_table(RULES)?;
    transaction.open_table(KEYSETS)?;
    transaction.open_table(ACCESS_KEYS)?;
    transaction.open_table(HORIZONS)?;
    transaction.open_table(META)?.insert(ID, id)?;
    transaction.commit()?;
    Ok(())
}

pub(crate) fn read_id(database: &Database) -> Result<Option<String>, Failed> {
    let table = database.begin_read()?.open_table(META)?;
    Ok(table.get(ID)?.map(|id| id.value().to_owned()))
}

/// What is kept in memory, beside the deny list.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) keysets: Vec<Keyset>,
    pub(crate) access_keys: Vec<(AccessKeyKind, [u8; 32])>,
    pub(crate) sequence: u64,
}

/// Reads everything into `deny_list`, which only grows by it, and returns the
/// rest. The inner error says which record is not one that we wrote.
pub(crate) fn load(
    database: &Database,
    deny_list: &DenyList,
) -> Result<Result<Contents, String>, Failed> {
    let transaction = database.begin_read()?;
    if !load_deny_list(&transaction, deny_list)? {
        return Ok(Err("an entry of the deny list cannot be read".to_owned()));
    }
    let mut contents = Contents {
        sequence: sequence_in(&transaction)?,
        ..Contents::default()
    };
    match read_keysets(&transaction.open_table(KEYSETS)?)? {
        Ok(keysets) => contents.keysets = keysets,
        Err(reason) => return Ok(Err(reason)),
    }
    let access_keys = transaction.open_table(ACCESS_KEYS)?;
    for kind in AccessKeyKind::ALL {
        contents.access_keys.extend(
            access_keys
                .get(kind.name())?
                .map(|hash| (kind, hash.value())),
        );
    }
    Ok(Ok(contents))
}

fn read_keysets(
    table: &impl redb::ReadableTable<&'static str, &'static [u8]>,
) -> Result<Result<Vec<Keyset>, String>, Failed> {
    let mut keysets = Vec::new();
    for record in table.iter()? {
        let (subscribe_key, record) = record?;
        let keyset = serde_json::from_slice::<Record>(record.value())
            .map_err(|_| format!("keyset `{}` cannot be read", subscribe_key.value()))
            .and_then(|record| record.into_keyset(subscribe_key.value()));
        match keyset {
            Ok(keyset) => keysets.extend(keyset),
            Err(reason) => return Ok(Err(reason)),
        }
    }
    Ok(Ok(keysets))
}

/// The keysets, as this transaction has them.
pub(crate) fn keysets(transaction: &WriteTransaction) -> Result<Vec<Keyset>, Failed> {
    read_keysets(&transaction.open_table(KEYSETS)?)?.map_err(Failed::Corrupted)
}

/// How many commits there were.
pub(crate) fn read_sequence(database: &Database) -> Result<u64, Failed> {
    sequence_in(&database.begin_read()?)
}

fn sequence_in(transaction: &ReadTransaction) -> Result<u64, Failed> {
    let meta = transaction.open_table(META)?;
    Ok(meta
        .get(SEQUENCE)?
        .and_then(|sequence| sequence.value().parse().ok())
        .unwrap_or(0))
}

fn load_deny_list(transaction: &ReadTransaction, deny_list: &DenyList) -> Result<bool, Failed> {
    for entry in transaction.open_table(HORIZONS)?.iter()? {
        let (key, horizon) = entry?;
        let (scope, from) = key.value();
        let Some((kind, scope, [])) = split(scope) else {
            return Ok(false);
        };
        deny_list
            .scope(kind, scope)
            .raise_horizon(from, horizon.value());
    }
    // A scope's entries are neighbours, so its map is made of one size at once.
    let mut scope_key = Vec::new();
    let mut entries = Vec::new();
    for entry in transaction.open_table(DENY)?.iter()? {
        let (key, value) = entry?;
        let Some((id, of_scope)) = key.value().split_last_chunk::<16>().map(|(s, id)| (id, s))
        else {
            return Ok(false);
        };
        if of_scope != scope_key {
            if !deny_all(deny_list, &scope_key, &mut entries) {
                return Ok(false);
            }
            scope_key = of_scope.to_vec();
        }
        entries.push((TokenId(*id), UnixSeconds(value.value().0)));
    }
    if !deny_all(deny_list, &scope_key, &mut entries) {
        return Ok(false);
    }
    for entry in transaction.open_table(RULES)?.iter()? {
        let (key, until) = entry?;
        let Some((kind, scope, rest)) = split(key.value()) else {
            return Ok(false);
        };
        let Some(uuid) = rule_uuid(rest) else {
            return Ok(false);
        };
        deny_list
            .scope(kind, scope)
            .add_rule(uuid, UnixSeconds(until.value()));
    }
    Ok(true)
}

/// Puts entries of one scope on the deny list. False when the key is none.
fn deny_all(
    deny_list: &DenyList,
    scope_key: &[u8],
    entries: &mut Vec<(TokenId, UnixSeconds)>,
) -> bool {
    if entries.is_empty() {
        return true;
    }
    let Some((kind, scope, [])) = split(scope_key) else {
        return false;
    };
    deny_list.scope(kind, scope).deny_all(entries);
    entries.clear();
    true
}

/// What the last process to close the store had issued, scope by scope; `None`
/// when it did not come to close it. It is gone from the database then: this
/// process may come to no good end either.
pub(crate) fn take_latest_issued(database: &Database) -> Result<Option<LatestIssued>, Failed> {
    let transaction = begin(database)?;
    let latest = {
        let mut meta = transaction.open_table(META)?;
        let record = meta.remove(LATEST_ISSUED)?;
        record.and_then(|record| serde_json::from_str(record.value()).ok())
    };
    transaction.commit()?;
    Ok(latest)
}

pub(crate) fn write_latest_issued(
    database: &Database,
    latest: &LatestIssued,
) -> Result<(), Failed> {
    let transaction = begin(database)?;
    let json = serde_json::to_string(latest).unwrap_or_default();
    transaction
        .open_table(META)?
        .insert(LATEST_ISSUED, json.as_str())?;
    transaction.commit()?;
    Ok(())
}

/// By the number of the dialect and the scope.
pub(crate) type LatestIssued = Vec<(u8, String, u64)>;

/// Counts a commit.
pub(crate) fn next_sequence(transaction: &WriteTransaction) -> Result<u64, Failed> {
    let mut meta = transaction.open_table(META)?;
    let last = meta
        .get(SEQUENCE)?
        .and_then(|sequence| sequence.value().parse::<u64>().ok());
    let next = last.unwrap_or(0).saturating_add(1);
    meta.insert(SEQUENCE, next.to_string().as_str())?;
    Ok(next)
}

/// What an entry met on the deny list.
pub(crate) enum Denied {
    New,
    /// It is there, with an earlier expiry until now.
    Extended,
    Already,
}

/// Puts a token on the deny list. The later of two expiries holds, and of two
/// times of issue neither: an entry is never forgotten too early.
pub(crate) fn deny(
    transaction: &WriteTransaction,
    key: &TableKey,
    expires_at: UnixSeconds,
    issued_at: Option<UnixSeconds>,
) -> Result<Denied, Failed> {
    let mut table = transaction.open_table(DENY)?;
    let mut by_expiry = transaction.open_table(DENY_BY_EXPIRY)?;
    let new = (expires_at.0, issued_at.map_or(UNKNOWN, |at| at.0));
    let held = table.get(key.bytes())?.map(|held| held.value());
    let Some(held) = held else {
        table.insert(key.bytes(), new)?;
        by_expiry.insert((new.0, key.bytes()), ())?;
        return Ok(Denied::New);
    };
    let issued_at = if held.1 == new.1 { held.1 } else { UNKNOWN };
    let merged = (held.0.max(new.0), issued_at);
    if merged != held {
        table.insert(key.bytes(), merged)?;
        by_expiry.remove((held.0, key.bytes()))?;
        by_expiry.insert((merged.0, key.bytes()), ())?;
    }
    Ok(if merged.0 > held.0 {
        Denied::Extended
    } else {
        Denied::Already
    })
}

/// Adds a rule. `Some` is the instant of one that covers it already.
pub(crate) fn add_rule(
    transaction: &WriteTransaction,
    key: &TableKey,
    until: UnixSeconds,
) -> Result<Option<UnixSeconds>, Failed> {
    let mut table = transaction.open_table(RULES)?;
    let held = table.get(key.bytes())?.map(|until| until.value());
    if let Some(held) = held.filter(|held| *held >= until.0) {
        return Ok(Some(UnixSeconds(held)));
    }
    table.insert(key.bytes(), until.0)?;
    Ok(None)
}

/// The record of a keyset, or of one that was.
pub(crate) fn read_record(
    transaction: &WriteTransaction,
    subscribe_key: &str,
) -> Result<Option<Record>, Failed> {
    let table = transaction.open_table(KEYSETS)?;
    table
        .get(subscribe_key)?
        .map(|record| serde_json::from_slice(record.value()))
        .transpose()
        .map_err(|_| Failed::Corrupted("the record of a keyset".to_owned()))
}

pub(crate) fn write_record(
    transaction: &WriteTransaction,
    subscribe_key: &str,
    record: &Record,
) -> Result<(), Failed> {
    let json = serde_json::to_vec(record)
        .map(zeroize::Zeroizing::new)
        .map_err(|error| Failed::Io(error.into()))?;
    transaction
        .open_table(KEYSETS)?
        .insert(subscribe_key, json.as_slice())?;
    Ok(())
}

pub(crate) fn write_access_key(
    transaction: &WriteTransaction,
    kind: AccessKeyKind,
    hash: [u8; 32],
) -> Result<(), Failed> {
    transaction
        .open_table(ACCESS_KEYS)?
        .insert(kind.name(), hash)?;
    Ok(())
}

/// A token whose entry was pruned.
pub(crate) struct PrunedEntry {
    pub(crate) kind: TokenKind,
    pub(crate) scope: String,
    pub(crate) id: TokenId,
    pub(crate) issued_at: Option<UnixSeconds>,
    pub(crate) expires_at: UnixSeconds,
}

/// Takes at most `limit` entries that expired up to `now` off the deny list.
pub(crate) fn take_expired(
    transaction: &WriteTransaction,
    now: UnixSeconds,
    limit: usize,
) -> Result<Vec<PrunedEntry>, Failed> {
    let mut by_expiry = transaction.open_table(DENY_BY_EXPIRY)?;
    let mut deny = transaction.open_table(DENY)?;
    let end = now.0.saturating_add(1);
    let expired: Vec<(u64, Vec<u8>)> = by_expiry
        .range((0, [].as_slice())..(end, [].as_slice()))?
        .take(limit)
        .map(|entry| entry.map(|(key, _)| (key.value().0, key.value().1.to_vec())))
        .collect::<Result<_, _>>()?;
    let mut pruned = Vec::with_capacity(expired.len());
    for (expires_at, key) in &expired {
        by_expiry.remove((*expires_at, key.as_slice()))?;
        let value = deny.remove(key.as_slice())?.map(|value| value.value());
        let id = split(key).and_then(|(kind, scope, id)| Some((kind, scope, id.try_into().ok()?)));
        if let (Some((_, issued_at)), Some((kind, scope, id))) = (value, id) {
            pruned.push(PrunedEntry {
                kind,
                scope: scope.to_owned(),
                id: TokenId(id),
                issued_at: (issued_at != UNKNOWN).then_some(UnixSeconds(issued_at)),
                expires_at: UnixSeconds(*expires_at),
            });
        }
    }
    Ok(pruned)
}

/// Raises a horizon and returns what holds then.
pub(crate) fn raise_horizon(
    transaction: &WriteTransaction,
    scope: &TableKey,
    from: u64,
    horizon: u64,
) -> Result<u64, Failed> {
    let mut table = transaction.open_table(HORIZONS)?;
    let held = table
        .get((scope.bytes(), from))?
        .map_or(0, |held| held.value());
    let raised = held.max(horizon);
    table.insert((scope.bytes(), from), raised)?;
    Ok(raised)
}

/// The horizon of one signing key.
pub(crate) fn read_horizon(
    transaction: &WriteTransaction,
    scope: &TableKey,
    from: u64,
) -> Result<u64, Failed> {
    let table = transaction.open_table(HORIZONS)?;
    Ok(table
        .get((scope.bytes(), from))?
        .map_or(0, |held| held.value()))
}

/// Drops the horizons of signing keys that are no more: no token of theirs
/// verifies.
pub(crate) fn keep_horizons(
    transaction: &WriteTransaction,
    scope: &TableKey,
    starts: &[u64],
) -> Result<(), Failed> {
    transaction
        .open_table(HORIZONS)?
        .retain_in((scope.bytes(), 0)..=(scope.bytes(), u64::MAX), |key, _| {
            starts.contains(&key.1)
        })?;
    Ok(())
}

/// Every rule of a scope.
pub(crate) fn rules(
    transaction: &WriteTransaction,
    scope: &TableKey,
) -> Result<Vec<(Option<String>, u64)>, Failed> {
    let table = transaction.open_table(RULES)?;
    let mut rules = Vec::new();
    for entry in table.range(scope.bytes()..)? {
        let (key, until) = entry?;
        let Some(rest) = key.value().strip_prefix(scope.bytes()) else {
            break;
        };
        rules.extend(rule_uuid(rest).map(|uuid| (uuid.map(str::to_owned), until.value())));
    }
    Ok(rules)
}

pub(crate) fn drop_rule(transaction: &WriteTransaction, key: &TableKey) -> Result<(), Failed> {
    transaction.open_table(RULES)?.remove(key.bytes())?;
    Ok(())
}

/// One page of a table, for listings: keys in `scope` after `after`, without
/// the scope.
pub(crate) enum Page {
    Rules(Vec<(Vec<u8>, u64)>),
    Tokens(Vec<(Vec<u8>, u64)>),
}

pub(crate) fn page(
    database: &Database,
    scope: &TableKey,
    tokens: bool,
    after: &[u8],
    limit: usize,
) -> Result<Page, Failed> {
    let transaction = database.begin_read()?;
    let start = [scope.bytes(), after].concat();
    let inside = |key: &[u8]| key.strip_prefix(scope.bytes()).map(<[u8]>::to_vec);
    let is_new = |rest: &Vec<u8>| after.is_empty() || rest.as_slice() > after;
    let mut found = Vec::new();
    if tokens {
        for entry in transaction.open_table(DENY)?.range(start.as_slice()..)? {
            let (key, value) = entry?;
            let Some(rest) = inside(key.value()) else {
                break;
            };
            if is_new(&rest) {
                found.push((rest, value.value().0));
            }
            if found.len() >= limit {
                break;
            }
        }
        return Ok(Page::Tokens(found));
    }
    for entry in transaction.open_table(RULES)?.range(start.as_slice()..)? {
        let (key, value) = entry?;
        let Some(rest) = inside(key.value()) else {
            break;
        };
        if is_new(&rest) {
            found.push((rest, value.value()));
        }
        if found.len() >= limit {
            break;
        }
    }
    Ok(Page::Rules(found))
}

/// The uuid of a rule's key without its scope.
pub(crate) fn rule_of(rest: &[u8]) -> Option<Option<&str>> {
    rule_uuid(rest)
}
