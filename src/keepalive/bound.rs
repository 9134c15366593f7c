//! [`Bound`]: how long it takes until a dead peer is found.

use std::time::Duration;

use super::{Boundary, KeepaliveConfig, ReplyTimeout};

/// The longest time from a peer's last proof of life to the verdict, in three situations.
///
/// All three follow from the configuration. They hold for a caller that comes when it is due; a
/// shell adds what its dates may be off by. A pause of our own adds one clean window for each
/// clock.
///
/// ```
/// use std::time::Duration;
/// use liveness::KeepaliveConfig;
///
/// let seconds = Duration::from_secs;
/// let bound = KeepaliveConfig::new().detection_bound().unwrap();
/// assert_eq!(bound.quiet, seconds(20 + 2 * 10));
/// assert_eq!(bound.undrained, seconds(20 + 2 * 10 + 10));
/// assert_eq!(bound.uploading, Some(seconds(20 + 2 * (30 + 90 + 10))));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Bound {
    /// The connection is quiet: what arrives is read at once, and our pings are out as soon as they
    /// are sent.
    pub quiet: Duration,
    /// Bytes keep arriving that prove nothing, so nobody can tell whether an answer is behind them.
    pub undrained: Duration,
    /// Our own bytes stand before the pings, which the transport refuses for up to a write stall
    /// and then holds for up to the upload wait. `None` where no limit is set to that:
    /// [`upload_wait`](KeepaliveConfig::upload_wait()) or
    /// [`write_stall`](KeepaliveConfig::write_stall()) is off, and so is
    /// [`silence`](KeepaliveConfig::silence()).
    pub uploading: Option<Duration>,
}

impl Bound {
    /// All of it so much later.
    pub(crate) fn later_by(self, span: Duration) -> Self {
        Self {
            quiet: self.quiet.saturating_add(span),
            undrained: self.undrained.saturating_add(span),
            uploading: self.uploading.map(|bound| bound.saturating_add(span)),
        }
    }
}

impl KeepaliveConfig {
    /// The longest time from the last proof of life to the verdict, or `None` when this
    /// configuration promises none.
    ///
    /// On a quiet connection it is the smaller of `interval + max_unanswered * reply_timeout` (for
    /// a configuration that checks the peer) and `silence`; [`Bound`] tells the other situations.
    #[must_use]
    pub const fn detection_bound(&self) -> Option<Bound> {
        let reply = self.longest_reply();
        let wait = self.upload_wait;
        let times = self.max_unanswered;
        let asks = self.checks_peer() && !reply.is_zero();
        let asked = self.interval.saturating_add(reply.saturating_mul(times));
        // Each ping may be refused for almost a whole stall before it is taken.
        let leaving = self.write_stall.saturating_add(wait);
        let slow = asked.saturating_add(leaving.saturating_mul(times));
        let limited = !wait.is_zero() && !self.write_stall.is_zero();
        let uploading = if limited { Some(slow) } else { None };
        let asked = Bound {
            quiet: asked,
            undrained: asked.saturating_add(reply),
            uploading,
        };
        let Some(silence) = self.silence_deadline() else {
            return if asks { Some(asked) } else { None };
        };
        let silent = Bound {
            quiet: silence,
            undrained: silence.saturating_add(silence),
            uploading: Some(silence),
        };
        if !asks {
            return Some(silent);
        }
        // The silence waits for the answer to a ping that left late.
        let patient = self.interval.saturating_add(leaving).saturating_add(reply);
        let patient = if self.forgive_stall && limited {
            Some(longer(silence, patient))
        } else if self.forgive_stall {
            None
        } else {
            Some(silence)
        };
        Some(Bound {
            quiet: shorter(asked.quiet, silent.quiet),
            undrained: shorter(asked.undrained, silent.undrained),
            uploading: match (uploading, patient) {
                (Some(asked), Some(silent)) => Some(shorter(asked, silent)),
                (Some(bound), None) | (None, Some(bound)) => Some(bound),
                (None, None) => None,
            },
        })
    }

    /// The passive limit as the first instant at which it is exceeded.
    pub(super) const fn silence_deadline(&self) -> Option<Duration> {
        match (self.silence.is_zero(), self.silence_boundary) {
            (true, _) => None,
            (false, Boundary::Inclusive) => Some(self.silence),
            (false, Boundary::Exclusive) => {
                Some(self.silence.saturating_add(Duration::from_nanos(1)))
            }
        }
    }

    const fn longest_reply(&self) -> Duration {
        match self.reply_timeout {
            ReplyTimeout::Fixed(longest) | ReplyTimeout::Adaptive { cap: longest, .. } => longest,
        }
    }
}

/// The shorter of two, in a constant.
const fn shorter(a: Duration, b: Duration) -> Duration {
    if crate::time::shorter(b, a) { b } else { a }
}

/// The longer of two, in a constant.
const fn longer(a: Duration, b: Duration) -> Duration {
    if crate::time::shorter(a, b) { b } else { a }
}
