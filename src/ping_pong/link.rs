//! [`Link`]: a [`Keepalive`] with its clock, its timer and the tasks that wait for it.
//!
//! What lies between the sans-I/O core and a wrapper: it dates what passes without asking the clock
//! each time, keeps the alarm set, and watches whether the transport takes what is offered.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::error::ConfigError;
use crate::io::Activity;
use crate::io::dating::Dating;
use crate::keepalive::{Input, Keepalive, KeepaliveConfig, KeepaliveEvent, Pong};
use crate::metrics;
use crate::rt::{Alarm, BothTasks, Half, Runtime};
use crate::seq::Seq;
use crate::time::earlier;

pub(crate) struct Link<R: Runtime> {
    pub(crate) keepalive: Keepalive,
    dating: Dating,
    alarm: Alarm<R>,
    /// When the alarm is wanted, as of the last change that could bring it nearer.
    wake_at: Option<Instant>,
    tasks: BothTasks,
    /// The transport has not taken what was offered.
    blocked: bool,
    closing: bool,
    below: Option<Below>,
}

/// The bytes below a message layer.
struct Below {
    activity: Activity,
    read: u64,
    written: u64,
}

impl<R: Runtime> Link<R> {
    pub(crate) fn new(config: KeepaliveConfig, rt: R) -> Result<Self, ConfigError> {
        let now = rt.now();
        let mut link = Self {
            keepalive: Keepalive::new(config, now)?,
            dating: Dating::new(config.shortest(), now),
            alarm: Alarm::new(rt),
            wake_at: None,
            tasks: BothTasks::new(),
            blocked: false,
            closing: false,
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
        self.hurry();
    }

    pub(crate) fn set_config(&mut self, config: KeepaliveConfig) -> Result<(), ConfigError> {
        let now = self.now();
        self.keepalive.set_config(config, now)?;
        self.dating.set_period(config.shortest(), now);
        self.hurry();
        Ok(())
    }

    /// From now on nothing is asked; who says nothing any more is dead within the same bound.
    pub(crate) fn close(&mut self) {
        if std::mem::replace(&mut self.closing, true) {
            return;
        }
        let config = self.keepalive.config().after_close();
        // What was valid before stays valid with less asked of it.
        let _ = self.set_config(config);
    }

    /// Whether a timer has fired that nobody has looked at.
    #[inline]
    pub(crate) fn has_rung(&self) -> bool {
        self.alarm.has_rung()
    }

    pub(crate) fn wake_writer(&self) {
        self.tasks.wake(Half::Write);
    }

    /// Data came in.
    #[inline]
    pub(crate) fn on_data(&mut self) {
        let rt = self.alarm.runtime();
        if let Some(now) = self.dating.note_received(|| rt.now()) {
            self.keepalive.on_receive(now);
            self.rearm();
        }
    }

    /// A ping came in.
    pub(crate) fn on_ping(&mut self) -> Instant {
        let now = self.now();
        self.keepalive.on_receive(now);
        now
    }

    /// A pong came in.
    pub(crate) fn on_pong(&mut self, answers: Option<Seq>) {
        let now = self.now();
        if let Pong::Matched { rtt } = self.keepalive.on_pong(answers, now) {
            metrics::pong(rtt);
        }
        self.rearm();
    }

    /// The transport has flushed what it was given; `ping` was part of it.
    #[inline]
    pub(crate) fn on_flushed(&mut self, ping: Option<Seq>) {
        match ping {
            Some(seq) => {
                let now = self.now();
                self.keepalive.on_ping_sent(seq, now);
                metrics::ping_sent(seq);
                self.hurry();
            }
            None => self.on_sent(),
        }
    }

    #[inline]
    fn on_sent(&mut self) {
        let rt = self.alarm.runtime();
        if let Some(now) = self.dating.note_sent(|| rt.now()) {
            self.keepalive.on_send(now);
            if self.blocked {
                self.keepalive.on_write_blocked(now);
            }
            self.rearm();
        }
    }

    /// Runs one operation of the transport's sending side, for whichever half, and notes whether it
    /// is stuck.
    #[inline]
    pub(crate) fn poll_write<T>(
        &mut self,
        half: Half,
        cx: &Context<'_>,
        operation: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let polled = self.tasks.poll(half, cx, operation);
        if polled.is_pending() != self.blocked {
            self.set_blocked(polled.is_pending());
        }
        polled
    }

    #[cold]
    fn set_blocked(&mut self, blocked: bool) {
        self.blocked = blocked;
        let now = self.now();
        if blocked {
            self.keepalive.on_write_blocked(now);
        } else {
            self.keepalive.on_send(now);
        }
        self.hurry();
    }

    /// Whether [`poll_due`](Self::poll_due) would find nothing new: the usual case of a stream that
    /// has to wait.
    #[inline]
    pub(crate) fn is_asleep(&self, half: Half, cx: &Context<'_>) -> bool {
        self.below.is_none()
            && self.tasks.knows(half, cx.waker())
            && self
                .wake_at
                .is_none_or(|wake_at| self.alarm.is_set_for(wake_at))
    }

    /// Ready with the next thing to do once it is due.
    pub(crate) fn poll_due(
        &mut self,
        half: Half,
        input: Input,
        cx: &Context<'_>,
    ) -> Poll<KeepaliveEvent> {
        self.look_below();
        loop {
            let wake_at = match input {
                Input::Drained => self.wake_at,
                _ => earlier(self.keepalive.timeout_with(input), self.dating.next_tick()),
            };
            let alarm = &mut self.alarm;
            let Poll::Ready(now) = self.tasks.poll(half, cx, |cx| alarm.poll_at(wake_at, cx))
            else {
                return Poll::Pending;
            };
            self.settle(now);
            let event = self.keepalive.handle_with(now, input);
            self.rearm();
            if let Some(event) = event {
                if let KeepaliveEvent::Dead(dead) = &event {
                    metrics::verdict(dead);
                }
                return Poll::Ready(event);
            }
        }
    }

    /// Bytes below the message layer are life, and progress.
    #[inline]
    fn look_below(&mut self) {
        let Some(below) = &mut self.below else { return };
        let (read, written) = (below.activity.bytes_read(), below.activity.bytes_written());
        let (received, sent) = (read != below.read, written != below.written);
        (below.read, below.written) = (read, written);
        if received {
            self.on_data();
        }
        if sent {
            self.on_sent();
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
            if self.blocked {
                self.keepalive.on_write_blocked(now);
            }
        }
        if let Some(received) = dated.received {
            self.keepalive.on_receive(received);
        }
    }

    fn rearm(&mut self) {
        self.wake_at = earlier(self.keepalive.poll_timeout(), self.dating.next_tick());
    }

    /// Sets the alarm anew, and has the task look at it if it is wanted sooner than before.
    fn hurry(&mut self) {
        let before = self.wake_at;
        self.rearm();
        let sooner = match (self.wake_at, before) {
            (Some(now), Some(before)) => now < before,
            (now, None) => now.is_some(),
            (None, Some(_)) => false,
        };
        if sooner {
            self.tasks.wake(Half::Read);
        }
    }
}
