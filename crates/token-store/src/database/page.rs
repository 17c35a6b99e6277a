//! Pages of a listing.

use redb::{Database, ReadableDatabase as _};

use super::key::{TableKey, rule_uuid};
use super::{DENY, Failed, RULES};

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
