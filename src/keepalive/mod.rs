//! [`Keepalive`]: asks the peer, times the answers, and passes the verdict.

mod bound;
mod config;
mod dead;
mod facts;
mod limits;
mod options;
mod pings;
mod preset;

use std::time::{Duration, Instant};

pub use bound::Bound;
pub use config::KeepaliveConfig;
pub use dead::{Cause, Dead};
pub use facts::Deadline;
pub use options::{Boundary, PingWhen, Proof, ReplyTimeout, StallWhen};

use crate::error::ConfigError;
use crate::grace::Gap;
use crate::patience::{Patience, Step};
use crate::rtt::Rtt;
use crate::seq::{Answers, Seq};
use crate::time::Nanos;
use facts::{Due, Facts, Verdict};
use limits::Limits;
use pings::{Found, Pings};

/// One thing to do.
///
/// ```
/// # use std::time::{Duration, Instant};
/// use liveness::{Cause, Keepalive, KeepaliveConfig, KeepaliveEvent};
///
/// let start = Instant::now();
/// let mut keepalive = Keepalive::new(KeepaliveConfig::new(), 0, start)?;
/// let (dead, at) = loop {
///     let now = keepalive.poll_timeout().unwrap(); // wait until then
///     match keepalive.handle_timeout(now) {
///         Some(KeepaliveEvent::Ping(seq)) => keepalive.on_ping_sent(seq, now), // no answer comes
///         Some(KeepaliveEvent::Look) => keepalive.on_drained(now),
///         Some(KeepaliveEvent::Dead(dead)) => break (dead, now),
///         None => {}
///     }
/// };
/// assert_eq!((dead.cause, dead.unanswered), (Cause::NoReply, 2));
/// assert_eq!(at, start + Duration::from_secs(20 + 2 * 10));
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a ping, a look or the end: a caller has to handle each"
)]
pub enum KeepaliveEvent {
    /// Send a ping with this number; report it with [`Keepalive::on_ping_sent`] when it has left.
    Ping(Seq),
    /// A silence is due, and input may be unread: read in a later turn of the executor, then report
    /// [`Keepalive::on_drained`] or [`Keepalive::on_more_input`]. Comes only to those who have
    /// reported the latter before, and at most twice a deadline.
    Look,
    /// The verdict. Comes once, and nothing comes after it.
    Dead(Dead),
}

/// What a pong turned out to answer.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::keepalive::Pong;
/// use liveness::{Answers, Keepalive, KeepaliveConfig, KeepaliveEvent, Seq};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let mut keepalive = Keepalive::new(KeepaliveConfig::new(), 0, start)?;
/// let asked = start + 20 * second;
/// let Some(KeepaliveEvent::Ping(seq)) = keepalive.handle_timeout(asked) else { panic!() };
/// keepalive.on_ping_sent(seq, asked);
///
/// let mut pong = |seq| keepalive.on_pong(Answers::Ping(seq), asked + second);
/// assert_eq!(pong(Seq::new(99)), Pong::Unsolicited);
/// assert_eq!(pong(seq), Pong::Matched { rtt: second });
/// assert_eq!(pong(seq), Pong::Stale); // the same once more
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "one ping, several, one before, none: a closed sum"
)]
pub enum Pong {
    /// Answers a ping that was open, and all earlier ones.
    Matched {
        /// The time from the ping's departure to now.
        rtt: Duration,
    },
    /// Answers the open pings, several of them: a pong without a number does not tell which, so
    /// nothing is measured.
    Untimed,
    /// Answers a ping that a pong had answered already; or one so old that its time is forgotten,
    /// which is still a proof of life.
    Stale,
    /// Answers nothing that was asked.
    Unsolicited,
}

/// Keeps one connection alive, or tells that it is dead.
///
/// Report facts with the `on_*` methods as they happen, *input first*. Ask
/// [`poll_timeout`](Self::poll_timeout) when to come back; call
/// [`handle_timeout`](Self::handle_timeout) then, until it returns `None`. Spurious, early and late
/// calls are harmless, and a `now` older than one seen before counts as that newest one. One
/// `Keepalive` is for one connection: after a reconnect make a new one.
///
/// * **Ask first.** No [`Cause::NoReply`] unless a ping was out for the whole reply
///   timeout. A call that comes much too late sends a fresh ping instead of a verdict (see
///   [`KeepaliveConfig::forgive_stall`]).
/// * **One question at a time.** While the answer to a ping is awaited the peer is not asked again.
///   Only where it was promised to hear from us does another ping follow, and it asks nothing new
///   ([`PingWhen::Always`], [`PingWhen::SendIdle`], [`PingWhen::EitherIdle`]).
/// * **Bounded.** A silent peer is dead within [`KeepaliveConfig::detection_bound`].
///
/// # What was read
///
/// Whoever calls the three verbs alone promises that all input was reported before
/// `handle_timeout`. Where that is not certain, say so with [`on_more_input`](Self::on_more_input):
/// from then on a silence that is due asks for a [look](KeepaliveEvent::Look) first.
///
/// # When a ping is out
///
/// A transport that takes a ping has not sent it: it stands behind all that is in the send buffer.
/// It counts as out at the first of
///
/// * a completed flush ([`on_ping_sent`](Self::on_ping_sent)), if the transport was not full
///   ([`on_write_blocked`](Self::on_write_blocked)) since the ping was taken, nor within
///   [`upload_wait`](KeepaliveConfig::upload_wait()) before it without an answer in between;
/// * as many bytes taken after it ([`on_bytes_sent`](Self::on_bytes_sent)) as the send buffer holds
///   ([`set_send_buffer`](Self::set_send_buffer), otherwise 4 MiB), or the kernel's own word
///   ([`on_send_queue`](Self::on_send_queue));
/// * `upload_wait` after the transport was last full, or after it took the ping.
///
/// Until then [`write_stall`](KeepaliveConfig::write_stall()) judges, and not the missing answer.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::{Answers, Cause, Keepalive, KeepaliveConfig, KeepaliveEvent};
///
/// let start = Instant::now();
/// let at = |seconds| start + Duration::from_secs(seconds);
/// let mut keepalive = Keepalive::new(KeepaliveConfig::new(), 0, start)?;
///
/// // Bytes come in, so nothing needs to be asked before 20 s after the last of them.
/// keepalive.on_receive(at(5));
/// assert_eq!(keepalive.poll_timeout(), Some(at(25)));
/// let Some(KeepaliveEvent::Ping(first)) = keepalive.handle_timeout(at(25)) else { panic!() };
/// keepalive.on_ping_sent(first, at(25));
/// keepalive.on_pong(Answers::Ping(first), at(26));
/// assert_eq!(keepalive.rtt().latest(), Some(Duration::from_secs(1)));
///
/// // Nothing comes back any more, to two pings of 10 s each.
/// for asked in [46, 56] {
///     let Some(KeepaliveEvent::Ping(seq)) = keepalive.handle_timeout(at(asked)) else { panic!() };
///     keepalive.on_ping_sent(seq, at(asked));
/// }
/// assert_eq!(keepalive.poll_timeout(), Some(at(66)));
/// let Some(KeepaliveEvent::Dead(dead)) = keepalive.handle_timeout(at(66)) else { panic!() };
/// assert_eq!(dead.cause, Cause::NoReply);
/// assert_eq!(
///     dead.to_string(),
///     "no reply to 2 pings within 10s each; silent for 40s, last round trip 1s",
/// );
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Keepalive {
    facts: Facts,
    limits: Limits,
    seed: u64,
    gap: Gap,
    patience: Patience,
    pings: Pings,
    rtt: Rtt,
}

impl Keepalive {
    /// A connection that was alive at `now`. Give each one a `seed` of its own: its
    /// [`jitter`](KeepaliveConfig::jitter()) is drawn from it, the same for the same seed.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work; its text names the values that disagree.
    pub fn new(config: KeepaliveConfig, seed: u64, now: Instant) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            facts: Facts::new(now),
            limits: Limits::new(&config),
            seed,
            gap: Gap::new(Nanos::ZERO),
            patience: Patience::new(),
            pings: Pings::new(),
            rtt: Rtt::new(),
        })
    }

    /// The seed that its jitter is drawn from.
    #[cfg(feature = "mqtt")]
    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }

    // Facts about what came in.

    /// At least one byte came from the peer at `now`, of whatever meaning.
    #[inline]
    pub fn on_receive(&mut self, now: Instant) {
        self.facts.on_receive(now);
    }

    /// A pong came at `now`, which [`answers`](Answers) a ping or none.
    ///
    /// A pong answers all earlier pings too (RFC 6455, 5.5.3). It counts as received bytes; call
    /// [`on_receive`](Self::on_receive) or not, as it suits. It may come before the report that its
    /// ping was taken or sent, where two tasks share a connection: that report is no longer needed
    /// then, and the round trip counts from when the ping was handed out.
    pub fn on_pong(&mut self, answers: Answers, now: Instant) -> Pong {
        self.on_receive(now);
        if self.facts.verdict().is_some() {
            return Pong::Unsolicited;
        }
        let now = self.facts.moved(now);
        let answered = self.pings.answered();
        let found = self.pings.on_pong(answers);
        if self.pings.answered() > answered {
            let sent = match found {
                Found::Sent(at) => at,
                Found::All | Found::Old | Found::Nothing => Nanos::ZERO,
            };
            self.facts.on_answer(sent, now);
        }
        if self.facts.issued && self.pings.last().value() < self.pings.answered() {
            self.on_taken(now);
        }
        match found {
            Found::Sent(at) => {
                let rtt = Duration::from_nanos(now.nanos_since(at));
                self.rtt.on_sample(rtt);
                Pong::Matched { rtt }
            }
            Found::All => Pong::Untimed,
            Found::Old => Pong::Stale,
            Found::Nothing => Pong::Unsolicited,
        }
    }

    /// All input that has arrived by `now` was reported.
    pub fn on_drained(&mut self, now: Instant) {
        let now = self.facts.moved(now);
        self.clear();
        let limit = self.limit_of_silence(now);
        self.patience.on_drained(now, limit);
    }

    /// There may be more input than was reported by `now`: a read that yielded something, or a
    /// runtime whose budget may hide input. Say it once at the start where that is so: from then on
    /// a silence that falls due asks for a [look](KeepaliveEvent::Look).
    pub fn on_more_input(&mut self, now: Instant) {
        let now = self.facts.moved(now);
        self.clear();
        let limit = self.limit_of_silence(now);
        self.patience.on_more_input(now, limit);
    }

    /// Whether a [look](KeepaliveEvent::Look) was asked for and is not answered in full.
    #[must_use]
    pub fn is_looking(&self) -> bool {
        self.looks().is_looking()
    }

    // Facts about what went out.

    /// At least one byte was taken by the transport at `now`.
    ///
    /// Not a sign of life: writing to a dead peer succeeds for minutes. It moves
    /// [`PingWhen::SendIdle`] and ends a [write stall](Self::on_write_blocked).
    pub fn on_send(&mut self, now: Instant) {
        let now = self.facts.moved(now);
        self.facts.on_send(now);
    }

    /// So many bytes were taken by the transport at `now`: [`on_send`](Self::on_send), for those
    /// who count. The bytes after a ping push it out.
    pub fn on_bytes_sent(&mut self, count: u64, now: Instant) {
        if count > 0 {
            let now = self.facts.moved(now);
            self.facts.on_send(now);
            self.facts.on_bytes(count, now);
        }
    }

    /// Bytes were offered to the transport at `now` and it took none: it is full.
    ///
    /// The stall counts from the first report; any [`on_send`](Self::on_send) ends it.
    pub fn on_write_blocked(&mut self, now: Instant) {
        let now = self.facts.moved(now);
        self.facts.on_blocked(now);
        self.patience = self.looks();
    }

    /// The bytes that were [offered](Self::on_write_blocked) are not wanted any more: a write was
    /// cancelled, so nobody finds out whether the transport would take it.
    pub fn on_write_withdrawn(&mut self, now: Instant) {
        self.facts.advance(now);
        self.facts.on_withdrawn();
    }

    /// The transport took the last byte of the ping `seq` at `now`, and has not flushed it.
    ///
    /// Optional: [`on_ping_sent`](Self::on_ping_sent) alone will do for a transport that flushes in
    /// one step. Any other number than that of the last [`KeepaliveEvent::Ping`] is ignored.
    pub fn on_ping_taken(&mut self, seq: Seq, now: Instant) {
        let now = self.facts.moved(now);
        if self.facts.issued && seq == self.pings.last() {
            self.on_taken(now);
        }
    }

    /// The ping `seq` was flushed at `now`: its answer is due from here on, unless bytes of ours
    /// [stand before it](Self#when-a-ping-is-out), and its round trip counts from here.
    ///
    /// Report it when the last byte has left, not when the ping was queued. Any other number than
    /// that of the last [`KeepaliveEvent::Ping`] is ignored.
    pub fn on_ping_sent(&mut self, seq: Seq, now: Instant) {
        let now = self.facts.moved(now);
        if seq != self.pings.last() || self.pings.issued() == 0 {
            return;
        }
        if self.facts.issued {
            self.on_taken(now);
        } else if seq.value() >= self.pings.answered() {
            self.pings.on_sent(seq, now);
        }
        self.facts.on_flushed(&self.limits, now);
        self.patience = self.looks();
    }

    fn on_taken(&mut self, now: Nanos) {
        self.pings.on_sent(self.pings.last(), now);
        let limit = self.limits.reply(&self.rtt);
        self.facts.on_taken(&self.limits, limit, now);
        self.patience = self.looks();
    }

    /// So many bytes stand in the send buffer at `now`, by the kernel's own word (`TIOCOUTQ`). More
    /// than 128 KiB stand before a ping as a full transport does.
    pub fn on_send_queue(&mut self, bytes: u64, now: Instant) {
        let now = self.facts.moved(now);
        self.facts.on_send_queue(bytes, now);
    }

    /// What the send buffer holds at most, in bytes (`SO_SNDBUF`). Until it is told, 4 MiB.
    pub fn set_send_buffer(&mut self, bytes: u64) {
        self.facts.set_send_buffer(bytes);
    }

    /// Whether the bytes that are taken now can show that a ping is out.
    #[inline]
    pub(crate) const fn counts_bytes(&self) -> bool {
        self.facts.counts_bytes()
    }

    /// Whether a ping was taken, and nothing but time can show yet that it is
    /// [out](Self#when-a-ping-is-out).
    pub(crate) fn awaits_departure(&self) -> bool {
        self.facts.awaits_departure(&self.limits)
    }

    // Wishes.

    /// Asks at once, without waiting for the interval: after a resume, on a network change, when
    /// the user presses a button. Does nothing while a ping is already open. During a
    /// [pause](Self::pause) the ping is sent, and judged from the resume on.
    pub fn probe_now(&mut self, now: Instant) {
        self.facts.advance(now);
        if !self.facts.issued && self.facts.open_question(&self.limits).is_none() {
            self.facts.probe = true;
        }
    }

    /// Stops judging what is not received, because nobody is reading: for back-pressure.
    ///
    /// Pings that keep the promise to be heard ([`PingWhen::Always`], [`PingWhen::SendIdle`],
    /// [`PingWhen::EitherIdle`]) go on, and so does the watch over
    /// [write stalls](Self::on_write_blocked). A pause ends with a verdict of its own at
    /// [`KeepaliveConfig::pause_limit`].
    pub fn pause(&mut self, now: Instant) {
        let now = self.facts.moved(now);
        self.gap.advance(now);
        self.clear();
        // What this side was late for before the pause would look on time after it.
        let overdue = self.silences().find(|due| due.at <= now);
        if let Some(due) = overdue.filter(|_| self.limits.forgives()) {
            self.forgive(due, now);
        }
        self.facts.pause(now);
        self.patience = self.looks();
    }

    /// Ends a [pause](Self::pause), by whose length all limits of the peer have moved.
    pub fn resume(&mut self, now: Instant) {
        let now = self.facts.moved(now);
        self.gap.advance(now);
        self.clear();
        self.facts.resume(&self.limits, now);
        self.patience = self.looks();
    }

    /// Changes the interval of a running connection, as MQTT 5's Server Keep Alive and Nacos'
    /// `clientBeatInterval` do.
    ///
    /// # Errors
    /// [`ConfigError`] when it does not fit the rest of the configuration; nothing changes then.
    pub fn set_interval(&mut self, interval: Duration, now: Instant) -> Result<(), ConfigError> {
        self.set_config(self.config().interval(interval), now)
    }

    /// Changes the configuration of a running connection.
    ///
    /// The silence seen so far counts, and a ping that is out is judged by the new reply timeout,
    /// from when it left. But no verdict follows from the change itself: a peer that kept the old
    /// limits and not the new ones gets one clean window from `now`. Where no silence was judged
    /// before, all limits begin at `now`.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work; nothing changes then.
    pub fn set_config(&mut self, config: KeepaliveConfig, now: Instant) -> Result<(), ConfigError> {
        config.validate()?;
        let now = self.facts.moved(now);
        self.clear();
        let was_due = self.is_any_due(now);
        let begins = self.config().detection_bound().is_none();
        self.limits = Limits::new(&config);
        if begins {
            self.facts.judge_life_from(now);
        }
        self.facts.set_reply(self.limits.reply(&self.rtt));
        if !was_due && self.is_any_due(now) {
            self.facts.judge_from(now);
            if self.is_reply_due(now) {
                self.facts.await_reply_from(now);
            }
        }
        self.patience = self.looks();
        Ok(())
    }

    // Time.

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` until something is
    /// reported.
    ///
    /// Received and sent bytes only move it later, so a timer that is already set may stay as it
    /// is: when it fires, ask again. Two exceptions. Where the reply timeout is longer than the
    /// interval, or was extended by a pause, the answer to a ping may bring the next ping nearer;
    /// and bytes that push a ping [out](Self#when-a-ping-is-out) bring its answer nearer.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_due().map(|(_, at)| at)
    }

    /// What falls due next, and when: [`poll_timeout`](Self::poll_timeout) with its reason.
    #[must_use]
    pub fn next_due(&self) -> Option<(Deadline, Instant)> {
        if self.facts.verdict().is_some() {
            return None;
        }
        let ask = self.ask_due().map(|at| (Deadline::Ping, at));
        let verdict = self.verdict_due().map(|due| (due.what, due.at));
        let next = ask.into_iter().chain(verdict).min_by_key(|(_, at)| *at);
        let (what, at) = next?;
        Some((what, self.facts.instant(at)?))
    }

    /// Moves time to `now` and returns at most one thing to do; call it until it returns `None`.
    ///
    /// While a [ping](KeepaliveEvent::Ping) is handed out and not taken, no other is, and a reply
    /// timeout that is not the last one passes without an event.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<KeepaliveEvent> {
        let now = self.facts.moved(now);
        if self.facts.verdict().is_some() {
            return None;
        }
        self.gap.advance(now);
        self.clear();
        while let Some(due) = self.verdict_due().filter(|due| due.at <= now) {
            let event = self.judge(due, now);
            if event.is_some() {
                return event;
            }
        }
        self.patience = self.looks();
        let asks = self.ask_due().is_some_and(|at| at <= now);
        asks.then(|| self.issue(now))
    }

    // What is known.

    /// The verdict, once it was passed.
    #[must_use]
    pub fn dead(&self) -> Option<Dead> {
        let verdict = self.facts.verdict()?;
        Some(Dead {
            cause: verdict.cause,
            limit: Duration::from_nanos(verdict.limit),
            silent_for: Duration::from_nanos(verdict.silent_for),
            unanswered: self.facts.unanswered,
            last_rtt: self.rtt.latest(),
        })
    }

    /// The round trips measured so far.
    #[must_use]
    pub const fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// The configuration in force; a duration beyond 584 years comes back as [`Duration::MAX`].
    #[must_use]
    pub const fn config(&self) -> KeepaliveConfig {
        self.limits.config()
    }

    /// When the last byte came from the peer, as far as reported; the start if none did.
    #[must_use]
    pub const fn last_heard(&self) -> Instant {
        self.facts.received_at()
    }

    // What follows from it.

    /// Forgets what was held against the peer before its last proof of life.
    fn clear(&mut self) {
        self.patience = self.looks();
        self.facts.clear(&self.limits);
    }

    /// The looks at a silence that is due; one that a proof of life or anything else has moved is
    /// none.
    fn looks(&self) -> Patience {
        let mut looks = self.patience;
        if looks.is_looking() {
            let now = self.facts.newest_counted();
            let is_due = self.silences().any(|due| due.at <= now);
            if !is_due || self.facts.is_proved_anew(&self.limits) {
                looks.reset();
            }
        }
        looks
    }

    fn ask_due(&self) -> Option<Nanos> {
        let interval = || self.limits.interval_before(self.seed, self.pings.issued());
        self.facts
            .ask_due(&self.limits, self.pings.last_at(), interval)
    }

    fn is_reply_due(&self, now: Nanos) -> bool {
        self.facts
            .reply_due(&self.limits)
            .is_some_and(|due| due.at <= now)
    }

    /// Whether the next reply timeout is the verdict.
    fn is_last_reply(&self) -> bool {
        self.facts.unanswered.saturating_add(1) >= self.limits.max_unanswered
    }

    /// The silences that end in a verdict, whether or not anybody has looked.
    fn silences(&self) -> impl Iterator<Item = Due> + use<> {
        let reads = !self.facts.is_paused();
        let silence = self.facts.silence_due(&self.limits).filter(|_| reads);
        let last = reads && self.is_last_reply();
        let reply = self.facts.reply_due(&self.limits).filter(|_| last);
        reply.into_iter().chain(silence)
    }

    /// The shortest limit of the silences that are due.
    fn limit_of_silence(&self, now: Nanos) -> u64 {
        let due = self.silences().filter(|due| due.at <= now);
        due.map(|due| due.limit).min().unwrap_or(u64::MAX)
    }

    /// What is judged next, and when.
    fn verdict_due(&self) -> Option<Due> {
        let (facts, limits) = (&self.facts, &self.limits);
        let now = facts.newest_counted();
        let looks = self.looks();
        let looked = self.silences().filter_map(|due| {
            let at = match looks.step(due.at, due.limit, now) {
                Step::Wait(at) => at,
                Step::Look | Step::Judge => due.at,
            };
            at.is_ever().then_some(Due { at, ..due })
        });
        let early = !facts.is_paused() && !self.is_last_reply();
        let early = facts.reply_due(limits).filter(|_| early);
        let others = [early, facts.stall_due(limits), facts.pause_due(limits)];
        looked
            .chain(others.into_iter().flatten())
            .min_by_key(|due| due.at)
    }

    /// Whether any limit has run out, looked at or not.
    fn is_any_due(&self, now: Nanos) -> bool {
        let (facts, limits) = (&self.facts, &self.limits);
        let reply = facts.reply_due(limits).filter(|_| !facts.is_paused());
        let others = [reply, facts.stall_due(limits), facts.pause_due(limits)];
        self.silences()
            .chain(others.into_iter().flatten())
            .any(|due| due.at <= now)
    }

    /// A limit has run out: forgive, miss, look or pass the verdict.
    fn judge(&mut self, due: Due, now: Nanos) -> Option<KeepaliveEvent> {
        let silence = matches!(due.what, Deadline::Reply | Deadline::Silence);
        if self.limits.forgives() {
            let asks = silence && self.is_asking(now);
            if self.forgive(due, now) {
                return asks.then(|| self.ask_afresh(now)).flatten();
            }
        }
        if due.what == Deadline::Reply && !self.is_last_reply() {
            self.facts.unanswered = self.facts.unanswered.saturating_add(1);
            self.facts.forget_question();
            return (!self.facts.issued).then(|| self.issue(now));
        }
        if silence && self.patience.step(due.at, due.limit, now) == Step::Look {
            self.patience.on_look(now);
            return Some(KeepaliveEvent::Look);
        }
        self.end(due, now)
    }

    fn end(&mut self, due: Due, now: Nanos) -> Option<KeepaliveEvent> {
        let (cause, limit) = match due.what {
            Deadline::Reply => (Cause::NoReply, due.limit),
            Deadline::Silence => (Cause::Silent, self.limits.silence()),
            Deadline::WriteStall => (Cause::WriteStalled, due.limit),
            Deadline::Ping | Deadline::Pause => (Cause::Unread, due.limit),
        };
        if due.what == Deadline::Reply {
            self.facts.unanswered = self.facts.unanswered.saturating_add(1);
        }
        let silent_for = self.facts.unheard_for(now);
        self.facts.end(Verdict {
            cause,
            limit,
            silent_for,
        });
        self.dead().map(KeepaliveEvent::Dead)
    }

    /// Whether it was this side that let the time pass: much too late for what was due first, or
    /// silent itself, so that the peer was not asked.
    fn forgive(&mut self, due: Due, now: Nanos) -> bool {
        let missed = self.ask_due().filter(|ask| *ask < due.at);
        let asks = self.limits.checks_peer() && !self.facts.has_question();
        let silence = matches!(due.what, Deadline::Reply | Deadline::Silence);
        let late = if silence && self.patience.is_looking() {
            // Lateness was judged at the first look. What follows is no lateness, but for the end
            // of the wait for more input.
            let end = self.patience.waits_until(due.limit).unwrap_or(Nanos::MAX);
            self.gap.lateness(end)
        } else if due.what == Deadline::Silence && asks && missed.is_some() {
            u64::MAX
        } else if silence {
            self.gap.lateness(missed.unwrap_or(due.at))
        } else {
            self.gap.lateness(due.at)
        };
        let forgiven = self.facts.forgive(due, late, &self.limits, now);
        if forgiven && silence {
            self.patience.reset();
        }
        forgiven
    }

    /// Whether a ping is due, or the answer to the last one.
    fn is_asking(&self, now: Nanos) -> bool {
        self.is_reply_due(now) || self.ask_due().is_some_and(|at| at <= now)
    }

    /// A silence was forgiven while a ping was due, or the answer to the last one: a fresh ping.
    fn ask_afresh(&mut self, now: Nanos) -> Option<KeepaliveEvent> {
        if self.is_reply_due(now) {
            self.facts.forget_question();
        }
        (!self.facts.issued).then(|| self.issue(now))
    }

    fn issue(&mut self, now: Nanos) -> KeepaliveEvent {
        self.facts.probe = false;
        self.facts.issued = true;
        KeepaliveEvent::Ping(self.pings.issue(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One a connection, a million of them in a process.
    #[test]
    fn it_is_small() {
        assert!(size_of::<Keepalive>() <= 336, "{}", size_of::<Keepalive>());
    }
}
