//! [`MissedCount`]: a sweep every period, and a number of sweeps without a beat.

use std::time::{Duration, Instant};

use super::{Detector, Rule, Sample};
use crate::keepalive::Boundary;
use crate::time::Nanos;

/// Dead at the sweep that counts too many misses.
///
/// The counting table that many servers keep by hand: a timer sweeps every `period` and counts one
/// miss for each peer; a beat sets the count of its peer to zero. The sweeps are in step with the
/// base of the time, not with the beats: with the meeting of the peer for a [`Detector`] of its
/// own, with one another where many peers share a base. So death comes more than `limit` and at
/// most `limit + 1` periods after the last beat. A beat at the very instant of a sweep counts as
/// after it.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::detector::{Detector, FailureDetector, MissedCount, Sample};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// // "Three seconds times five": 15 to 18 s.
/// let mut detector = Detector::new(MissedCount::new(3 * second, 5));
/// detector.meet(start);
/// assert_eq!(detector.dead_at(), Some(start + 18 * second));
/// detector.on_heartbeat(Sample::new(), start + 8 * second);
/// assert_eq!(detector.dead_at(), Some(start + 24 * second));
/// assert_eq!(detector.missed(start + 16 * second), 3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissedCount {
    period: Nanos,
    limit: u32,
    suspect_after: u32,
    boundary: Boundary,
}

impl MissedCount {
    /// Sweeps every `period`; dead at the sweep that counts more than `limit` misses. A period of
    /// zero is off: never dead.
    #[must_use]
    pub const fn new(period: Duration, limit: u32) -> Self {
        Self {
            period: Nanos::of(period),
            limit,
            suspect_after: 0,
            boundary: Boundary::Exclusive,
        }
    }

    /// Suspected at the sweep that counts this many misses, at the latest when it is dead. Zero,
    /// the default, is off.
    #[must_use]
    pub const fn suspect_after(mut self, misses: u32) -> Self {
        self.suspect_after = misses;
        self
    }

    /// Whether the peer is dead at `limit` misses or only beyond them. Default
    /// [`Exclusive`](Boundary::Exclusive).
    #[must_use]
    pub const fn boundary(mut self, boundary: Boundary) -> Self {
        self.boundary = boundary;
        self
    }

    /// The misses that are death, at least 1.
    fn fatal_miss(&self) -> u64 {
        let limit = u64::from(self.limit);
        match self.boundary {
            Boundary::Inclusive => limit.max(1),
            Boundary::Exclusive => limit + 1,
        }
    }

    /// The misses that are suspicious.
    fn suspicious_miss(&self) -> u64 {
        match self.suspect_after {
            0 => self.fatal_miss(),
            misses => u64::from(misses).min(self.fatal_miss()),
        }
    }

    /// The sweep that counts the `nth` miss after `now`.
    fn sweep(&self, nth: u64, now: Nanos) -> Nanos {
        let swept = now.value().checked_div(self.period.value());
        let at = swept
            .and_then(|swept| swept.checked_add(nth))
            .and_then(|sweeps| sweeps.checked_mul(self.period.value()));
        at.map_or(Nanos::MAX, Nanos::new)
    }
}

impl Rule for MissedCount {
    type State = ();

    fn meet(&self, now: Nanos) -> ((), Nanos) {
        ((), self.sweep(self.suspicious_miss(), now))
    }

    fn on_heartbeat(&self, _state: &mut (), _sample: Sample, now: Nanos) -> Nanos {
        self.sweep(self.suspicious_miss(), now)
    }

    fn dead_at(&self, _state: &(), suspect_at: Nanos) -> Nanos {
        let more = self.fatal_miss() - self.suspicious_miss();
        let span = self.period.value().checked_mul(more);
        span.map_or(Nanos::MAX, |span| suspect_at.after(Nanos::new(span)))
    }

    fn forgive(&self, _state: &mut (), now: Nanos) -> Nanos {
        self.sweep(self.suspicious_miss(), now)
    }
}

impl Detector<MissedCount> {
    /// How many sweeps there were since the last beat, up to and with `now`.
    #[must_use]
    pub fn missed(&self, now: Instant) -> u64 {
        let period = self.rule().period.value();
        let swept = |at: Nanos| at.value().checked_div(period).unwrap_or(0);
        self.since_and(now)
            .map_or(0, |(since, now)| swept(now.max(since)) - swept(since))
    }
}
