//! [`Frame`]: one message on the wire.

use bytes::Bytes;

use crate::seq::Seq;

/// One message on a raw TCP stream: the user's data, a ping, or the pong that answers it.
///
/// `P` is the payload of pings and pongs; by default there is none.
///
/// ```
/// use bytes::Bytes;
/// use liveness::Seq;
/// use liveness::tcp::Frame;
///
/// let answer = |frame: Frame| match frame {
///     Frame::Data(_) | Frame::Pong { .. } => None,
///     Frame::Ping { seq, payload } => Some(Frame::Pong { seq, payload }),
/// };
/// let (seq, payload) = (Seq::new(1), ());
/// assert_eq!(answer(Frame::Ping { seq, payload }), Some(Frame::Pong { seq, payload }));
///
/// let data = Frame::from(Bytes::from_static(b"hello"));
/// assert_eq!(answer(data.clone()), None);
/// assert_eq!(data.into_data().as_deref(), Some(&b"hello"[..]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(
    clippy::exhaustive_enums,
    reason = "the user's, a question, an answer: a closed sum"
)]
pub enum Frame<P = ()> {
    /// The user's bytes.
    Data(Bytes),
    /// A question.
    Ping {
        /// The number of the ping.
        seq: Seq,
        /// The payload of the side that asks.
        payload: P,
    },
    /// Its answer.
    Pong {
        /// The number of the ping that it answers.
        seq: Seq,
        /// The payload of the side that answers.
        payload: P,
    },
}

impl<P> Frame<P> {
    /// The user's bytes; `None` for a ping or a pong.
    #[must_use]
    pub fn into_data(self) -> Option<Bytes> {
        match self {
            Self::Data(data) => Some(data),
            Self::Ping { .. } | Self::Pong { .. } => None,
        }
    }
}

impl<P> From<Bytes> for Frame<P> {
    fn from(data: Bytes) -> Self {
        Self::Data(data)
    }
}
