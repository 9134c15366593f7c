//! [`TcpCodec`]: frames to bytes and back.

use std::fmt;
use std::marker::PhantomData;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{Frame, TooLarge};
use crate::error::DecodeError;
use crate::message::Payload;
use crate::seq::Seq;

const MAGIC: u8 = 0xBE;
const VERSION: u8 = 1;
const HEADER: usize = 8;
/// The number in front of the payload of a ping or pong.
const NUMBER: usize = 8;
/// How much is reserved on the word of a peer that has sent less than that.
const RESERVE: usize = 16 * 1024;

/// Turns frames into bytes and bytes into frames; the format is in the [module](super).
///
/// It works by itself, in `tokio_util::codec::Framed` (feature `tokio`), and in
/// `asynchronous_codec::Framed` (feature `smol`). Make one for every connection.
///
/// * *Total*: any bytes, in any chunks, give frames and then at most one error. The same bytes give
///   the same frames and the same error however they are cut.
/// * *Bounded*: a size beyond the [`limit`](Self::limit) is refused at the header. Between two
///   calls the buffer needs to hold less than one frame, and memory is reserved in proportion to
///   the bytes that have come in, not to the length that was announced.
/// * *Sticky*: after an error no border is known. Every later call gives the same error and drops
///   its input. Tokio's `Framed` ends after it; the one of `asynchronous_codec` repeats it at every
///   poll, so stop at the first, as `try_next` does.
///
/// ```
/// use bytes::{Bytes, BytesMut};
/// use liveness::Seq;
/// use liveness::tcp::{Frame, TcpCodec};
///
/// let mut codec = TcpCodec::<()>::new().limit(64);
/// let hello = Frame::Data(Bytes::from_static(b"hello"));
/// let mut wire = BytesMut::new();
/// codec.encode(&hello, &mut wire)?;
/// codec.encode(&Frame::Ping { seq: Seq::new(7), payload: () }, &mut wire)?;
/// assert_eq!(wire.len(), (8 + 5) + (8 + 8));
///
/// // In two pieces: the first frame waits for its last byte.
/// let mut rest = wire.split_off(12);
/// assert_eq!(codec.decode(&mut wire)?, None);
/// wire.unsplit(rest.split_to(1));
/// assert_eq!(codec.decode(&mut wire)?, Some(hello));
///
/// // A stream that ends inside the second frame, and a peer that speaks something else.
/// let mut cut = BytesMut::from(&rest[..9]);
/// let error = TcpCodec::<()>::new().decode_eof(&mut cut).unwrap_err();
/// assert_eq!(error.to_string(), "tcp frame: the stream ended after 9 of 16 bytes");
///
/// let mut other = BytesMut::from("GET / HTTP/1.1\r\n");
/// let error = codec.decode(&mut other).unwrap_err();
/// assert_eq!(error.to_string(), "tcp frame magic: value 0x47 at byte 0 is not defined");
/// assert_eq!(codec.decode(&mut rest), Err(error));
/// # Ok::<(), liveness::tcp::FrameError>(())
/// ```
pub struct TcpCodec<P = ()> {
    limit: usize,
    failed: Option<DecodeError>,
    payload: PhantomData<fn() -> P>,
}

impl<P> TcpCodec<P> {
    /// The limit of a new codec: 1 MiB.
    pub const DEFAULT_LIMIT: usize = 1024 * 1024;

    /// The largest limit: what the length field can say.
    pub const MAX_LIMIT: usize = u32::MAX as usize - HEADER - NUMBER;

    /// A codec with the [default limit](Self::DEFAULT_LIMIT).
    #[must_use]
    pub const fn new() -> Self {
        Self {
            limit: Self::DEFAULT_LIMIT,
            failed: None,
            payload: PhantomData,
        }
    }

    /// The largest data and the largest payload, in bytes, in both directions.
    ///
    /// The eight bytes of the header and the eight of a ping's number are not counted, so pings
    /// without a payload pass any limit. A limit above [`MAX_LIMIT`](Self::MAX_LIMIT) is that one.
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = if limit < Self::MAX_LIMIT {
            limit
        } else {
            Self::MAX_LIMIT
        };
        self
    }
}

impl<P: Payload> TcpCodec<P> {
    /// Appends `frame` to `dst`, or leaves `dst` as it is.
    ///
    /// # Errors
    /// [`TooLarge`] for data or a payload beyond the [`limit`](Self::limit).
    pub fn encode(&self, frame: &Frame<P>, dst: &mut BytesMut) -> Result<(), TooLarge> {
        match frame {
            Frame::Data(data) => self.write(Kind::Data, None, data, dst),
            Frame::Ping { seq, payload } => self.write_beat(Kind::Ping, *seq, payload, dst),
            Frame::Pong { seq, payload } => self.write_beat(Kind::Pong, *seq, payload, dst),
        }
    }

    /// Takes the next frame off the front of `src`; `None` when it is not all there yet.
    ///
    /// Data is handed out without a copy: it shares the memory of `src`.
    ///
    /// # Errors
    /// [`DecodeError`] for bytes that are no frame, and from then on always the same one.
    pub fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Frame<P>>, DecodeError> {
        let outcome = match self.failed.take() {
            Some(error) => Err(error),
            None => self.read(src),
        };
        self.remember(outcome, src)
    }

    /// As [`decode`](Self::decode), at the end of the stream: the rest must be whole frames.
    ///
    /// # Errors
    /// Those of `decode`, and [`DecodeError::Truncated`] when the stream ended inside a frame.
    pub fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Frame<P>>, DecodeError> {
        if let Some(frame) = self.decode(src)? {
            return Ok(Some(frame));
        }
        if src.is_empty() {
            return Ok(None);
        }
        let expected = match self.header(src) {
            Ok(Some(header)) => HEADER + header.length,
            _ => HEADER,
        };
        let truncated = DecodeError::Truncated {
            what: "tcp frame",
            expected: expected as u64,
            found: src.len() as u64,
        };
        self.remember(Err(truncated), src)
    }

    /// Makes an error the last word.
    fn remember<T>(
        &mut self,
        outcome: Result<T, DecodeError>,
        src: &mut BytesMut,
    ) -> Result<T, DecodeError> {
        if let Err(error) = &outcome {
            self.failed = Some(error.clone());
            src.clear();
        }
        outcome
    }

    fn read(&self, src: &mut BytesMut) -> Result<Option<Frame<P>>, DecodeError> {
        let Some(header) = self.header(src)? else {
            return Ok(None);
        };
        let whole = HEADER + header.length;
        let missing = whole.saturating_sub(src.len());
        if missing > 0 {
            src.reserve(missing.min(src.len().max(RESERVE)));
            return Ok(None);
        }
        src.advance(HEADER);
        Ok(Some(match header.kind {
            Kind::Data => Frame::Data(take(src, header.length)),
            Kind::Ping => {
                let (seq, payload) = take_beat(src, header.length)?;
                Frame::Ping { seq, payload }
            }
            Kind::Pong => {
                let (seq, payload) = take_beat(src, header.length)?;
                Frame::Pong { seq, payload }
            }
        }))
    }

    /// The header at the front of `bytes`. It is refused at its first wrong byte, so that the error
    /// does not depend on how much has come in.
    fn header(&self, bytes: &[u8]) -> Result<Option<Header>, DecodeError> {
        defined(bytes, 0, "tcp frame magic", |byte| byte == MAGIC)?;
        defined(bytes, 1, "tcp frame version", |byte| byte == VERSION)?;
        defined(bytes, 2, "tcp frame kind", |byte| Kind::of(byte).is_some())?;
        defined(bytes, 3, "tcp frame flags", |byte| byte == 0)?;
        let Some(&[_, _, kind, _, l0, l1, l2, l3]) = bytes.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let Some(kind) = Kind::of(kind) else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let Some(body) = length.checked_sub(kind.number()) else {
            return Err(DecodeError::length("number of a ping", NUMBER, length));
        };
        if body > self.limit {
            return Err(DecodeError::TooLarge {
                what: kind.body(),
                size: body as u64,
                limit: self.limit as u64,
            });
        }
        Ok(Some(Header { kind, length }))
    }

    fn write_beat(
        &self,
        kind: Kind,
        seq: Seq,
        payload: &P,
        dst: &mut BytesMut,
    ) -> Result<(), TooLarge> {
        // Apart from `dst`: a payload cannot touch what stands before it, and its size is known
        // before anything is written. An empty one allocates nothing.
        let mut bytes = BytesMut::new();
        payload.encode(&mut bytes);
        self.write(kind, Some(seq), &bytes, dst)
    }

    fn write(
        &self,
        kind: Kind,
        seq: Option<Seq>,
        body: &[u8],
        dst: &mut BytesMut,
    ) -> Result<(), TooLarge> {
        if body.len() > self.limit {
            return Err(TooLarge {
                what: kind.body(),
                size: body.len(),
                limit: self.limit,
            });
        }
        let length = kind.number() + body.len();
        dst.reserve(HEADER + length);
        dst.put_slice(&[MAGIC, VERSION, kind as u8, 0]);
        dst.put_u32(length as u32);
        if let Some(seq) = seq {
            dst.put_u64(seq.value());
        }
        dst.put_slice(body);
        Ok(())
    }
}

impl<P> Default for TcpCodec<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> fmt::Debug for TcpCodec<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpCodec")
            .field("limit", &self.limit)
            .field("failed", &self.failed)
            .finish()
    }
}

/// A header that is in order.
struct Header {
    kind: Kind,
    /// Bytes after the header; the limit has been checked.
    length: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    Data = 1,
    Ping = 2,
    Pong = 3,
}

impl Kind {
    const fn of(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Data),
            2 => Some(Self::Ping),
            3 => Some(Self::Pong),
            _ => None,
        }
    }

    /// The size of the number in front of the body.
    const fn number(self) -> usize {
        match self {
            Self::Data => 0,
            Self::Ping | Self::Pong => NUMBER,
        }
    }

    /// What the body is called in an error.
    const fn body(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Ping => "payload of a ping",
            Self::Pong => "payload of a pong",
        }
    }
}

fn defined(
    bytes: &[u8],
    at: usize,
    what: &'static str,
    is_defined: impl FnOnce(u8) -> bool,
) -> Result<(), DecodeError> {
    match bytes.get(at) {
        Some(&found) if !is_defined(found) => Err(DecodeError::Value {
            what,
            found: found.into(),
            at,
        }),
        _ => Ok(()),
    }
}

/// The next `count` bytes. Nothing is shared, and so nothing allocated, for none.
fn take(src: &mut BytesMut, count: usize) -> Bytes {
    if count == 0 {
        return Bytes::new();
    }
    src.split_to(count).freeze()
}

/// The body of a ping or pong, which is `length` bytes long.
fn take_beat<P: Payload>(src: &mut BytesMut, length: usize) -> Result<(Seq, P), DecodeError> {
    let seq = Seq::new(src.get_u64());
    let payload = P::decode(take(src, length - NUMBER))?;
    Ok((seq, payload))
}
