//! The bytes of a connection: reads are looked at, writes have a time limit, and
//! the end is one that the peer can see.

use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::framing::Framing;
use super::tunnel::Opened;

/// How long, and for how many bytes, the peer may go on sending after a request
/// that was refused. Whoever sends into a connection that is gone sees a reset,
/// and may never read the answer (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A stream on which the peer must frame its messages strictly and must not
/// stop reading.
pub(super) struct Guarded<S> {
    stream: S,
    framing: Framing,
    /// Whether there are no more messages.
    opened: Opened,
    /// Whether the end of what is broken was given.
    ended: bool,
    /// Whether a request was refused before it was read to its end.
    refused: Refused,
    /// After our side is shut: how long and for how much the peer's is read.
    lingering: Option<Lingering>,
    writing: Stall,
    flushing: Stall,
}

/// Set once a request of the connection is refused.
#[derive(Clone, Debug, Default)]
pub(super) struct Refused(Arc<AtomicBool>);

impl Refused {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct Lingering {
    timer: Pin<Box<Sleep>>,
    room: usize,
}

/// Runs while the peer takes nothing of what there is to send.
struct Stall {
    patience: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S, patience: Duration, opened: Opened, refused: Refused) -> Self {
        Self {
            stream,
            framing: Framing::default(),
            opened,
            ended: false,
            refused,
            lingering: None,
            writing: Stall::new(patience),
            flushing: Stall::new(patience),
        }
    }
}

impl Stall {
    const fn new(patience: Duration) -> Self {
        Self {
            patience,
            timer: None,
        }
    }

    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        progress: Poll<Result<T>>,
    ) -> Poll<Result<T>> {
        if progress.is_ready() {
            self.timer = None;
            return progress;
        }
        let patience = self.patience;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(Error::from(ErrorKind::TimedOut)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        if self.framing.is_broken() {
            // The end of the head that hyper waits for, and then the end.
            if !core::mem::replace(&mut self.ended, true) && buffer.remaining() >= 2 {
                buffer.put_slice(b"\n\n");
            }
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if let Some(new) = buffer.filled_mut().get_mut(before..)
            && !self.opened.get()
        {
            self.framing.check(new);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> Guarded<S> {
    /// Reads what still comes, and keeps nothing, until the peer has seen the end.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(Lingering { timer, room }) = &mut self.lingering else {
            return Poll::Ready(());
        };
        if timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let mut bytes = [0; 8 * 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
            let taken = buffer.filled().len();
            match room.checked_sub(taken) {
                Some(left) if read.is_ok() && taken > 0 => *room = left,
                _ => return Poll::Ready(()),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.writing.watch(context, progress)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.writing.watch(context, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_flush(context);
        self.flushing.watch(context, progress)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            if !self.refused.get() && !self.framing.is_broken() {
                return Poll::Ready(Ok(()));
            }
            self.lingering = Some(Lingering {
                timer: Box::pin(sleep(LINGER)),
                room: LINGER_BYTES_MAX,
            });
        }
        self.poll_linger(context).map(Ok)
    }
}
