//! HTTP/2 by hand (RFC 9113): enough to break its rules.

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The preface, and settings that change nothing.
pub(crate) const PREFACE: &[u8] =
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The head of `GET path` of `http://a`, whole.
pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    let head = [&[0x82, 0x86][..], &literal(0x04, path), &literal(0x01, "a")].concat();
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &head)
}

/// The head of `POST path` of `http://a`, with or without its end.
pub(crate) fn post(stream: u32, path: &str, flags: u8) -> Vec<u8> {
    let head = [&[0x83, 0x86][..], &literal(0x04, path), &literal(0x01, "a")].concat();
    frame(HEADERS, flags, stream, &head)
}

/// A header whose name is in the static table (RFC 7541 section 6.2.2).
fn literal(name: u8, value: &str) -> Vec<u8> {
    let mut field = vec![name];
    match u8::try_from(value.len()) {
        Ok(length) if length < 127 => field.push(length),
        _ => {
            // RFC 7541 section 5.1: 127, and the rest in two bytes of seven bits.
            let rest = value.len().saturating_sub(127);
            let low = u8::try_from(rest % 128).unwrap() | 128;
            field.extend([127, low, u8::try_from(rest / 128).unwrap()]);
        }
    }
    field.extend(value.as_bytes());
    field
}

/// What a frame is, in the order of its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// The next frame, or `None` at the end of the connection.
pub(crate) async fn next(stream: &mut (impl AsyncRead + Unpin)) -> Option<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let [a, b, c, kind, flags, id @ ..] = head;
    let length = u32::from_be_bytes([0, a, b, c]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut payload).await.ok()?;
    let stream = u32::from_be_bytes(id);
    Some(Frame {
        kind,
        flags,
        stream,
        payload,
    })
}
