//! [`Driver`]: a machine with its clock, its timer and its dates.
//!
//! What lies between the sans-I/O core and a shell, of messages or of bytes. The shell notes what
//! passes, without asking the clock each time ([`Dates`]); a poll that has nothing to read judges
//! ([`poll_due`](Driver::poll_due)). What a poll does, by what it has seen of the input:
//!
//! | seen | nothing is due | a silence is due | asked for a look |
//! | --- | --- | --- | --- |
//! | drained | sets the timer | reports that, asks for a look, comes again next turn | reports that: the second time judges |
//! | drained, but the runtime may hide input | sets the timer | reports more input, asks for a look | reports more input, comes again next turn |
//! | more, and some arrived | sets the timer | reports that, asks for a look | reports more input: the limit of waiting judges |
//! | more, and none arrived | sets the timer | asks for a look | nothing |
//! | nobody reads | sets the timer | asks the reading side for a look | nothing |
//!
//! Pings, stalls and all else that is due need no look. `driver::tests` has a test a row.

mod activity;
mod below;
mod dating;
mod end;
mod handle;
mod machine;
#[cfg(all(test, liveness_loom))]
mod models;
mod pinger;
mod quiet;
mod tasks;
#[cfg(all(test, feature = "test-util"))]
mod tests;
mod watched;

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

pub use activity::Activity;
pub(crate) use activity::{Direction, Notes, record};
pub(crate) use below::Below;
pub(crate) use dating::{Dated, Dates, Dating, tick_of};
pub(crate) use end::End;
pub(crate) use handle::Teller;
pub use handle::{Gone, Handle};
pub(crate) use machine::{Happened, Machine};
pub(crate) use pinger::{Carrier, Offer, Pinger};
pub(crate) use quiet::{EitherWay, Quiet};
pub(crate) use tasks::{BothTasks, Half};
pub(crate) use watched::Watched;

use crate::rt::{Alarm, Bell, Runtime};
use crate::time::earlier;

/// What a poll has seen of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing is left to read.
    Drained,
    /// There may be more; it is read after this.
    More,
    /// Nobody is reading.
    Nothing,
}

#[derive(Debug)]
pub(crate) struct Driver<D, N, R: Runtime> {
    pub(crate) machine: D,
    pub(crate) notes: N,
    alarm: Alarm<R>,
    /// When the alarm is wanted, as of the last change that could bring it nearer.
    wake_at: Option<Instant>,
    /// The reading side has to look at the time, whether or not there is more to read.
    due: bool,
    /// A silence is due, and the machine waits for reports.
    looking: bool,
    /// Something came in since the last report.
    arrived: bool,
    /// The timer is set early enough and nothing is due, as of the last change to any of that.
    asleep: bool,
}

impl<D: Machine, N: Dates<Dated = D::Dated>, R: Runtime> Driver<D, N, R> {
    /// The machine is told that not all input is reported: it asks for a look before it judges.
    pub(crate) fn new(machine: D, notes: N, rt: R, now: Instant) -> Self {
        Self::with_alarm(machine, notes, Alarm::new(rt), now)
    }

    pub(crate) fn with_alarm(mut machine: D, notes: N, alarm: Alarm<R>, now: Instant) -> Self {
        machine.on_more_input(now);
        let mut driver = Self {
            machine,
            notes,
            alarm,
            wake_at: None,
            due: true,
            looking: false,
            arrived: false,
            asleep: false,
        };
        driver.rearm();
        driver
    }

    pub(crate) const fn rt(&self) -> &R {
        self.alarm.runtime()
    }

    /// Sees to it that the bell wakes the task behind `waker`.
    pub(crate) fn listen(&mut self, waker: &Waker) {
        self.alarm.listen(waker);
        self.rest();
    }

    /// Reads the clock, and dates what was waiting for it.
    pub(crate) fn now(&mut self) -> Instant {
        let now = self.rt().now();
        self.settle(now);
        now
    }

    fn settle(&mut self, now: Instant) {
        let dated = self.notes.settle(now);
        self.machine.on_dated(dated, now);
    }

    /// Something came in: the next report says so.
    #[inline]
    pub(crate) const fn on_arrival(&mut self) {
        self.arrived = true;
    }

    /// Whether the reading side has to look at the time before it reads on.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.due || self.looking || self.alarm.has_rung()
    }

    /// Whether a poll by the task of the last one would find nothing new: the usual case of a
    /// stream that has to wait.
    #[inline]
    pub(crate) fn is_asleep(&self) -> bool {
        self.asleep && !self.alarm.has_rung()
    }

    /// Works out what [`is_asleep`](Self::is_asleep) reads, wherever it may have changed.
    fn rest(&mut self) {
        let set = self.wake_at.is_none_or(|at| self.alarm.covers(at));
        self.asleep = set && !self.due && !self.looking;
    }

    /// The deadlines may have moved.
    pub(crate) fn rearm(&mut self) {
        self.wake_at = earlier(self.machine.poll_timeout(), self.notes.next_tick());
        self.rest();
    }

    /// Sets the timer to the nearest deadline, from outside of the tasks that wait for it.
    pub(crate) fn arm(&mut self, cx: &mut Context<'_>) {
        self.rearm();
        if self.alarm.poll_at(self.wake_at, cx).is_ready() {
            self.due = true;
            cx.waker().wake_by_ref();
        }
        self.rest();
    }

    /// Whether there is a nearer deadline than the timer is set to, so that the reading side has to
    /// look at the time.
    pub(crate) fn hurry(&mut self) -> bool {
        self.rearm();
        let nearer = self.wake_at.is_some_and(|at| !self.alarm.covers(at));
        self.due |= nearer;
        self.rest();
        nearer
    }

    /// The bell, to be rung from elsewhere: the task that polls is woken, and asks the clock again.
    pub(crate) fn bell(&self) -> Arc<Bell> {
        self.alarm.bell()
    }

    pub(crate) fn disarm(&mut self) {
        self.alarm.disarm();
        self.rest();
    }

    /// Ready with the next thing to do once it is due; `cx` wakes whoever has to come again.
    pub(crate) fn poll_due(&mut self, seen: Seen, cx: &mut Context<'_>) -> Poll<D::Event> {
        // A ring that the writer answers is still for the reading side.
        self.due = seen == Seen::Nothing && self.is_due();
        if self.looking && seen != Seen::Nothing {
            let now = self.now();
            self.report(seen, now, cx);
            self.looking = self.machine.is_looking();
        }
        loop {
            let deadline = earlier(self.machine.poll_timeout(), self.notes.next_tick());
            let Poll::Ready(now) = self.alarm.poll_at(deadline, cx) else {
                self.wake_at = deadline;
                self.rest();
                return Poll::Pending;
            };
            self.settle(now);
            if !self.looking {
                self.report(seen, now, cx);
            }
            let happened = self.machine.handle_timeout(now);
            self.looking = self.machine.is_looking();
            match happened {
                None => {}
                Some(Happened::Look) => cx.waker().wake_by_ref(),
                Some(Happened::Event(event)) => {
                    self.rearm();
                    return Poll::Ready(event);
                }
            }
        }
    }

    fn report(&mut self, seen: Seen, now: Instant, cx: &Context<'_>) {
        match seen {
            Seen::Drained if !self.rt().may_hide_input() => self.machine.on_drained(now),
            // The next turn has a new budget.
            Seen::Drained => {
                self.machine.on_more_input(now);
                cx.waker().wake_by_ref();
            }
            Seen::More if self.arrived => self.machine.on_more_input(now),
            Seen::More | Seen::Nothing => return,
        }
        self.arrived = false;
    }

    /// By how much a date may be off.
    pub(crate) fn slack(&self) -> Duration {
        self.notes.slack()
    }
}

impl<D, R: Runtime> Driver<D, Dating, R> {
    /// Bytes came in. `Some` is their exact date; `None` means that the next tick dates them.
    #[inline]
    pub(crate) fn note_received(&mut self) -> Option<Instant> {
        let rt = self.alarm.runtime();
        self.notes.note_received(|| rt.now())
    }

    /// Bytes went out. `Some` is their exact date; `None` means that the next tick dates them.
    #[inline]
    pub(crate) fn note_sent(&mut self) -> Option<Instant> {
        let rt = self.alarm.runtime();
        self.notes.note_sent(|| rt.now())
    }

    /// The exact time, if there is credit for it.
    pub(crate) fn date(&mut self) -> Option<Instant> {
        let rt = self.alarm.runtime();
        self.notes.date(|| rt.now())
    }
}

impl<D, R: Runtime> Driver<D, EitherWay, R> {
    /// Bytes moved, whichever way. `Some` is their exact date.
    #[inline]
    pub(crate) fn note_moved(&mut self) -> Option<Instant> {
        let rt = self.alarm.runtime();
        self.notes.0.note_received(|| rt.now())
    }
}
