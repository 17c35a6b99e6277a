//! One rule file: from TOML to rules, each on its own.

use token_core::{Permission, Permissions, ResourceKind};
use toml::Spanned;
use toml::de::DeValue;

use crate::classify::Access;

use super::owner::{check_sort, customer, owner};
use super::path::Path;
use super::template::Template;
use super::toml::{Keys, Source, Span};
use super::{Caller, Capture, Owner, Rule, RuleFile, RuleNeed, TokenSources};

/// A rule and where it stands.
pub(super) struct Placed {
    pub(super) rule: Rule,
    pub(super) span: Span,
}

/// Reads the file with the number `file`. `None` when a part that all rules need
/// is not there; what is wrong is in `source`.
pub(super) fn read(source: &mut Source<'_>, file: usize) -> Option<(RuleFile, Vec<Placed>)> {
    let document = source.document()?;
    let mut keys = Keys::of(document.span(), document.get_ref());
    let owner = owner(source, &mut keys);
    let token = tokens(source, &mut keys);
    let caller = caller(source, &mut keys);
    let mut rules = Vec::new();
    match keys.take("rule") {
        Some(list) => {
            for item in source.list(list, "`rule`") {
                rules.extend(rule(source, (file, owner.as_ref()), item));
            }
        }
        None => source.error(&(0..0), "missing_key", "there is no `[[rule]]`"),
    }
    keys.finish(source, "a rule file");
    let mut parameters: Vec<Box<str>> = Vec::new();
    let captures = rules.iter().flat_map(|placed| &placed.rule.captures);
    parameters.extend(captures.filter_map(|capture| capture.parameter.clone()));
    parameters.extend(token.query.clone());
    if let Some(Caller::Query(name)) = &caller {
        parameters.push(name.clone());
    }
    parameters.sort();
    parameters.dedup();
    if !source.has_errors() {
        check_captures(source, caller.as_ref(), &rules);
    }
    check_parameters(source, &parameters);
    let file = RuleFile {
        owner: owner?,
        token,
        caller,
        parameters,
    };
    Some((file, rules))
}

fn tokens(source: &mut Source<'_>, keys: &mut Keys<'_, '_>) -> TokenSources {
    let mut token = TokenSources::default();
    let Some(value) = keys.take("token") else {
        let message = "a rule file needs `[token]`: where the token of a request is";
        source.error(&(0..0), "missing_key", message);
        return token;
    };
    let Some(mut table) = source.table(value, "`token`") else {
        return token;
    };
    let before = source.findings.len();
    token.bearer = table.flag(source, "bearer");
    token.query = parameter(source, &mut table, "query");
    token.cookie = word(source, &mut table, "cookie", str::to_owned);
    token.header = word(source, &mut table, "header", str::to_ascii_lowercase);
    let elsewhere = [&token.query, &token.cookie, &token.header];
    let nowhere = !token.bearer && elsewhere.iter().all(|source| source.is_none());
    if nowhere && source.findings.len() == before {
        let message = "`token` needs `bearer`, `query`, `cookie` or `header`";
        source.error(&table.span, "missing_key", message);
    }
    table.finish(source, "`token`");
    token
}

/// A parameter whose name is the same whether it is written in escapes or not.
fn parameter(source: &mut Source<'_>, keys: &mut Keys<'_, '_>, key: &str) -> Option<Box<str>> {
    let value = keys.text(source, key)?;
    legal_parameter(source, &value)
}

fn legal_parameter(source: &mut Source<'_>, value: &Spanned<&str>) -> Option<Box<str>> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let text = *value.get_ref();
    if text.is_empty() || !text.bytes().all(legal) {
        let message = "the name of a parameter may have letters, digits and `-_.~`";
        source.error(&value.span(), "invalid_parameter", message);
        return None;
    }
    Some(text.into())
}

/// The name of a header or of a cookie: a token of RFC 9110 section 5.6.2.
fn word(
    source: &mut Source<'_>,
    keys: &mut Keys<'_, '_>,
    key: &str,
    form: impl Fn(&str) -> String,
) -> Option<Box<str>> {
    let value = keys.text(source, key)?;
    let text = *value.get_ref();
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if text.is_empty() || !text.bytes().all(legal) {
        let message = format!("`{key}` must be the name of a header or cookie");
        source.error(&value.span(), "invalid_header", message);
        return None;
    }
    Some(form(text).into_boxed_str())
}

fn caller(source: &mut Source<'_>, keys: &mut Keys<'_, '_>) -> Option<Caller> {
    let mut table = source.table(keys.take("caller")?, "`caller`")?;
    let query = parameter(source, &mut table, "query").map(Caller::Query);
    let header = word(source, &mut table, "header", str::to_ascii_lowercase).map(Caller::Header);
    let capture = table.text(source, "capture");
    let capture = capture.map(|name| Caller::Capture((*name.get_ref()).into()));
    let from_token = table.flag(source, "token");
    let span = table.span.clone();
    let pass = word(source, &mut table, "pass", str::to_ascii_lowercase);
    table.finish(source, "`caller`");
    let token = match (from_token, pass) {
        (true, Some(pass)) if !is_reserved(&pass) => Some(Caller::Token { pass }),
        (true, Some(pass)) => {
            let message = format!("the header `{pass}` has a meaning of its own");
            source.error(&span, "reserved_header", message);
            return None;
        }
        (true, None) => {
            let message = "`token = true` needs `pass`: the header that tells the upstream";
            source.error(&span, "missing_key", message);
            return None;
        }
        (false, Some(_)) => {
            let message = "`pass` goes with `token = true`";
            source.error(&span, "conflicting_keys", message);
            return None;
        }
        (false, None) => None,
    };
    let mut found = [query, header, capture, token].into_iter().flatten();
    let first = found.next();
    if first.is_none() || found.next().is_some() {
        let message = "`caller` needs one of `query`, `header`, `capture` and `token`";
        source.error(&span, "conflicting_keys", message);
    }
    first
}

/// Headers that say something else than who asks.
fn is_reserved(name: &str) -> bool {
    const NAMES: [&str; 10] = [
        "authorization",
        "connection",
        "content-length",
        "cookie",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    NAMES.contains(&name)
}

fn rule(
    source: &mut Source<'_>,
    (file, owner): (usize, Option<&Owner>),
    value: &Spanned<DeValue<'_>>,
) -> Option<Placed> {
    let mut keys = source.table(value, "`rule`")?;
    let name = keys.need(source, "name", "a rule");
    let name = name.and_then(|value| source.text(value, "`name`"));
    let methods = methods(source, &mut keys);
    let path = path(source, &mut keys);
    let before = source.findings.len();
    let mut captures: Vec<Capture> = path.iter().flat_map(path_captures).collect();
    query(source, &mut keys, &mut captures);
    let lists = keys.texts(source, "lists");
    mark(source, &mut captures, &lists, |capture| capture.list = true);
    let optional = keys.texts(source, "optional");
    for name in &optional {
        let of_path = |capture: &Capture| capture.parameter.is_none();
        let found = captures
            .iter()
            .find(|known| *known.name == **name.get_ref());
        if found.is_some_and(of_path) {
            let message = "a capture of the path is never optional";
            source.error(&name.span(), "capture_optional", message);
        }
    }
    mark(source, &mut captures, &optional, |capture| {
        capture.optional = true;
    });
    let needs = needs(source, &mut keys, &captures);
    let customer = customer(source, &mut keys);
    let sort = needs.as_ref().map(|_| Access::Needs);
    let sort = sort.or_else(|| customer.as_ref().map(|_| Access::Customer));
    check_sort(
        source,
        &keys.span,
        owner,
        (needs.is_some(), customer.is_some()),
    );
    if path.is_none() {
        // Its captures are not known.
        source.forget("unknown_capture", before);
    }
    let access = access(source, &mut keys, sort);
    let upgrade = keys.flag(source, "upgrade");
    let span = keys.span.clone();
    keys.finish(source, "a rule");
    let rule = Rule {
        file,
        name: (*name?.get_ref()).into(),
        methods,
        path: path?,
        captures,
        access: access?,
        needs: needs.unwrap_or_default(),
        customer: customer.unwrap_or_default(),
        upgrade,
    };
    Some(Placed { rule, span })
}

fn methods(source: &mut Source<'_>, keys: &mut Keys<'_, '_>) -> Vec<Box<str>> {
    let Some(value) = keys.need(source, "methods", "a rule") else {
        return Vec::new();
    };
    let before = source.findings.len();
    let texts = source.texts(value, "`methods`");
    if texts.is_empty() && source.findings.len() == before {
        let message = "a rule needs at least one method";
        source.error(&value.span(), "invalid_method", message);
    }
    let mut methods: Vec<Box<str>> = Vec::new();
    for text in texts {
        let method = *text.get_ref();
        if method.is_empty()
            || !method
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'-')
        {
            let message = "a method is written in capital letters, as in `GET`";
            source.error(&text.span(), "invalid_method", message);
        }
        methods.push(method.into());
    }
    methods
}

fn path(source: &mut Source<'_>, keys: &mut Keys<'_, '_>) -> Option<Path> {
    let value = keys.need(source, "path", "a rule")?;
    let text = source.text(value, "`path`")?;
    match Path::parse(text.get_ref()) {
        Ok(path) => Some(path),
        Err(faults) => {
            for (code, message) in faults {
                source.error(&text.span(), code, message);
            }
            None
        }
    }
}

fn path_captures(path: &Path) -> impl Iterator<Item = Capture> {
    path.captures.iter().map(|name| Capture {
        name: name.clone(),
        parameter: None,
        list: false,
        optional: false,
    })
}

/// `query = { capture = "parameter" }`.
fn query(source: &mut Source<'_>, keys: &mut Keys<'_, '_>, captures: &mut Vec<Capture>) {
    let Some(value) = keys.take("query") else {
        return;
    };
    let Some(table) = source.table(value, "`query`") else {
        return;
    };
    for (name, span, value) in table.rest() {
        if captures.iter().any(|known| *known.name == *name) {
            let message = format!("there are two captures `{name}`");
            source.error(&span, "duplicate_capture", message);
            continue;
        }
        let text = source.text(value, "the parameter of a capture");
        let Some(parameter) = text.and_then(|text| legal_parameter(source, &text)) else {
            continue;
        };
        captures.push(Capture {
            name: name.into(),
            parameter: Some(parameter),
            list: false,
            optional: false,
        });
    }
}

fn mark(
    source: &mut Source<'_>,
    captures: &mut [Capture],
    names: &[Spanned<&str>],
    set: impl Fn(&mut Capture),
) {
    for name in names {
        match captures
            .iter_mut()
            .find(|known| *known.name == **name.get_ref())
        {
            Some(capture) => set(capture),
            None => {
                let name_of = name.get_ref();
                let message = format!("neither path nor query has a capture `{name_of}`");
                source.error(&name.span(), "unknown_capture", message);
            }
        }
    }
}

/// `needs = [{ channel = "{room}", permissions = ["read"] }]`.
fn needs(
    source: &mut Source<'_>,
    keys: &mut Keys<'_, '_>,
    captures: &[Capture],
) -> Option<Vec<RuleNeed>> {
    let value = keys.take("needs")?;
    let items = source.list(value, "`needs`");
    if items.is_empty() {
        let message = "`needs` names nothing; write `any_token = true` for any valid token";
        source.error(&value.span(), "empty_needs", message);
    }
    let mut needs = Vec::new();
    for item in items {
        if let Some(table) = source.table(item, "each item of `needs`") {
            needs.extend(need(source, table, captures));
        }
    }
    Some(needs)
}

fn need(source: &mut Source<'_>, mut keys: Keys<'_, '_>, captures: &[Capture]) -> Option<RuleNeed> {
    let span = keys.span.clone();
    let listed = keys.need(source, "permissions", "a need");
    let texts = listed.map(|value| source.texts(value, "`permissions`"));
    let mut permissions = Permissions::NONE;
    for text in texts.iter().flatten() {
        match Permission::from_name(text.get_ref()) {
            Some(permission) => permissions |= permission.into(),
            None => {
                let name = text.get_ref();
                let message = format!("there is no permission `{name}`");
                source.error(&text.span(), "unknown_permission", message);
            }
        }
    }
    if texts.is_some_and(|texts| texts.is_empty()) {
        source.error(&span, "empty_needs", "a need needs at least one permission");
    }
    let mut named = Vec::new();
    let before = source.findings.len();
    for (key, span, value) in keys.rest() {
        match ResourceKind::from_name(key) {
            Some(kind) => named.extend(source.text(value, key).map(|text| (kind, text))),
            None => source.error(
                &span,
                "unknown_kind",
                format!("there is no kind of resource `{key}`"),
            ),
        }
    }
    let [(kind, text)] = named.as_slice() else {
        if source.findings.len() == before {
            let message = "a need names one resource, as in `channel = \"{room}\"`";
            source.error(&span, "invalid_need", message);
        }
        return None;
    };
    let unused = permissions.without(kind.meaningful());
    if !unused.is_empty() {
        let message = format!("{unused} means nothing on a {kind}");
        source.warning(&span, "unused_permissions", message);
    }
    let number = |name: &str| captures.iter().position(|capture| *capture.name == *name);
    match Template::parse(text.get_ref(), number) {
        Ok(name) => {
            let lists = name.captures().filter_map(|number| captures.get(number));
            if lists.filter(|capture| capture.list).count() > 1 {
                let message = "a name may have one list in it";
                source.error(&text.span(), "invalid_need", message);
            }
            Some(RuleNeed {
                kind: *kind,
                name,
                permissions,
            })
        }
        Err((code, message)) => {
            source.error(&text.span(), code, message);
            None
        }
    }
}

fn access(
    source: &mut Source<'_>,
    keys: &mut Keys<'_, '_>,
    needs: Option<Access>,
) -> Option<Access> {
    let before = source.findings.len();
    let public = keys.flag(source, "public");
    let any_token = keys.flag(source, "any_token");
    match (needs, public, any_token) {
        (Some(access), false, false) => Some(access),
        (None, true, false) => Some(Access::Public),
        (None, false, true) => Some(Access::Token),
        (None, false, false) if source.findings.len() > before => None,
        (None, false, false) => {
            let message = "a rule needs `needs`, or `any_token = true`, or `public = true`";
            source.error(&keys.span, "missing_key", message);
            None
        }
        _ => {
            let message = "only one of `needs`, `any_token` and `public` can be";
            source.error(&keys.span, "conflicting_keys", message);
            None
        }
    }
}

/// Complains about captures that nothing uses, and about a caller that a rule
/// does not have.
fn check_captures(source: &mut Source<'_>, caller: Option<&Caller>, rules: &[Placed]) {
    let wanted = match caller {
        Some(Caller::Capture(name)) => Some(name),
        Some(Caller::Query(_) | Caller::Header(_) | Caller::Token { .. }) | None => None,
    };
    for Placed { rule, span } in rules {
        for (number, capture) in rule.captures.iter().enumerate() {
            let mut named = rule.needs.iter().flat_map(|need| need.name.captures());
            if !named.any(|used| used == number) && wanted != Some(&capture.name) {
                let message = format!("nothing uses the capture `{}`", capture.name);
                source.warning(span, "unused_capture", message);
            }
        }
        if let Some(name) = wanted {
            let found = rule.captures.iter().find(|capture| capture.name == *name);
            if found.is_some_and(|capture| capture.list) {
                let message = format!("the caller `{name}` is one uuid, not a list");
                source.error(span, "invalid_caller", message);
            } else if found.is_none() && rule.access != Access::Public {
                let message = format!(
                    "the rule has no capture `{name}`, so a token that is bound to a uuid is denied"
                );
                source.warning(span, "caller_missing", message);
            }
        }
    }
}

/// Complains about parameters that another reader could take for each other.
fn check_parameters(source: &mut Source<'_>, parameters: &[Box<str>]) {
    for (nth, one) in parameters.iter().enumerate() {
        for other in parameters.iter().skip(nth.saturating_add(1)) {
            if super::request::plain(one) == super::request::plain(other) {
                let message =
                    format!("some servers take the parameters `{one}` and `{other}` for one");
                source.error(&(0..0), "parameter_lookalike", message);
            }
        }
    }
}
