//! An inspected token for people.

use token_codec::UntrustedToken;
use token_core::{Permissions, ResourceKind, UnixSeconds};

use super::Warning;
use crate::output::{BAD, NOTE, Sheet, Table, printable};
use crate::when::{instant_from, span};

pub(super) fn render(token: &UntrustedToken, warnings: &[Warning], now: u64) -> String {
    let claims = token.claims_untrusted();
    let mut sheet = Sheet::default();
    sheet.row("issued", instant_from(claims.issued_at.0, now));
    sheet.row("lives", span(u64::from(claims.ttl.0).saturating_mul(60)));
    sheet.row("expires", expiry(claims.expires_at(), now));
    if let Some(uuid) = &claims.uuid {
        sheet.row("bound to", printable(uuid));
    }
    for (category, _) in &claims.categories {
        sheet.row("may list", format!("all {}", category.json_name()));
    }
    if let Some(id) = token.id_untrusted() {
        sheet.row("id", id.to_string());
    }
    for id in &claims.ancestors {
        sheet.row("narrowed from", id.to_string());
    }
    sheet.row("size", format!("{} bytes", token.size()));
    if !claims.meta.is_empty() {
        sheet.row("meta", printable(&super::meta(&claims.meta).to_string()));
    }
    let mut text = sheet.render();
    text.push_str(&entries(&claims.names, &claims.patterns));
    for warning in warnings {
        let message = printable(&warning.message);
        text.push_str(&format!(
            "{NOTE}warning:{NOTE:#} {message} [{}]\n",
            warning.code
        ));
    }
    text.push_str("not verified: `usher verify` says whether it is genuine\n");
    text
}

fn expiry(at: Option<UnixSeconds>, now: u64) -> String {
    match at {
        None => "never (the instant cannot be expressed)".to_owned(),
        Some(at) if at.0 <= now => format!("{BAD}{}{BAD:#}", instant_from(at.0, now)),
        Some(at) => instant_from(at.0, now),
    }
}

type Entry = (ResourceKind, String, Permissions);

fn entries(names: &[Entry], patterns: &[Entry]) -> String {
    if names.is_empty() && patterns.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["KIND", "BY", "ENTRY", "PERMISSIONS"]);
    for (by, entries) in [("name", names), ("pattern", patterns)] {
        for (kind, entry, held) in entries {
            table.row([
                kind.to_string(),
                by.to_owned(),
                entry.clone(),
                held.to_string(),
            ]);
        }
    }
    format!("\n{}\n", table.render())
}
