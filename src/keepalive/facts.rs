//! [`Facts`]: all that was reported about one connection, and when each limit runs out by it.

use std::time::Instant;

use super::limits::Limits;
use super::{Cause, PingWhen, Proof, StallWhen};
use crate::grace::Window;
use crate::time::{Nanos, Newest};

/// What can fall due. [`Keepalive::next_due`](super::Keepalive::next_due) tells which comes first.
///
/// ```
/// # use std::time::{Duration, Instant};
/// use liveness::keepalive::Deadline;
/// use liveness::{Keepalive, KeepaliveConfig, KeepaliveEvent};
///
/// let start = Instant::now();
/// let at = |seconds| start + Duration::from_secs(seconds);
/// let mut keepalive = Keepalive::new(KeepaliveConfig::new(), 0, start)?;
/// assert_eq!(keepalive.next_due(), Some((Deadline::Ping, at(20))));
///
/// let Some(KeepaliveEvent::Ping(seq)) = keepalive.handle_timeout(at(20)) else { panic!() };
/// keepalive.on_ping_sent(seq, at(20));
/// assert_eq!(keepalive.next_due(), Some((Deadline::Reply, at(30))));
///
/// // The socket is full: the ping may stand behind what it holds, so the answer is not due.
/// keepalive.on_write_blocked(at(21));
/// assert_eq!(keepalive.next_due(), Some((Deadline::WriteStall, at(51))));
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Deadline {
    /// A ping is to be sent.
    Ping,
    /// The time for the answer to a ping that is out has passed.
    Reply,
    /// Nothing has proved life for the passive limit.
    Silence,
    /// Bytes were offered for the whole write stall, and none was taken.
    WriteStall,
    /// Nobody has read for the pause limit.
    Pause,
}

/// A limit, and when it runs out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub(super) what: Deadline,
    pub(super) at: Nanos,
    pub(super) limit: u64,
}

impl Due {
    fn new(what: Deadline, since: Nanos, limit: u64) -> Option<Self> {
        let at = since.plus(limit);
        at.is_ever().then_some(Self { what, at, limit })
    }
}

/// A ping whose answer is awaited, from the moment the transport took it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    taken: Nanos,
    /// Since when it is out, as far as flushes and bytes show it.
    out: Nanos,
    limit: u64,
    /// The bytes that the transport has taken after it.
    after: u32,
    flushed: bool,
    /// That it is out follows from the bytes after it, so no full socket can put it in doubt.
    sure: bool,
}

/// The verdict's own numbers; the others stand where they stood.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict {
    pub(super) cause: Cause,
    pub(super) limit: u64,
    pub(super) silent_for: u64,
}

/// Where the connection stands.
#[derive(Debug, Clone, Copy)]
enum Standing {
    /// Nothing is asked.
    Quiet,
    Asked(Question),
    Over(Verdict),
}

/// The instants that are written on the way of every byte that comes in are kept as such; all
/// others count from `base`.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    base: Instant,
    newest: Newest,
    /// The last byte from the peer.
    received_at: Instant,
    /// The last byte to the peer.
    sent_at: Nanos,
    /// The last pong that answered one of our pings.
    answered_at: Nanos,
    /// The clock of life: silence before it is not held against the peer.
    life: Window,
    /// The proof of life that misses and forgiveness were last cleared for.
    cleared_at: Nanos,
    /// The clock of progress: since bytes have been offered and none taken, or never.
    stall: Window,
    /// When the socket was last full.
    full_at: Nanos,
    /// The clock of a pause: since nobody has been reading, or never.
    pause: Window,
    standing: Standing,
    /// What the send buffer holds at most, in bytes.
    send_buffer: u32,
    /// How many pings in a row were not answered in time.
    pub(super) unanswered: u32,
    /// A ping that is due whatever the interval says.
    pub(super) probe: bool,
    /// A ping was handed out, and the transport has not taken it yet.
    pub(super) issued: bool,
}

/// What a send buffer holds where nobody has asked: beyond the largest that Linux grows to of its
/// own accord (`tcp_wmem`, 4 MiB).
const SEND_BUFFER: u32 = 4 << 20;

/// A send queue of more bytes than that stands before a ping as a full socket does; a shorter one
/// is gone soon on any path that is alive.
const DEEP: u64 = 128 * 1024;

impl Question {
    fn is_out(&mut self, now: Nanos) {
        if !self.sure {
            self.sure = true;
            self.out = self.out.min(now);
        }
    }
}

impl Facts {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            base: now,
            newest: Newest::new(now),
            received_at: now,
            sent_at: Nanos::ZERO,
            answered_at: Nanos::ZERO,
            life: Window::new(Nanos::ZERO),
            cleared_at: Nanos::ZERO,
            stall: Window::new(Nanos::MAX),
            full_at: Nanos::MAX,
            pause: Window::new(Nanos::MAX),
            standing: Standing::Quiet,
            send_buffer: SEND_BUFFER,
            unanswered: 0,
            probe: false,
            issued: false,
        }
    }

    #[inline]
    pub(super) fn advance(&mut self, now: Instant) -> Instant {
        self.newest.advance(now)
    }

    /// The same, counted from the base.
    pub(super) fn moved(&mut self, now: Instant) -> Nanos {
        let now = self.advance(now);
        self.count(now)
    }

    fn count(&self, at: Instant) -> Nanos {
        Nanos::since(self.base, at)
    }

    pub(super) fn newest_counted(&self) -> Nanos {
        self.count(self.newest.now())
    }

    /// How long nothing has come from the peer.
    pub(super) fn unheard_for(&self, now: Nanos) -> u64 {
        now.nanos_since(self.count(self.received_at))
    }

    pub(super) fn instant(&self, at: Nanos) -> Option<Instant> {
        at.instant(self.base)
    }

    #[inline]
    pub(super) fn on_receive(&mut self, now: Instant) {
        self.received_at = self.advance(now);
    }

    pub(super) const fn received_at(&self) -> Instant {
        self.received_at
    }

    const fn question(&self) -> Option<&Question> {
        match &self.standing {
            Standing::Asked(question) => Some(question),
            Standing::Quiet | Standing::Over(_) => None,
        }
    }

    const fn question_mut(&mut self) -> Option<&mut Question> {
        match &mut self.standing {
            Standing::Asked(question) => Some(question),
            Standing::Quiet | Standing::Over(_) => None,
        }
    }

    // What happens to the sending side.

    #[inline]
    pub(super) fn on_send(&mut self, now: Nanos) {
        self.sent_at = now;
        self.stall = Window::new(Nanos::MAX);
    }

    #[inline]
    pub(super) const fn counts_bytes(&self) -> bool {
        matches!(self.question(), Some(Question { sure: false, .. }))
    }

    /// Bytes behind a ping push it out.
    pub(super) fn on_bytes(&mut self, count: u64, now: Nanos) {
        let buffer = self.send_buffer;
        let Some(question) = self.question_mut() else {
            return;
        };
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        question.after = question.after.saturating_add(count);
        if question.after >= buffer {
            question.is_out(now);
        }
    }

    /// So many bytes stand in the send buffer.
    pub(super) fn on_send_queue(&mut self, bytes: u64, now: Nanos) {
        if bytes == 0 {
            self.full_at = Nanos::MAX;
        } else if bytes > DEEP {
            self.full_at = now;
        }
        let Some(question) = self.question_mut() else {
            return;
        };
        if bytes <= u64::from(question.after) {
            question.is_out(now);
        } else if bytes > DEEP && !question.sure {
            question.out = Nanos::MAX;
        }
    }

    pub(super) fn set_send_buffer(&mut self, bytes: u64) {
        self.send_buffer = u32::try_from(bytes).unwrap_or(u32::MAX);
    }

    pub(super) fn on_blocked(&mut self, now: Nanos) {
        if !self.stall.since().is_ever() {
            self.stall = Window::new(now);
        }
        self.full_at = now;
        // What the socket holds may stand before the ping.
        if let Some(question) = self.question_mut().filter(|question| !question.sure) {
            question.out = Nanos::MAX;
        }
    }

    pub(super) const fn on_withdrawn(&mut self) {
        self.stall = Window::new(Nanos::MAX);
    }

    /// The transport took a ping; it opens a question unless one is open, or nobody answers.
    pub(super) fn on_taken(&mut self, limits: &Limits, limit: Option<u64>, now: Nanos) {
        self.issued = false;
        self.on_send(now);
        if self.verdict().is_none() && self.open_question(limits).is_none() {
            self.standing = limit.map_or(Standing::Quiet, |limit| {
                Standing::Asked(Question {
                    taken: now,
                    out: Nanos::MAX,
                    limit,
                    after: 0,
                    flushed: false,
                    sure: false,
                })
            });
        }
    }

    /// What the transport had taken is flushed, the open question's ping among it.
    pub(super) fn on_flushed(&mut self, limits: &Limits, now: Nanos) {
        let wait = limits.upload_wait().unwrap_or(u64::MAX);
        let drained = !self.full_at.is_ever() || self.full_at.plus(wait) <= now;
        let question = self.question_mut();
        if let Some(question) = question.filter(|question| !question.flushed) {
            question.flushed = true;
            if drained {
                question.out = now;
            }
        }
    }

    /// A pong came for a ping that was sent at `sent`: what stood before it has left.
    pub(super) fn on_answer(&mut self, sent: Nanos, now: Nanos) {
        self.answered_at = now;
        if sent >= self.full_at {
            self.full_at = Nanos::MAX;
        }
    }

    // What happens to the reading side.

    pub(super) const fn is_paused(&self) -> bool {
        self.pause.since().is_ever()
    }

    pub(super) fn pause(&mut self, now: Nanos) {
        if !self.is_paused() {
            self.pause = Window::new(now);
        }
    }

    pub(super) fn resume(&mut self, limits: &Limits, now: Nanos) {
        if self.is_paused() {
            self.shift(limits, now);
            self.pause = Window::new(Nanos::MAX);
        }
    }

    /// Nobody has judged life since the pause began: its clocks stood still.
    fn shift(&mut self, limits: &Limits, now: Nanos) {
        let paused = self.pause.since();
        let proved = self.proved(limits);
        self.life.shift(proved, paused, now);
        let Some(question) = self.question_mut() else {
            return;
        };
        for at in [&mut question.taken, &mut question.out] {
            if at.is_ever() {
                *at = at.plus(now.nanos_since(paused.max(*at)));
            }
        }
    }

    // What follows.

    /// The last proof of life.
    pub(super) fn proved(&self, limits: &Limits) -> Nanos {
        match limits.proof() {
            Proof::AnyBytes => self.count(self.received_at),
            Proof::PongOnly => self.answered_at,
        }
    }

    /// Whether life was proved since misses were last [cleared](Self::clear).
    pub(super) fn is_proved_anew(&self, limits: &Limits) -> bool {
        self.proved(limits) > self.cleared_at
    }

    /// Forgets misses, forgiveness and the open question once life was proved after them.
    pub(super) fn clear(&mut self, limits: &Limits) {
        if self.is_proved_anew(limits) {
            self.cleared_at = self.proved(limits);
            self.unanswered = 0;
            self.life.renew();
        }
        if self.open_question(limits).is_none() {
            self.forget_question();
        }
    }

    /// Whether pings were missed since life was last proved.
    fn has_missed(&self, limits: &Limits) -> bool {
        self.unanswered > 0 && !self.is_proved_anew(limits)
    }

    /// The question, unless life was proved since it was asked.
    pub(super) fn open_question(&self, limits: &Limits) -> Option<&Question> {
        let question = self.question()?;
        (self.proved(limits) < question.taken).then_some(question)
    }

    /// Whether a ping was taken, and no flush, byte or word of the kernel shows that it is out.
    pub(super) fn awaits_departure(&self, limits: &Limits) -> bool {
        let question = self.open_question(limits);
        question.is_some_and(|question| !question.out.is_ever())
    }

    pub(super) const fn has_question(&self) -> bool {
        self.question().is_some()
    }

    pub(super) const fn forget_question(&mut self) {
        if self.has_question() {
            self.standing = Standing::Quiet;
        }
    }

    /// Other limits are in force: the open question is judged by the new time for its answer.
    pub(super) const fn set_reply(&mut self, limit: Option<u64>) {
        match (limit, self.question_mut()) {
            (Some(limit), Some(question)) => question.limit = limit,
            (None, Some(_)) => self.standing = Standing::Quiet,
            (_, None) => {}
        }
    }

    pub(super) const fn verdict(&self) -> Option<Verdict> {
        match self.standing {
            Standing::Over(verdict) => Some(verdict),
            Standing::Quiet | Standing::Asked(_) => None,
        }
    }

    pub(super) const fn end(&mut self, verdict: Verdict) {
        self.standing = Standing::Over(verdict);
    }

    /// Restarts the silence, and the write stall if there is one, at `now`.
    pub(super) fn judge_from(&mut self, now: Nanos) {
        self.life.restart(now);
        if self.stall.since().is_ever() {
            self.stall.restart(now);
        }
    }

    /// Restarts the silence at `now`; the write stall goes on.
    pub(super) const fn judge_life_from(&mut self, now: Nanos) {
        self.life.restart(now);
    }

    pub(super) fn await_reply_from(&mut self, now: Nanos) {
        if let Some(question) = self.question_mut() {
            question.taken = now;
            question.out = now;
        }
    }

    /// Since when the ping is out, by any evidence.
    fn out_at(&self, question: &Question, limits: &Limits) -> Nanos {
        let Some(wait) = limits.upload_wait() else {
            return question.out;
        };
        // What stood in the buffer when it was last full has left by then, if anything has.
        let since = match question.flushed && !question.out.is_ever() {
            true => question.taken.min(self.full_at),
            false => question.taken,
        };
        question.out.min(since.plus(wait))
    }

    /// When a ping is due; `asked` is when the last one left.
    pub(super) fn ask_due(
        &self,
        limits: &Limits,
        asked: Nanos,
        interval: impl FnOnce() -> u64,
    ) -> Option<Nanos> {
        if self.issued {
            return None;
        }
        if self.probe {
            return Some(self.count(self.newest.now()));
        }
        let when = limits.pings()?;
        let heard = || self.proved(limits).max(asked).max(self.life.since());
        let checks = !self.is_paused() && self.open_question(limits).is_none();
        let since = match when {
            PingWhen::Never => return None,
            PingWhen::Always => asked,
            PingWhen::RecvIdle => checks.then(heard)?,
            PingWhen::EitherIdle if checks => heard().min(self.sent_at),
            PingWhen::SendIdle | PingWhen::EitherIdle => self.sent_at,
        };
        Some(since.plus(interval())).filter(|at| at.is_ever())
    }

    /// When the answer to the open question is due, whether or not anybody reads.
    pub(super) fn reply_due(&self, limits: &Limits) -> Option<Due> {
        let question = self.open_question(limits)?;
        let out = self.out_at(question, limits);
        Due::new(Deadline::Reply, out, question.limit)
    }

    pub(super) fn silence_due(&self, limits: &Limits) -> Option<Due> {
        let limit = limits.silence_deadline()?;
        let since = self.proved(limits).max(self.life.since());
        let due = Due::new(Deadline::Silence, since, limit)?;
        // A ping sent late moves the silence deadline: the peer keeps its whole reply timeout.
        let waits = limits.forgives() && limits.checks_peer() && !self.has_missed(limits);
        let Some(question) = self.open_question(limits).filter(|_| waits) else {
            return Some(due);
        };
        let answer = self.out_at(question, limits).plus(question.limit);
        let at = due.at.max(answer);
        at.is_ever().then_some(Due { at, ..due })
    }

    pub(super) fn stall_due(&self, limits: &Limits) -> Option<Due> {
        let since = self.stall.since();
        if !since.is_ever() {
            return None;
        }
        let since = match limits.stall_when() {
            StallWhen::Always => since,
            StallWhen::Unproven => since.max(self.proved(limits)),
        };
        Due::new(Deadline::WriteStall, since, limits.write_stall()?)
    }

    pub(super) fn pause_due(&self, limits: &Limits) -> Option<Due> {
        Due::new(Deadline::Pause, self.pause.since(), limits.pause()?)
    }

    /// Whether so late a stall or pause is our own doing; its clock starts anew then.
    pub(super) fn forgive(&mut self, due: Due, late: u64, limits: &Limits, now: Nanos) -> bool {
        match due.what {
            Deadline::WriteStall => self.stall.forgive(late, due.limit, now),
            Deadline::Pause => {
                let mut pause = self.pause;
                let forgiven = pause.forgive(late, due.limit, now);
                if forgiven {
                    self.shift(limits, now);
                    self.pause = pause;
                }
                forgiven
            }
            Deadline::Ping | Deadline::Reply | Deadline::Silence => {
                self.life.forgive(late, due.limit, now)
            }
        }
    }
}
