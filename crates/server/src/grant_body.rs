//! The body of a grant (contract 2.1 and 10.1), for both APIs.

mod fault;

use std::collections::BTreeMap;

use token_core::limits::TTL_MINUTES_MAX;
use token_core::{
    Category, Claims, Grants, Meta, MetaValue, PatternText, Permission, Permissions, ResourceKind,
    ResourceName, TtlMinutes, UnixSeconds, check_request_uuid,
};
use token_policy::{Finding, PatternSet, Severity, json};

use fault::BitsFault;
pub(crate) use fault::{BodyFault, sentence, uuid_sentence};

/// A grant that is well formed.
#[derive(Clone, Debug)]
pub(crate) struct GrantBody {
    ttl: TtlMinutes,
    grants: Grants,
    meta: Meta,
    uuid: Option<String>,
}

/// What a grant may say, where that differs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyRules {
    /// The keyset's longest life.
    pub(crate) ttl_max: u32,
    /// Whether the keyset allows only scalar values in `meta`.
    pub(crate) scalar_meta: bool,
    /// Whether a token must be bound to a uuid.
    pub(crate) uuid_required: bool,
    /// Whether permissions may be lists of names.
    pub(crate) permission_names: bool,
}

type Object = BTreeMap<String, MetaValue>;

/// Reads a body as strict JSON whose value is an object.
pub(crate) fn parse_object(body: &[u8]) -> Result<Object, BodyFault> {
    match json::parse(body) {
        Ok(MetaValue::Map(object)) => Ok(object),
        Ok(_) => Err(BodyFault::Json("the body must be an object".to_owned())),
        Err(error) => Err(BodyFault::Json(format!("the body {error}"))),
    }
}

/// Reads the body of a grant (contract 2.1, or the native form with permission
/// names) as claims that are issued at `issued_at`, for whoever looks at it
/// without a server. The limits are those of a keyset with default settings.
///
/// # Errors
///
/// Everything that is wrong, with the code `invalid_grant`.
pub fn read_grant(body: &[u8], issued_at: UnixSeconds) -> Result<Claims, Vec<Finding>> {
    let rules = BodyRules {
        ttl_max: TTL_MINUTES_MAX,
        scalar_meta: false,
        uuid_required: false,
        permission_names: true,
    };
    let read = parse_object(body)
        .map_err(|fault| vec![fault])
        .and_then(|body| GrantBody::read(&body, rules));
    read.map(|grant| grant.into_claims(issued_at))
        .map_err(|faults| faults.iter().map(finding).collect())
}

fn finding(fault: &BodyFault) -> Finding {
    let code = "invalid_grant";
    Finding::new(Severity::Error, code, fault.location(), fault.detail())
}

impl GrantBody {
    /// Reads a grant; every fault is reported, not only the first.
    pub(crate) fn read(body: &Object, rules: BodyRules) -> Result<Self, Vec<BodyFault>> {
        let mut reader = Reader {
            rules,
            faults: Vec::new(),
            grants: Grants::new(),
        };
        let ttl = reader.ttl(body.get("ttl"));
        let mut meta = Meta::new();
        let mut uuid = None;
        match body.get("permissions") {
            Some(MetaValue::Map(permissions)) => {
                (meta, uuid) = reader.permissions(permissions);
            }
            Some(_) => reader.fault(BodyFault::NotAnObject("permissions".to_owned())),
            None => reader.fault(BodyFault::NoPermissions),
        }
        if reader.faults.is_empty() && reader.grants.is_empty() {
            reader.fault(BodyFault::NoPermissions);
        }
        if reader.faults.is_empty() && rules.uuid_required && uuid.is_none() {
            reader.fault(BodyFault::UuidRequired);
        }
        match (ttl, reader.faults.is_empty()) {
            (Some(ttl), true) => Ok(Self {
                ttl,
                grants: reader.grants,
                meta,
                uuid,
            }),
            _ => Err(reader.faults),
        }
    }

    pub(crate) const fn ttl(&self) -> TtlMinutes {
        self.ttl
    }

    /// The claims of the token that this grant asks for.
    pub(crate) fn into_claims(self, issued_at: UnixSeconds) -> Claims {
        let mut claims = Claims::new(issued_at, self.ttl, self.grants);
        claims.meta = self.meta;
        claims.uuid = self.uuid;
        claims
    }
}

/// Collects what a body grants, and what is wrong with it.
struct Reader {
    rules: BodyRules,
    faults: Vec<BodyFault>,
    grants: Grants,
}

impl Reader {
    fn fault(&mut self, fault: BodyFault) {
        self.faults.push(fault);
    }

    fn ttl(&mut self, value: Option<&MetaValue>) -> Option<TtlMinutes> {
        let max = self.rules.ttl_max;
        let fault = match value {
            Some(MetaValue::Unsigned(minutes)) => match u32::try_from(*minutes) {
                Ok(minutes) if (1..=max).contains(&minutes) => return Some(TtlMinutes(minutes)),
                _ => BodyFault::TtlRange { max },
            },
            Some(MetaValue::Negative(_)) => BodyFault::TtlRange { max },
            Some(_) => BodyFault::TtlNotInteger,
            None => BodyFault::TtlMissing,
        };
        self.fault(fault);
        None
    }

    fn permissions(&mut self, permissions: &Object) -> (Meta, Option<String>) {
        let mut meta = Meta::new();
        let mut uuid = None;
        for (key, value) in permissions {
            match (key.as_str(), value) {
                ("resources" | "patterns", MetaValue::Map(sections)) => {
                    self.sections(key, sections);
                }
                ("categories", MetaValue::Map(categories)) => self.categories(categories),
                ("categories", MetaValue::Null) => {}
                ("meta", MetaValue::Map(values)) => {
                    self.check_meta(values);
                    meta.clone_from(values);
                }
                ("uuid", MetaValue::Text(text)) => match check_request_uuid(text) {
                    Ok(()) => uuid = Some(text.clone()),
                    Err(cause) => self.fault(BodyFault::Uuid(cause)),
                },
                ("uuid", _) => self.fault(BodyFault::UuidNotText),
                ("resources" | "patterns" | "categories" | "meta", _) => {
                    self.fault(BodyFault::NotAnObject(format!("permissions.{key}")));
                }
                _ => self.fault(BodyFault::UnknownKey(format!("permissions.{key}"))),
            }
        }
        (meta, uuid)
    }

    /// `resources` or `patterns`, whichever `part` says. The sections that one
    /// SDK fills with copies of others come last, so that the first fault is
    /// named where the caller made it (contract 2.1).
    fn sections(&mut self, part: &str, sections: &Object) {
        let copies = |key: &str| matches!(key, "datasync:users" | "spaces" | "users");
        let mut sections: Vec<_> = sections.iter().collect();
        sections.sort_by_key(|(key, _)| copies(key));
        for (key, value) in sections {
            let path = format!("permissions.{part}.{key}");
            // Contract 10.8: an alias of `users`.
            let name = if key == "datasync:users" {
                "users"
            } else {
                key
            };
            match (ResourceKind::from_json_name(name), value) {
                (None, _) => self.fault(BodyFault::UnknownKey(path)),
                (Some(kind), MetaValue::Map(entries)) if part == "patterns" => {
                    self.patterns(kind, &path, entries);
                }
                (Some(kind), MetaValue::Map(entries)) => self.names(kind, &path, entries),
                (Some(_), _) => self.fault(BodyFault::NotAnObject(path)),
            }
        }
    }

    fn names(&mut self, kind: ResourceKind, section: &str, entries: &Object) {
        for (name, bits) in entries {
            let path = format!("{section}.{name}");
            let permissions = self.bits(&path, bits);
            match ResourceName::new(name.as_str()) {
                Ok(name) => self.grants.allow(kind, name, permissions),
                Err(cause) => self.fault(BodyFault::Name { path, cause }),
            }
        }
    }

    fn patterns(&mut self, kind: ResourceKind, section: &str, entries: &Object) {
        let mut read = Vec::with_capacity(entries.len());
        for (pattern, bits) in entries {
            let path = format!("{section}.{pattern}");
            let permissions = self.bits(&path, bits);
            read.push((pattern.as_str(), permissions));
            // A text that is too long is refused below, with the others.
            if let Ok(pattern) = PatternText::new(pattern.as_str()) {
                self.grants.allow_pattern(kind, pattern, permissions);
            }
        }
        for refused in PatternSet::new(kind, read).refused() {
            self.fault(BodyFault::Pattern {
                path: format!("{section}.{}", refused.text()),
                error: refused.error().clone(),
            });
        }
    }

    /// The permissions of an entry; none, with a fault, when they are wrong.
    fn bits(&mut self, path: &str, value: &MetaValue) -> Permissions {
        self.read_bits(value).unwrap_or_else(|fault| {
            self.fault(BodyFault::Bits {
                path: path.to_owned(),
                fault,
            });
            Permissions::NONE
        })
    }

    fn read_bits(&self, value: &MetaValue) -> Result<Permissions, BitsFault> {
        if let MetaValue::Unsigned(0) | MetaValue::Negative(_) = value {
            return Err(BitsFault::NotPositive);
        }
        if let MetaValue::Unsigned(bits) = value {
            let bits = u8::try_from(*bits).map_err(|_| BitsFault::TooLarge)?;
            return Ok(Permissions::from_bits(bits));
        }
        if !self.rules.permission_names {
            return Err(BitsFault::NotInteger);
        }
        let MetaValue::Array(names) = value else {
            return Err(BitsFault::NotIntegerOrNames);
        };
        permission_names(names)
    }

    fn categories(&mut self, categories: &Object) {
        for (name, value) in categories {
            let path = format!("permissions.categories.{name}");
            let category = Category::ALL.into_iter().find(|c| c.json_name() == name);
            let Some(category) = category else {
                self.fault(BodyFault::UnknownKey(path));
                continue;
            };
            if self.read_bits(value) == Ok(Category::PERMISSIONS) {
                self.grants.allow_category(category);
            } else {
                self.fault(BodyFault::Category(path));
            }
        }
    }

    fn check_meta(&mut self, meta: &Meta) {
        if self.rules.scalar_meta {
            let nested = meta.iter().filter(|(_, value)| !value.is_scalar());
            let faults = nested.map(|(key, _)| BodyFault::MetaNested(key.clone()));
            self.faults.extend(faults);
        }
    }
}

/// Permissions from a list of their names.
fn permission_names(names: &[MetaValue]) -> Result<Permissions, BitsFault> {
    if names.is_empty() {
        return Err(BitsFault::NotPositive);
    }
    names
        .iter()
        .map(|name| {
            let MetaValue::Text(name) = name else {
                return Err(BitsFault::NotIntegerOrNames);
            };
            Permission::from_name(name).ok_or_else(|| BitsFault::UnknownName(name.clone()))
        })
        .collect()
}
