//! The bodies of requests and answers: whole, or as they come.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

use super::Refusal;

/// Whatever ends an answer before it is complete.
type BoxError = Box<dyn core::error::Error + Send + Sync>;

/// The body of a request, not yet read.
///
/// It is a stream of frames for whoever passes it on, and
/// [`RequestBody::read`] for whoever needs it whole. In both cases it may take
/// so many bytes ([`RequestBody::at_most`]) and so long (the limits of the
/// listener), and what goes over ends with the [`Refusal`] to answer.
pub struct RequestBody {
    source: Source,
    /// How many bytes may still come.
    room: u64,
    time: Duration,
    /// Runs from the first time that a byte was waited for.
    deadline: Option<Pin<Box<Sleep>>>,
}

enum Source {
    Network(Incoming),
    Whole(Option<Bytes>),
}

impl RequestBody {
    /// A body that comes over the network and must be complete after `time`.
    pub(super) const fn network(incoming: Incoming, time: Duration) -> Self {
        Self {
            source: Source::Network(incoming),
            room: u64::MAX,
            time,
            deadline: None,
        }
    }

    /// The same body, of which no more than `most` bytes are taken. What is in
    /// memory already is taken whatever its size.
    ///
    /// # Errors
    ///
    /// [`Refusal::BodyTooLarge`] when it announces more.
    pub fn at_most(mut self, most: usize) -> Result<Self, Refusal> {
        if matches!(self.source, Source::Whole(_)) {
            return Ok(self);
        }
        self.room = self.room.min(u64::try_from(most).unwrap_or(u64::MAX));
        if self.size_hint().lower() > self.room {
            return Err(Refusal::BodyTooLarge);
        }
        Ok(self)
    }

    /// Reads it whole, `most` bytes at most.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] to answer: too large, too slow, or broken off.
    pub async fn read(self, most: usize) -> Result<Bytes, Refusal> {
        let mut body = self.at_most(most)?;
        if let Source::Whole(whole) = body.source {
            return Ok(whole.unwrap_or_default());
        }
        // Copied together: kept as they come, chunks of one byte would each
        // take the room of dozens.
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            if let Ok(bytes) = frame?.into_data() {
                whole.extend_from_slice(&bytes);
            }
        }
        Ok(whole.freeze())
    }

    /// Reads it to its end and keeps nothing.
    ///
    /// # Errors
    ///
    /// As [`RequestBody::read`].
    pub async fn discard(self, most: usize) -> Result<(), Refusal> {
        let mut body = self.at_most(most)?;
        while let Some(frame) = body.frame().await {
            drop(frame?);
        }
        Ok(())
    }

    /// Takes the body and leaves an empty one.
    pub(crate) fn take(&mut self) -> Self {
        core::mem::replace(self, Self::from(Bytes::new()))
    }

    fn poll_source(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        match &mut self.source {
            Source::Whole(whole) => Poll::Ready(whole.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Network(incoming) => Pin::new(incoming)
                .poll_frame(context)
                .map_err(|_| Refusal::BodyBroken),
        }
    }
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        Self {
            source: Source::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())),
            room: u64::MAX,
            time: Duration::MAX,
            deadline: None,
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").finish_non_exhaustive()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Refusal;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        let this = &mut *self;
        match this.poll_source(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                let length = u64::try_from(length).unwrap_or(u64::MAX);
                let Some(room) = this.room.checked_sub(length) else {
                    return Poll::Ready(Some(Err(Refusal::BodyTooLarge)));
                };
                this.room = room;
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(end) => Poll::Ready(end),
            Poll::Pending => {
                let time = this.time;
                let deadline = this.deadline.get_or_insert_with(|| Box::pin(sleep(time)));
                match deadline.as_mut().poll(context) {
                    Poll::Ready(()) => Poll::Ready(Some(Err(Refusal::BodyTimeout))),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Network(incoming) => incoming.is_end_stream(),
            Source::Whole(whole) => whole.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Network(incoming) => incoming.size_hint(),
            Source::Whole(whole) => {
                let length = whole.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
        }
    }
}

/// The body of an answer.
pub struct ResponseBody(Answer);

enum Answer {
    Whole(Full<Bytes>),
    Stream(UnsyncBoxBody<Bytes, BoxError>),
}

impl ResponseBody {
    /// A body that is sent as it comes. An error of it ends the connection (or
    /// the HTTP/2 stream), so that nobody takes what was sent for the whole.
    pub fn stream<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        Self(Answer::Stream(body.map_err(Into::into).boxed_unsync()))
    }
}

impl From<Bytes> for ResponseBody {
    fn from(bytes: Bytes) -> Self {
        Self(Answer::Whole(Full::new(bytes)))
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Answer::Whole(whole) => Pin::new(whole).poll_frame(context).map_err(Into::into),
            Answer::Stream(stream) => Pin::new(stream).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Answer::Whole(whole) => whole.is_end_stream(),
            Answer::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Answer::Whole(whole) => whole.size_hint(),
            Answer::Stream(stream) => stream.size_hint(),
        }
    }
}
