//! [`Schedule`]: when beats are due, and how many may fail.

use std::time::{Duration, Instant};

use crate::error::ConfigError;
use crate::keepalive::{KeepaliveConfig, splitmix};
use crate::time::{SHORTEST, later, nanos, shorter};

/// When the beats of one sender are due, and how many in a row may fail.
///
/// Checked once by [`beat`](super::beat). In every duration [`Duration::ZERO`] means off.
///
/// | setter | default | meaning |
/// | --- | --- | --- |
/// | [`new`](Self::new) | | the interval, which each beat promises |
/// | [`first_after`](Self::first_after) | at once | the time before the first beat |
/// | [`spread_first`](Self::spread_first) | no | the first beat at a random point of the interval |
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
    spread_first: bool,
    jitter_percent: u8,
    jitter_seed: u64,
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
            spread_first: false,
            jitter_percent: 0,
            jitter_seed: 0,
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

    /// Whether the first beat comes up to one interval later, drawn from the seed of
    /// [`jitter`](Self::jitter). Default no.
    ///
    /// After a restart a thousand nodes come up in one second; without this they beat in step ever
    /// after.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::heartbeat::Schedule;
    /// # let node_number = 7;
    /// let spread = Schedule::new(Duration::from_secs(1)).jitter(0, node_number).spread_first(true);
    /// # assert_ne!(spread, Schedule::new(Duration::from_secs(1)));
    /// ```
    #[must_use]
    pub const fn spread_first(mut self, spread: bool) -> Self {
        self.spread_first = spread;
        self
    }

    /// Takes up to `percent` off each interval, at random. Default 0, at most
    /// [90](KeepaliveConfig::MAX_JITTER_PERCENT).
    ///
    /// Jitter only ever shortens: the peer times what was promised. Randomness is an input: the same
    /// `seed` gives the same intervals; give each sender its own.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::heartbeat::Schedule;
    /// # let node_number = 7;
    /// let schedule = Schedule::new(Duration::from_secs(1)).jitter(10, node_number);
    /// # assert_ne!(schedule, Schedule::new(Duration::from_secs(1)));
    /// ```
    #[must_use]
    pub const fn jitter(mut self, percent: u8, seed: u64) -> Self {
        self.jitter_percent = percent;
        self.jitter_seed = seed;
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
        let (percent, most) = (self.jitter_percent, KeepaliveConfig::MAX_JITTER_PERCENT);
        if percent > most {
            return Err(ConfigError::TooMuchJitter { percent, most });
        }
        Ok(())
    }

    pub(super) const fn failures(&self) -> u32 {
        self.max_failures
    }
}

/// A schedule under way: when the next beat is due. No clock; time comes in with each call.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    schedule: Schedule,
    /// The interval in force: the schedule's, until the peer asks for another.
    interval: Duration,
    /// The place in the grid of the last beat, or the start.
    anchor: Instant,
    due: Option<Instant>,
    beats: u64,
}

impl Pace {
    pub(super) fn new(schedule: Schedule, now: Instant) -> Self {
        let spread = if schedule.spread_first { 100 } else { 0 };
        let random = part(schedule.interval, spread, schedule.jitter_seed, 0);
        let due = if schedule.interval.is_zero() {
            None
        } else {
            later(now, schedule.first_after).and_then(|first| later(first, random))
        };
        Self {
            schedule,
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
        let Schedule {
            jitter_percent: percent,
            jitter_seed: seed,
            ..
        } = self.schedule;
        self.interval
            .saturating_sub(part(self.interval, percent, seed, self.beats))
    }
}

/// A random part of `percent` of `span`: the `nth` that follows from `seed`.
fn part(span: Duration, percent: u8, seed: u64, nth: u64) -> Duration {
    let most = u128::from(nanos(span)) * u128::from(percent) / 100;
    let random = u128::from(splitmix(seed, nth));
    // Below 2⁶⁴, since `most` is.
    Duration::from_nanos(((most * random) >> 64) as u64)
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
        let mut pace = Pace::new(Schedule::new(SECOND), start);
        for n in 0..1000 {
            let due = pace.due().expect("on");
            assert_eq!(due, start + n * SECOND);
            pace.on_beat(due + Duration::from_millis(400));
        }
    }

    #[test]
    fn a_stall_moves_the_grid_and_is_not_made_up_for() {
        let start = Instant::now();
        let mut pace = Pace::new(Schedule::new(SECOND), start);
        pace.on_beat(start);
        let late = start + Duration::from_millis(5_700);
        pace.on_beat(late);
        assert_eq!(pace.due(), Some(late + SECOND));
    }

    #[test]
    fn another_interval_counts_from_the_last_beat() {
        let start = Instant::now();
        let mut pace = Pace::new(Schedule::new(5 * SECOND), start);
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
            Schedule::new(Duration::ZERO).spread_first(true),
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
            refused(Schedule::new(SECOND).jitter(91, 0)),
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
            let schedule = Schedule::new(interval).jitter(percent, seed).spread_first(true);
            let mut pace = Pace::new(schedule, start);
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
                let schedule = Schedule::new(SECOND).jitter(percent, seed).spread_first(true);
                let mut pace = Pace::new(schedule, start);
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
