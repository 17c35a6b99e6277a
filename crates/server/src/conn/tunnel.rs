//! Connections that become something else than HTTP (RFC 9110 section 7.8).

use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use tokio::sync::mpsc;

type Carrying = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Lets the handler of a request take its connection over: an extension of the
/// request. The connection is counted and cut off at shutdown as before.
#[derive(Clone, Debug)]
pub(crate) struct Tunnel {
    is_open: Opened,
    carry: mpsc::Sender<Carrying>,
}

/// Whether the bytes of a connection are no longer HTTP.
#[derive(Clone, Debug, Default)]
pub(super) struct Opened(Arc<AtomicBool>);

impl Opened {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Tunnel {
    pub(super) fn new(is_open: Opened) -> (Self, mpsc::Receiver<Carrying>) {
        let (carry, carried) = mpsc::channel(1);
        (Self { is_open, carry }, carried)
    }

    /// The answer is 101, and `carrying` has the connection from then on.
    pub(crate) fn open(&self, carrying: impl Future<Output = ()> + Send + 'static) {
        if self.carry.try_send(Box::pin(carrying)).is_ok() {
            self.is_open.0.store(true, Ordering::Release);
        }
    }
}
