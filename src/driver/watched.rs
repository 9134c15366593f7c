//! [`Watched`]: dates by another task, which only leaves notes.

use std::time::{Duration, Instant};

use super::activity::{Moved, Watch};
use super::{Dates, tick_of};
use crate::time::{later, reached};

/// The watching end of an activity record, with the credit and the tick by which the moving side is
/// dated.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) watch: Watch,
    tick: Option<Duration>,
    tick_at: Option<Instant>,
}

impl Watched {
    pub(crate) fn new(watch: Watch, period: Option<Duration>) -> Self {
        Self {
            watch,
            tick: period.map(tick_of),
            tick_at: None,
        }
    }

    pub(crate) fn set_period(&mut self, period: Option<Duration>, now: Instant) {
        self.tick = period.map(tick_of);
        self.tick_at = self.tick.and_then(|tick| later(now, tick));
    }

    /// Whether the moving side has used up its credit, and no tick is set to date it.
    pub(crate) fn is_unwatched(&self) -> bool {
        self.tick.is_some() && self.tick_at.is_none() && self.watch.is_undated()
    }

    fn set_tick(&mut self, now: Instant, busy: bool) {
        let due = reached(self.tick_at, now);
        if !self.watch.is_undated() {
            self.tick_at = self.tick_at.filter(|_| !due);
            self.watch.refill();
        } else if busy || due || self.tick_at.is_none() {
            // Tick once more after the burst: an operation may have read an empty credit just
            // before the refill.
            self.tick_at = self.tick.and_then(|tick| later(now, tick));
            if !busy {
                self.watch.refill();
            }
        }
    }
}

impl Dates for Watched {
    type Dated = Moved;

    fn slack(&self) -> Duration {
        self.tick.unwrap_or_default()
    }

    fn next_tick(&self) -> Option<Instant> {
        self.tick_at
    }

    fn settle(&mut self, now: Instant) -> Moved {
        let moved = self.watch.look(now);
        self.set_tick(now, moved.read.or(moved.written).is_some());
        Moved {
            unread: !self.watch.is_awaited(),
            ..moved
        }
    }
}
