//! [`Identity`]: who beats, in which life, and which beat is next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Heartbeat, Origin};
use crate::seq::Seq;

/// One life of one peer: its name, its incarnation, and the count of its beats.
///
/// Clones share the count, so every loop and every link of this life draws its numbers from one
/// row. Make one when the program starts, and keep it for as long as the program runs: a loop that
/// ended and is built anew goes on where it stopped, and no beat of it is taken for an old one.
///
/// ```
/// use liveness::heartbeat::{Identity, Origin};
///
/// let identity = Identity::new(Origin::new("worker-1")?, 7);
/// let first = identity.heartbeat(None, "up");
/// let of_another_loop = identity.clone().heartbeat(None, "up");
/// assert_eq!((first.incarnation, first.seq.value()), (7, 0));
/// assert_eq!((of_another_loop.incarnation, of_another_loop.seq.value()), (7, 1));
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Identity {
    origin: Origin,
    incarnation: u64,
    beats: Arc<AtomicU64>,
}

impl Identity {
    /// The life `incarnation` of the peer `origin`: greater after each of its restarts, or a watch
    /// takes its beats for old ones. A counter on disk will do, or the wall clock at the start of
    /// the program, in milliseconds.
    #[must_use]
    pub fn new(origin: Origin, incarnation: u64) -> Self {
        Self {
            origin,
            incarnation,
            beats: Arc::default(),
        }
    }

    /// Who beats.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Which life of that peer.
    #[must_use]
    pub const fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The next beat, with the next number.
    pub fn heartbeat<P>(&self, interval: Option<Duration>, payload: P) -> Heartbeat<P> {
        Heartbeat {
            origin: self.origin.clone(),
            incarnation: self.incarnation,
            seq: Seq::new(self.beats.fetch_add(1, Ordering::Relaxed)),
            interval,
            payload,
        }
    }
}
