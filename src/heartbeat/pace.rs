//! [`Pace`]: a [`Schedule`] under way.

use std::time::{Duration, Instant};

use super::Schedule;
use crate::jitter::random_part;
use crate::time::{SHORTEST, later};

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

    /// Another interval, from the last beat on. Zero is off.
    pub(super) fn set_interval(&mut self, interval: Duration) {
        if interval.is_zero() {
            (self.interval, self.due) = (interval, None);
        } else if interval != self.interval {
            self.interval = interval.max(SHORTEST);
            self.due = later(self.anchor, self.step());
        }
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
    use crate::jitter::Jitter;

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
        pace.set_interval(Duration::from_nanos(1));
        assert_eq!(pace.interval(), SHORTEST);
        pace.set_interval(Duration::MAX);
        assert_eq!(pace.due(), None);
        pace.set_interval(2 * SECOND);
        assert_eq!(pace.due(), Some(start + 2 * SECOND));
        pace.set_interval(Duration::ZERO);
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
