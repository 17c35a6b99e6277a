//! What other nodes add to one: whose revocations are known here, how old that
//! knowledge may be, and who knows of ours.

use core::time::Duration;
use std::sync::Arc;

use token_core::{Revocations, Standing, Subject};
use token_replication::{Options, Replication};
use token_store::{LogEntry, OnStale, Outcome, Revocation, Settings, Store};
use tokio::time::{Instant, sleep};

use super::Service;
use crate::config::{Cluster, RevokeAck};
use crate::server::StartError;

/// How long a start waits to hear of the keysets of others before it makes those
/// that are declared.
const CATCH_UP: Duration = Duration::from_secs(10);

/// The other nodes.
#[derive(Debug)]
pub(super) struct Nodes {
    replication: Replication,
    revoke_ack: RevokeAck,
}

/// The deny list for one decision: entries and rules, and whether it is new
/// enough to go by.
pub(crate) struct DenyList<'a> {
    store: &'a Store,
    is_behind: bool,
    is_stale: bool,
}

/// What is revoked stays revoked, however old the list is.
impl Revocations for DenyList<'_> {
    fn standing(&self, subject: &Subject<'_>) -> Standing {
        match self.store.standing(subject) {
            Standing::Good if self.is_behind => Standing::Behind,
            Standing::Good if self.is_stale => Standing::Stale,
            standing @ (Standing::Good
            | Standing::Revoked { .. }
            | Standing::Expired
            | Standing::Stale
            | Standing::Behind) => standing,
        }
    }
}

/// What came of revoking.
pub(crate) struct Revoked {
    pub(crate) outcomes: Vec<Outcome>,
    /// Whether every node that is connected knows, or will before it allows
    /// anything that asks for `sequence`.
    pub(crate) propagated: bool,
    /// What to ask other nodes to have reached.
    pub(crate) sequence: Option<String>,
    /// Whether the answer may be that it is done.
    pub(crate) is_done: bool,
}

impl Service {
    /// Joins the other nodes, if the configuration names a log.
    pub(crate) async fn join(&self, cluster: &Cluster) -> Result<(), StartError> {
        let Some(url) = &cluster.nats else {
            return Ok(());
        };
        let feed_key = cluster.feed_key.clone().ok_or(StartError::NoFeedKey)?;
        let options = Options {
            url: url.clone(),
            ca_file: cluster.nats_ca_file.clone(),
            feed_key,
            cluster_key: cluster.cluster_key.clone(),
            replicas: cluster.nats_replicas,
            seed_epoch: cluster.seed_epoch,
        };
        let clock = Arc::clone(&self.inner.clock);
        let replication = Replication::start(self.store().clone(), clock, options).await?;
        let nodes = Nodes {
            replication,
            revoke_ack: cluster.revoke_ack,
        };
        // Once: a service joins when it starts.
        drop(self.inner.nodes.set(nodes));
        Ok(())
    }

    /// Whether there are other nodes.
    pub(crate) fn is_one_of_many(&self) -> bool {
        self.replication().is_some()
    }

    fn replication(&self) -> Option<&Replication> {
        self.inner.nodes.get().map(|nodes| &nodes.replication)
    }

    /// Waits until this node knows what the others know; false when that takes
    /// too long.
    pub(crate) async fn catches_up(&self) -> bool {
        let begun = Instant::now();
        while !self.is_caught_up() {
            if begun.elapsed() >= CATCH_UP {
                return false;
            }
            sleep(Duration::from_millis(20)).await;
        }
        true
    }

    /// Whether this node knew, once since its start, what the others knew. A
    /// node alone always does.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.replication().is_none_or(Replication::is_caught_up)
    }

    /// Whether this node only verifies.
    pub(crate) fn only_verifies(&self) -> bool {
        self.replication().is_some_and(|nodes| !nodes.may_publish())
    }

    /// Whether the deny list is too old to decide on for a keyset with these
    /// settings.
    pub(crate) fn is_stale(&self, settings: &Settings) -> bool {
        let Some(replication) = self.replication() else {
            return false;
        };
        if !replication.is_caught_up() {
            return true;
        }
        let most = Duration::from_secs(settings.max_staleness);
        settings.on_stale == OnStale::Deny && replication.age().is_none_or(|age| age > most)
    }

    /// The deny list for a decision in a keyset, for somebody who wants it to
    /// have reached `min_sequence`.
    pub(crate) fn deny_list(
        &self,
        settings: &Settings,
        min_sequence: Option<&str>,
    ) -> DenyList<'_> {
        DenyList {
            store: self.store(),
            is_behind: min_sequence.is_some_and(|sequence| !self.has_reached(sequence)),
            is_stale: self.is_stale(settings),
        }
    }

    /// The deny list for a token of a scope.
    pub(crate) fn deny_list_of(&self, scope: &str) -> DenyList<'_> {
        let keyset = match self.replication() {
            Some(_) => self.store().keyset(scope),
            None => None,
        };
        match keyset {
            Some(keyset) => self.deny_list(&keyset.settings, None),
            None => self.deny_list(&Settings::default(), None),
        }
    }

    /// Whether this node has reached a sequence: of the log, or of its own store
    /// when it is alone.
    pub(crate) fn has_reached(&self, sequence: &str) -> bool {
        if let Some(replication) = self.replication() {
            return replication.has_reached(sequence);
        }
        let of_store = |(epoch, number): (&str, &str)| {
            epoch == self.inner.epoch
                && number
                    .parse()
                    .is_ok_and(|number: u64| number <= self.store().sequence())
        };
        sequence.rsplit_once('.').is_some_and(of_store)
    }

    /// Tells the other nodes what was revoked here, and waits until the log has
    /// it, or 2 s.
    pub(super) async fn propagate(
        &self,
        revocations: &[Revocation],
        outcomes: Vec<Outcome>,
    ) -> Revoked {
        let Some(nodes) = self.inner.nodes.get() else {
            // One of many that was started alone tells the others later.
            let is_one_of_many = matches!(self.store().log_position(), Ok(Some(_)));
            let sequence = format!("{}.{}", self.inner.epoch, self.store().sequence());
            return Revoked {
                outcomes,
                propagated: !is_one_of_many,
                sequence: (!is_one_of_many).then_some(sequence),
                is_done: true,
            };
        };
        let made = revocations.iter().zip(&outcomes);
        let entries: Vec<LogEntry> = made
            .filter_map(|(revocation, outcome)| self.unshared(revocation, *outcome))
            .collect();
        if entries.is_empty() {
            return Revoked {
                outcomes,
                propagated: true,
                sequence: nodes.replication.sequence(),
                is_done: true,
            };
        }
        let sequence = match nodes.revoke_ack {
            RevokeAck::Log => nodes.replication.publish(&entries).await,
            RevokeAck::Local => {
                nodes.replication.wake();
                return Revoked {
                    outcomes,
                    propagated: false,
                    sequence: None,
                    is_done: true,
                };
            }
        };
        if let Err(error) = &sequence {
            tracing::warn!(%error, "a revocation is in force here and waits for the log");
        }
        Revoked {
            outcomes,
            propagated: sequence.is_ok(),
            is_done: sequence.is_ok(),
            sequence: sequence.ok(),
        }
    }

    /// The entry of a revocation that the log has not shown yet.
    fn unshared(&self, revocation: &Revocation, outcome: Outcome) -> Option<LogEntry> {
        let until = match outcome {
            Outcome::Expired => return None,
            Outcome::Revoked { until } => until,
            Outcome::Already { until } => {
                // When the disk does not say, once more does no harm.
                let unshared = self.store().is_unpublished(revocation).unwrap_or(true);
                if !unshared {
                    return None;
                }
                until
            }
        };
        LogEntry::of_revocation(revocation, until)
    }

    /// Something else was changed that others need to know.
    pub(super) fn wake_nodes(&self) {
        if let Some(replication) = self.replication() {
            replication.wake();
        }
    }

    /// How the other nodes stand; `None` for a node alone.
    pub(super) fn nodes_status(&self) -> Option<token_replication::Status> {
        self.replication().map(Replication::status)
    }
}
