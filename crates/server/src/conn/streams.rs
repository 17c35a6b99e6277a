//! The streams of an HTTP/2 connection: none waits for ever for a peer that
//! takes nothing of it, and no connection stays when there are none.
//!
//! The window of a stream (RFC 9113 section 5.2) is the peer's to open. A peer
//! that never does takes nothing and yet reads and answers everything else, so
//! the limit on writes does not see it.

use core::pin::Pin;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::sync::watch;
use tokio::time::sleep;

use super::body::ResponseBody;

/// Largest piece of an answer that is handed over at one time, in bytes. That
/// the peer took one is how it shows that it takes at all; and it is what is
/// kept of an answer after its end for a peer that does not.
const PIECE_BYTES_MAX: usize = 16 * 1024;

tokio::task_local! {
    /// That of the stream whose task it is.
    static TAKING: Arc<Taking>;
}

/// Runs the streams of one connection.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    /// How long a peer may take nothing of an answer that is there.
    patience: Duration,
    /// How many are open; `None` before the first.
    open: watch::Sender<Option<usize>>,
}

impl Streams {
    pub(super) fn new(patience: Duration) -> Self {
        let open = watch::Sender::new(None);
        Self { patience, open }
    }

    /// Waits until there was a stream, and then none for so long. For ever on a
    /// connection that has none, as that of HTTP/1.1.
    pub(super) async fn idle(&self, time: Duration) {
        let mut open = self.open.subscribe();
        loop {
            // The sender is ours and outlives this.
            drop(open.wait_for(|open| *open == Some(0)).await);
            tokio::select! {
                () = sleep(time) => return,
                _changed = open.changed() => {}
            }
        }
    }

    fn opened(&self) -> Open {
        self.open
            .send_modify(|open| *open = Some(open.unwrap_or(0).saturating_add(1)));
        Open(self.open.clone())
    }
}

/// A stream that is counted while it is open, however it ends.
struct Open(watch::Sender<Option<usize>>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0
            .send_modify(|open| *open = open.map(|open| open.saturating_sub(1)));
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let (open, patience) = (self.opened(), self.patience);
        let taking = Arc::new(Taking::default());
        let watched = Arc::clone(&taking);
        tokio::spawn(TAKING.scope(taking, async move {
            tokio::select! {
                () = stream => {}
                // Dropped, it is reset.
                () = watched.stalled(patience) => {
                    tracing::debug!("an HTTP/2 stream was reset: its window stayed closed");
                }
            }
            drop(open);
        }));
    }
}

/// Whether a stream waits for its peer: a number that grows with each change,
/// odd while it does.
#[derive(Debug, Default)]
struct Taking(AtomicU64);

impl Taking {
    fn set(&self, waits: bool) {
        let now = self.0.load(Ordering::Relaxed);
        let step = if (now & 1 == 1) == waits { 2 } else { 1 };
        self.0.store(now.wrapping_add(step), Ordering::Relaxed);
    }

    /// Waits until the peer has taken nothing for `patience`, and at most twice
    /// that.
    async fn stalled(&self, patience: Duration) {
        loop {
            let before = self.0.load(Ordering::Relaxed);
            sleep(patience).await;
            if before & 1 == 1 && self.0.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }
}

/// The body of an answer, in pieces if it is that of a stream.
pub(super) fn in_pieces(body: ResponseBody) -> ResponseBody {
    match TAKING.try_with(Arc::clone) {
        Ok(taking) => ResponseBody::stream(Pieces {
            body,
            rest: Bytes::new(),
            taking,
        }),
        Err(_) => body,
    }
}

/// A body that is handed over piece by piece.
struct Pieces {
    body: ResponseBody,
    /// What was not handed over yet.
    rest: Bytes,
    taking: Arc<Taking>,
}

impl Pieces {
    fn next_piece(&mut self) -> Bytes {
        let length = self.rest.len().min(PIECE_BYTES_MAX);
        self.rest.split_to(length)
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = <ResponseBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if this.rest.is_empty() {
            match Pin::new(&mut this.body).poll_frame(context) {
                Poll::Pending => {
                    this.taking.set(false);
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                end @ Poll::Ready(_) => return end,
            }
        }
        this.taking.set(true);
        Poll::Ready(Some(Ok(Frame::data(this.next_piece()))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.body.size_hint();
        let rest = u64::try_from(self.rest.len()).unwrap_or(u64::MAX);
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(inner.lower().saturating_add(rest));
        hint
    }
}
