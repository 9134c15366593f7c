//! [`Announced`]: the limit follows from the promise in the beats.

use std::time::Duration;

use super::fixed::limit;
use super::{Rule, Sample};
use crate::keepalive::Boundary;
use crate::time::Nanos;

/// Dead a number of intervals after the last beat, where the beat itself says how long its interval
/// is. So peers of different paces, and peers that change theirs, are watched by one rule.
///
/// Ceph, RocketMQ and Nacos let the peer bring its limit in this way. The peer could promise
/// anything, so what it promises is held between `floor` and `cap`.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::detector::{Announced, Detector, FailureDetector, Sample};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let mut detector = Detector::new(Announced::new(3, 10 * second, 120 * second));
/// detector.meet(start); // nothing promised yet
/// assert_eq!(detector.dead_at(), Some(start + 120 * second));
/// detector.on_heartbeat(Sample::new().promised(5 * second), start);
/// assert_eq!(detector.dead_at(), Some(start + 15 * second));
/// detector.on_heartbeat(Sample::new().promised(second), start);
/// assert_eq!(detector.dead_at(), Some(start + 10 * second));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    times: u32,
    floor: Nanos,
    /// `MAX` is off.
    cap: Nanos,
    boundary: Boundary,
}

impl Announced {
    /// Dead `times` promised intervals after the last beat, but not before `floor` and not after
    /// `cap`; after `cap` too while the peer promises nothing. Zero is off for each: never dead, no
    /// floor, no cap. A `floor` above `cap` counts as `cap`.
    #[must_use]
    pub const fn new(times: u32, floor: Duration, cap: Duration) -> Self {
        Self {
            times,
            floor: Nanos::of(floor),
            cap: limit(cap),
            boundary: Boundary::Inclusive,
        }
    }

    /// Whether the limit is reached at its end or only beyond it. Default
    /// [`Inclusive`](Boundary::Inclusive).
    #[must_use]
    pub const fn boundary(mut self, boundary: Boundary) -> Self {
        self.boundary = boundary;
        self
    }

    /// The window that a promise earns, never empty.
    fn window(&self, promised: Option<Duration>) -> Nanos {
        if self.times == 0 {
            return Nanos::MAX;
        }
        let promised = promised.filter(|interval| !interval.is_zero());
        let window = promised.map_or(self.cap, |interval| {
            let nanos = Nanos::of(interval).value();
            Nanos::new(nanos.saturating_mul(u64::from(self.times)))
        });
        let window = window.max(self.floor).min(self.cap);
        match self.boundary {
            Boundary::Inclusive => window,
            Boundary::Exclusive => window.after(Nanos::new(1)),
        }
    }
}

impl Rule for Announced {
    /// The window of the last promise.
    type State = Nanos;

    fn meet(&self, now: Nanos) -> (Nanos, Nanos) {
        let window = self.window(None);
        (window, now.after(window))
    }

    fn on_heartbeat(&self, window: &mut Nanos, sample: Sample, now: Nanos) -> Nanos {
        *window = self.window(sample.promised);
        now.after(*window)
    }

    fn dead_at(&self, _window: &Nanos, suspect_at: Nanos) -> Nanos {
        suspect_at
    }

    fn forgive(&self, window: &mut Nanos, now: Nanos) -> Nanos {
        now.after(*window)
    }
}
