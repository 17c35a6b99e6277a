//! One policy test: what it sets up, what it asks, what it expects.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use token_codec::{
    KeyPeriod, KeyRing, TokenBuffer, TokenKey, UntrustedToken, VerifiedToken, encode, verify,
};
use token_core::{Claims, ResourceKind, SubscribeKey, UnixSeconds};
use token_policy::{
    Classified, ClassifyError, Decision, Keyset, Operation, Reason, Request, Response, Revocations,
    RevokedBy, RuleSet, Standing, Subject, Target, Targets, authorize, authorize_anonymous,
    classify, explain,
};
use token_server::read_grant;

use crate::command::assumed;

/// A file of policy tests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::command) struct File {
    /// The subscribe key of the keyset.
    keyset: String,
    /// The instant of every case that says no other.
    #[serde(default = "some_instant")]
    now: u64,
    /// Rule files, beside this one.
    #[serde(default)]
    pub(in crate::command) rules: Vec<PathBuf>,
    /// Grants by name, for the cases to use.
    #[serde(default)]
    grants: BTreeMap<String, toml::Table>,
    #[serde(rename = "case", default)]
    pub(in crate::command) cases: Vec<toml::Spanned<Case>>,
}

/// 2026-09-21T15:33:20Z.
const fn some_instant() -> u64 {
    1_790_004_800
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::command) struct Case {
    pub(in crate::command) name: String,
    grant: Option<Given>,
    /// A token, taken at its word: that it is genuine is not tested.
    token: Option<String>,
    /// Whether the token was revoked.
    #[serde(default)]
    revoked: bool,
    now: Option<u64>,
    /// `METHOD path`.
    request: Option<String>,
    #[serde(default)]
    headers: Vec<String>,
    body: Option<String>,
    operation: Option<String>,
    /// Who asks for the operation.
    uuid: Option<String>,
    #[serde(flatten)]
    names: Names,
    pub(in crate::command) decision: String,
    pub(in crate::command) reason: Option<String>,
    missing: Option<Vec<String>>,
    remedy: Option<toml::Table>,
}

/// A grant of the file by its name, or one of the case alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    Name(String),
    Grant(toml::Table),
}

/// The names that an operation is asked for on, by kind.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Names {
    channels: Vec<String>,
    groups: Vec<String>,
    uuids: Vec<String>,
    users: Vec<String>,
    entities: Vec<String>,
    relationships: Vec<String>,
    memberships: Vec<String>,
}

impl Names {
    fn targets(&self) -> Vec<Target<'_>> {
        let lists = [
            (ResourceKind::Channel, &self.channels),
            (ResourceKind::Group, &self.groups),
            (ResourceKind::Uuid, &self.uuids),
            (ResourceKind::User, &self.users),
            (ResourceKind::Entity, &self.entities),
            (ResourceKind::Relationship, &self.relationships),
            (ResourceKind::Membership, &self.memberships),
        ];
        let names = lists.into_iter().flat_map(|(kind, names)| {
            let targets = names.iter();
            targets.map(move |name| Target::new(kind, name.as_str()))
        });
        names.collect()
    }
}

/// What came of a case, or was to come.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::command) struct Outcome {
    pub(in crate::command) decision: String,
    pub(in crate::command) reason: String,
    pub(in crate::command) missing: Vec<String>,
    pub(in crate::command) remedy: Option<Value>,
}

impl Outcome {
    fn denied(reason: Reason) -> Self {
        Self {
            decision: Decision::Deny.name().to_owned(),
            reason: reason.code().to_owned(),
            missing: Vec::new(),
            remedy: None,
        }
    }

    fn of(response: &Response<'_>, remedy: Option<Value>) -> Self {
        let missing = response.missing.iter().map(|missing| {
            let wanted = &missing.wanted;
            let (kind, name) = (wanted.kind_name(), wanted.name());
            format!("{kind} {name} {}", missing.permissions)
        });
        Self {
            decision: response.decision.name().to_owned(),
            reason: response.reason.code().to_owned(),
            missing: missing.collect(),
            remedy,
        }
    }
}

impl File {
    /// A file that says nothing but the keyset.
    pub(in crate::command) fn of(keyset: String) -> Self {
        Self {
            keyset,
            now: some_instant(),
            rules: Vec::new(),
            grants: BTreeMap::new(),
            cases: Vec::new(),
        }
    }
}

impl Case {
    /// What is expected. Of what the case does not say, what came of it.
    pub(in crate::command) fn expected(&self, got: &Outcome) -> Result<Outcome, String> {
        if !["allow", "deny"].contains(&self.decision.as_str()) {
            return Err("`decision` must be `allow` or `deny`".to_owned());
        }
        let remedy = match &self.remedy {
            Some(remedy) => Some(json!({ "grant": json(remedy)? })),
            None => got.remedy.clone(),
        };
        let reason = self.reason.clone();
        let missing = self.missing.clone();
        Ok(Outcome {
            decision: self.decision.clone(),
            reason: reason.unwrap_or_else(|| got.reason.clone()),
            missing: missing.unwrap_or_else(|| got.missing.clone()),
            remedy,
        })
    }

    fn request(&self) -> Result<(&str, &str), String> {
        let request = self.request.as_deref();
        let line = request.and_then(|line| line.split_once(' '));
        line.ok_or_else(|| "a case needs `operation`, or `request` as in `GET /path`".to_owned())
    }

    fn headers(&self) -> Result<Vec<(&str, &str)>, String> {
        let pairs = self.headers.iter().map(|line| {
            let pair = line.split_once(':');
            let (name, value) = pair.ok_or_else(|| format!("`{line}` is no header"))?;
            Ok((name, value.trim()))
        });
        pairs.collect()
    }
}

fn json(table: &toml::Table) -> Result<Value, String> {
    serde_json::to_value(table).map_err(|error| error.to_string())
}

/// A deny list that knows the token, or nothing.
struct Revoked(bool);

impl Revocations for Revoked {
    fn standing(&self, _: &Subject<'_>) -> Standing {
        if self.0 {
            Standing::Revoked {
                by: RevokedBy::Token,
                at: None,
            }
        } else {
            Standing::Good
        }
    }
}

/// What all cases of a file share.
pub(in crate::command) struct Setting<'f> {
    pub(in crate::command) file: &'f File,
    pub(in crate::command) rules: Option<&'f RuleSet>,
}

impl Setting<'_> {
    /// Decides a case as a server would, once the token is verified.
    pub(in crate::command) fn decide(&self, case: &Case) -> Result<Outcome, String> {
        let now = UnixSeconds(case.now.unwrap_or(self.file.now));
        let claims = self.claims(case, now)?;
        if let Some(name) = &case.operation {
            let operation = Operation::from_name(name)
                .ok_or_else(|| format!("there is no operation `{name}`"))?;
            let names = case.names.targets();
            let targets = Targets::new(&names).map_err(|error| error.to_string())?;
            let targets = match names.as_slice() {
                [only] => targets.in_collection(only.kind),
                _ => targets,
            };
            let keyset = Keyset::new(&self.file.keyset);
            let request = Request::new(keyset, operation, targets).by(case.uuid.as_deref());
            return self.answer(case, claims.as_ref(), &request, now);
        }
        let (method, target) = case.request()?;
        let headers = case.headers()?;
        match self.classify(method, target, &headers, case.body.as_deref()) {
            Err(error) => Ok(Outcome::denied(error.reason())),
            Ok(classified) => {
                let keyset = classified.subscribe_key.unwrap_or(&self.file.keyset);
                let request = classified.request(Keyset::new(keyset));
                self.answer(case, claims.as_ref(), &request, now)
            }
        }
    }

    /// Operations first, as a server does.
    fn classify<'a>(
        &'a self,
        method: &str,
        target: &'a str,
        headers: &'a [(&'a str, &'a str)],
        body: Option<&str>,
    ) -> Result<Classified<'a>, ClassifyError> {
        match (
            classify(method, target, body.map(str::as_bytes)),
            self.rules,
        ) {
            (Err(ClassifyError::UnknownOperation), Some(rules)) => {
                rules.classify(method, target, headers)
            }
            (found, _) => found,
        }
    }

    fn claims(&self, case: &Case, now: UnixSeconds) -> Result<Option<Claims>, String> {
        match (&case.grant, &case.token) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err("`grant` and `token` exclude each other".to_owned()),
            (Some(Given::Grant(grant)), None) => granted(grant, now).map(Some),
            (Some(Given::Name(name)), None) => {
                let grant = self.file.grants.get(name);
                let grant = grant.ok_or_else(|| format!("there is no grant `{name}`"))?;
                granted(grant, now).map(Some)
            }
            (None, Some(text)) => {
                let token = UntrustedToken::parse(text).map_err(|error| error.to_string())?;
                Ok(Some(assumed(token.claims_untrusted())))
            }
        }
    }

    /// Signs the claims with a key that nobody has and decides on that token.
    fn answer(
        &self,
        case: &Case,
        claims: Option<&Claims>,
        request: &Request<'_>,
        now: UnixSeconds,
    ) -> Result<Outcome, String> {
        let Some(claims) = claims else {
            return Ok(Outcome::of(&authorize_anonymous(request), None));
        };
        let keyset = SubscribeKey::new(self.file.keyset.as_str());
        let keyset = keyset.map_err(|error| format!("`keyset`: {error}"))?;
        let key = TokenKey::hmac(&[0; 32], &keyset);
        let text = encode(claims, &key).map_err(|error| error.to_string())?;
        let period = KeyPeriod {
            from: UnixSeconds(0),
            until: None,
            key,
        };
        let keys = KeyRing::new(keyset, [period]);
        let mut buffer = TokenBuffer::new();
        let token = verify(&text, &keys, &mut buffer).map_err(|error| error.to_string())?;
        Ok(outcome(&token, request, now, &Revoked(case.revoked)))
    }
}

fn outcome(
    token: &VerifiedToken<'_>,
    request: &Request<'_>,
    now: UnixSeconds,
    revoked: &Revoked,
) -> Outcome {
    let response = authorize(token, request, now, revoked);
    let explanation = explain(token, request, &response);
    let remedy = explanation.remedy.as_ref();
    Outcome::of(
        &response,
        remedy.and_then(|remedy| serde_json::to_value(remedy).ok()),
    )
}

/// A grant of the file: `ttl` (60) and `issued_at` (now), and beside them what
/// stands in `permissions` of a grant.
fn granted(grant: &toml::Table, now: UnixSeconds) -> Result<Claims, String> {
    let mut permissions = json(grant)?;
    let mut take = |key: &str| permissions.as_object_mut().and_then(|of| of.remove(key));
    let ttl = take("ttl").unwrap_or_else(|| 60.into());
    let issued_at = match take("issued_at") {
        None => now,
        Some(instant) => UnixSeconds(instant.as_u64().ok_or("`issued_at` must be an instant")?),
    };
    let body = json!({ "ttl": ttl, "permissions": permissions }).to_string();
    read_grant(body.as_bytes(), issued_at).map_err(|findings| {
        let texts = findings
            .iter()
            .map(|found| format!("{}: {}", found.at, found.message));
        texts.collect::<Vec<_>>().join("; ")
    })
}
