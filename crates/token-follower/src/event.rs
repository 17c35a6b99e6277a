//! Server-sent events (HTML standard 9.2.6), as they come in pieces.

use core::mem::take;

/// Largest event, in bytes: 500 revocations of the longest names fit.
pub(crate) const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One event. What was cut off before its blank line is none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) data: String,
}

/// Larger than [`EVENT_BYTES_MAX`], or not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// Puts events together.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    event: Event,
    bytes: usize,
    has_data: bool,
}

impl Parser {
    /// Takes what came and hands each event that it completes to `each`, until
    /// that says otherwise.
    pub(crate) fn feed<E: From<Unreadable>>(
        &mut self,
        chunk: &[u8],
        mut each: impl FnMut(Event) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut lines = chunk.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = lines.next() {
            self.bytes = self.bytes.saturating_add(part.len()).saturating_add(1);
            if self.bytes > EVENT_BYTES_MAX {
                return Err(Unreadable.into());
            }
            self.line.extend_from_slice(part);
            if lines.peek().is_none() {
                // The end of this line is still to come.
                return Ok(());
            }
            if let Some(event) = self.end_line()? {
                each(event)?;
            }
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<Event>, Unreadable> {
        let line = take(&mut self.line);
        let line = core::str::from_utf8(&line).map_err(|_| Unreadable)?;
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            self.bytes = 0;
            let event = take(&mut self.event);
            return Ok(take(&mut self.has_data).then_some(event));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.event.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                self.has_data = true;
            }
            // Comments, and what is not known.
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "event: reset\ndata: {}\n\n: a comment\r\nid: 5b.42\r\nevent: heartbeat\r\n\
                          data: {\"after_ms\":1}\r\n\r\nid: lost\n\ndata:one\ndata: two\n\n";

    fn read(chunks: &[&[u8]]) -> Vec<Event> {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        for chunk in chunks {
            let fed: Result<(), Unreadable> = parser.feed(chunk, |event| {
                events.push(event);
                Ok(())
            });
            fed.unwrap();
        }
        events
    }

    #[test]
    fn events_are_the_same_wherever_the_stream_is_cut() {
        let whole = read(&[STREAM.as_bytes()]);
        assert_eq!(whole.len(), 3);
        assert_eq!(
            (whole[1].id.as_deref(), whole[1].name.as_str()),
            (Some("5b.42"), "heartbeat")
        );
        assert_eq!(whole[2].data, "one\ntwo");
        for at in 0..STREAM.len() {
            let (first, second) = STREAM.as_bytes().split_at(at);
            assert_eq!(read(&[first, second]), whole, "{at}");
        }
        let bytes: Vec<&[u8]> = STREAM.as_bytes().chunks(1).collect();
        assert_eq!(read(&bytes), whole);
    }

    #[test]
    fn an_event_that_is_cut_off_is_none() {
        let event = "event: reset\r\nid: 5b.1\r\ndata: {}\r\n\r\n";
        for at in 0..event.len() {
            assert_eq!(read(&[&event.as_bytes()[..at]]), [], "{at}");
        }
        assert_eq!(read(&[event.as_bytes()]).len(), 1);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut parser = Parser::default();
        let mut feed = |chunk: &[u8]| parser.feed(chunk, |_| Ok::<(), Unreadable>(()));
        let chunk = vec![b'x'; EVENT_BYTES_MAX / 2];
        assert_eq!(feed(&chunk), Ok(()));
        assert_eq!(feed(&chunk), Err(Unreadable));
        let mut lines = Parser::default();
        let fed = lines.feed(&b"data: x\n".repeat(EVENT_BYTES_MAX / 8 + 1), |_| Ok(()));
        assert_eq!(fed, Err(Unreadable));
    }
}
