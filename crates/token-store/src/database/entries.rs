//! Single tokens on the deny list, and the index of their expiries.

use redb::{ReadableTable as _, WriteTransaction};
use token_core::{TokenId, TokenKind, UnixSeconds};

use super::key::{TableKey, split};
use super::{DENY, DENY_BY_EXPIRY, Failed};

/// Stands for an unknown time of issue.
pub(super) const UNKNOWN: u64 = u64::MAX;

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

/// The entry of a token: when it expires and when it was issued.
pub(super) fn read(
    table: &impl redb::ReadableTable<&'static [u8], (u64, u64)>,
    key: &[u8],
) -> Result<Option<(u64, Option<u64>)>, Failed> {
    let held = table.get(key)?.map(|held| held.value());
    Ok(held.map(|(expires_at, issued_at)| {
        let issued_at = (issued_at != UNKNOWN).then_some(issued_at);
        (expires_at, issued_at)
    }))
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
