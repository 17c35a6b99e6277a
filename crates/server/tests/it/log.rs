//! What a test writes to the log.
//!
//! One subscriber serves all tests of the process: subscribers that come and
//! go with their threads make `tracing` forget for moments who listens, and
//! then records of other tests are lost.

use core::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, Once};

use tracing_subscriber::fmt::MakeWriter;

type Bytes = Arc<Mutex<Vec<u8>>>;

thread_local! {
    static LISTENER: RefCell<Option<Bytes>> = const { RefCell::new(None) };
}

/// The records of this thread, and so of a test whose runtime has one thread,
/// from its making on.
pub(crate) struct Log(Bytes);

impl Log {
    pub(crate) fn of_this_thread() -> Self {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .with_writer(ToListener)
                .finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
        });
        let bytes = Bytes::default();
        LISTENER.set(Some(Arc::clone(&bytes)));
        Self(bytes)
    }

    /// What was written.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        LISTENER.set(None);
    }
}

struct ToListener;

impl<'a> MakeWriter<'a> for ToListener {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl io::Write for ToListener {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LISTENER.with_borrow(|listener| {
            if let Some(listener) = listener {
                listener.lock().unwrap().extend_from_slice(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
