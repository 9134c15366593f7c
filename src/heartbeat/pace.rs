//! [`Pace`]: a [`Schedule`] under way.

use std::time::{Duration, Instant};

use super::Schedule;
use crate::jitter::random_part;
use crate::time::{SHORTEST, later, nanos};

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
        let step = self.step();
        // The last point of the grid up to now: the phase stays, whatever was missed.
        let late = nanos(now.saturating_duration_since(due));
        let beyond = late.checked_rem(nanos(step)).unwrap_or(0);
        self.anchor = now.checked_sub(Duration::from_nanos(beyond)).unwrap_or(due);
        self.due = later(self.anchor, step);
    }

    /// Another interval. A shorter one counts from the last beat; a longer one from the next, which
    /// was promised for sooner and announces it. Zero is off at once.
    pub(super) fn set_interval(&mut self, interval: Duration) {
        let shorter = interval < self.interval;
        self.interval = interval;
        if interval.is_zero() {
            self.due = None;
        } else {
            self.interval = interval.max(SHORTEST);
            if shorter {
                self.due = later(self.anchor, self.step());
            }
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
    fn a_stall_is_not_made_up_for_and_leaves_the_grid_in_place() {
        let start = Instant::now();
        let mut pace = Pace::new(Schedule::new(SECOND), 0, start);
        pace.on_beat(start);
        pace.on_beat(start + Duration::from_millis(5_700));
        assert_eq!(pace.due(), Some(start + 6 * SECOND));
        // At the very instant of a point of the grid.
        pace.on_beat(start + 9 * SECOND);
        assert_eq!(pace.due(), Some(start + 10 * SECOND));
    }

    /// As for a host that was frozen: everything on it goes on at the same instant.
    #[test]
    fn a_stall_does_not_put_loops_in_step() {
        let start = Instant::now();
        let schedule = Schedule::new(10 * SECOND).jitter(Jitter::NONE.spread_first(true));
        let mut paces: Vec<_> = (0..100)
            .map(|seed| Pace::new(schedule, seed, start))
            .collect();
        let most_at_once = |paces: &[Pace]| {
            let mut counts = [0; 100];
            for pace in paces {
                let due = pace.due().expect("on") - start;
                counts[(due.as_millis() % 10_000 / 100) as usize] += 1;
            }
            counts.into_iter().max()
        };
        let before = most_at_once(&paces);
        assert!(before < Some(8), "{before:?}");
        let resumed = start + 45 * SECOND;
        for pace in &mut paces {
            pace.on_beat(resumed);
        }
        assert_eq!(most_at_once(&paces), before);
    }

    #[test]
    fn a_shorter_interval_counts_from_the_last_beat_a_longer_one_from_the_next() {
        let start = Instant::now();
        let mut pace = Pace::new(Schedule::new(5 * SECOND), 0, start);
        pace.on_beat(start);
        pace.set_interval(2 * SECOND);
        assert_eq!(pace.due(), Some(start + 2 * SECOND));
        assert_eq!(pace.interval(), 2 * SECOND);
        assert_eq!(pace.send_timeout(), Some(2 * SECOND));
        pace.set_interval(Duration::from_nanos(1));
        assert_eq!(pace.interval(), SHORTEST);
        // The next beat was promised for sooner.
        pace.set_interval(10 * SECOND);
        assert_eq!(pace.due(), Some(start + SHORTEST));
        assert_eq!(pace.interval(), 10 * SECOND);
        pace.on_beat(start + SHORTEST);
        assert_eq!(pace.due(), Some(start + SHORTEST + 10 * SECOND));
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
        /// Whatever the lateness: never a beat before it is due, never two at once, never a gap
        /// longer than promised by more than the lateness, and never another phase.
        #[test]
        fn gaps(
            interval in 1_u64..100_000,
            percent in prop_oneof![Just(0), 0_u8..=90],
            seed: u64,
            lates in prop::collection::vec((0_u8..4, 0_u64..400_000), 1..60),
        ) {
            let interval = Duration::from_millis(interval);
            let start = Instant::now();
            let jitter = Jitter::percent(percent).spread_first(true);
            let schedule = Schedule::new(interval).jitter(jitter);
            let mut pace = Pace::new(schedule, seed, start);
            let first = pace.due().expect("on");
            prop_assert!(first <= start + interval);
            let mut last = None;
            for (how, ms) in lates {
                let late = if how == 0 { Duration::from_millis(ms) } else { Duration::ZERO };
                let due = pace.due().expect("on");
                let now = due + late;
                pace.on_beat(now);
                prop_assert!(pace.due() > Some(now));
                if let Some(last) = last {
                    prop_assert!(now > last && now - last <= interval + late);
                }
                if percent == 0 {
                    prop_assert_eq!((due - first).as_nanos() % interval.as_nanos(), 0);
                }
                last = Some(now);
            }
        }

        #[test]
        fn the_same_seed_gives_the_same_beats(seed: u64, percent in 1_u8..=90) {
            let start = Instant::now();
            let dues = |seed| {
                let jitter = Jitter::percent(percent).spread_first(true);
                let schedule = Schedule::new(SECOND).jitter(jitter);
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
