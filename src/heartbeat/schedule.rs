//! [`Schedule`]: when beats are due, and how many may fail.

use std::time::{Duration, Instant};

use crate::error::ConfigError;
use crate::jitter::{Jitter, random_part};
use crate::time::{SHORTEST, later, shorter};

/// When the beats of one sender are due, and how many in a row may fail.
///
/// Checked once by [`beat`](super::beat). In every duration [`Duration::ZERO`] means off.
///
/// | setter | default | meaning |
/// | --- | --- | --- |
/// | [`new`](Self::new) | | the interval, which each beat promises |
/// | [`first_after`](Self::first_after) | at once | the time before the first beat |
/// | [`jitter`](Self::jitter) | none | takes a random part off each interval |
/// | [`send_timeout`](Self::send_timeout) | the interval | how long one beat may take |
/// | [`max_failures`](Self::max_failures) | 2 | failures in a row that end the loop |
///
/// **Beats keep their grid.** A beat is due one interval after the one before it was *due*, however
/// late it was or long it took, so the interval does not drift. A beat that is late by more than
/// half of its interval moves the grid instead: what was missed is not made up for, and two beats
/// are never closer than half an interval (less jitter).
///
/// ```
/// use std::time::Duration;
/// use liveness::heartbeat::Schedule;
///
/// const EVERY_SECOND: Schedule = Schedule::new(Duration::from_secs(1))
///     .send_timeout(Duration::from_millis(300))
///     .max_failures(3);
/// # assert_ne!(EVERY_SECOND, Schedule::new(Duration::from_secs(1)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    interval: Duration,
    first_after: Duration,
    jitter: Jitter,
    send_timeout: Option<Duration>,
    max_failures: u32,
}

impl Schedule {
    /// A beat every `interval`, at least 1 ms; zero is off: no beat at all.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::heartbeat::Schedule;
    /// // The clients of Nacos: a beat every five seconds, the first one after five seconds.
    /// let nacos = Schedule::new(Duration::from_secs(5)).first_after(Duration::from_secs(5));
    /// # assert_ne!(nacos, Schedule::new(Duration::from_secs(5)));
    /// ```
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

    /// The time from the first poll to the first beat. Default none: the first beat leaves at once.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::heartbeat::Schedule;
    /// let second = Duration::from_secs(1);
    /// let late = Schedule::new(second).first_after(10 * second);
    /// # assert_ne!(late, Schedule::new(second));
    /// ```
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

    /// How long sending one beat may take, its ack included; at least 1 ms, zero is off. Default: as
    /// long as the interval.
    ///
    /// When it runs out the beat counts as [failed](Self::max_failures) and the next one is due as
    /// scheduled; so a dead link cannot hang the loop. Off means that it can.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::heartbeat::Schedule;
    /// let hasty = Schedule::new(Duration::from_secs(5)).send_timeout(Duration::from_secs(1));
    /// # assert_ne!(hasty, Schedule::new(Duration::from_secs(5)));
    /// ```
    #[must_use]
    pub const fn send_timeout(mut self, timeout: Duration) -> Self {
        self.send_timeout = Some(timeout);
        self
    }

    /// How many beats in a row may fail before the loop ends with a [`BeatError`](super::BeatError).
    /// Default 2, as `heartbeat.rpc-failure-threshold` of Flink; 1 ends it at the first failure,
    /// 0 never.
    ///
    /// A beat fails by an error of its sender or by the [`send_timeout`](Self::send_timeout). One
    /// that gets through starts the count anew.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::heartbeat::Schedule;
    /// // Datagrams get lost, and a peer that is down may come back: never give up.
    /// let stubborn = Schedule::new(Duration::from_secs(1)).max_failures(0);
    /// # assert_ne!(stubborn, Schedule::new(Duration::from_secs(1)));
    /// ```
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

    pub(super) const fn failures(&self) -> u32 {
        self.max_failures
    }
}

/// A schedule under way: when the next beat is due. No clock; time comes in with each call.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    schedule: Schedule,
    seed: u64,
    /// The interval in force: the schedule's, until the peer asks for another.
    interval: Duration,
    /// The place in the grid of the last beat, or the start.
    anchor: Instant,
    due: Option<Instant>,
    beats: u64,
}

impl Pace {
    pub(super) fn new(schedule: Schedule, seed: u64, now: Instant) -> Self {
        let spread = if schedule.jitter.spread_first { 100 } else { 0 };
        let random = random_part(schedule.interval, spread, seed, 0);
        let due = if schedule.interval.is_zero() {
            None
        } else {
            later(now, schedule.first_after).and_then(|first| later(first, random))
        };
        Self {
            schedule,
            seed,
            interval: schedule.interval,
            anchor: now,
            due,
            beats: 0,
        }
    }

    /// When the next beat is due; `None` for never.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What a beat promises: no later one will follow it by more than this.
    pub(super) const fn interval(&self) -> Duration {
        self.interval
    }

    /// How long one beat may take; `None` for no limit.
    pub(super) fn send_timeout(&self) -> Option<Duration> {
        let timeout = self.schedule.send_timeout.unwrap_or(self.interval);
        (!timeout.is_zero()).then_some(timeout)
    }

    /// A beat leaves at `now`.
    pub(super) fn on_beat(&mut self, now: Instant) {
        self.beats = self.beats.saturating_add(1);
        let due = self.due.unwrap_or(now);
        let late = now.saturating_duration_since(due);
        self.anchor = if late > self.step() / 2 { now } else { due };
        self.due = later(self.anchor, self.step());
    }

    /// The peer wants another interval, from the last beat on. Zero asks for nothing.
    pub(super) fn set_interval(&mut self, interval: Duration) {
        if interval.is_zero() || interval == self.interval {
            return;
        }
        self.interval = interval.max(SHORTEST);
        self.due = later(self.anchor, self.step());
    }

    /// The time from the last beat to the next.
    fn step(&self) -> Duration {
        let taken = random_part(
            self.interval,
            self.schedule.jitter.percent,
            self.seed,
            self.beats,
        );
        self.interval.saturating_sub(taken)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "any instant will do as a start")]

    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_grid_does_not_drift() {
        let start = Instant::now();
        let mut pace = Pace::new(Schedule::new(SECOND), 0, start);
        for n in 0..1000 {
            let due = pace.due().expect("on");
            assert_eq!(due, start + n * SECOND);
            pace.on_beat(due + Duration::from_millis(400));
        }
    }

    #[test]
    fn a_stall_moves_the_grid_and_is_not_made_up_for() {
        let start = Instant::now();
        let mut pace = Pace::new(Schedule::new(SECOND), 0, start);
        pace.on_beat(start);
        let late = start + Duration::from_millis(5_700);
        pace.on_beat(late);
        assert_eq!(pace.due(), Some(late + SECOND));
    }

    #[test]
    fn another_interval_counts_from_the_last_beat() {
        let start = Instant::now();
        let mut pace = Pace::new(Schedule::new(5 * SECOND), 0, start);
        pace.on_beat(start);
        pace.set_interval(2 * SECOND);
        assert_eq!(pace.due(), Some(start + 2 * SECOND));
        assert_eq!(pace.interval(), 2 * SECOND);
        assert_eq!(pace.send_timeout(), Some(2 * SECOND));
        pace.set_interval(Duration::ZERO);
        assert_eq!(pace.interval(), 2 * SECOND);
        pace.set_interval(Duration::from_nanos(1));
        assert_eq!(pace.interval(), SHORTEST);
        pace.set_interval(Duration::MAX);
        assert_eq!(pace.due(), None);
    }

    #[test]
    fn off_is_never() {
        let pace = Pace::new(
            Schedule::new(Duration::ZERO).jitter(Jitter::NONE.spread_first(true)),
            0,
            Instant::now(),
        );
        assert_eq!(pace.due(), None);
    }

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

    proptest! {
        /// Whatever the lateness: never a beat before it is due, never two closer than half a step,
        /// and, when on time, never a gap longer than promised.
        #[test]
        fn gaps(
            interval in 1_u64..100_000,
            percent in 0_u8..=90,
            seed: u64,
            lates in prop::collection::vec((0_u8..4, 0_u64..400_000), 1..60),
        ) {
            let interval = Duration::from_millis(interval);
            let start = Instant::now();
            let schedule = Schedule::new(interval).jitter(Jitter::percent(percent).spread_first(true));
            let mut pace = Pace::new(schedule, seed, start);
            prop_assert!(pace.due().expect("on") <= start + interval);
            let least = interval * u32::from(100 - percent) / 200;
            let mut last: Option<(Instant, Duration)> = None;
            for (how, ms) in lates {
                let late = if how == 0 { Duration::from_millis(ms) } else { Duration::ZERO };
                let due = pace.due().expect("on");
                let now = last.map_or(due, |(last, _)| last.max(due)) + late;
                pace.on_beat(now);
                if let Some((last, last_late)) = last {
                    prop_assert!(now >= last + least, "{:?} < {least:?}", now - last);
                    prop_assert!(now - last <= interval + late, "{last_late:?}");
                }
                last = Some((now, late));
            }
        }

        #[test]
        fn the_same_seed_gives_the_same_beats(seed: u64, percent in 1_u8..=90) {
            let start = Instant::now();
            let dues = |seed| {
                let schedule = Schedule::new(SECOND).jitter(Jitter::percent(percent).spread_first(true));
                let mut pace = Pace::new(schedule, seed, start);
                let dues: Vec<_> = (0..20).map(|_| {
                    let due = pace.due().expect("on");
                    pace.on_beat(due);
                    due
                }).collect();
                dues
            };
            prop_assert_eq!(dues(seed), dues(seed));
            prop_assert_ne!(dues(seed), dues(seed.wrapping_add(1)));
        }
    }
}
