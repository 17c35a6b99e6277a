//! The deny lists of a follower: one that is in force, one that is being read
//! anew, and for a while the one before.

use core::time::Duration;
use std::sync::Arc;

use arc_swap::ArcSwap;
use token_core::{Standing, Subject};
use token_deny_list::DenyList;

/// For how long the list before the last is asked, too. Behind one name there may
/// be several servers, and one may know a little less than the other.
const KEPT: Duration = Duration::from_secs(60);

/// What decisions ask.
#[derive(Debug, Default)]
pub(crate) struct Lists(ArcSwap<InForce>);

#[derive(Debug, Default)]
struct InForce {
    current: Arc<DenyList>,
    /// And when another took its place, by the monotonic clock.
    before: Option<(Arc<DenyList>, Duration)>,
}

impl Lists {
    pub(crate) fn standing(&self, subject: &Subject<'_>) -> Standing {
        let lists = self.0.load();
        match (lists.current.standing(subject), &lists.before) {
            (Standing::Good, Some((before, _))) => before.standing(subject),
            (standing, _) => standing,
        }
    }

    pub(crate) fn current(&self) -> Arc<DenyList> {
        Arc::clone(&self.0.load().current)
    }

    /// A list for everything that is revoked. While there still is one before the
    /// current, what comes only adds: memory is for two lists.
    pub(crate) fn begin_anew(&self) -> Option<DenyList> {
        self.0.load().before.is_none().then(DenyList::default)
    }

    /// `anew` is whole: it is the current list from now on.
    pub(crate) fn replace(&self, anew: DenyList, now: Duration) {
        let current = self.current();
        self.0.store(Arc::new(InForce {
            current: Arc::new(anew),
            before: Some((current, now)),
        }));
    }

    /// Lets go of the list before, when it is old enough.
    pub(crate) fn let_go(&self, now: Duration) {
        let lists = self.0.load();
        let before = lists.before.as_ref();
        if before.is_some_and(|(_, since)| now.saturating_sub(*since) >= KEPT) {
            self.0.store(Arc::new(InForce {
                current: Arc::clone(&lists.current),
                before: None,
            }));
        }
    }
}
