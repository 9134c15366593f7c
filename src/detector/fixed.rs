//! [`FixedTimeout`]: a beat within a time, or else.

use std::time::{Duration, Instant};

use super::{FailureDetector, LastBeat, share};
use crate::seq::Seq;
use crate::time::later;

/// Dead when no beat came for a fixed time; suspected earlier, if asked.
///
/// The plainest detector, and a good one. Choose three beat intervals or more.
///
/// With both levels it is the table of Nacos (unhealthy after 15 s, removed after 30 s) or of
/// Linux-HA (late after `warntime`, dead after `deadtime`).
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::detector::{FailureDetector, FixedTimeout};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let nacos = FixedTimeout::new(30 * second, start).suspect_after(15 * second);
/// assert_eq!(nacos.suspect_at(), Some(start + 15 * second));
/// assert_eq!(nacos.dead_at(), Some(start + 30 * second));
/// ```
#[derive(Debug, Clone)]
pub struct FixedTimeout {
    timeout: Duration,
    suspect_after: Option<Duration>,
    last: LastBeat,
}

impl FixedTimeout {
    /// Dead `timeout` after the last beat, or after `now` while there is none. Zero is off: never
    /// dead.
    #[must_use]
    pub const fn new(timeout: Duration, now: Instant) -> Self {
        Self {
            timeout,
            suspect_after: None,
            last: LastBeat::new(now),
        }
    }

    /// Suspected `after` the last beat, at the latest when it is dead. Default: never; zero is
    /// never too.
    #[must_use]
    pub const fn suspect_after(mut self, after: Duration) -> Self {
        self.suspect_after = if after.is_zero() { None } else { Some(after) };
        self
    }
}

impl FailureDetector for FixedTimeout {
    fn on_heartbeat(&mut self, seq: Seq, now: Instant) {
        self.last.on_heartbeat(seq, now);
    }

    fn suspect_at(&self) -> Option<Instant> {
        let after = self.suspect_after?;
        let at_the_latest = if self.timeout.is_zero() {
            after
        } else {
            self.timeout
        };
        later(self.last.at, after.min(at_the_latest))
    }

    fn dead_at(&self) -> Option<Instant> {
        if self.timeout.is_zero() {
            return None;
        }
        later(self.last.at, self.timeout)
    }

    fn suspicion(&self, now: Instant) -> f64 {
        share(self.last.at, self.dead_at(), now)
    }

    fn reset(&mut self, now: Instant) {
        self.last = LastBeat::new(now.max(self.last.at));
    }
}
