//! Answers that are held: they end when their token does.

use core::future::pending;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use token_core::VerifiedClaims as _;
use token_policy::in_force;
use tokio::time::sleep;

use super::refused::Refused;
use crate::conn::ResponseBody;
use crate::service::{AnyToken, Service};

/// How often a node among many asks whether its deny list is too old.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Waits until `token` may no longer be used. Without a token it waits for
/// ever: the secret key does not expire.
pub(super) async fn until_refused(service: &Service, token: Option<&AnyToken>) -> Refused {
    let Some(token) = token else {
        return pending().await;
    };
    // Before the question: what is revoked in between wakes it.
    let hold = service.held().hold(token);
    loop {
        if let Err(reason) = in_force(token, service.now(), &service.deny_list_of(token.scope())) {
            return Refused::reason(reason);
        }
        tokio::select! {
            () = hold.woken() => {}
            // That the list grows too old is an event of nobody.
            () = sleep(LOOK_AGAIN), if service.is_one_of_many() => {}
        }
    }
}

/// An answer of the upstream as it comes, for as long as `token` is good.
pub(super) fn held(service: &Service, token: Option<AnyToken>, body: Incoming) -> ResponseBody {
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
    token: AnyToken,
    service: Service,
    /// Runs from the first time that more is to come.
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
        // An upstream that is never waited for may send without end, too.
        let goes_on = match &polled {
            Poll::Pending => true,
            Poll::Ready(Some(Ok(_))) => !this.body.is_end_stream(),
            Poll::Ready(_) => false,
        };
        if goes_on && this.watch.is_none() {
            let (service, token) = (this.service.clone(), this.token.clone());
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
