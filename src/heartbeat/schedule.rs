//! [`Schedule`]: when beats are due, and how many may fail.

use std::time::Duration;

use crate::error::ConfigError;
use crate::jitter::Jitter;
use crate::time::{SHORTEST, shorter};

/// When the beats of one sender are due, and how many in a row may fail.
///
/// Checked once by [`beat`](super::beat). In every duration [`Duration::ZERO`] means off.
///
/// | setter | default | meaning |
/// | --- | --- | --- |
/// | [`interval`](Self::interval) | | the time between two beats, which each of them promises |
/// | [`first_after`](Self::first_after) | at once | the time before the first beat |
/// | [`jitter`](Self::jitter) | none | takes a random part off each interval |
/// | [`send_timeout`](Self::send_timeout) | the interval | how long one beat may take |
/// | [`max_failures`](Self::max_failures) | 2 | failures in a row that end the loop |
///
/// **Beats keep their grid.** A beat is due one interval after the one before it was *due*, however
/// late that one was, and however long it took: the interval does not drift. Missed beats are not
/// made up for. After a late one the next is due at the next point of the grid, which may be soon:
/// loops that a stall has stopped together do not beat together ever after.
///
/// ```
/// use std::time::Duration;
/// use liveness::heartbeat::Schedule;
///
/// const EVERY_SECOND: Schedule = Schedule::new(Duration::from_secs(1))
///     .send_timeout(Duration::from_millis(300))
///     .max_failures(3);
/// assert_eq!(EVERY_SECOND.interval, Duration::from_secs(1));
/// assert_eq!(EVERY_SECOND.first_after, Duration::ZERO); // the first beat leaves at once
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Schedule {
    /// The time between two beats. Zero is off.
    pub interval: Duration,
    /// The time before the first beat.
    pub first_after: Duration,
    /// How much of an interval is left to chance.
    pub jitter: Jitter,
    /// The time that one beat may take; `None` is as long as the interval, zero is off.
    pub send_timeout: Option<Duration>,
    /// The failures in a row that end the loop. Zero is off.
    pub max_failures: u32,
}

impl Schedule {
    /// A beat every `interval`, at least 1 ms; zero is off: no beat at all.
    #[must_use]
    pub const fn new(interval: Duration) -> Self {
        Self {
            interval,
            first_after: Duration::ZERO,
            jitter: Jitter::NONE,
            send_timeout: None,
            max_failures: 2,
        }
    }

    /// The time between two beats, at least 1 ms; zero is off: no beat at all.
    #[must_use]
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// The time from the first poll to the first beat. Default none: the first beat leaves at once.
    #[must_use]
    pub const fn first_after(mut self, delay: Duration) -> Self {
        self.first_after = delay;
        self
    }

    /// How much of an interval is left to chance, so that many nodes do not beat in step. Default
    /// [`Jitter::NONE`]. The loop draws its seed from the runtime
    /// ([`Runtime::seed`](crate::Runtime::seed)).
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// How long sending one beat may take, its ack included; at least 1 ms, zero is off. Default:
    /// as long as the interval.
    ///
    /// When it runs out the beat counts as [failed](Self::max_failures) and the next one is due as
    /// scheduled; so a dead link cannot hang the loop. Off means that it can.
    #[must_use]
    pub const fn send_timeout(mut self, timeout: Duration) -> Self {
        self.send_timeout = Some(timeout);
        self
    }

    /// How many beats in a row may fail before the loop ends with a
    /// [`BeatError`](super::BeatError). Default 2, as `heartbeat.rpc-failure-threshold` of Flink. 1
    /// ends it at the first failure; 0 is off.
    ///
    /// A beat fails by an error of its sender or by the [`send_timeout`](Self::send_timeout). One
    /// that gets through starts the count anew.
    #[must_use]
    pub const fn max_failures(mut self, failures: u32) -> Self {
        self.max_failures = failures;
        self
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let durations = [
            ("interval", self.interval),
            ("send_timeout", self.send_timeout.unwrap_or_default()),
        ];
        for (name, value) in durations {
            if !value.is_zero() && shorter(value, SHORTEST) {
                let least = SHORTEST;
                return Err(ConfigError::TooShort { name, value, least });
            }
        }
        self.jitter.validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_cannot_work_is_refused() {
        let refused = |schedule: Schedule| schedule.validate().expect_err("refused").to_string();
        assert_eq!(
            refused(Schedule::new(Duration::from_micros(999))),
            "interval (999µs) is shorter than 1ms; zero turns it off"
        );
        assert_eq!(
            refused(Schedule::new(SECOND).send_timeout(Duration::from_nanos(1))),
            "send_timeout (1ns) is shorter than 1ms; zero turns it off"
        );
        assert_eq!(
            refused(Schedule::new(SECOND).jitter(Jitter::percent(91))),
            "jitter of 91 % is above 90 %"
        );
        let off = Schedule::new(Duration::ZERO).send_timeout(Duration::ZERO);
        assert_eq!(off.validate(), Ok(()));
    }
}
