//! [`Keepalive`]: asks the peer, times the answers, and passes the verdict.
//!
//! The state machine of one connection. It sends nothing and reads no clock: facts come in through
//! `on_*`, time through `handle_timeout`, and what to do comes out of it.

mod config;
mod dead;
mod pings;
mod preset;

use std::time::{Duration, Instant};

pub use config::{Boundary, KeepaliveConfig, PingWhen, Proof, ReplyTimeout};
pub use dead::{Cause, Dead};

use crate::error::ConfigError;
use crate::rtt::Rtt;
use crate::seq::{Answers, Seq};
use crate::time::{earlier, later, reached};
use pings::Pings;

/// What [`Keepalive::handle_timeout`] wants done.
///
/// ```
/// # use liveness::KeepaliveEvent;
/// # fn send_ping(_: liveness::Seq) {}
/// # fn close(_: liveness::Dead) {}
/// fn act(event: KeepaliveEvent) {
///     match event {
///         KeepaliveEvent::Ping(seq) => send_ping(seq),
///         KeepaliveEvent::Dead(dead) => close(dead),
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "ask or bury: a closed sum")]
pub enum KeepaliveEvent {
    /// Send a ping with this number, and report [`Keepalive::on_ping_sent`] once it is flushed.
    Ping(Seq),
    /// The verdict. Comes once, and nothing comes after it.
    Dead(Dead),
}

/// What a pong turned out to be.
///
/// ```
/// use liveness::Answers;
/// # use std::time::{Duration, Instant};
/// # use liveness::{Keepalive, KeepaliveConfig, keepalive::Pong};
/// # let now = Instant::now();
/// let mut keepalive = Keepalive::new(KeepaliveConfig::new(), 0, now)?;
/// // Allowed, a sign of life, and no answer to anything:
/// assert_eq!(keepalive.on_pong(Answers::Oldest, now), Pong::Unsolicited);
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "answers, answered already, answers nothing: closed"
)]
pub enum Pong {
    /// Answers a ping that was open, and all earlier ones.
    Matched {
        /// The time from the ping's flush to now.
        rtt: Duration,
    },
    /// Answers a ping that a pong had answered already; or one so old that when it left is forgotten,
    /// which is still a proof of life.
    Stale,
    /// Answers nothing that was asked.
    Unsolicited,
}

/// A ping on the wire whose answer is awaited.
#[derive(Debug, Clone, Copy)]
struct Question {
    /// When it was flushed, or from when on its answer is awaited anew.
    at: Instant,
    limit: Duration,
}

/// Keeps one connection alive, or tells that it is dead.
///
/// Report facts with the `on_*` methods as they happen, *input first*: whatever can be read must be
/// reported before [`handle_timeout`](Self::handle_timeout) judges. Ask
/// [`poll_timeout`](Self::poll_timeout) when to come back; call `handle_timeout` then, until it
/// returns `None`. Spurious, early and late calls are harmless, and a `now` older than one seen
/// before counts as that newest one. One `Keepalive` is for one connection: after a reconnect make a
/// new one.
///
/// * **Ask before you bury.** No [`Cause::NoReply`] unless a ping was on the wire for the whole
///   reply timeout. A call that comes much too late sends a fresh ping instead of a verdict (see
///   [`KeepaliveConfig::forgive_stall`]).
/// * **One question at a time.** While the answer to a ping is awaited the peer is not asked again.
///   Only where it was promised to hear from us, an interval without a byte sent brings another ping
///   ([`PingWhen::SendIdle`], [`PingWhen::EitherIdle`]); it asks nothing new.
/// * **Bounded.** A silent peer is dead within [`KeepaliveConfig::detection_bound`].
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::{Cause, Keepalive, KeepaliveConfig, KeepaliveEvent};
///
/// let start = Instant::now();
/// let at = |seconds| start + Duration::from_secs(seconds);
/// let mut keepalive = Keepalive::new(KeepaliveConfig::new(), 0, start)?;
///
/// // Bytes come in, so nothing needs to be asked before 20 s after the last of them.
/// keepalive.on_receive(at(5));
/// assert_eq!(keepalive.poll_timeout(), Some(at(25)));
/// let Some(KeepaliveEvent::Ping(seq)) = keepalive.handle_timeout(at(25)) else { panic!() };
/// keepalive.on_ping_sent(seq, at(25));
///
/// // Nothing comes back within 10 s.
/// assert_eq!(keepalive.poll_timeout(), Some(at(35)));
/// let Some(KeepaliveEvent::Dead(dead)) = keepalive.handle_timeout(at(35)) else { panic!() };
/// assert_eq!(dead.cause, Cause::NoReply);
/// assert_eq!(
///     dead.to_string(),
///     "no reply to 1 ping within 10s; silent for 30s, no round trip measured",
/// );
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Keepalive {
    config: KeepaliveConfig,
    seed: u64,
    newest: Instant,
    /// The last byte from the peer.
    received_at: Instant,
    /// The last pong that answered one of our pings.
    answered_at: Instant,
    /// The last byte to the peer.
    sent_at: Instant,
    /// The last ping to the peer.
    asked_at: Instant,
    /// Silence before this is not held against the peer: the start, the end of a pause, a pardon.
    judged_from: Instant,
    /// The proof of life that strikes and pardons were last cleared for.
    cleared_at: Instant,
    /// Since when bytes have been offered and none taken.
    blocked_at: Option<Instant>,
    /// A ping that is due whatever the interval says.
    probe_at: Option<Instant>,
    interval: Duration,
    /// A ping that was handed out and is not flushed yet.
    issued: Option<Seq>,
    question: Option<Question>,
    pings: Pings,
    rtt: Rtt,
    unanswered: u32,
    paused: bool,
    pardoned: bool,
    dead: Option<Dead>,
}

impl Keepalive {
    /// A connection that was alive at `now`. Give each one a `seed` of its own: its
    /// [`jitter`](KeepaliveConfig::jitter) is drawn from it, the same for the same seed.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work; its text names the values that disagree.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{Keepalive, KeepaliveConfig};
    /// let fine = Keepalive::new(KeepaliveConfig::new(), 0, Instant::now());
    /// assert!(fine.is_ok());
    /// let useless = KeepaliveConfig::new().interval(Duration::from_micros(3));
    /// assert_eq!(
    ///     Keepalive::new(useless, 0, Instant::now()).unwrap_err().to_string(),
    ///     "interval (3µs) is shorter than 1ms; zero turns it off",
    /// );
    /// ```
    pub fn new(config: KeepaliveConfig, seed: u64, now: Instant) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            config,
            seed,
            newest: now,
            received_at: now,
            answered_at: now,
            sent_at: now,
            asked_at: now,
            judged_from: now,
            cleared_at: now,
            blocked_at: None,
            probe_at: None,
            interval: config.interval_before(seed, 0),
            issued: None,
            question: None,
            pings: Pings::new(now),
            rtt: Rtt::new(),
            unanswered: 0,
            paused: false,
            pardoned: false,
            dead: None,
        })
    }

    /// The seed that its jitter is drawn from.
    #[cfg(feature = "mqtt")]
    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }

    /// At least one byte came from the peer at `now`, of whatever meaning.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{Keepalive, KeepaliveConfig};
    /// # let start = Instant::now();
    /// # let mut keepalive = Keepalive::new(KeepaliveConfig::new(), 0, start)?;
    /// keepalive.on_receive(start + Duration::from_secs(1));
    /// assert_eq!(keepalive.poll_timeout(), Some(start + Duration::from_secs(21)));
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    #[inline]
    pub fn on_receive(&mut self, now: Instant) {
        self.received_at = self.advance(now);
    }

    /// At least one byte was taken by the transport at `now`.
    ///
    /// Not a sign of life: writing to a dead peer succeeds for minutes. It moves
    /// [`PingWhen::SendIdle`] and ends a [write stall](Self::on_write_blocked).
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{Keepalive, KeepaliveConfig};
    /// # let start = Instant::now();
    /// # let mut keepalive = Keepalive::new(KeepaliveConfig::new(), 0, start)?;
    /// keepalive.on_send(start + Duration::from_secs(1));
    /// assert_eq!(keepalive.poll_timeout(), Some(start + Duration::from_secs(20)));
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    #[inline]
    pub fn on_send(&mut self, now: Instant) {
        self.sent_at = self.advance(now);
        self.blocked_at = None;
    }

    /// Bytes were offered to the transport at `now` and it took none.
    ///
    /// Repeated reports keep the first one's time; any [`on_send`](Self::on_send) ends the stall.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{Cause, Keepalive, KeepaliveConfig, KeepaliveEvent};
    /// # let (start, s) = (Instant::now(), Duration::from_secs(1));
    /// let mut keepalive = Keepalive::new(KeepaliveConfig::off().write_stall(5 * s), 0, start)?;
    /// keepalive.on_write_blocked(start + s);
    /// keepalive.on_write_blocked(start + 2 * s);
    /// let Some(KeepaliveEvent::Dead(dead)) = keepalive.handle_timeout(start + 6 * s) else { panic!() };
    /// assert_eq!(dead.cause, Cause::WriteStalled);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn on_write_blocked(&mut self, now: Instant) {
        let now = self.advance(now);
        self.blocked_at.get_or_insert(now);
    }

    /// The bytes that were [offered](Self::on_write_blocked) are not wanted any more: a write was
    /// cancelled, so nobody finds out whether the peer would take it.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{Keepalive, KeepaliveConfig};
    /// # let (start, s) = (Instant::now(), Duration::from_secs(1));
    /// let mut keepalive = Keepalive::new(KeepaliveConfig::off().write_stall(5 * s), 0, start)?;
    /// keepalive.on_write_blocked(start + s);
    /// keepalive.on_write_withdrawn(start + 2 * s);
    /// assert_eq!(keepalive.handle_timeout(start + 6 * s), None);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn on_write_withdrawn(&mut self, now: Instant) {
        self.advance(now);
        self.blocked_at = None;
    }

    /// The ping `seq` was flushed at `now`: its answer is due from here on, and its round trip
    /// counts from here.
    ///
    /// Report it when the last byte has left, not when the ping was queued. Any other number than
    /// that of the last [`KeepaliveEvent::Ping`] is ignored.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{Keepalive, KeepaliveConfig, KeepaliveEvent};
    /// # let (start, s) = (Instant::now(), Duration::from_secs(1));
    /// # let mut keepalive = Keepalive::new(KeepaliveConfig::new(), 0, start)?;
    /// let Some(KeepaliveEvent::Ping(seq)) = keepalive.handle_timeout(start + 20 * s) else { panic!() };
    /// keepalive.on_ping_sent(seq, start + 25 * s); // stuck behind data for five seconds
    /// assert_eq!(keepalive.poll_timeout(), Some(start + 35 * s));
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn on_ping_sent(&mut self, seq: Seq, now: Instant) {
        let now = self.advance(now);
        if self.issued != Some(seq) {
            return;
        }
        self.pings.on_sent(seq, now);
        self.on_asked(now);
        if self.open_question().is_none() {
            let limit = self.config.reply_limit(&self.rtt);
            self.question = limit.map(|limit| Question { at: now, limit });
        }
    }

    /// The ping that was handed out has left.
    fn on_asked(&mut self, now: Instant) {
        self.issued = None;
        self.asked_at = now;
        self.on_send(now);
    }

    /// A pong came at `now`, with the number it answers, or `None` where the protocol has none: then
    /// it answers the oldest ping that is open, since streams keep their order.
    ///
    /// A pong answers all earlier pings too (RFC 6455, 5.5.3). It counts as received bytes; call
    /// [`on_receive`](Self::on_receive) or not, as it suits. It may come before
    /// [`on_ping_sent`](Self::on_ping_sent), where two tasks share a connection: its ping has left
    /// then, that report is no longer needed, and the round trip counts from when the ping was handed
    /// out.
    ///
    /// ```
    /// use liveness::Answers;
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{Keepalive, KeepaliveConfig, KeepaliveEvent, keepalive::Pong};
    /// # let (start, s) = (Instant::now(), Duration::from_secs(1));
    /// # let mut keepalive = Keepalive::new(KeepaliveConfig::new(), 0, start)?;
    /// let Some(KeepaliveEvent::Ping(seq)) = keepalive.handle_timeout(start + 20 * s) else { panic!() };
    /// keepalive.on_ping_sent(seq, start + 20 * s);
    /// assert_eq!(keepalive.on_pong(Answers::Ping(seq), start + 21 * s), Pong::Matched { rtt: s });
    /// assert_eq!(keepalive.on_pong(Answers::Ping(seq), start + 22 * s), Pong::Stale);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn on_pong(&mut self, answers: Answers, now: Instant) -> Pong {
        self.on_receive(now);
        let now = self.newest;
        let answered = self.pings.answered();
        let pong = self.pings.on_pong(answers, now);
        if self.pings.answered() > answered {
            self.answered_at = now;
        }
        if self
            .issued
            .is_some_and(|seq| seq.value() < self.pings.answered())
        {
            self.on_asked(now);
        }
        if let Pong::Matched { rtt } = pong {
            self.rtt.on_sample(rtt);
        }
        pong
    }

    /// Asks at once, without waiting for the interval: after a resume, on a network change, when the
    /// user presses a button. Does nothing while a ping is already open. During a
    /// [pause](Self::pause) the ping is sent, and judged from the resume on.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{Keepalive, KeepaliveConfig, KeepaliveEvent};
    /// # let start = Instant::now();
    /// # let mut keepalive = Keepalive::new(KeepaliveConfig::new(), 0, start)?;
    /// keepalive.probe_now(start);
    /// assert!(matches!(keepalive.handle_timeout(start), Some(KeepaliveEvent::Ping(_))));
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn probe_now(&mut self, now: Instant) {
        let now = self.advance(now);
        if self.issued.is_none() && self.open_question().is_none() {
            self.probe_at = Some(now);
        }
    }

    /// Stops judging what is not received, because nobody is reading: for back-pressure.
    ///
    /// Pings that keep the promise to be heard ([`PingWhen::Always`], [`PingWhen::SendIdle`],
    /// [`PingWhen::EitherIdle`]) go on, and so does the watch over
    /// [write stalls](Self::on_write_blocked).
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{Keepalive, KeepaliveConfig};
    /// # let (start, s) = (Instant::now(), Duration::from_secs(1));
    /// let mut keepalive = Keepalive::new(KeepaliveConfig::off().silence(30 * s), 0, start)?;
    /// keepalive.pause(start);
    /// assert_eq!(keepalive.handle_timeout(start + 60 * s), None);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn pause(&mut self, now: Instant) {
        self.advance(now);
        self.paused = true;
    }

    /// Ends a [pause](Self::pause): the peer gets one clean window from `now`.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{Keepalive, KeepaliveConfig};
    /// # let (start, s) = (Instant::now(), Duration::from_secs(1));
    /// # let mut keepalive = Keepalive::new(KeepaliveConfig::off().silence(30 * s), 0, start)?;
    /// keepalive.pause(start);
    /// keepalive.resume(start + 60 * s);
    /// assert_eq!(keepalive.poll_timeout(), Some(start + 90 * s));
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn resume(&mut self, now: Instant) {
        let now = self.advance(now);
        if std::mem::take(&mut self.paused) {
            self.clear();
            self.judged_from = now;
            self.await_reply_from(now);
        }
    }

    /// Changes the interval of a running connection, as MQTT 5's Server Keep Alive and Nacos'
    /// `clientBeatInterval` do.
    ///
    /// # Errors
    /// [`ConfigError`] when it does not fit the rest of the configuration; nothing changes then.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{Keepalive, KeepaliveConfig};
    /// # let (start, s) = (Instant::now(), Duration::from_secs(1));
    /// # let mut keepalive = Keepalive::new(KeepaliveConfig::new(), 0, start)?;
    /// keepalive.set_interval(5 * s, start)?;
    /// assert_eq!(keepalive.poll_timeout(), Some(start + 5 * s));
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn set_interval(&mut self, interval: Duration, now: Instant) -> Result<(), ConfigError> {
        self.set_config(self.config.interval(interval), now)
    }

    /// Changes the configuration of a running connection.
    ///
    /// The silence seen so far counts, and a ping on the wire is judged by the new reply timeout,
    /// from when it left. But no verdict follows from the change itself: a peer that kept the old
    /// limits and not the new ones gets one clean window from `now`. Where no silence was judged before,
    /// all limits begin at `now`.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work; nothing changes then.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{Keepalive, KeepaliveConfig};
    /// # let (start, s) = (Instant::now(), Duration::from_secs(1));
    /// # let mut keepalive = Keepalive::new(KeepaliveConfig::new(), 0, start)?;
    /// keepalive.set_config(KeepaliveConfig::off(), start)?;
    /// assert_eq!(keepalive.poll_timeout(), None);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn set_config(&mut self, config: KeepaliveConfig, now: Instant) -> Result<(), ConfigError> {
        config.validate()?;
        let now = self.advance(now);
        self.clear();
        let was_due = self.is_verdict_due(now);
        let begins = self.config.detection_bound().is_none();
        self.config = config;
        self.interval = config.interval_before(self.seed, self.pings.issued());
        let limit = config.reply_limit(&self.rtt);
        self.question = self.question.zip(limit).map(|(question, limit)| Question {
            at: question.at,
            limit,
        });
        if begins {
            self.judged_from = now;
        }
        if !was_due && self.is_verdict_due(now) {
            self.judge_from(now);
            if self.is_reply_due(now) {
                self.await_reply_from(now);
            }
        }
        Ok(())
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` for never.
    ///
    /// Received and sent bytes only move it later, so a timer that is already set may stay as it is:
    /// when it fires, ask again. One exception: where the reply timeout is longer than the interval,
    /// or was extended by a pause, the answer to a ping may bring the next ping nearer.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{Keepalive, KeepaliveConfig};
    /// # let start = Instant::now();
    /// let keepalive = Keepalive::new(KeepaliveConfig::new(), 0, start)?;
    /// assert_eq!(keepalive.poll_timeout(), Some(start + Duration::from_secs(20)));
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timeout_with(Input::Drained)
    }

    /// [`poll_timeout`](Self::poll_timeout) for a caller that has not reported all input.
    pub(crate) fn timeout_with(&self, input: Input) -> Option<Instant> {
        if self.dead.is_some() {
            return None;
        }
        let verdict = self.verdict_due(input).map(|due| due.at);
        earlier(self.ask_due(), verdict)
    }

    /// Moves time to `now` and returns at most one thing to do; call it until it returns `None`.
    ///
    /// While a [ping](KeepaliveEvent::Ping) is handed out and not flushed, no other is, and a reply
    /// timeout that is not the last one passes without an event.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use liveness::{Keepalive, KeepaliveConfig, KeepaliveEvent, Seq};
    /// # let start = Instant::now();
    /// # let mut keepalive = Keepalive::new(KeepaliveConfig::new(), 0, start)?;
    /// assert_eq!(keepalive.handle_timeout(start), None);
    /// let due = start + Duration::from_secs(20);
    /// assert_eq!(keepalive.handle_timeout(due), Some(KeepaliveEvent::Ping(Seq::new(0))));
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    pub fn handle_timeout(&mut self, now: Instant) -> Option<KeepaliveEvent> {
        self.handle_with(now, Input::Drained)
    }

    /// [`handle_timeout`](Self::handle_timeout) for a caller that has not reported all input.
    pub(crate) fn handle_with(&mut self, now: Instant, input: Input) -> Option<KeepaliveEvent> {
        let now = self.advance(now);
        if self.dead.is_some() {
            return None;
        }
        self.clear();
        while let Some(due) = self.verdict_due(input).filter(|due| due.at <= now) {
            let event = self.judge(due, now);
            if event.is_some() {
                return event;
            }
        }
        reached(self.ask_due(), now).then(|| self.issue())
    }

    /// The verdict, once it was passed.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::{Keepalive, KeepaliveConfig};
    /// let keepalive = Keepalive::new(KeepaliveConfig::new(), 0, Instant::now())?;
    /// assert_eq!(keepalive.dead(), None);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn dead(&self) -> Option<Dead> {
        self.dead
    }

    /// The round trips measured so far.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::{Keepalive, KeepaliveConfig};
    /// let keepalive = Keepalive::new(KeepaliveConfig::new(), 0, Instant::now())?;
    /// assert_eq!(keepalive.rtt().latest(), None);
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// The configuration in force.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use liveness::{Keepalive, KeepaliveConfig};
    /// let keepalive = Keepalive::new(KeepaliveConfig::new(), 0, Instant::now())?;
    /// assert_eq!(keepalive.config(), &KeepaliveConfig::new());
    /// # Ok::<(), liveness::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn config(&self) -> &KeepaliveConfig {
        &self.config
    }

    #[inline]
    fn advance(&mut self, now: Instant) -> Instant {
        if now > self.newest {
            self.newest = now;
        }
        self.newest
    }

    /// The last proof of life.
    fn proved_at(&self) -> Instant {
        match self.config.proof {
            Proof::AnyBytes => self.received_at,
            Proof::PongOnly => self.answered_at,
        }
    }

    /// Forgets strikes, pardons and the open question once life was proved after them.
    fn clear(&mut self) {
        let proved = self.proved_at();
        if proved > self.cleared_at {
            self.cleared_at = proved;
            self.unanswered = 0;
            self.pardoned = false;
        }
        self.question = self.open_question();
    }

    /// The question, unless life was proved since it was asked.
    fn open_question(&self) -> Option<Question> {
        let proved = self.proved_at();
        self.question.filter(|question| proved < question.at)
    }

    fn ask_due(&self) -> Option<Instant> {
        if self.issued.is_some() {
            return None;
        }
        let open = self.open_question().is_some();
        let heard = self.proved_at().max(self.asked_at).max(self.judged_from);
        let checks = !open && !self.paused;
        let since = self.config.pings().and_then(|when| match when {
            PingWhen::Never => None,
            PingWhen::Always => (checks || self.paused).then_some(self.asked_at),
            PingWhen::RecvIdle => checks.then_some(heard),
            PingWhen::EitherIdle if checks => Some(heard.min(self.sent_at)),
            PingWhen::SendIdle | PingWhen::EitherIdle => Some(self.sent_at),
        });
        let scheduled = since.and_then(|since| later(since, self.interval));
        earlier(self.probe_at, scheduled)
    }

    fn reply_due(&self) -> Option<Due> {
        let Question { at, limit } = self.open_question()?;
        Due::new(Cause::NoReply, at, limit)
    }

    fn is_reply_due(&self, now: Instant) -> bool {
        self.reply_due().is_some_and(|due| due.at <= now)
    }

    fn verdict_due(&self, input: Input) -> Option<Due> {
        let heard = self.proved_at().max(self.judged_from);
        let no_reply = self.reply_due().filter(|_| !self.paused);
        let silence = self.config.silence_deadline().filter(|_| !self.paused);
        // Who was asked late, or whose ping left late, still has the time for the answer.
        let no_strike = self.unanswered == 0 || self.proved_at() > self.cleared_at;
        let asked = self.config.forgive_stall && self.config.checks_peer() && no_strike;
        let reply_at = no_reply.filter(|_| asked).map(|due| due.at);
        let silent = silence.and_then(|limit| {
            let due = Due::new(Cause::Silent, heard, limit)?;
            let at = reply_at.map_or(due.at, |reply_at| reply_at.max(due.at));
            Some(Due { at, ..due })
        });
        let stalled = self
            .blocked_at
            .zip(self.config.stall_limit())
            .and_then(|(since, limit)| Due::new(Cause::WriteStalled, since, limit));
        let silences = [no_reply, silent].into_iter().flatten();
        let judged = silences.filter_map(|due| due.given(input));
        judged.chain(stalled).min_by_key(|due| due.at)
    }

    fn is_verdict_due(&self, now: Instant) -> bool {
        reached(self.verdict_due(Input::Drained).map(|due| due.at), now)
    }

    /// A limit has run out: strike, pardon or bury.
    fn judge(&mut self, due: Due, now: Instant) -> Option<KeepaliveEvent> {
        if self.config.forgive_stall && !self.pardoned && self.was_away(due, now) {
            return self.pardon(now);
        }
        if due.cause == Cause::NoReply {
            self.unanswered = self.unanswered.saturating_add(1);
            self.question = None;
            if self.unanswered < self.config.max_unanswered {
                return self.issued.is_none().then(|| self.issue());
            }
        }
        let limit = match due.cause {
            Cause::Silent => self.config.silence,
            Cause::NoReply | Cause::WriteStalled | Cause::TooSlow => due.limit,
        };
        let dead = Dead {
            cause: due.cause,
            limit,
            silent_for: now.saturating_duration_since(self.received_at),
            unanswered: self.unanswered,
            last_rtt: self.rtt.latest(),
        };
        self.dead = Some(dead);
        Some(KeepaliveEvent::Dead(dead))
    }

    /// Whether it was this side that let the time pass: much too late for what was due first, or
    /// silent itself, so that the peer was not asked.
    fn was_away(&self, due: Due, now: Instant) -> bool {
        let ask_due = self.ask_due().filter(|ask_due| *ask_due < due.at);
        let late = now.saturating_duration_since(ask_due.unwrap_or(due.at));
        let checks = self.config.checks_peer() && self.question.is_none();
        late > due.limit / 4 || (due.cause == Cause::Silent && checks && ask_due.is_some())
    }

    /// This side was away: what is overdue proves nothing about the peer. One clean window, and a
    /// fresh ping if one is due or the answer to the last one is.
    fn pardon(&mut self, now: Instant) -> Option<KeepaliveEvent> {
        let overdue = self.is_reply_due(now);
        let asks = overdue || reached(self.ask_due(), now);
        if overdue {
            self.question = None;
        }
        self.pardoned = true;
        self.judge_from(now);
        (asks && self.issued.is_none()).then(|| self.issue())
    }

    /// What was not received or not taken until `now` is not held against the peer.
    fn judge_from(&mut self, now: Instant) {
        self.judged_from = now;
        self.blocked_at = self.blocked_at.map(|_| now);
    }

    fn await_reply_from(&mut self, now: Instant) {
        if let Some(question) = &mut self.question {
            question.at = now;
        }
    }

    fn issue(&mut self) -> KeepaliveEvent {
        let seq = self.pings.issue(self.newest);
        self.probe_at = None;
        self.interval = self.config.interval_before(self.seed, self.pings.issued());
        self.issued = Some(seq);
        KeepaliveEvent::Ping(seq)
    }
}

/// How much of what has arrived was reported: an answer may sit where nobody has looked yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// All of it.
    Drained,
    /// There is more, and it keeps coming: a silence is judged after twice its limit.
    Arriving,
    /// Nobody is reading: silence is not judged.
    Unread,
}

/// A limit, and when it runs out.
#[derive(Debug, Clone, Copy)]
struct Due {
    cause: Cause,
    at: Instant,
    limit: Duration,
}

impl Due {
    fn new(cause: Cause, since: Instant, limit: Duration) -> Option<Self> {
        let at = later(since, limit)?;
        Some(Self { cause, at, limit })
    }

    /// When this silence is judged, with that much of the input known.
    fn given(self, input: Input) -> Option<Self> {
        match input {
            Input::Drained => Some(self),
            Input::Arriving => {
                let at = later(self.at, self.limit)?;
                Some(Self { at, ..self })
            }
            Input::Unread => None,
        }
    }
}
