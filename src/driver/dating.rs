//! [`Dating`]: when the last byte went through, without asking the clock each time.
//!
//! Reading a clock costs more than everything else a wrapper does, so it is rationed. A quiet
//! connection has *credit*: its next [`CREDIT`] operations are dated exactly. A busy one has used
//! that up: its operations only leave a note, and a *tick* comes to date it. A tick is a sixteenth
//! of the shortest period that is timed, so that is the most by which a date can be off, and it is
//! off to the safe side: received bytes are dated late (the peer is never accused early), sent
//! bytes early (what we promised to send is never late).

use std::time::{Duration, Instant};

use crate::time::{SHORTEST, later, reached};

/// How many operations of a connection that was quiet are dated by the clock.
pub(crate) const CREDIT: u32 = 16;

/// The tick for a connection whose shortest timed period is `period`: a sixteenth of it, at least
/// 1 ms.
pub(crate) fn tick_of(period: Duration) -> Duration {
    (period / 16).max(SHORTEST)
}

/// Dates what passes through one task's own connection.
#[derive(Debug)]
pub(crate) struct Dating {
    /// `None` when nothing is timed.
    tick: Option<Duration>,
    tick_at: Option<Instant>,
    credit: u32,
    received: bool,
    sent: bool,
    /// The transport has refused something that is still offered.
    stuck: bool,
    /// The last clock reading; undated sends are dated with it, which is early.
    clock: Instant,
}

/// The dates of what was noted and not dated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dated {
    pub(crate) received: Option<Instant>,
    pub(crate) sent: Option<Instant>,
    /// The transport takes nothing, as of now.
    pub(crate) stuck: bool,
}

/// What was noted, to be dated when the clock is read: by the task that judges, or by another.
pub(crate) trait Dates {
    /// What a look yields.
    type Dated;

    /// By how much a date may be off.
    fn slack(&self) -> Duration;

    /// When the next tick is due. It may have come nearer after any note.
    fn next_tick(&self) -> Option<Instant>;

    /// The clock was read: dates what is noted.
    fn settle(&mut self, now: Instant) -> Self::Dated;
}

impl Dating {
    pub(crate) fn new(period: Option<Duration>, now: Instant) -> Self {
        let tick = period.map(tick_of);
        let credit = if tick.is_some() { CREDIT } else { 0 };
        Self {
            tick,
            tick_at: None,
            credit,
            received: false,
            sent: false,
            stuck: false,
            clock: now,
        }
    }

    /// Changes the period, once what was noted is [settled](Self::settle).
    pub(crate) fn set_period(&mut self, period: Option<Duration>, now: Instant) {
        let stuck = self.stuck;
        *self = Self::new(period, now);
        self.stuck = stuck;
    }

    /// Bytes came in. `Some` is their exact date; `None` means that the next tick dates them.
    #[inline]
    pub(crate) fn note_received(&mut self, now: impl FnOnce() -> Instant) -> Option<Instant> {
        if self.credit == 0 {
            self.received = true;
            return None;
        }
        Some(self.spend(now()))
    }

    /// Bytes went out. `Some` is their exact date; `None` means that the next tick dates them.
    #[inline]
    pub(crate) fn note_sent(&mut self, now: impl FnOnce() -> Instant) -> Option<Instant> {
        if self.credit == 0 {
            self.sent = true;
            return None;
        }
        Some(self.spend(now()))
    }

    /// Something else happened: the exact time, if there is credit for it.
    #[inline]
    pub(crate) fn date(&mut self, now: impl FnOnce() -> Instant) -> Option<Instant> {
        (self.credit > 0).then(|| self.spend(now()))
    }

    /// A look is wanted at the next tick, whether or not anything is noted until then.
    pub(crate) fn tick_again(&mut self, now: Instant) {
        if self.tick_at.is_none_or(|at| at <= now) {
            self.tick_at = self.tick.and_then(|tick| later(now, tick));
        }
    }

    /// The transport takes something again, or takes nothing any more.
    #[inline]
    pub(crate) const fn set_stuck(&mut self, stuck: bool) {
        self.stuck = stuck;
    }

    #[cold]
    fn spend(&mut self, now: Instant) -> Instant {
        self.credit -= 1;
        self.clock = now;
        if self.credit == 0 {
            self.tick_at = self.tick.and_then(|tick| later(now, tick));
        }
        now
    }
}

impl Dates for Dating {
    type Dated = Dated;

    fn slack(&self) -> Duration {
        self.tick.unwrap_or_default()
    }

    fn next_tick(&self) -> Option<Instant> {
        self.tick_at
    }

    fn settle(&mut self, now: Instant) -> Dated {
        let received = std::mem::take(&mut self.received).then_some(now);
        let sent = std::mem::take(&mut self.sent).then_some(self.clock);
        self.clock = self.clock.max(now);
        if received.is_some() || sent.is_some() {
            self.tick_at = self.tick.and_then(|tick| later(now, tick));
        } else if reached(self.tick_at, now) || (self.tick_at.is_none() && self.tick.is_some()) {
            self.tick_at = None;
            self.credit = CREDIT;
        }
        Dated {
            received,
            sent,
            stuck: self.stuck,
        }
    }
}
