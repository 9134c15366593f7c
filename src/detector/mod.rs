//! Failure detectors for peers that beat: from the heartbeats of one peer to the instant at which
//! it is suspected, and the instant at which it is dead.
//!
//! Every detector is a *deadline*: a beat moves it, and to watch a peer is to compare an instant.
//! The loop around one is [`heartbeat::watch`](crate::heartbeat::watch); without async, wait for a
//! beat until `suspect_at()` or `dead_at()`, report it with `on_heartbeat`, and compare. Beats that
//! carry no number are counted with [`Seq::next`]. [`FixedTimeout`] wants a beat within a time;
//! [`MissedCount`] counts missed periods.

mod fixed;
mod missed;
mod life;
mod peer;

use std::time::{Duration, Instant};

pub use fixed::FixedTimeout;
pub use life::{Life, Order};
pub use missed::MissedCount;
pub use peer::{Heard, Peer, Silence, Status};

use crate::seq::Seq;

/// Decides from one peer's heartbeats when it is suspected and when it is dead.
///
/// Sans-I/O: `on_heartbeat` reports a beat, the two deadlines say what follows if none comes. A
/// beat whose number is not greater than the greatest seen is late or doubled and moves nothing; a
/// peer that restarts its numbers needs a [`reset`](Self::reset). A `now` older than that of the
/// last beat counts as that one.
///
/// # Laws
/// * `suspect_at() <= dead_at()` where both exist.
/// * `suspicion(now) >= 1.0` exactly when `now >= dead_at()`; it is 0 at a beat and does not fall
///   before the next.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::Seq;
/// use liveness::detector::{FailureDetector, FixedTimeout};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let mut detector = FixedTimeout::new(10 * second, start);
/// detector.on_heartbeat(Seq::new(0), start + 5 * second);
/// assert_eq!(detector.dead_at(), Some(start + 15 * second));
/// assert_eq!(detector.suspicion(start + 10 * second), 0.5);
/// assert!(detector.suspicion(start + 15 * second) >= 1.0);
/// ```
pub trait FailureDetector {
    /// The beat `seq` came at `now`.
    fn on_heartbeat(&mut self, seq: Seq, now: Instant);

    /// When the peer is to be suspected if no beat comes; `None` for never.
    fn suspect_at(&self) -> Option<Instant>;

    /// When the peer is dead if no beat comes; `None` for never.
    fn dead_at(&self) -> Option<Instant>;

    /// How much of the way to its death the peer has gone: 0 at a beat, at least 1 exactly when
    /// `now >= dead_at()`. For showing; decide by the deadlines.
    fn suspicion(&self, now: Instant) -> f64;

    /// Starts over at `now` as if the peer had just been met, with any number as its next.
    fn reset(&mut self, now: Instant);
}

/// The newest beat of a peer: what every detector here remembers.
#[derive(Debug, Clone, Copy)]
struct LastBeat {
    at: Instant,
    seq: Option<Seq>,
}

impl LastBeat {
    const fn new(now: Instant) -> Self {
        Self { at: now, seq: None }
    }

    /// Takes a beat; says whether it was a new one.
    fn on_heartbeat(&mut self, seq: Seq, now: Instant) -> bool {
        if self.seq.is_some_and(|newest| seq <= newest) {
            return false;
        }
        *self = Self {
            at: now.max(self.at),
            seq: Some(seq),
        };
        true
    }
}

/// The part of the way from `last` to `dead_at` that lies behind `now`, never 1 before it is over.
fn share(last: Instant, dead_at: Option<Instant>, now: Instant) -> f64 {
    const BELOW_ONE: f64 = 1.0 - f64::EPSILON / 2.0;
    let Some(dead_at) = dead_at else { return 0.0 };
    let whole = dead_at.saturating_duration_since(last);
    let gone = now.saturating_duration_since(last);
    let share = seconds(gone) / seconds(whole);
    match (now >= dead_at, share.is_finite()) {
        (true, true) => share.max(1.0),
        (true, false) => 1.0,
        (false, _) => share.min(BELOW_ONE),
    }
}

fn seconds(span: Duration) -> f64 {
    span.as_secs_f64()
}
