//! [`FixedTimeout`]: a beat within a time.

use std::time::Duration;

use super::{Rule, Sample};
use crate::keepalive::Boundary;
use crate::time::Nanos;

/// Dead when no beat came for a fixed time; suspected earlier, if asked.
///
/// The plainest rule, and a good one. Choose three beat intervals or more.
///
/// With both levels it is the table of Nacos (unhealthy after 15 s, removed after 30 s) or of
/// Linux-HA (late after `warntime`, dead after `deadtime`, and `initdead` for a node that starts).
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::detector::{Detector, FailureDetector, FixedTimeout};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// const NACOS: FixedTimeout =
///     FixedTimeout::new(Duration::from_secs(30)).suspect_after(Duration::from_secs(15));
/// let mut instance = Detector::new(NACOS);
/// instance.meet(start);
/// assert_eq!(instance.suspect_at(), Some(start + 15 * second));
/// assert_eq!(instance.dead_at(), Some(start + 30 * second));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedTimeout {
    // `MAX` where the setter was given zero: off.
    timeout: Nanos,
    suspect_after: Nanos,
    first_within: Option<Nanos>,
    boundary: Boundary,
}

impl FixedTimeout {
    /// Dead `timeout` after the last beat, or after the peer was met while there is none. Zero is
    /// off: never dead.
    #[must_use]
    pub const fn new(timeout: Duration) -> Self {
        Self {
            timeout: limit(timeout),
            suspect_after: Nanos::MAX,
            first_within: None,
            boundary: Boundary::Inclusive,
        }
    }

    /// Suspected `after` the last beat, at the latest when it is dead. Zero, the default, is off.
    #[must_use]
    pub const fn suspect_after(mut self, after: Duration) -> Self {
        self.suspect_after = limit(after);
        self
    }

    /// The time for the first beat of a peer that was just met, which may have to start first.
    /// Default: the timeout; zero is off. Not less than the time between suspicion and death.
    #[must_use]
    pub const fn first_within(mut self, within: Duration) -> Self {
        self.first_within = Some(limit(within));
        self
    }

    /// Whether the limits are reached at their end or only beyond it. Default
    /// [`Inclusive`](Boundary::Inclusive).
    #[must_use]
    pub const fn boundary(mut self, boundary: Boundary) -> Self {
        self.boundary = boundary;
        self
    }

    /// The end of a window of `span` that begins at `now`.
    fn end(&self, now: Nanos, span: Nanos) -> Nanos {
        match self.boundary {
            Boundary::Inclusive => now.after(span),
            Boundary::Exclusive => now.after(span).after(Nanos::new(1)),
        }
    }

    /// The window up to suspicion.
    fn suspicion_after(&self) -> Nanos {
        self.suspect_after.min(self.timeout)
    }

    /// The time from suspicion to death.
    fn last_stretch(&self) -> Nanos {
        self.timeout.span_since(self.suspicion_after())
    }
}

/// A limit, where zero is off.
pub(super) const fn limit(span: Duration) -> Nanos {
    if span.is_zero() {
        Nanos::MAX
    } else {
        Nanos::of(span)
    }
}

impl Rule for FixedTimeout {
    type State = ();

    fn meet(&self, now: Nanos) -> ((), Nanos) {
        let suspicion_after = match self.first_within {
            None => self.suspicion_after(),
            Some(Nanos::MAX) => Nanos::MAX,
            // Death follows suspicion as after a beat, so that it comes at the end of this time.
            Some(within) => within.span_since(self.last_stretch()).max(Nanos::new(1)),
        };
        ((), self.end(now, suspicion_after))
    }

    #[inline]
    fn on_heartbeat(&self, _state: &mut (), _sample: Sample, now: Nanos) -> Nanos {
        self.end(now, self.suspicion_after())
    }

    #[inline]
    fn dead_at(&self, _state: &(), suspect_at: Nanos) -> Nanos {
        suspect_at.after(self.last_stretch())
    }

    fn forgive(&self, _state: &mut (), now: Nanos) -> Nanos {
        self.end(now, self.suspicion_after())
    }
}
