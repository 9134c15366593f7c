//! [`MissedCount`]: a sweep every period, and a number of sweeps without a beat.

use std::time::{Duration, Instant};

use super::{FailureDetector, LastBeat, share};
use crate::seq::Seq;
use crate::time::later;

/// Dead at the sweep that finds a peer which has already missed its limit of sweeps.
///
/// The counting table that many servers keep by hand: a timer sweeps every `period` and counts one
/// miss for each peer; a beat sets its peer's count to zero; the sweep that finds `limit` misses
/// already counted buries. The sweeps are in step with the start, not with the beats, so death
/// comes more than `limit` and at most `limit + 1` periods after the last beat. A beat at the very
/// instant of a sweep counts as after it.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::Seq;
/// use liveness::detector::{FailureDetector, MissedCount};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// // "Three seconds times five": 15 to 18 s.
/// let mut detector = MissedCount::new(3 * second, 5, start);
/// assert_eq!(detector.dead_at(), Some(start + 18 * second));
/// detector.on_heartbeat(Seq::new(0), start + 8 * second);
/// assert_eq!(detector.dead_at(), Some(start + 24 * second));
/// ```
#[derive(Debug, Clone)]
pub struct MissedCount {
    period: Duration,
    limit: u32,
    suspect_after: Option<u32>,
    start: Instant,
    last: LastBeat,
}

impl MissedCount {
    /// Sweeps every `period` from `now` on; dead at the sweep after `limit` misses. A period of
    /// zero is off: never dead.
    #[must_use]
    pub const fn new(period: Duration, limit: u32, now: Instant) -> Self {
        Self {
            period,
            limit,
            suspect_after: None,
            start: now,
            last: LastBeat::new(now),
        }
    }

    /// Suspected at the sweep that counts this many misses, at the latest when it is dead. Default:
    /// never; zero is never too.
    #[must_use]
    pub const fn suspect_after(mut self, misses: u32) -> Self {
        self.suspect_after = if misses == 0 { None } else { Some(misses) };
        self
    }

    /// How many sweeps there were since the last beat, up to and with `now`.
    #[must_use]
    pub fn missed(&self, now: Instant) -> u64 {
        let now = now.max(self.last.at);
        let missed = self.sweeps_until(now) - self.sweeps_until(self.last.at);
        u64::try_from(missed).unwrap_or(u64::MAX)
    }

    /// How many sweeps lie at or before `at`.
    fn sweeps_until(&self, at: Instant) -> u128 {
        let since = at.saturating_duration_since(self.start).as_nanos();
        since.checked_div(self.period.as_nanos()).unwrap_or(0)
    }

    /// The `nth` sweep after the last beat.
    fn sweep(&self, nth: u64) -> Option<Instant> {
        if self.period.is_zero() {
            return None;
        }
        let nth = self.sweeps_until(self.last.at) + u128::from(nth);
        let nanos = self.period.as_nanos().checked_mul(nth)?;
        let secs = u64::try_from(nanos / 1_000_000_000).ok()?;
        later(
            self.start,
            Duration::new(secs, (nanos % 1_000_000_000) as u32),
        )
    }
}

impl FailureDetector for MissedCount {
    fn on_heartbeat(&mut self, seq: Seq, now: Instant) {
        self.last.on_heartbeat(seq, now);
    }

    fn suspect_at(&self) -> Option<Instant> {
        let misses = u64::from(self.suspect_after?);
        self.sweep(misses.min(u64::from(self.limit) + 1))
    }

    fn dead_at(&self) -> Option<Instant> {
        self.sweep(u64::from(self.limit) + 1)
    }

    fn suspicion(&self, now: Instant) -> f64 {
        share(self.last.at, self.dead_at(), now)
    }

    fn reset(&mut self, now: Instant) {
        self.last = LastBeat::new(now.max(self.last.at));
    }
}
