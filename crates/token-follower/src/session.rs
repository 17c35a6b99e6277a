//! One connection after the other: asks for what is not known yet, and adds what
//! comes.

use core::time::Duration;
use std::sync::Arc;

use http_body_util::BodyExt as _;
use token_deny_list::DenyList;
use tokio::time::{Instant, sleep, timeout_at};

use crate::event::{Event, Parser, Unreadable};
use crate::follower::{Instants, Shared};
use crate::item::{Heartbeat, Item};
use crate::source::{FetchError, Source};

/// The feed.
const PATH: &str = "/v1/revocations/feed";

/// How long the first event may take: the server reads one list at a time for few.
const FIRST: Duration = Duration::from_secs(60);

/// Without an event for so long the connection is dead (docs/feed.md).
const SILENCE: Duration = Duration::from_secs(15);

/// The pauses between attempts: the first, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How often everything is read anew, so that what the server has forgotten is
/// forgotten here, too.
const ANEW: Duration = Duration::from_secs(24 * 3_600);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("the server ended the feed")]
    Closed,
    #[error("the feed broke off")]
    Broken,
    #[error("the feed is silent")]
    Silent,
    #[error("what comes was sent long ago")]
    Late,
    #[error("the feed says what is not understood here; a newer follower may")]
    NotUnderstood,
    #[error("more tokens are revoked than may be held in memory ({0})")]
    TooMany(usize),
}

impl From<Unreadable> for Ended {
    fn from(Unreadable: Unreadable) -> Self {
        Self::NotUnderstood
    }
}

/// Follows for ever.
pub(crate) async fn run(shared: Arc<Shared>, source: Source) {
    let mut pause = PAUSE_MIN;
    let mut anew_at = None;
    loop {
        let asked = shared.now();
        let is_old = |at| shared.since(at) >= ANEW;
        let after = shared.sequence().filter(|_| !anew_at.is_some_and(is_old));
        let mut session = Session {
            shared: &shared,
            asked,
            anew: None,
            is_late: false,
            was_heard: false,
            anew_at: &mut anew_at,
        };
        let ended = session.follow(&source, after.as_deref()).await;
        if session.was_heard {
            pause = PAUSE_MIN;
        }
        tracing::warn!(reason = %ended, "the revocations of the server are not heard");
        shared.fault.store(Some(Arc::new(ended.to_string())));
        sleep(pause).await;
        pause = pause.saturating_mul(2).min(PAUSE_MAX);
    }
}

struct Session<'a> {
    shared: &'a Shared,
    /// Before the request was sent. The stream began later.
    asked: Instants,
    /// Everything that is revoked, while it is being read.
    anew: Option<DenyList>,
    is_late: bool,
    was_heard: bool,
    anew_at: &'a mut Option<Instants>,
}

impl Session<'_> {
    async fn follow(&mut self, source: &Source, after: Option<&str>) -> Ended {
        match self.read(source, after).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn read(
        &mut self,
        source: &Source,
        after: Option<&str>,
    ) -> Result<core::convert::Infallible, Ended> {
        let path = match after {
            Some(after) => format!("{PATH}?after={after}"),
            None => PATH.to_owned(),
        };
        let mut body = source.request(&path).await?.into_body();
        let mut parser = Parser::default();
        let later = |time| Instant::now().checked_add(time).ok_or(Ended::Silent);
        let mut deadline = later(FIRST)?;
        loop {
            let frame = timeout_at(deadline, body.frame()).await;
            let frame = frame.map_err(|_| Ended::Silent)?.ok_or(Ended::Closed)?;
            let frame = frame.map_err(|_| Ended::Broken)?;
            let Ok(chunk) = frame.into_data() else {
                continue;
            };
            let mut came = false;
            parser.feed(&chunk, |event| {
                came = true;
                self.take(event)
            })?;
            if came {
                deadline = later(SILENCE)?;
            }
        }
    }

    /// One event. Events of other names are for others.
    fn take(&mut self, event: Event) -> Result<(), Ended> {
        match event.name.as_str() {
            "reset" => {
                self.anew = self.shared.lists.begin_anew();
                *self.anew_at = Some(self.asked);
                Ok(())
            }
            "revocations" => self.add(event),
            "heartbeat" => self.beat(event),
            _ => Ok(()),
        }
    }

    fn add(&self, event: Event) -> Result<(), Ended> {
        let items: Vec<Item<'_>> =
            serde_json::from_str(&event.data).map_err(|_| Ended::NotUnderstood)?;
        let current = self.shared.lists.current();
        let mut lists = vec![&*current];
        lists.extend(&self.anew);
        for list in lists {
            for item in &items {
                item.apply(list).map_err(|_| Ended::NotUnderstood)?;
            }
            let most = self.shared.options.tokens_max;
            if list.token_count() > most {
                return Err(Ended::TooMany(most));
            }
        }
        if items.iter().any(Item::is_about_a_scope) {
            let count = &self.shared.scope_rules;
            count.send_modify(|count| *count = count.wrapping_add(1));
        }
        if let Some(id) = event.id {
            self.shared.hear(id, None);
        }
        Ok(())
    }

    fn beat(&mut self, event: Event) -> Result<(), Ended> {
        let beat: Heartbeat =
            serde_json::from_str(&event.data).map_err(|_| Ended::NotUnderstood)?;
        // One without an id is before anything was heard.
        let Some(id) = event.id else { return Ok(()) };
        let at = self.asked.after(Duration::from_millis(beat.after_ms));
        let now = self.shared.now();
        if let Some(anew) = self.anew.take() {
            self.shared.lists.replace(anew, now.monotonic());
        }
        self.shared.lists.let_go(now.monotonic());
        self.shared.hear(id, Some(at));
        self.shared.fault.store(None);
        self.was_heard = true;
        // Once is a long list that took its time, or a machine that slept.
        let is_late = self.shared.since(at) > SILENCE;
        if is_late && self.is_late {
            return Err(Ended::Late);
        }
        self.is_late = is_late;
        Ok(())
    }
}
