//! Publishing: the log acknowledges within 2 s, or it counts as not done.

use core::time::Duration;
use std::sync::Arc;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::message::PublishMessage;
use futures_util::future::try_join_all;
use token_store::{LogEntry, Store};
use tokio::time::timeout;

use crate::error::NotPublished;
use crate::message::{Keys, Outgoing, STREAM};

/// How long the log may take to acknowledge something.
pub(crate) const ACK_WITHIN: Duration = Duration::from_secs(2);

/// Most messages that are on their way at once.
const MESSAGES_AT_ONCE: usize = 64;

/// Most entries that are read from the store at once: somewhat less than fill so
/// many messages.
const ENTRIES_AT_ONCE: usize = 4_096;

/// A log that is open.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    context: Context,
    keys: Arc<Keys>,
    epoch: Arc<str>,
    /// Duplicates are dropped by their id, this and the content. A log that was
    /// purged knows ids of what it has no more, so then this is another.
    salt: Arc<str>,
}

impl Publisher {
    pub(crate) fn new(context: Context, keys: Arc<Keys>, epoch: &str, salt: &str) -> Self {
        Self {
            context,
            keys,
            epoch: epoch.into(),
            salt: salt.into(),
        }
    }

    /// Publishes entries; when it returns, the log has them all. Returns the
    /// number of the last.
    pub(crate) async fn entries(
        &self,
        entries: &[LogEntry],
        now: token_core::UnixSeconds,
    ) -> Result<(Arc<str>, u64), NotPublished> {
        if self.keys.cluster.is_none() {
            return Err(NotPublished::VerifierOnly);
        }
        let mut last = 0;
        let messages = self.keys.entries(entries, &self.salt, now);
        let mut messages = messages.ok_or(NotPublished::NotConnected)?.into_iter();
        loop {
            let some = messages.by_ref().take(MESSAGES_AT_ONCE);
            let numbers = try_join_all(some.map(|message| self.send(message))).await?;
            if numbers.is_empty() {
                break;
            }
            last = numbers.into_iter().max().unwrap_or(0).max(last);
        }
        Ok((Arc::clone(&self.epoch), last))
    }

    /// Publishes a message; when it returns, the log has it, under this number.
    pub(crate) async fn send(&self, outgoing: Outgoing) -> Result<u64, NotPublished> {
        if self.context.client().connection_state() != State::Connected {
            return Err(NotPublished::NotConnected);
        }
        let mut message = PublishMessage::build()
            .payload(outgoing.payload.into())
            .expected_stream(STREAM);
        if let Some(id) = &outgoing.id {
            message = message.message_id(id);
        }
        if let Some(life) = outgoing.life {
            message = message.ttl(life);
        }
        let acknowledged = async {
            let sent = self.context.send_publish(outgoing.subject, message).await;
            sent.map_err(|_| NotPublished::NotInTime)?
                .await
                .map_err(|_| NotPublished::NotInTime)
        };
        let acknowledged = timeout(ACK_WITHIN, acknowledged).await;
        Ok(acknowledged.map_err(|_| NotPublished::NotInTime)??.sequence)
    }

    /// Publishes everything that the log has not shown yet.
    pub(crate) async fn everything_missing(
        &self,
        store: &Store,
        now: token_core::UnixSeconds,
    ) -> Result<usize, NotPublished> {
        let mut count: usize = 0;
        let mut cursor = Vec::new();
        loop {
            let page = store.unpublished(&cursor, ENTRIES_AT_ONCE);
            let page = page.map_err(|_| NotPublished::NotConnected)?;
            let Some(last) = page.last() else {
                return Ok(count);
            };
            cursor.clone_from(&last.cursor);
            let entries: Vec<LogEntry> = page.into_iter().map(|waiting| waiting.entry).collect();
            count = count.saturating_add(entries.len());
            self.entries(&entries, now).await?;
        }
    }
}
