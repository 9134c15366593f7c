//! [`Payload`]: what a heartbeat carries, as bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::error::DecodeError;

/// What a heartbeat carries: implement it for a type of your own.
///
/// `()`, `u64` (eight bytes, big endian), [`Bytes`] and `String` come with the crate. The length is
/// known from the frame around it, so a payload needs no delimiter of its own.
///
/// # Implementing
/// `decode` sees bytes from a peer: it returns an error for whatever it does not understand and
/// never panics. What `encode` wrote, `decode` gives back.
///
/// ```
/// use bytes::{Buf, BufMut, Bytes, BytesMut};
/// use liveness::{DecodeError, Payload};
///
/// #[derive(Debug, PartialEq)]
/// struct Load { percent: u8, queued: u32 }
///
/// impl Payload for Load {
///     fn encode(&self, buf: &mut BytesMut) {
///         buf.put_u8(self.percent);
///         buf.put_u32(self.queued);
///     }
///
///     fn decode(mut bytes: Bytes) -> Result<Self, DecodeError> {
///         if bytes.len() != 5 {
///             return Err(DecodeError::length("load", 5, bytes.len()));
///         }
///         let load = Self { percent: bytes.get_u8(), queued: bytes.get_u32() };
///         if load.percent > 100 {
///             return Err(DecodeError::Payload("load above 100 %".into()));
///         }
///         Ok(load)
///     }
/// }
///
/// let mut buf = BytesMut::new();
/// let load = Load { percent: 40, queued: 7 };
/// load.encode(&mut buf);
/// assert_eq!(Load::decode(buf.freeze()), Ok(load));
/// assert!(Load::decode(Bytes::from_static(b"?")).is_err());
/// ```
pub trait Payload: Sized {
    /// Appends the payload to `buf`.
    fn encode(&self, buf: &mut BytesMut);

    /// Reads a payload from exactly these bytes.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that `encode` does not write.
    fn decode(bytes: Bytes) -> Result<Self, DecodeError>;
}

impl Payload for () {
    fn encode(&self, _buf: &mut BytesMut) {}

    fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        if !bytes.is_empty() {
            return Err(DecodeError::length("empty payload", 0, bytes.len()));
        }
        Ok(())
    }
}

impl Payload for u64 {
    fn encode(&self, buf: &mut BytesMut) {
        buf.put_u64(*self);
    }

    fn decode(mut bytes: Bytes) -> Result<Self, DecodeError> {
        if bytes.len() != 8 {
            return Err(DecodeError::length("u64 payload", 8, bytes.len()));
        }
        Ok(bytes.get_u64())
    }
}

impl Payload for Bytes {
    fn encode(&self, buf: &mut BytesMut) {
        buf.put_slice(self);
    }

    fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        Ok(bytes)
    }
}

impl Payload for String {
    fn encode(&self, buf: &mut BytesMut) {
        buf.put_slice(self.as_bytes());
    }

    fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(DecodeError::Utf8 {
                what: "string payload",
                error,
            }),
        }
    }
}
