//! [`Driver`]: a [`Keepalive`] with its clock, its timer and the tasks that wait for it.
//!
//! What lies between the sans-I/O core and a wrapper, of messages or of bytes: it dates what passes
//! without asking the clock each time, keeps the alarm set, and watches whether the transport takes
//! what is offered.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

mod activity;
mod dating;
#[cfg(all(test, liveness_loom))]
mod models;
mod tasks;

pub use activity::Activity;
pub(crate) use activity::{Direction, Notes, Watch, record};
pub(crate) use dating::{Dating, tick_of};
pub(crate) use tasks::{BothTasks, Half};

use crate::error::ConfigError;
use crate::keepalive::{Input, Keepalive, KeepaliveConfig, KeepaliveEvent, Pong};
use crate::metrics;
use crate::rt::{Alarm, Runtime};
use crate::seq::{Answers, Seq};
use crate::time::{earlier, later, reached};

#[derive(Debug)]
pub(crate) struct Driver<R: Runtime> {
    pub(crate) keepalive: Keepalive,
    dating: Dating,
    alarm: Alarm<R>,
    /// When the alarm is wanted, as of the last change that could bring it nearer.
    wake_at: Option<Instant>,
    tasks: BothTasks,
    /// What was offered to the transport and not taken, the first of it.
    blocked: Option<Offer>,
    closing: bool,
    /// The reading side has to look at the time, whether or not there is more to read.
    due: bool,
    /// A deadline was reached with nothing to read, and the executor has had a turn since; see
    /// [`poll_due`](Self::poll_due).
    confirmed: bool,
    /// The first look at the time since there was last nothing to read.
    undrained_since: Option<Instant>,
    below: Option<Below>,
}

/// What a transport can refuse to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Something new: a message, or bytes.
    New,
    /// A flush or a close of what it holds already.
    Flush,
}

/// The bytes below a message layer.
#[derive(Debug)]
struct Below {
    activity: Activity,
    read: u64,
    written: u64,
}

impl<R: Runtime> Driver<R> {
    pub(crate) fn new(config: KeepaliveConfig, rt: R) -> Result<Self, ConfigError> {
        let now = rt.now();
        let mut link = Self {
            keepalive: Keepalive::new(config, rt.seed(), now)?,
            dating: Dating::new(config.shortest(), now),
            alarm: Alarm::new(rt),
            wake_at: None,
            tasks: BothTasks::new(),
            blocked: None,
            closing: false,
            due: true,
            confirmed: false,
            undrained_since: None,
            below: None,
        };
        link.rearm();
        Ok(link)
    }

    pub(crate) fn watch(&mut self, activity: Activity) {
        let (read, written) = (activity.bytes_read(), activity.bytes_written());
        self.below = Some(Below {
            activity,
            read,
            written,
        });
    }

    pub(crate) fn detection_bound(&self) -> Option<Duration> {
        let bound = self.keepalive.config().detection_bound()?;
        Some(bound.saturating_add(self.dating.slack()))
    }

    pub(crate) fn probe_now(&mut self) {
        let now = self.now();
        self.keepalive.probe_now(now);
        self.hurry(None);
    }

    pub(crate) fn set_config(&mut self, config: KeepaliveConfig) -> Result<(), ConfigError> {
        let now = self.now();
        let config = match self.closing {
            true => config.after_close(),
            false => config,
        };
        self.keepalive.set_config(config, now)?;
        self.dating.set_period(config.shortest(), now);
        self.hurry(None);
        Ok(())
    }

    /// From now on nothing is asked; who says nothing any more is dead within the same bound.
    pub(crate) fn close(&mut self) {
        if std::mem::replace(&mut self.closing, true) {
            return;
        }
        // What was valid before stays valid with less asked of it.
        let _ = self.set_config(*self.keepalive.config());
    }

    /// Whether nothing may be sent any more.
    pub(crate) const fn is_closing(&self) -> bool {
        self.closing
    }

    /// What was offered to the transport and not taken.
    pub(crate) const fn blocked(&self) -> Option<Offer> {
        self.blocked
    }

    /// Whether the reading side has to look at the time before it reads on.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.due || self.alarm.has_rung()
    }

    /// It is over for `half`: the other one is to see it, and to set a timer of its own if it needs one.
    pub(crate) fn end(&mut self, half: Half) {
        self.alarm.disarm();
        self.tasks.wake(half.other());
    }

    /// Data came in.
    #[inline]
    pub(crate) fn on_data(&mut self) {
        let rt = self.alarm.runtime();
        if let Some(now) = self.dating.note_received(|| rt.now()) {
            self.on_received(now);
            self.rearm();
        }
    }

    fn on_received(&mut self, now: Instant) {
        self.confirmed = false;
        self.keepalive.on_receive(now);
    }

    /// A ping came in.
    pub(crate) fn on_ping(&mut self) -> Instant {
        let now = self.now();
        self.on_received(now);
        now
    }

    /// A pong came in.
    pub(crate) fn on_pong(&mut self, answers: Answers) {
        let now = self.now();
        self.confirmed = false;
        if let Pong::Matched { rtt } = self.keepalive.on_pong(answers, now) {
            metrics::pong(rtt);
        }
        self.rearm();
    }

    /// Something left, and with the last of it `ping`.
    #[inline]
    pub(crate) fn on_left(&mut self, half: Half, ping: Option<Seq>) {
        match ping {
            Some(seq) => self.on_ping_sent(half, seq),
            None => self.on_sent(half),
        }
    }

    #[cold]
    fn on_ping_sent(&mut self, half: Half, seq: Seq) {
        let now = self.now();
        self.keepalive.on_ping_sent(seq, now);
        self.on_progress(now);
        metrics::ping_sent(seq);
        self.hurry(Some(half));
    }

    #[inline]
    fn on_sent(&mut self, half: Half) {
        let rt = self.alarm.runtime();
        if let Some(now) = self.dating.note_sent(|| rt.now()) {
            self.keepalive.on_send(now);
            self.on_progress(now);
            self.hurry(Some(half));
        }
    }

    /// Bytes were taken; the rest of an offer is timed anew.
    fn on_progress(&mut self, now: Instant) {
        if self.blocked.is_some() {
            self.keepalive.on_write_blocked(now);
        }
    }

    /// Runs one operation of the transport's sending side, for whichever half, and notes whether it
    /// is stuck.
    #[inline]
    pub(crate) fn poll_write<T>(
        &mut self,
        half: Half,
        offer: Offer,
        cx: &Context<'_>,
        operation: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let polled = self.tasks.poll(half, cx, operation);
        if polled.is_pending() || self.blocked.is_some() {
            self.on_offered(half, offer, polled.is_pending());
        }
        polled
    }

    /// The first of what is not taken stays the one that counts. Something new that is taken is
    /// progress in any case; a flush only if it was what had to wait, since one that finds nothing to
    /// do says nothing.
    #[cold]
    fn on_offered(&mut self, half: Half, offer: Offer, refused: bool) {
        match (self.blocked, refused) {
            (None, true) => {
                self.blocked = Some(offer);
                // Without credit, the next tick finds that it is blocked.
                let rt = self.alarm.runtime();
                if let Some(now) = self.dating.date(|| rt.now()) {
                    self.keepalive.on_write_blocked(now);
                    self.hurry(Some(half));
                }
            }
            (Some(blocked), false) if offer == Offer::New || blocked == Offer::Flush => {
                self.blocked = None;
                self.on_sent(half);
            }
            _ => {}
        }
    }

    /// Whether [`poll_due`](Self::poll_due) would find nothing new: the usual case of a stream that
    /// has to wait.
    #[inline]
    pub(crate) fn is_asleep(&self, half: Half, cx: &Context<'_>) -> bool {
        self.below.is_none()
            && !self.due
            && self.undrained_since.is_none()
            && self.tasks.knows(half, cx.waker())
            && self
                .wake_at
                .is_none_or(|wake_at| self.alarm.is_set_for(wake_at))
    }

    /// Ready with the next thing to do once it is due.
    ///
    /// With the input drained, the first look at a deadline only asks for another poll: a runtime's
    /// budget may have said "nothing to read" where there is something, and it is fresh after a turn
    /// of the executor. Whatever comes in meanwhile starts that anew.
    pub(crate) fn poll_due(
        &mut self,
        half: Half,
        input: Input,
        cx: &Context<'_>,
    ) -> Poll<KeepaliveEvent> {
        // A ring is for the reading side, whichever half answers it.
        self.due = half == Half::Write && self.is_due();
        self.look_below(half);
        if input == Input::Drained {
            self.undrained_since = None;
        }
        loop {
            let deadline = earlier(self.deadline(input), self.dating.next_tick());
            let alarm = &mut self.alarm;
            let Poll::Ready(now) = self.tasks.poll(half, cx, |cx| alarm.poll_at(deadline, cx))
            else {
                self.confirmed &= half == Half::Write;
                return Poll::Pending;
            };
            self.settle(now);
            self.rearm();
            if input == Input::Drained && reached(self.keepalive.poll_timeout(), now) {
                self.confirmed = !self.confirmed;
                if self.confirmed {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            let known = self.known(input, now);
            let event = self.keepalive.handle_with(now, known);
            self.rearm();
            match event {
                None => {}
                Some(KeepaliveEvent::Ping(_)) if self.closing => {}
                Some(event) => {
                    if let KeepaliveEvent::Dead(dead) = &event {
                        metrics::verdict(dead);
                    }
                    return Poll::Ready(event);
                }
            }
        }
    }

    /// When something is due with that much of the input known.
    fn deadline(&self, input: Input) -> Option<Instant> {
        let (Input::Arriving, Some(since)) = (input, self.undrained_since) else {
            return self.keepalive.timeout_with(match input {
                Input::Arriving => Input::Drained,
                known => known,
            });
        };
        let judged = self.keepalive.timeout_with(Input::Arriving);
        let judged = judged.and_then(|at| Some(at.max(later(since, self.patience())?)));
        earlier(judged, self.keepalive.timeout_with(Input::Unread))
    }

    /// How much of the input is known: input that keeps arriving is held against the peer only after
    /// we have been reading for as long as the answer may take, since we may have been away.
    fn known(&mut self, input: Input, now: Instant) -> Input {
        if input != Input::Arriving {
            return input;
        }
        let since = *self.undrained_since.get_or_insert(now);
        match now.saturating_duration_since(since) >= self.patience() {
            true => Input::Arriving,
            false => Input::Unread,
        }
    }

    fn patience(&self) -> Duration {
        self.keepalive.config().longest_limit()
    }

    /// Bytes below the message layer are life, and progress.
    #[inline]
    fn look_below(&mut self, half: Half) {
        let Some(below) = &mut self.below else { return };
        let (read, written) = (below.activity.bytes_read(), below.activity.bytes_written());
        let (received, sent) = (read != below.read, written != below.written);
        (below.read, below.written) = (read, written);
        if received {
            self.on_data();
        }
        if sent {
            self.on_sent(half);
        }
    }

    /// Reads the clock, and dates what was waiting for it.
    fn now(&mut self) -> Instant {
        let now = self.alarm.runtime().now();
        self.settle(now);
        now
    }

    fn settle(&mut self, now: Instant) {
        let dated = self.dating.settle(now);
        if let Some(sent) = dated.sent {
            self.keepalive.on_send(sent);
        }
        self.on_progress(now);
        if let Some(received) = dated.received {
            self.on_received(received);
        }
    }

    fn rearm(&mut self) {
        self.wake_at = earlier(self.keepalive.poll_timeout(), self.dating.next_tick());
    }

    /// There may be a nearer deadline than the timer is set to: then the reading side has to look.
    /// It is woken unless it is what is polled.
    fn hurry(&mut self, polled: Option<Half>) {
        self.rearm();
        if self.wake_at.is_some_and(|at| !self.alarm.covers(at)) {
            self.due = true;
            if polled != Some(Half::Read) {
                self.tasks.wake(Half::Read);
            }
        }
    }
}
