//! Heartbeats over a framed connection, each one acknowledged with its round trip; feature `tcp`.
//!
//! A beat goes out as a ping of [`tcp::Frame`](crate::tcp::Frame), and the receiver answers with
//! the pong of the same number. The connection is any `Stream` and `Sink` of frames:
//! [`TcpCodec`](crate::tcp::TcpCodec) in tokio's `Framed`, in that of `asynchronous-codec`, or
//! whatever else carries them. It carries heartbeats only, in one direction; where they share a
//! connection with data, use [`PingPong`](crate::PingPong).

mod receiver;
mod sender;

use futures::Stream;

pub use receiver::FramedReceiver;
pub use sender::{Ack, FramedSender};

use super::Heartbeat;
use crate::tcp::Frame;

/// A connection of frames that carry heartbeats: every `Stream` of them is one.
///
/// It exists so that `Payload` and `Error` can be named in bounds.
///
/// ```
/// use liveness::Heartbeat;
/// use liveness::heartbeat::framed::HeartbeatFrames;
/// use liveness::tcp::TcpCodec;
/// use tokio_util::codec::Framed;
///
/// type Connection = Framed<tokio::net::TcpStream, TcpCodec<Heartbeat<u64>>>;
/// type Load = <Connection as HeartbeatFrames>::Payload;
/// let load: Load = 42_u64;
/// assert_eq!(load.to_string(), "42");
/// ```
pub trait HeartbeatFrames {
    /// What the heartbeats carry.
    type Payload;
    /// How the connection fails.
    type Error;
}

impl<C, P, E> HeartbeatFrames for C
where
    C: Stream<Item = Result<Frame<Heartbeat<P>>, E>>,
{
    type Payload = P;
    type Error = E;
}

/// Why a heartbeat did not get through, or none comes any more.
///
/// ```
/// use liveness::heartbeat::framed::FramedError;
/// assert_eq!(
///     FramedError::<std::io::Error>::Unexpected("data").to_string(),
///     "a data frame on a connection that carries heartbeats one way only",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(
    clippy::exhaustive_enums,
    reason = "its end, a wrong peer, the stream's own: a closed sum"
)]
pub enum FramedError<E> {
    /// The peer has closed the connection.
    #[error("the peer closed the heartbeat connection")]
    Closed,
    /// A frame that has no place here: the peer is not the other half of this.
    #[error("a {0} frame on a connection that carries heartbeats one way only")]
    Unexpected(&'static str),
    /// The connection failed.
    #[error("{0}")]
    Transport(#[source] E),
}
