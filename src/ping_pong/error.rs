//! [`Error`]: the end of a stream of messages, other than its own.

use crate::flood::Flooded;
use crate::keepalive::Dead;

/// Why a heartbeating stream ended.
///
/// ```
/// use liveness::Error;
///
/// fn report(error: &Error<std::io::Error>) -> &'static str {
///     match error {
///         Error::Dead(_) => "the peer is gone: reconnect",
///         Error::Flooded(_) => "the peer misbehaves: drop it",
///         Error::Transport(_) => "the socket says so itself",
///     }
/// }
/// let broken = Error::Transport(std::io::ErrorKind::BrokenPipe.into());
/// assert_eq!(report(&broken), "the socket says so itself");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a verdict, an offence, or the transport: a closed sum"
)]
// The tag is as wide as what follows it, so that a message beside it is copied as whole words.
#[repr(u64)]
pub enum Error<E> {
    /// The peer did not show life in time.
    #[error("peer dead: {0}")]
    Dead(#[source] Dead),
    /// The peer sent pings faster than allowed.
    #[error("ping flood: {0}")]
    Flooded(#[source] Flooded),
    /// The stream or sink underneath failed.
    #[error("transport: {0}")]
    Transport(#[source] E),
}

impl<E> From<Dead> for Error<E> {
    fn from(dead: Dead) -> Self {
        Self::Dead(dead)
    }
}

impl<E> From<Flooded> for Error<E> {
    fn from(flooded: Flooded) -> Self {
        Self::Flooded(flooded)
    }
}
