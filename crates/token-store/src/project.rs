//! Projects: who issues PubSub and Chat tokens under a keyset (signalwire 1, 2).

use core::fmt;
use std::collections::BTreeSet;

use ring::digest::{SHA256, digest};
use ring::hmac;
use subtle::ConstantTimeEq as _;
use token_core::UnixSeconds;
use token_core::limits::TTL_MINUTES_MAX;
use zeroize::Zeroizing;

use crate::error::{InvalidProject, StoreError};
use crate::keyset::{Keyset, SigningKey, no_randomness};
use crate::secret::{self, Secret};

/// Most projects of a keyset; all of them are in memory.
pub const PROJECTS_MAX: usize = 100;

/// Most API tokens of a project.
pub const API_TOKENS_MAX: usize = 20;

/// Before the project's id in what is derived for it.
const DERIVED_FOR: &[u8] = b"usher crt v1\0";

/// Where the hyphens of a UUID stand.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// A project: the scope of CRT tokens, which the keyset's signing keys sign.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Project {
    /// Names it, in every keyset: a UUID in lower case.
    pub id: String,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// Open the dialect. Kept as hashes.
    pub api_tokens: Vec<ApiToken>,
}

/// The password of a project, and what it may ask for.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiToken {
    /// Names it, so that it can be taken away; says nothing of the token.
    pub id: String,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// What it may ask for.
    pub scopes: BTreeSet<ApiTokenScope>,
    pub(crate) sha256: [u8; 32],
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiToken")
            .field("id", &self.id)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

/// What an API token may ask for (signalwire 1).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "the contract has two")]
pub enum ApiTokenScope {
    /// PubSub tokens.
    PubSub,
    /// Chat tokens.
    Chat,
}

/// An API token to add. What is left out was made, and stands in it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewApiToken {
    /// The project; one that the keyset does not have is made with the token.
    pub project: String,
    /// Names the token.
    pub id: String,
    /// The token. It cannot be read back once it is added.
    pub token: Secret,
    /// What it may ask for.
    pub scopes: BTreeSet<ApiTokenScope>,
}

impl NewApiToken {
    /// Brings or makes the id of a project and a token. Without a scope it has
    /// both.
    ///
    /// # Errors
    ///
    /// [`InvalidProject`] for an id or a token that may not be one;
    /// [`StoreError::Unavailable`] when the system gives no random bytes.
    pub fn new(
        project: Option<&str>,
        token: Option<Secret>,
        scopes: impl IntoIterator<Item = ApiTokenScope>,
    ) -> Result<Self, StoreError> {
        let project = match project {
            Some(id) => canonical_uuid(id).ok_or(InvalidProject::Id)?,
            None => random_uuid()?,
        };
        let token = match token {
            Some(token) => token,
            None => Secret::random("PT", 24).map_err(|_| no_randomness())?,
        };
        token
            .check_secret_key()
            .map_err(|_| InvalidProject::ApiToken)?;
        let mut scopes: BTreeSet<_> = scopes.into_iter().collect();
        if scopes.is_empty() {
            scopes.extend([ApiTokenScope::PubSub, ApiTokenScope::Chat]);
        }
        let id = Secret::random("", 4).map_err(|_| no_randomness())?;
        Ok(Self {
            project,
            id: id.expose().to_owned(),
            token,
            scopes,
        })
    }
}

impl Project {
    /// The API token that `token` is; every one is compared.
    #[must_use]
    pub fn api_token(&self, token: &str) -> Option<&ApiToken> {
        let presented = sha256(token);
        let mut found = None;
        for held in &self.api_tokens {
            if bool::from(held.sha256.ct_eq(&presented)) {
                found = Some(held);
            }
        }
        found
    }
}

impl SigningKey {
    /// The HS512 secret of a project in this key's period: HMAC-SHA512 under
    /// the key. A token of one project is none of another.
    #[must_use]
    pub fn project_secret(&self, project: &str) -> Zeroizing<[u8; 64]> {
        let key = hmac::Key::new(hmac::HMAC_SHA512, &*self.expose());
        let mut context = hmac::Context::with_key(&key);
        context.update(DERIVED_FOR);
        context.update(project.as_bytes());
        let mut secret = Zeroizing::new([0; 64]);
        secret.copy_from_slice(context.sign().as_ref());
        secret
    }
}

impl Keyset {
    /// The project of this id.
    #[must_use]
    pub fn project(&self, id: &str) -> Option<&Project> {
        self.projects.iter().find(|project| project.id == id)
    }

    /// Adds an API token and, with the first of one, a project. `taken` says
    /// whether another keyset has the project.
    pub(crate) fn add_api_token(
        &mut self,
        new: NewApiToken,
        taken: bool,
        now: UnixSeconds,
    ) -> Result<(), StoreError> {
        if taken {
            return Err(InvalidProject::Taken.into());
        }
        let known = |project: &Project| project.id == new.project;
        if !self.projects.iter().any(known) {
            check_room("projects of a keyset", self.projects.len(), PROJECTS_MAX)?;
            // Its tokens may live so long, whatever the settings say.
            self.longest_ttl = self.longest_ttl.max(TTL_MINUTES_MAX);
            self.projects.push(Project {
                id: new.project.clone(),
                created_at: now,
                api_tokens: Vec::new(),
            });
        }
        let mut projects = self.projects.iter_mut();
        let project = projects.find(|project| project.id == new.project);
        let project = project.ok_or(InvalidProject::Unknown)?;
        let held = project.api_tokens.len();
        check_room("API tokens of a project", held, API_TOKENS_MAX)?;
        let token = new.token.expose();
        if project.api_token(token).is_some() {
            return Err(InvalidProject::ApiTokenTaken.into());
        }
        project.api_tokens.push(ApiToken {
            id: new.id,
            created_at: now,
            scopes: new.scopes,
            sha256: sha256(token),
        });
        Ok(())
    }

    /// Takes an API token away. The project stays, and what was issued.
    pub(crate) fn remove_api_token(&mut self, project: &str, id: &str) -> Result<(), StoreError> {
        let mut projects = self.projects.iter_mut();
        let project = projects
            .find(|held| held.id == project)
            .ok_or(InvalidProject::Unknown)?;
        let before = project.api_tokens.len();
        project.api_tokens.retain(|token| token.id != id);
        if project.api_tokens.len() == before {
            return Err(InvalidProject::UnknownApiToken.into());
        }
        Ok(())
    }
}

fn check_room(what: &'static str, held: usize, most: usize) -> Result<(), InvalidProject> {
    if held < most {
        Ok(())
    } else {
        Err(InvalidProject::TooMany { what, most })
    }
}

fn sha256(token: &str) -> [u8; 32] {
    let hash = digest(&SHA256, token.as_bytes());
    hash.as_ref().try_into().unwrap_or_default()
}

/// A UUID in lower case (RFC 9562 section 4).
fn canonical_uuid(text: &str) -> Option<String> {
    let legal = |(at, byte): (usize, u8)| match byte {
        b'-' => HYPHENS.contains(&at),
        byte => byte.is_ascii_hexdigit() && !HYPHENS.contains(&at),
    };
    let is_one = text.len() == 36 && text.bytes().enumerate().all(legal);
    is_one.then(|| text.to_ascii_lowercase())
}

/// A UUID of version 4 (RFC 9562 section 5.4).
fn random_uuid() -> Result<String, StoreError> {
    let mut bytes = [0; 16];
    secret::random_bytes(&mut bytes).map_err(|_| no_randomness())?;
    let mut bits = u128::from_be_bytes(bytes);
    bits = bits & !(0xF << 76) | (4 << 76);
    bits = bits & !(0x3 << 62) | (2 << 62);
    let mut text = format!("{bits:032x}");
    for at in HYPHENS {
        text.insert(at, '-');
    }
    Ok(text)
}
