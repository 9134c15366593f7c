//! [`FrameError`]: what ends a framed stream; [`TooLarge`]: a frame that is not sent.

use std::io;

use crate::error::DecodeError;

/// Why a stream of frames ended, or why a frame was not sent.
///
/// It turns into an [`io::Error`] with `?`: bytes that are no frame are
/// [`InvalidData`](io::ErrorKind::InvalidData), a stream that ends inside a frame is
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof), a frame that is too large to be sent is
/// [`InvalidInput`](io::ErrorKind::InvalidInput).
///
/// ```
/// use std::error::Error;
/// use std::io;
/// use liveness::DecodeError;
/// use liveness::tcp::FrameError;
///
/// let error = FrameError::from(DecodeError::length("u64 payload", 8, 3));
/// assert_eq!(error.to_string(), "u64 payload: 3 bytes instead of 8");
/// assert!(error.source().is_some_and(|source| source.is::<DecodeError>()));
/// assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidData);
/// ```
#[derive(Debug, thiserror::Error)]
#[allow(
    clippy::exhaustive_enums,
    reason = "the socket, the peer, this side: a closed sum"
)]
pub enum FrameError {
    /// The socket failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The peer sent bytes that are no frame. Nothing after them can be read.
    #[error("{0}")]
    Decode(#[from] DecodeError),
    /// A frame of this side is beyond the limit. It was not sent; the stream goes on.
    #[error("{0}")]
    TooLarge(#[from] TooLarge),
}

impl From<FrameError> for io::Error {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Io(error) => error,
            FrameError::Decode(error @ DecodeError::Truncated { .. }) => {
                Self::new(io::ErrorKind::UnexpectedEof, error)
            }
            FrameError::Decode(error) => Self::new(io::ErrorKind::InvalidData, error),
            FrameError::TooLarge(error) => Self::new(io::ErrorKind::InvalidInput, error),
        }
    }
}

/// A frame beyond the limit of its codec: nothing of it was written.
///
/// ```
/// use bytes::{Bytes, BytesMut};
/// use liveness::tcp::{Frame, TcpCodec};
///
/// let codec = TcpCodec::<()>::new().limit(4);
/// let mut wire = BytesMut::new();
/// let error = codec.encode(&Frame::Data(Bytes::from_static(b"hello")), &mut wire).unwrap_err();
/// assert_eq!(error.to_string(), "data: 5 bytes, the limit is 4");
/// assert_eq!((error.size, error.limit), (5, 4));
/// assert!(wire.is_empty());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {size} bytes, the limit is {limit}")]
#[non_exhaustive]
pub struct TooLarge {
    /// The part that is too large.
    pub what: &'static str,
    /// Its size in bytes.
    pub size: usize,
    /// The limit in force.
    pub limit: usize,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::ConfigError;
    use crate::keepalive::{Cause, Dead};
    use crate::tcp::ApplyError;

    #[test]
    fn errors_hand_on_their_source() {
        let dead = Dead {
            cause: Cause::Silent,
            limit: Duration::from_secs(1),
            silent_for: Duration::from_secs(1),
            unanswered: 0,
            last_rtt: None,
        };
        let below = || io::Error::new(io::ErrorKind::TimedOut, dead);
        assert_eq!(Dead::find(&FrameError::from(below())), Some(dead));
        assert_eq!(Dead::find(&ApplyError::from(below())), Some(dead));
        assert_eq!(
            Dead::find(&crate::Error::Transport(FrameError::from(below()))),
            Some(dead)
        );

        let has = |error: &dyn std::error::Error, text: &str| {
            assert_eq!(error.to_string(), text);
            assert_eq!(
                error.source().map(ToString::to_string).as_deref(),
                Some(text)
            );
        };
        let length = DecodeError::length("u64 payload", 8, 3);
        has(
            &FrameError::from(length),
            "u64 payload: 3 bytes instead of 8",
        );
        let config = ConfigError::Unsupported { name: "interval" };
        has(
            &ApplyError::from(config),
            "interval cannot be set on this platform",
        );
    }
}
