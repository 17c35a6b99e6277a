//! Whose tokens are good for the requests of a rule file, and what the tokens of
//! an account must permit.

use token_core::CUSTOMER_PERMISSIONS;
use token_core::limits::KEY_CHARS_MAX;
use toml::Spanned;
use toml::de::DeValue;

use super::Owner;
use super::toml::{Keys, Source, Span};

/// `keyset = "sub-c-chat"` or `account = 1`.
pub(super) fn owner(source: &mut Source<'_>, keys: &mut Keys<'_, '_>) -> Option<Owner> {
    let Some(value) = keys.take("account") else {
        let value = keys.need(source, "keyset", "a rule file")?;
        return keyset(source, value).map(Owner::Keyset);
    };
    if keys.take("keyset").is_some() {
        let message = "a rule file is for a keyset or for an account, not for both";
        source.error(&value.span(), "conflicting_keys", message);
        return None;
    }
    let number = value.get_ref().as_integer();
    let number =
        number.and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok());
    let Some(number) = number.filter(|number| *number > 0) else {
        let message = "`account` must be the number of an account";
        source.error(&value.span(), "invalid_account", message);
        return None;
    };
    Some(Owner::Account(number.to_string().into()))
}

fn keyset(source: &mut Source<'_>, value: &Spanned<DeValue<'_>>) -> Option<Box<str>> {
    let value = source.text(value, "`keyset`")?;
    let text = *value.get_ref();
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if text.is_empty() || text.len() > KEY_CHARS_MAX || !text.bytes().all(legal) {
        let message = "`keyset` must be a subscribe key";
        source.error(&value.span(), "invalid_keyset", message);
        return None;
    }
    Some(text.into())
}

/// `permissions = ["dashboard:read"]`.
pub(super) fn customer(source: &mut Source<'_>, keys: &mut Keys<'_, '_>) -> Option<Vec<Box<str>>> {
    let value = keys.take("permissions")?;
    let before = source.findings.len();
    let texts = source.texts(value, "`permissions`");
    if texts.is_empty() && source.findings.len() == before {
        let message = "`permissions` names nothing; write `any_token = true` for any valid token";
        source.error(&value.span(), "empty_needs", message);
    }
    let mut permissions: Vec<Box<str>> = Vec::new();
    for text in texts {
        let name = *text.get_ref();
        if !CUSTOMER_PERMISSIONS.contains(&name) {
            let message = format!("a customer has no permission `{name}`");
            source.error(&text.span(), "unknown_permission", message);
        } else if !permissions.iter().any(|known| **known == *name) {
            permissions.push(name.into());
        }
    }
    Some(permissions)
}

/// A token of a keyset grants names, one of an account permissions of its
/// customer: what the other kind grants is never held.
pub(super) fn check_sort(
    source: &mut Source<'_>,
    span: &Span,
    owner: Option<&Owner>,
    (needs, customer): (bool, bool),
) {
    let message = match owner {
        Some(Owner::Keyset(_)) if customer => {
            "`permissions` are those of a customer, for a file with `account`"
        }
        Some(Owner::Account(_)) if needs => {
            "no token of an account grants names; write `permissions`"
        }
        _ => return,
    };
    source.error(span, "conflicting_keys", message);
}
