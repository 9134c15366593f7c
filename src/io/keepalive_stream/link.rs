//! [`Link`]: time, tasks and the verdict of one connection.

use std::io;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::error::ConfigError;
use crate::io::dating::Dating;
use crate::keepalive::{Dead, Keepalive, KeepaliveConfig, KeepaliveEvent, Pong, Proof};
use crate::metrics;
use crate::rt::{Alarm, BothTasks, Half, Runtime};
use crate::seq::Seq;
use crate::time::{earlier, later, reached};

/// How many reads may find bytes before a pong that is overdue is held against the peer: it may be
/// behind them.
const READS_BEFORE_VERDICT: u32 = 32;

/// Why nothing works any more.
#[derive(Debug, Clone, Copy)]
enum End {
    Dead(Dead),
    Config(ConfigError),
}

/// What the reader and the writer share, apart from their bytes.
#[derive(Debug)]
pub(super) struct Link<R: Runtime> {
    pub(super) keepalive: Keepalive,
    dating: Dating,
    alarm: Alarm<R>,
    tasks: BothTasks,
    /// Since when bytes have been offered and none taken.
    blocked_at: Option<Instant>,
    /// A flush is what is blocked: it alone can tell that it is over.
    flush_blocked: bool,
    /// The reader has to look at the time: a deadline may have come, or one that is nearer than the
    /// timer is set to.
    due: bool,
    /// The reader has found the input empty and a deadline reached, and let the executor have a turn.
    confirmed: bool,
    patience: u32,
    /// A ping that is to be sent.
    ask: Option<Seq>,
    end: Option<End>,
}

impl<R: Runtime> Link<R> {
    pub(super) fn new(config: KeepaliveConfig, rt: R) -> Result<Self, ConfigError> {
        let now = rt.now();
        Ok(Self {
            keepalive: Keepalive::new(config, now)?,
            dating: Dating::new(config.shortest(), now),
            alarm: Alarm::new(rt),
            tasks: BothTasks::new(),
            blocked_at: None,
            flush_blocked: false,
            due: true,
            confirmed: false,
            patience: READS_BEFORE_VERDICT,
            ask: None,
            end: None,
        })
    }

    pub(super) fn detection_bound(&self) -> Option<Duration> {
        let bound = self.keepalive.config().detection_bound();
        bound.map(|bound| bound.saturating_add(self.dating.slack()))
    }

    pub(super) fn probe_now(&mut self) {
        let now = self.now();
        self.keepalive.probe_now(now);
        self.look_again();
    }

    /// An error if it is all over.
    #[inline]
    pub(super) fn check(&self) -> io::Result<()> {
        match self.end {
            None => Ok(()),
            Some(end) => Err(end.into()),
        }
    }

    /// The ping that is to be sent, once.
    #[inline]
    pub(super) fn take_ask(&mut self) -> Option<Seq> {
        self.ask.take()
    }

    /// Polls the transport for writing, on behalf of `half`.
    #[inline]
    pub(super) fn poll_out<T>(
        &mut self,
        half: Half,
        cx: &mut Context<'_>,
        poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.tasks.poll(half, cx, poll)
    }

    /// Bytes came in; returns whether a look at the time is due.
    #[inline]
    pub(super) fn on_read(&mut self) -> bool {
        self.confirmed = false;
        let rt = self.alarm.runtime();
        let exact = self.dating.note_received(|| rt.now());
        if let Some(now) = exact {
            self.keepalive.on_receive(now);
        }
        exact.is_some() || self.due || self.alarm.has_rung()
    }

    pub(super) fn on_pong(&mut self, answers: Option<Seq>) {
        let now = self.now();
        if let Pong::Matched { rtt } = self.keepalive.on_pong(answers, now) {
            metrics::pong(rtt);
        }
    }

    /// Bytes of the user were taken.
    #[inline]
    pub(super) fn on_written(&mut self) {
        if self.blocked_at.is_some() {
            return self.unblock();
        }
        let rt = self.alarm.runtime();
        if let Some(now) = self.dating.note_sent(|| rt.now()) {
            self.keepalive.on_send(now);
            if self.dating.next_tick().is_some() {
                self.look_again();
            }
        }
    }

    /// Bytes of ours were taken, and with the last of them the ping `left`.
    pub(super) fn on_own_written(&mut self, left: Option<Seq>) {
        self.unblock();
        if let Some(seq) = left {
            let now = self.now();
            self.keepalive.on_ping_sent(seq, now);
            metrics::ping_sent(seq);
            self.look_again();
        }
    }

    /// A flush or a shutdown is through.
    pub(super) fn on_flushed(&mut self) {
        if self.flush_blocked {
            self.unblock();
        }
    }

    /// Bytes were offered and none taken.
    pub(super) fn block(&mut self) -> Instant {
        if let Some(since) = self.blocked_at {
            return since;
        }
        let now = self.now();
        // What was taken before must not be dated later and end the stall.
        self.settle(now);
        self.keepalive.on_write_blocked(now);
        self.blocked_at = Some(now);
        self.due = true;
        now
    }

    fn unblock(&mut self) {
        self.flush_blocked = false;
        if self.blocked_at.take().is_some() {
            let now = self.now();
            self.keepalive.on_send(now);
        }
    }

    /// The writer waits for a flush or a shutdown: like [`poll_stalled`](Self::poll_stalled).
    pub(super) fn poll_flush_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.flush_blocked |= self.blocked_at.is_none();
        self.poll_stalled(cx)
    }

    /// The writer waits: ready with the verdict once that has been too long.
    ///
    /// Nothing is said here about what is received: the writer cannot read, so it does not know.
    pub(super) fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let mut since = self.block();
        loop {
            let limit = self.keepalive.config().stall_limit();
            let deadline = limit.and_then(|limit| later(since, limit));
            self.due |= self.alarm.has_rung();
            let Self { tasks, alarm, .. } = self;
            let waited = tasks.poll(Half::Write, cx, |cx| alarm.poll_at(deadline, cx));
            let Poll::Ready(now) = waited else {
                return Poll::Pending;
            };
            self.keepalive.pause(now);
            let event = self.keepalive.handle_timeout(now);
            match event {
                Some(KeepaliveEvent::Dead(dead)) => {
                    self.bury(dead);
                    return Poll::Ready(End::Dead(dead).into());
                }
                Some(KeepaliveEvent::Ping(seq)) => self.ask = Some(seq),
                None => {}
            }
            // This side was away and does not hold it against the peer: the stall counts from now.
            self.keepalive.resume(now);
            self.look_again();
            self.blocked_at = Some(now);
            since = now;
        }
    }

    /// The reader has nothing to read; its task is woken for the next deadline.
    #[inline]
    pub(super) fn poll_idle(&mut self, cx: &mut Context<'_>) {
        let Self {
            tasks, alarm, due, ..
        } = self;
        // While nothing has rung, the timer is set to the next deadline or an earlier one.
        let look = tasks.poll(Half::Read, cx, |_| {
            if *due || alarm.has_rung() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        if look.is_ready() {
            self.poll_due(cx, true);
        }
    }

    /// The reader looks at the time: with `drained`, because there is nothing to read, and the task is
    /// woken for the next deadline.
    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>, drained: bool) {
        while self.end.is_none() {
            let deadline = earlier(self.keepalive.poll_timeout(), self.dating.next_tick());
            let Self { tasks, alarm, .. } = self;
            let waited = tasks.poll(Half::Read, cx, |cx| alarm.poll_at(deadline, cx));
            let Poll::Ready(now) = waited else {
                self.due = false;
                return;
            };
            self.settle(now);
            if !reached(self.keepalive.poll_timeout(), now) {
                continue;
            }
            if drained && !self.confirmed {
                // A runtime's budget may have said "nothing to read" where there is something. It is
                // fresh after a turn of the executor.
                self.confirmed = true;
                self.due = true;
                cx.waker().wake_by_ref();
                return;
            }
            if !drained && self.patience > 0 && self.keepalive.config().proves() == Proof::PongOnly
            {
                self.patience -= 1;
                self.due = true;
                return;
            }
            self.confirmed = false;
            self.patience = READS_BEFORE_VERDICT;
            match self.keepalive.handle_timeout(now) {
                Some(KeepaliveEvent::Ping(seq)) => self.ask = Some(seq),
                Some(KeepaliveEvent::Dead(dead)) => self.bury(dead),
                None => {}
            }
        }
    }

    pub(super) fn set_config(&mut self, config: KeepaliveConfig) {
        let now = self.now();
        self.settle(now);
        match self.keepalive.set_config(config, now) {
            Ok(()) => self.dating.set_period(config.shortest(), now),
            Err(error) => self.end = Some(End::Config(error)),
        }
        self.look_again();
    }

    /// Has the reader look at the time, since there may be a nearer deadline than it waits for.
    fn look_again(&mut self) {
        self.due = true;
        self.tasks.wake(Half::Read);
    }

    fn bury(&mut self, dead: Dead) {
        metrics::verdict(&dead);
        self.end = Some(End::Dead(dead));
        self.tasks.wake(Half::Read);
        self.tasks.wake(Half::Write);
    }

    /// Dates what was noted.
    fn settle(&mut self, now: Instant) {
        let dated = self.dating.settle(now);
        if let Some(sent) = dated.sent {
            self.keepalive.on_send(sent);
        }
        if let Some(received) = dated.received {
            self.keepalive.on_receive(received);
        }
    }

    fn now(&self) -> Instant {
        self.alarm.runtime().now()
    }
}

impl From<End> for io::Error {
    fn from(end: End) -> Self {
        match end {
            End::Dead(dead) => Self::new(io::ErrorKind::TimedOut, dead),
            End::Config(error) => Self::new(io::ErrorKind::InvalidInput, error),
        }
    }
}
