//! Where one HTTP/1 message ends and the next begins, with no second reading
//! (RFC 9112 sections 2.2, 5, 6; attack H01).
//!
//! hyper is lenient where the RFC allows it: it takes a bare line feed for the
//! end of a line, a length beside a transfer coding, and the same length
//! twice. A proxy in front may read those otherwise, and then two parties
//! disagree on where a request ends. So every byte is looked at before hyper
//! sees it. At the first one that strict framing does not allow, a line feed
//! is replaced by NUL, which hyper answers with 400 and the end of the
//! connection; what follows is replaced by line feeds, because hyper parses a
//! head only once it looks complete.

use super::frames::Frames;

/// The strict reader of a connection.
#[derive(Debug, Default)]
pub(super) struct Framing {
    state: State,
    /// The line so far, without its end.
    line: Vec<u8>,
    head: Head,
    frames: Option<Frames>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before or in the line of a request.
    #[default]
    Start,
    /// In a header line.
    Header,
    /// In a body, of which so many bytes are left.
    Body(u64),
    /// In the line with the size of a chunk.
    ChunkSize,
    /// In a chunk, of which so many bytes are left.
    Chunk(u64),
    /// In the line end after a chunk.
    ChunkEnd,
    /// In a line after the last chunk.
    Trailer,
    /// It is HTTP/2: its frames have lengths of their own, and are counted.
    Http2,
    /// Nothing that follows is read.
    Broken,
}

/// What the head of a message says about its body.
#[derive(Debug, Default)]
struct Head {
    length: Option<u64>,
    chunked: bool,
    hosts: u8,
    /// HTTP/1.0, which has no transfer codings.
    old: bool,
}

/// Longest line, in bytes. A head is smaller (hyper's buffer), and so is any
/// honest chunk size.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// The first line of HTTP/2 (RFC 9113 section 3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0";

impl Framing {
    /// Whether the connection is beyond repair: nothing more is read of it.
    pub(super) const fn is_broken(&self) -> bool {
        matches!(self.state, State::Broken)
    }

    /// Looks at what was read, and spoils it where the framing is not strict.
    pub(super) fn check(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.state {
                State::Http2 => {
                    let frames = self.frames.get_or_insert_default();
                    if frames.are_too_many(rest) {
                        self.state = State::Broken;
                    }
                    return;
                }
                State::Broken => {
                    rest.fill(b'\n');
                    return;
                }
                State::Body(left) => {
                    let (taken, after) = skip(rest, left);
                    self.state = match left.saturating_sub(taken) {
                        0 => State::Start,
                        left => State::Body(left),
                    };
                    rest = after;
                }
                State::Chunk(left) => {
                    let (taken, after) = skip(rest, left);
                    self.state = match left.saturating_sub(taken) {
                        0 => State::ChunkEnd,
                        left => State::Chunk(left),
                    };
                    rest = after;
                }
                State::Start
                | State::Header
                | State::ChunkSize
                | State::ChunkEnd
                | State::Trailer => rest = self.line(rest),
            }
        }
    }

    /// Reads to the end of a line, or of `bytes`.
    fn line<'b>(&mut self, bytes: &'b mut [u8]) -> &'b mut [u8] {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.line.extend_from_slice(bytes);
            if self.line.len() > LINE_BYTES_MAX {
                bytes.fill(b'\n');
                self.state = State::Broken;
            }
            return &mut [];
        };
        let (line, rest) = bytes.split_at_mut(end.saturating_add(1));
        self.line.extend_from_slice(line.get(..end).unwrap_or(&[]));
        let next = match self.line.split_last() {
            Some((b'\r', text)) if !text.contains(&b'\r') => self.head.next(self.state, text),
            _ => None,
        };
        if next.is_none()
            && let Some(end) = line.last_mut()
        {
            *end = 0;
        }
        self.state = next.unwrap_or(State::Broken);
        self.line.clear();
        rest
    }
}

/// Splits `bytes` after `left` of them: how many those are, and what follows.
fn skip(bytes: &mut [u8], left: u64) -> (u64, &mut [u8]) {
    let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    let (_, rest) = bytes.split_at_mut(length);
    (u64::try_from(length).unwrap_or(u64::MAX), rest)
}

impl Head {
    /// What follows the line `text`, or `None` when it may not be there.
    fn next(&mut self, state: State, text: &[u8]) -> Option<State> {
        match state {
            // Empty lines before a request are allowed (RFC 9112 section 2.2).
            State::Start if text.is_empty() => Some(State::Start),
            State::Start if text == HTTP2 => Some(State::Http2),
            // A target has no fragment (RFC 9112 section 3.2). hyper would drop
            // it, and whoever read it as a part of the path would see another.
            State::Start if text.contains(&b'#') => None,
            State::Start => {
                // Nothing of the message before is said of this one.
                *self = Self {
                    old: text.ends_with(b"HTTP/1.0"),
                    ..Self::default()
                };
                Some(State::Header)
            }
            State::Header if text.is_empty() => self.body(),
            State::Header => self.header(text).then_some(State::Header),
            State::ChunkSize => match chunk_size(text)? {
                0 => Some(State::Trailer),
                size => Some(State::Chunk(size)),
            },
            State::ChunkEnd => text.is_empty().then_some(State::ChunkSize),
            State::Trailer if text.is_empty() => Some(State::Start),
            State::Trailer => is_field(text).then_some(State::Trailer),
            State::Body(_) | State::Chunk(_) | State::Http2 | State::Broken => None,
        }
    }

    fn header(&mut self, text: &[u8]) -> bool {
        if !is_field(text) {
            return false;
        }
        let colon = text.iter().position(|byte| *byte == b':').unwrap_or(0);
        let (name, value) = text.split_at(colon);
        let value = value.get(1..).unwrap_or(&[]).trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = digits(value, 10);
            let first = self.length.is_none() && !self.chunked;
            self.length = length;
            return first && length.is_some();
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let first = !self.chunked && self.length.is_none() && !self.old;
            self.chunked = true;
            return first && value.eq_ignore_ascii_case(b"chunked");
        }
        if name.eq_ignore_ascii_case(b"host") {
            self.hosts = self.hosts.saturating_add(1);
            return self.hosts == 1;
        }
        true
    }

    const fn body(&self) -> Option<State> {
        match self.length {
            // RFC 9112 section 3.2: a request without one has no meaning.
            _ if self.hosts == 0 && !self.old => None,
            _ if self.chunked => Some(State::ChunkSize),
            None | Some(0) => Some(State::Start),
            Some(length) => Some(State::Body(length)),
        }
    }
}

/// A name and a colon right after it: no folded line, no blank before the
/// colon.
fn is_field(text: &[u8]) -> bool {
    let name = text.split(|byte| *byte == b':').next().unwrap_or(&[]);
    name.len() < text.len() && !name.is_empty() && name.iter().all(|byte| is_token(*byte))
}

/// A character of a name (RFC 9110 section 5.6.2).
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// The size of a chunk. Extensions are allowed and mean nothing.
fn chunk_size(text: &[u8]) -> Option<u64> {
    let size = text.split(|byte| *byte == b';').next().unwrap_or(&[]);
    digits(size.trim_ascii_end(), 16)
}

/// A number of digits only: no sign, no blank, nothing empty.
fn digits(text: &[u8], radix: u32) -> Option<u64> {
    let text = core::str::from_utf8(text).ok()?;
    let plain = text.bytes().all(|byte| char::from(byte).is_digit(radix));
    plain
        .then(|| u64::from_str_radix(text, radix).ok())
        .flatten()
}
