//! [`Quiet`]: an [`IdleDetector`] that does not speak while bytes wait.

use std::time::{Duration, Instant};

use super::activity::Moved;
use super::{Dated, Dates, Dating, Happened, Machine};
use crate::idle::{IdleConfig, IdleDetector, IdleEvent};
use crate::keepalive::KeepaliveConfig;
use crate::patience::{Patience, Step};
use crate::time::{Nanos, earlier, later, nanos, reached};

/// An [`IdleDetector`] with [`Patience`] before it.
#[derive(Debug)]
pub(crate) struct Quiet {
    detector: IdleDetector,
    patience: Patience,
    base: Instant,
    /// The shortest period: how long input that keeps arriving is waited for.
    limit: u64,
    /// Since when reader idleness is held, because nobody waits for input.
    held: Option<Instant>,
    /// The longest hold; zero for any.
    hold_limit: Duration,
    /// A hold has come to its limit, and nobody has waited for input since.
    hold_spent: bool,
}

/// How long nobody may wait for input before reader idleness counts again, unless told otherwise:
/// as long as the pause of a [`KeepaliveConfig`](crate::KeepaliveConfig::pause_limit()).
const HOLD_LIMIT: Duration = KeepaliveConfig::new().pause_limit;

impl Quiet {
    pub(crate) fn new(config: IdleConfig, now: Instant) -> Self {
        Self {
            detector: IdleDetector::new(config, now),
            patience: Patience::new(),
            base: now,
            limit: limit_of(config),
            held: None,
            hold_limit: HOLD_LIMIT,
            hold_spent: false,
        }
    }

    pub(crate) fn set_config(&mut self, config: IdleConfig, now: Instant) {
        self.detector.set_config(config, now);
        self.limit = limit_of(config);
        self.end_looks(now);
    }

    pub(crate) const fn set_hold_limit(&mut self, limit: Duration) {
        self.hold_limit = limit;
    }

    pub(crate) const fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Somebody waits for input again.
    pub(crate) fn release(&mut self, now: Instant) {
        self.detector.resume_reader(now);
        (self.held, self.hold_spent) = (None, false);
        self.end_looks(now);
    }

    /// When the hold ends by itself.
    fn hold_ends(&self) -> Option<Instant> {
        if self.hold_limit.is_zero() {
            return None;
        }
        later(self.held?, self.hold_limit)
    }

    pub(crate) fn on_moved(&mut self, now: Instant) {
        self.detector.on_read(now);
        self.end_looks(now);
    }

    /// Looks are about a silence that is due; the next one has its own.
    fn end_looks(&mut self, now: Instant) {
        if self.is_looking() && !reached(self.detector.poll_timeout(), now) {
            self.patience.reset();
        }
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

    fn on_dated(&mut self, moved: Moved, now: Instant) {
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
                Fact::Waited if self.is_held() => self.detector.resume_reader(at),
                Fact::Waited => self.detector.reset_read(at),
            }
        }
        if moved.waited.is_some() {
            self.held = None;
        }
        if moved.waited.is_some() || moved.read.is_some() {
            // Somebody reads, so the hold may take its whole time again.
            self.held = self.held.map(|_| now);
            self.hold_spent = false;
        }
        if moved.unread && !self.hold_spent {
            self.detector.pause_reader();
            self.held.get_or_insert(now);
        }
        self.end_looks(now);
    }

    fn on_drained(&mut self, now: Instant) {
        self.patience.on_drained(self.count(now), self.limit);
    }

    fn on_more_input(&mut self, now: Instant) {
        self.patience.on_more_input(self.count(now), self.limit);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let due = self.detector.poll_timeout();
        let due = match due.filter(|_| self.is_looking()) {
            None => due,
            Some(due) => {
                let at = self.count(due);
                match self.patience.step(at, self.limit, at) {
                    Step::Wait(until) => until.max(at).instant(self.base),
                    Step::Look | Step::Judge => Some(due),
                }
            }
        };
        earlier(due, self.hold_ends())
    }

    fn handle_timeout(&mut self, now: Instant) -> Option<Happened<IdleEvent>> {
        if reached(self.hold_ends(), now) {
            self.detector.resume_reader(now);
            (self.held, self.hold_spent) = (None, true);
        }
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

    fn slack(&self) -> Duration {
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
