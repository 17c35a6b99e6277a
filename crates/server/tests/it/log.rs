//! What a test writes to the log.
//!
//! One subscriber serves all tests of the process: subscribers that come and
//! go with their threads make `tracing` forget for moments who listens, and
//! then records of other tests are lost.

use core::cell::{Cell, RefCell};
use std::io;
use std::sync::{Arc, Mutex, Once};

use tracing_subscriber::fmt::MakeWriter;

type Bytes = Arc<Mutex<Vec<u8>>>;

thread_local! {
    static LISTENER: RefCell<Option<Bytes>> = const { RefCell::new(None) };
    static FAULT: Cell<Option<&'static str>> = const { Cell::new(None) };
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

    /// Whoever writes the next record with this text panics, once: a bug in the
    /// middle of whatever that is.
    pub(crate) fn panic_at(&self, text: &'static str) {
        FAULT.set(Some(text));
    }

    /// What was written.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        LISTENER.set(None);
        FAULT.set(None);
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
        let record = String::from_utf8_lossy(bytes);
        if FAULT.get().is_some_and(|text| record.contains(text)) {
            FAULT.set(None);
            panic!("a bug");
        }
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
