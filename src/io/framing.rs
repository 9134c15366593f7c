//! [`Framing`]: a runtime that frames sockets, with the codecs of its own world.

use super::Tracked;
use crate::rt::Runtime;

/// A runtime that frames sockets, with the codecs of its own world: for
/// [`PingPong::framed`](crate::PingPong::framed).
///
/// | runtime | codecs | sockets | frames |
/// | --- | --- | --- | --- |
/// | [`Tokio`](crate::Tokio) | of `tokio_util::codec` | tokio-io | `tokio_util::codec::Framed` |
/// | [`Smol`](crate::Smol) | of `asynchronous_codec` | futures-io | `asynchronous_codec::Framed` |
///
/// With feature `tokio` the simulated runtime of `test_util` frames as Tokio does. One of your own
/// takes one line:
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// use std::time::Instant;
/// use liveness::io::{Framing, Tracked};
/// use liveness::rt::TokioTimer;
/// use liveness::{Runtime, Tokio};
/// use tokio_util::codec::Framed;
///
/// /// Tokio's time, under a name of our own.
/// #[derive(Clone)]
/// struct Ours;
///
/// impl Runtime for Ours {
///     type Timer = TokioTimer;
///     fn timer(&self, at: Instant) -> TokioTimer { Tokio.timer(at) }
///     fn now(&self) -> Instant { Tokio.now() }
/// }
///
/// impl<S, C> Framing<S, C> for Ours
/// where
///     S: tokio::io::AsyncRead + tokio::io::AsyncWrite,
/// {
///     type Framed = Framed<Tracked<S, Self>, C>;
///     fn framed(&self, socket: Tracked<S, Self>, codec: C) -> Self::Framed {
///         Framed::new(socket, codec)
///     }
/// }
/// # let (socket, _peer) = tokio::io::duplex(64);
/// # let framed = Ours.framed(Tracked::new(socket, Ours), tokio_util::codec::LinesCodec::new());
/// # assert_eq!(framed.get_ref().activity().bytes_read(), 0);
/// # }
/// ```
pub trait Framing<S, C>: Runtime {
    /// The stream and sink of messages.
    type Framed;

    /// Frames a socket whose bytes are counted.
    fn framed(&self, socket: Tracked<S, Self>, codec: C) -> Self::Framed;
}

#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
impl<S, C> Framing<S, C> for crate::Tokio
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite,
{
    type Framed = tokio_util::codec::Framed<Tracked<S, Self>, C>;

    fn framed(&self, socket: Tracked<S, Self>, codec: C) -> Self::Framed {
        tokio_util::codec::Framed::new(socket, codec)
    }
}

#[cfg(feature = "smol")]
#[cfg_attr(docsrs, doc(cfg(feature = "smol")))]
impl<S, C> Framing<S, C> for crate::Smol
where
    S: futures::io::AsyncRead + futures::io::AsyncWrite,
    C: asynchronous_codec::Encoder + asynchronous_codec::Decoder,
{
    type Framed = asynchronous_codec::Framed<Tracked<S, Self>, C>;

    fn framed(&self, socket: Tracked<S, Self>, codec: C) -> Self::Framed {
        asynchronous_codec::Framed::new(socket, codec)
    }
}
