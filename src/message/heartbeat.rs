//! [`Heartbeat`]: who beats, in which life, which beat of it, with what; and its bytes.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{Origin, Payload};
use crate::error::DecodeError;
use crate::seq::Seq;
use crate::time::nanos;

/// The version of the byte layout that this crate writes, and the only one it reads.
const VERSION: u8 = 1;
/// Everything before the origin's name.
const HEADER: usize = 26;

/// One heartbeat of one peer.
///
/// # Bytes
/// A heartbeat is itself a [`Payload`], so whatever carries bytes carries heartbeats. Its layout is
/// version 1, with numbers in big endian:
///
/// | bytes | field |
/// | --- | --- |
/// | 0 | version: 1 |
/// | 1..9 | incarnation |
/// | 9..17 | number of the beat |
/// | 17..25 | promised interval in nanoseconds, at most 2⁶⁴ − 1 (584 years); 0 is no promise |
/// | 25 | length of the origin's name, n |
/// | 26..26+n | the origin's name, UTF-8 |
/// | 26+n.. | the payload, up to the end |
///
/// The length of the whole comes from the frame or datagram around it. Decoding copies the origin's
/// name, at most 255 bytes, and hands the payload on without a copy.
///
/// ```
/// use std::time::Duration;
/// use bytes::BytesMut;
/// use liveness::heartbeat::Origin;
/// use liveness::{Heartbeat, Payload, Seq};
///
/// let beat = Heartbeat {
///     origin: Origin::new("n1")?,
///     incarnation: 3,
///     seq: Seq::new(41),
///     interval: Some(Duration::from_secs(1)),
///     payload: "ok".to_owned(),
/// };
/// let mut bytes = BytesMut::new();
/// beat.encode(&mut bytes);
/// assert_eq!(bytes.len(), 26 + 2 + 2);
/// assert_eq!(Heartbeat::<String>::decode(bytes.freeze()), Ok(beat));
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat<P> {
    /// Who beats.
    pub origin: Origin,
    /// Which life of that peer: greater after each of its restarts. A counter kept on disk will do,
    /// or the wall clock at the start.
    pub incarnation: u64,
    /// The number of this beat within the incarnation.
    pub seq: Seq,
    /// The longest time until the next beat, as the sender promises it. A zero is written as no
    /// promise.
    pub interval: Option<Duration>,
    /// What the beat carries.
    pub payload: P,
}

impl<P> Heartbeat<P> {
    /// The same beat with another payload.
    #[must_use]
    pub fn map<Q>(self, change: impl FnOnce(P) -> Q) -> Heartbeat<Q> {
        Heartbeat {
            origin: self.origin,
            incarnation: self.incarnation,
            seq: self.seq,
            interval: self.interval,
            payload: change(self.payload),
        }
    }
}

impl<P: Payload> Payload for Heartbeat<P> {
    fn encode(&self, buf: &mut BytesMut) {
        let name = self.origin.as_str().as_bytes();
        buf.reserve(HEADER + name.len());
        buf.put_u8(VERSION);
        buf.put_u64(self.incarnation);
        buf.put_u64(self.seq.value());
        buf.put_u64(self.interval.map_or(0, nanos));
        // An `Origin` cannot be longer than a byte can say.
        buf.put_u8(name.len() as u8);
        buf.put_slice(name);
        self.payload.encode(buf);
    }

    fn decode(mut bytes: Bytes) -> Result<Self, DecodeError> {
        // The version first: a layout to come may be shorter.
        if let Some(&found) = bytes.first().filter(|version| **version != VERSION) {
            return Err(DecodeError::Value {
                what: "heartbeat version",
                found: u64::from(found),
                at: 0,
            });
        }
        if bytes.len() < HEADER {
            return Err(DecodeError::length("heartbeat header", HEADER, bytes.len()));
        }
        bytes.advance(1);
        let incarnation = bytes.get_u64();
        let seq = Seq::new(bytes.get_u64());
        let interval = match bytes.get_u64() {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        };
        let length = usize::from(bytes.get_u8());
        if bytes.len() < length {
            let what = "heartbeat origin";
            return Err(DecodeError::length(what, length, bytes.len()));
        }
        let origin = decode_origin(&bytes.split_to(length))?;
        let payload = P::decode(bytes)?;
        Ok(Self {
            origin,
            incarnation,
            seq,
            interval,
            payload,
        })
    }
}

fn decode_origin(name: &[u8]) -> Result<Origin, DecodeError> {
    let what = "heartbeat origin";
    let name = std::str::from_utf8(name).map_err(|error| DecodeError::Utf8 { what, error })?;
    Origin::new(name).map_err(|_| DecodeError::length(what, Origin::MAX_BYTES, name.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat() -> Heartbeat<u64> {
        Heartbeat {
            origin: Origin::new("né").expect("short"),
            incarnation: 0x0102_0304_0506_0708,
            seq: Seq::new(0x1112_1314_1516_1718),
            interval: Some(Duration::from_nanos(0x2122_2324_2526_2728)),
            payload: 0x3132_3334_3536_3738,
        }
    }

    fn encoded<P: Payload>(payload: &P) -> Bytes {
        let mut bytes = BytesMut::new();
        payload.encode(&mut bytes);
        bytes.freeze()
    }

    /// The layout is a promise to peers that run another version of this crate.
    #[test]
    fn golden_bytes() {
        let expected = [
            1, //
            0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, //
            0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, //
            0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, //
            3, b'n', 0xc3, 0xa9, //
            0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38,
        ];
        assert_eq!(encoded(&beat())[..], expected);
        assert_eq!(Heartbeat::decode(encoded(&beat())), Ok(beat()));
    }

    #[test]
    fn errors_say_what_and_where() {
        let decode = |bytes: &[u8]| Heartbeat::<u64>::decode(Bytes::copy_from_slice(bytes));
        let error = |bytes: &[u8]| decode(bytes).expect_err("malformed").to_string();
        let good = encoded(&beat());
        assert_eq!(error(&[]), "heartbeat header: 0 bytes instead of 26");
        assert_eq!(
            error(&good[..25]),
            "heartbeat header: 25 bytes instead of 26"
        );
        assert_eq!(error(&good[..28]), "heartbeat origin: 2 bytes instead of 3");
        assert_eq!(error(&good[..36]), "u64 payload: 7 bytes instead of 8");
        assert_eq!(
            error(&[2]),
            "heartbeat version: value 0x02 at byte 0 is not defined"
        );
        let mut not_text = good.to_vec();
        not_text[28] = b'!';
        assert_eq!(error(&not_text), "heartbeat origin: not UTF-8 from byte 1");
    }

    #[test]
    fn an_interval_too_long_to_write_is_the_longest() {
        let mut beat = beat();
        beat.interval = Some(Duration::MAX);
        let read = Heartbeat::<u64>::decode(encoded(&beat)).expect("ours");
        assert_eq!(read.interval, Some(Duration::from_nanos(u64::MAX)));
    }

    #[test]
    fn no_promise_is_written_as_zero() {
        for interval in [None, Some(Duration::ZERO)] {
            let bytes = encoded(&Heartbeat { interval, ..beat() });
            assert_eq!(bytes[17..25], [0; 8]);
            let read = Heartbeat::<u64>::decode(bytes).expect("ours");
            assert_eq!(read.interval, None);
        }
    }
}
