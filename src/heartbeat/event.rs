//! [`WatchEvent`]: what a watch tells.

use std::fmt;

use super::{Heartbeat, Silence};

/// What [`watch`] has to tell about its peer.
///
/// The order is fixed: [`Recovered`](Self::Recovered) or [`Alive`](Self::Alive), then
/// [`Restarted`](Self::Restarted), then the [`Beat`](Self::Beat) that brought them. The page of
/// [`watch`](super::watch) tells a whole story.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchEvent<P> {
    /// The first beat of the peer; also when it had been given up before it ever beat.
    Alive,
    /// A beat after [`Suspect`](Self::Suspect) or [`Dead`](Self::Dead), with the silence that it
    /// ends.
    Recovered(Silence),
    /// The peer started anew, and its detector too.
    Restarted {
        /// The incarnation that was.
        from: u64,
        /// The incarnation that is.
        to: u64,
    },
    /// A fresh beat.
    Beat(Heartbeat<P>),
    /// The peer has been silent for suspiciously long. At most once a silence.
    Suspect(Silence),
    /// The peer has been silent for too long. Once a silence, whether it was suspected or not.
    Dead(Silence),
}

impl<P> fmt::Display for WatchEvent<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alive => f.write_str("alive"),
            Self::Recovered(silence) => write!(f, "recovered: {silence}"),
            Self::Restarted { from, to } => write!(f, "restarted: incarnation {to} after {from}"),
            Self::Beat(beat) => write!(f, "beat {}", beat.seq),
            Self::Suspect(silence) => write!(f, "suspected: {silence}"),
            Self::Dead(silence) => write!(f, "dead: {silence}"),
        }
    }
}
