//! [`Frame`]: what goes over the wire.

use bytes::Bytes;

use crate::seq::Seq;

/// One message on a raw TCP stream: the user's data, a ping, or the pong that answers it.
///
/// `P` is what pings and pongs carry; nothing, unless you say so.
///
/// ```
/// use bytes::Bytes;
/// use liveness::Seq;
/// use liveness::tcp::Frame;
///
/// fn answer(frame: Frame) -> Option<Frame> {
///     match frame {
///         Frame::Data(_) | Frame::Pong { .. } => None,
///         Frame::Ping { seq, payload } => Some(Frame::Pong { seq, payload }),
///     }
/// }
/// assert_eq!(answer(Frame::Data(Bytes::from_static(b"hello"))), None);
/// # assert!(answer(Frame::Ping { seq: Seq::new(1), payload: () }).is_some());
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
        /// What the asking side has to say.
        payload: P,
    },
    /// Its answer.
    Pong {
        /// The number of the ping that it answers.
        seq: Seq,
        /// What the answering side has to say.
        payload: P,
    },
}

impl<P> Frame<P> {
    /// The user's bytes; `None` for a ping or a pong.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use liveness::tcp::Frame;
    /// let frame = Frame::<()>::Data(Bytes::from_static(b"hello"));
    /// assert_eq!(frame.into_data().as_deref(), Some(&b"hello"[..]));
    /// ```
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
