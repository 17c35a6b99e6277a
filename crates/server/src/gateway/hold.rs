//! Answers that are held: they end when their token does.

use core::future::pending;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use token_codec::VerifiedToken;
use token_policy::in_force;
use tokio::time::sleep;

use super::refused::Refused;
use crate::conn::ResponseBody;
use crate::service::Service;

/// How often a held answer asks whether its token is still good, so the most
/// by which it outlives expiry or revocation. One question is a look into
/// memory.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Waits until `token` may no longer be used. Without a token it waits for
/// ever: the secret key does not expire.
pub(super) async fn until_refused(
    service: &Service,
    token: Option<&VerifiedToken<'static>>,
) -> Refused {
    let Some(token) = token else {
        return pending().await;
    };
    loop {
        sleep(ASK_EVERY).await;
        if let Err(reason) = in_force(token, service.now(), service.store()) {
            return Refused::reason(reason);
        }
    }
}

/// An answer of the upstream as it comes, for as long as `token` is good.
pub(super) fn held(
    service: &Service,
    token: Option<Arc<VerifiedToken<'static>>>,
    body: Incoming,
) -> ResponseBody {
    match token {
        None => ResponseBody::stream(body),
        Some(_) if body.is_end_stream() => ResponseBody::from(Bytes::new()),
        Some(token) => ResponseBody::stream(Held {
            body,
            token,
            service: service.clone(),
            watch: None,
        }),
    }
}

/// Why an answer breaks off.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the token of a held answer is no longer good")]
    Token,
    #[error(transparent)]
    Upstream(#[from] hyper::Error),
}

struct Held {
    body: Incoming,
    token: Arc<VerifiedToken<'static>>,
    service: Service,
    /// Runs from the first time that the upstream is waited for.
    watch: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Body for Held {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        if let Some(watch) = &mut this.watch
            && watch.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Some(Err(Broken::Token)));
        }
        let polled = Pin::new(&mut this.body).poll_frame(context);
        if polled.is_pending() && this.watch.is_none() {
            let (service, token) = (this.service.clone(), Arc::clone(&this.token));
            let mut watch = Box::pin(async move {
                until_refused(&service, Some(&token)).await;
            });
            // It has just begun, and is polled so that it wakes this task.
            if watch.as_mut().poll(context).is_ready() {
                return Poll::Ready(Some(Err(Broken::Token)));
            }
            this.watch = Some(watch);
        }
        polled.map_err(Broken::from)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
