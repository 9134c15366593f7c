//! [`Quiet`]: an [`IdleDetector`] that does not speak while bytes wait.

use std::time::Instant;

use super::activity::Moved;
use super::{Dated, Dates, Dating, Happened, Machine};
use crate::idle::{IdleConfig, IdleDetector, IdleEvent};
use crate::patience::{Patience, Step};
use crate::time::{Nanos, nanos};

/// An [`IdleDetector`] with [`Patience`] before it.
#[derive(Debug)]
pub(crate) struct Quiet {
    detector: IdleDetector,
    patience: Patience,
    base: Instant,
    /// The shortest period: how long input that keeps arriving is waited for.
    limit: u64,
    /// Reader idleness is held, since nobody waits for input.
    held: bool,
}

impl Quiet {
    pub(crate) fn new(config: IdleConfig, now: Instant) -> Self {
        Self {
            detector: IdleDetector::new(config, now),
            patience: Patience::new(),
            base: now,
            limit: limit_of(config),
            held: false,
        }
    }

    pub(crate) fn set_config(&mut self, config: IdleConfig, now: Instant) {
        self.detector.set_config(config, now);
        self.limit = limit_of(config);
    }

    pub(crate) const fn is_held(&self) -> bool {
        self.held
    }

    /// Somebody waits for input again.
    pub(crate) fn release(&mut self, now: Instant) {
        self.detector.resume_reader(now);
        self.held = false;
    }

    pub(crate) fn on_moved(&mut self, now: Instant) {
        self.detector.on_read(now);
    }

    fn count(&self, at: Instant) -> Nanos {
        Nanos::since(self.base, at)
    }
}

fn limit_of(config: IdleConfig) -> u64 {
    config.shortest().map_or(u64::MAX, nanos)
}

/// What happened to a socket, for facts that come in any order.
#[derive(Clone, Copy)]
enum Fact {
    Read,
    Written,
    Waited,
}

impl Machine for Quiet {
    type Event = IdleEvent;
    type Dated = Moved;

    fn on_dated(&mut self, moved: Moved, _now: Instant) {
        let mut facts = [
            (moved.waited, Fact::Waited),
            (moved.read, Fact::Read),
            (moved.written, Fact::Written),
        ];
        // In the order in which they happened: time does not run back for a detector.
        facts.sort_by_key(|(at, _)| *at);
        for (at, fact) in facts {
            let Some(at) = at else { continue };
            match fact {
                Fact::Read => self.detector.on_read(at),
                Fact::Written => self.detector.on_write(at),
                Fact::Waited if self.held => self.detector.resume_reader(at),
                Fact::Waited => self.detector.reset_read(at),
            }
        }
        self.held &= moved.waited.is_none();
        if moved.unread {
            self.detector.pause_reader();
            self.held = true;
        }
    }

    fn on_drained(&mut self, now: Instant) {
        self.patience.on_drained(self.count(now), self.limit);
    }

    fn on_more_input(&mut self, now: Instant) {
        self.patience.on_more_input(self.count(now), self.limit);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let due = self.detector.poll_timeout()?;
        if !self.is_looking() {
            return Some(due);
        }
        let at = self.count(due);
        match self.patience.step(at, self.limit, at) {
            Step::Wait(until) => until.max(at).instant(self.base),
            Step::Look | Step::Judge => Some(due),
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Option<Happened<IdleEvent>> {
        let due = self.detector.poll_timeout().map(|due| self.count(due));
        let (now_counted, limit) = (self.count(now), self.limit);
        let Some(due) = due.filter(|due| *due <= now_counted) else {
            self.patience.reset();
            return None;
        };
        match self.patience.step(due, limit, now_counted) {
            Step::Wait(_) => None,
            Step::Look => {
                self.patience.on_look(now_counted);
                Some(Happened::Look)
            }
            Step::Judge => {
                self.patience.reset();
                self.detector.handle_timeout(now).map(Happened::Event)
            }
        }
    }

    fn is_looking(&self) -> bool {
        self.patience.is_looking()
    }
}

/// [`Dating`] for a socket on which any movement counts, whichever way.
#[derive(Debug)]
pub(crate) struct EitherWay(pub(crate) Dating);

impl Dates for EitherWay {
    type Dated = Moved;

    fn slack(&self) -> std::time::Duration {
        self.0.slack()
    }

    fn next_tick(&self) -> Option<Instant> {
        self.0.next_tick()
    }

    fn settle(&mut self, now: Instant) -> Moved {
        let Dated { received, .. } = self.0.settle(now);
        Moved {
            read: received,
            ..Moved::default()
        }
    }
}
