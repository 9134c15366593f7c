//! [`WatchEvent`]: what a watch tells.

use std::fmt;

use super::{Heartbeat, Silence};
use crate::seq::Seq;

/// An event of [`watch`](super::watch) about its peer; `P` is the payload of the beats, `E` the
/// error of the receiver.
///
/// The order is fixed: [`Recovered`](Self::Recovered) or [`Alive`](Self::Alive), then
/// [`Restarted`](Self::Restarted), then the [`Beat`](Self::Beat) that brought them. The page of
/// [`watch`](super::watch) tells a whole story.
///
/// ```
/// use std::time::Duration;
/// use futures::StreamExt;
/// use liveness::detector::FixedTimeout;
/// use liveness::heartbeat::{Identity, Origin, WatchEvent, memory, watch};
/// # use liveness::HeartbeatSender;
///
/// # liveness::test_util::simulate(async |sim| {
/// let (mut sender, receiver) = memory::channel(8);
/// let mut events = watch(receiver, FixedTimeout::new(Duration::from_secs(5)), sim);
/// let identity = Identity::new(Origin::new("worker-1")?, 1);
/// sender.send(identity.heartbeat(None, 42)).await?;
/// drop(sender); // the worker is gone
///
/// let mut story = Vec::new();
/// while let Some(event) = events.next().await {
///     story.push(match event {
///         WatchEvent::Beat(beat) => format!("load {}", beat.payload),
///         WatchEvent::Dead(silence) => format!("given up after {:?}", silence.silent_for),
///         _ => continue,
///     });
/// }
/// assert_eq!(story, ["load 42", "given up after 5s"]);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchEvent<P, E> {
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
    /// The peer is held to be silent, and yet beats of it come: stale ones. Once a silence.
    ///
    /// A few late ones are normal. If they go on, the peer numbers its beats anew without a greater
    /// incarnation, or has lost its count: give it an [`Identity`](super::Identity) that grows, or
    /// see [`Watch::accept_older_life`](super::Watch::accept_older_life).
    Stale {
        /// The incarnation of this one.
        incarnation: u64,
        /// The number of this one.
        seq: Seq,
        /// How many stale beats came in this silence so far.
        count: u64,
    },
    /// The receiver failed, or ended. The peer is judged on by its silence.
    Lost(E),
}

impl<P, E: fmt::Display> fmt::Display for WatchEvent<P, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alive => f.write_str("alive"),
            Self::Recovered(silence) => write!(f, "recovered: {silence}"),
            Self::Restarted { from, to } => write!(f, "restarted: incarnation {to} after {from}"),
            Self::Beat(beat) => write!(f, "beat {}", beat.seq),
            Self::Suspect(silence) => write!(f, "suspected: {silence}"),
            Self::Dead(silence) => write!(f, "dead: {silence}"),
            Self::Stale {
                incarnation,
                seq,
                count,
            } => write!(
                f,
                "stale: beat {seq} of incarnation {incarnation}, {count} ignored in this silence"
            ),
            Self::Lost(error) => write!(f, "lost: {error}"),
        }
    }
}
