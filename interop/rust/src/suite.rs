//! Every scenario, against one server.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::body::{refused, refused_locally};
use crate::report::{Outcome, Report, same};
use crate::scenario::{Entries, Grant, Input, Revoke, Section};
use crate::sdk::{self, Client};

/// Born with a clock that is this slow, a token of one minute lives three seconds.
const SLOW_SECONDS: i64 = -57;

pub(crate) struct Suite<'a> {
    pub(crate) input: &'a Input,
}

impl<'a> Suite<'a> {
    pub(crate) fn new(input: &'a Input) -> Self {
        Self { input }
    }

    pub(crate) async fn run(&self, report: &mut Report) {
        let scenarios = &self.input.scenarios;
        for asked in &scenarios.grants {
            let name = format!("grant: {}", asked.name);
            match scenarios.impossible(asked) {
                Some(reason) => report.not_possible(&name, reason),
                None => report.outcome(&name, self.grant(asked).await),
            }
        }
        for asked in &scenarios.refused_grants {
            let name = format!("refused grant: {}", asked.name);
            report.outcome(&name, self.refused_grant(asked).await);
        }
        for asked in &scenarios.revokes {
            report.outcome(&format!("revoke: {}", asked.name), self.revoke(asked).await);
        }
        let name = "parse: a token with par, kid and a 64-byte signature";
        report.outcome(name, self.reserved_token());
        let name = "grant: a keyset that signs with Ed25519";
        report.outcome(name, self.ed25519().await);
    }

    async fn ed25519(&self) -> Outcome {
        let asked = plain(15);
        let token = self.token_of(&asked, Some("ed25519"), 0).await?;
        sdk::parsed_as_asked(&token, &asked)?;
        Ok(())
    }

    fn client(&self, keyset: Option<&str>, user_id: Option<&str>, clock: i64) -> Outcome<Client> {
        let server = &self.input.server;
        let user_id = user_id.unwrap_or("interop-server");
        sdk::client(&server.public, server.keyset(keyset)?, user_id, clock)
    }

    async fn grant(&self, asked: &Grant) -> Outcome {
        let client = self.client(None, asked.user_id.as_deref(), 0)?;
        if asked.with_token {
            client.set_token(self.token_of(&plain(15), None, 0).await?);
        }
        let before = now()?.as_secs();
        let token = sdk::grant(&client, asked).await??.token;
        let after = now()?.as_secs();
        let timestamp = u64::from(sdk::parsed_as_asked(&token, asked)?);
        if !(before..=after).contains(&timestamp) {
            return Err(format!("timestamp {timestamp} is not within {before}..={after}").into());
        }
        Ok(())
    }

    async fn refused_grant(&self, asked: &Grant) -> Outcome {
        let expect = asked
            .expect
            .as_ref()
            .ok_or("the scenario expects nothing")?;
        let client = self.client(asked.keyset.as_deref(), None, asked.clock_offset_seconds)?;
        let Some(local) = asked.local.get("rust") else {
            return refused(sdk::grant(&client, asked).await?, expect);
        };
        refused_locally(sdk::grant(&client, asked).await?, local)?;
        refused(sdk::grant_of_nothing(&client, asked).await?, expect)
    }

    async fn revoke(&self, asked: &Revoke) -> Outcome {
        let token = self.token(asked).await?;
        let client = self.client(asked.keyset.as_deref(), None, 0)?;
        let result = client.revoke_token(token).execute().await;
        if asked.expect.status == 200 {
            return Ok(result.map(drop)?);
        }
        refused(result, &asked.expect)
    }

    async fn token(&self, asked: &Revoke) -> Outcome<String> {
        let keyset = asked.grant_keyset.as_deref();
        match asked.token.as_str() {
            "granted" => self.token_of(&plain(15), keyset, 0).await,
            "revoked" => {
                let token = self.token_of(&plain(15), keyset, 0).await?;
                let client = self.client(keyset, None, 0)?;
                client.revoke_token(token.clone()).execute().await?;
                Ok(token)
            }
            "expired" => {
                let token = self.token_of(&plain(1), keyset, SLOW_SECONDS).await?;
                await_expiry(&token).await?;
                Ok(token)
            }
            "foreign" => self.token_of(&plain(15), Some("foreign"), 0).await,
            "altered" => altered(self.token_of(&plain(15), keyset, 0).await?),
            text => Ok(text.to_owned()),
        }
    }

    pub(crate) async fn token_of(
        &self,
        asked: &Grant,
        keyset: Option<&str>,
        clock: i64,
    ) -> Outcome<String> {
        let client = self.client(keyset, None, clock)?;
        Ok(sdk::grant(&client, asked).await??.token)
    }

    fn reserved_token(&self) -> Outcome {
        let reserved = &self.input.reserved;
        let timestamp = sdk::parsed_as_asked(&reserved.token, &reserved.expect.grant)?;
        same("timestamp", &timestamp, &reserved.expect.timestamp)
    }
}

fn plain(ttl: u32) -> Grant {
    let room = Entries::from([("room-1".to_owned(), vec!["read".to_owned()])]);
    Grant {
        ttl,
        resources: Section::from([("channels".to_owned(), room)]),
        meta: BTreeMap::new(),
        ..Grant::default()
    }
}

/// One character within the signature becomes another.
fn altered(token: String) -> Outcome<String> {
    let at = token
        .len()
        .checked_sub(12)
        .ok_or("the token is too short")?;
    let (head, tail) = token.split_at(at);
    let other = if tail.starts_with('A') { 'B' } else { 'A' };
    Ok(format!(
        "{head}{other}{}",
        tail.get(1..).unwrap_or_default()
    ))
}

async fn await_expiry(token: &str) -> Outcome {
    let (timestamp, ttl) = sdk::parsed_time(token)?;
    let expiry = Duration::from_secs(u64::from(timestamp) + u64::from(ttl) * 60);
    let left = expiry.saturating_sub(now()?);
    if left > Duration::from_secs(5) {
        return Err(format!("the token lives {left:?} longer than meant").into());
    }
    tokio::time::sleep(left + Duration::from_millis(1)).await;
    Ok(())
}

fn now() -> Outcome<Duration> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?)
}
