//! The frames of an HTTP/2 connection, counted (RFC 9113 section 10.5; attack
//! H04).
//!
//! Frames that ask for nothing cost us work and may cost an answer. hyper has
//! limits for those that a request consists of; here are the others.

use core::time::Duration;
use std::time::Instant;

/// Most frames that ask for nothing in [`SPAN`]. Honest peers send a ping now
/// and then; some measure with them how much is in flight, once in each round
/// trip.
const IDLE_FRAMES_MAX: u32 = 10_000;

/// See [`IDLE_FRAMES_MAX`].
const SPAN: Duration = Duration::from_secs(10);

/// The rest of the preface after its first line (RFC 9113 section 3.4).
const PREFACE: &str = "\r\nSM\r\n\r\n";

/// The reader of a connection.
#[derive(Debug)]
pub(super) struct Frames {
    /// The head of the next frame, as far as it has come.
    head: Vec<u8>,
    /// How many bytes there are before that head.
    skip: usize,
    /// How many frames asked for nothing, and since when.
    counted: u32,
    since: Option<Instant>,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            head: Vec::with_capacity(HEAD_BYTES),
            skip: PREFACE.len(),
            counted: 0,
            since: None,
        }
    }
}

/// The length of the head of a frame (RFC 9113 section 4.1).
const HEAD_BYTES: usize = 9;

impl Frames {
    /// Looks at what was read. Whether that is a flood.
    pub(super) fn are_too_many(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while !rest.is_empty() {
            let skipped = self.skip.min(rest.len());
            self.skip = self.skip.saturating_sub(skipped);
            let missing = HEAD_BYTES.saturating_sub(self.head.len());
            let (_, after) = rest.split_at(skipped);
            let (head, after) = after.split_at(missing.min(after.len()));
            self.head.extend_from_slice(head);
            rest = after;
            if let [a, b, c, kind, ..] = *self.head
                && self.head.len() == HEAD_BYTES
            {
                self.head.clear();
                let length = u32::from_be_bytes([0, a, b, c]);
                self.skip = usize::try_from(length).unwrap_or(usize::MAX);
                if asks_for_nothing(kind) && self.count() {
                    return true;
                }
            }
        }
        false
    }

    fn count(&mut self) -> bool {
        if self.since.is_none_or(|since| since.elapsed() > SPAN) {
            self.since = Some(Instant::now());
            self.counted = 0;
        }
        self.counted = self.counted.saturating_add(1);
        self.counted > IDLE_FRAMES_MAX
    }
}

/// PRIORITY, SETTINGS, PING, GOAWAY, and what is not known. Updates of windows
/// are as many as what we send.
const fn asks_for_nothing(kind: u8) -> bool {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const PUSH_PROMISE: u8 = 5;
    const WINDOW_UPDATE: u8 = 8;
    const CONTINUATION: u8 = 9;
    !matches!(
        kind,
        DATA | HEADERS | RST_STREAM | PUSH_PROMISE | WINDOW_UPDATE | CONTINUATION
    )
}
