//! Projects as the record of their keyset holds them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use token_core::UnixSeconds;

use crate::project::{ApiToken, ApiTokenScope, Project};
use crate::secret;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LiveProject {
    id: String,
    created_at: u64,
    api_tokens: Vec<LiveApiToken>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LiveApiToken {
    id: String,
    created_at: u64,
    scopes: BTreeSet<ApiTokenScope>,
    sha256: String,
}

impl From<&Project> for LiveProject {
    fn from(project: &Project) -> Self {
        let api_tokens = project.api_tokens.iter().map(|token| LiveApiToken {
            id: token.id.clone(),
            created_at: token.created_at.0,
            scopes: token.scopes.clone(),
            sha256: secret::hex(&token.sha256).to_string(),
        });
        Self {
            id: project.id.clone(),
            created_at: project.created_at.0,
            api_tokens: api_tokens.collect(),
        }
    }
}

impl LiveProject {
    /// `None` when a hash is none.
    pub(super) fn into_project(self) -> Option<Project> {
        let api_tokens = self.api_tokens.into_iter().map(|token| {
            Some(ApiToken {
                sha256: *secret::from_hex(&token.sha256)?,
                id: token.id,
                created_at: UnixSeconds(token.created_at),
                scopes: token.scopes,
            })
        });
        Some(Project {
            id: self.id,
            created_at: UnixSeconds(self.created_at),
            api_tokens: api_tokens.collect::<Option<_>>()?,
        })
    }
}
