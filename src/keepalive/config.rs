//! [`KeepaliveConfig`]: when to ask, what proves life, when to give up.

use std::time::Duration;

use crate::error::ConfigError;
use crate::jitter::Jitter;
use crate::rtt::Rtt;
use crate::time::{SHORTEST, shorter};

/// When to send a ping.
///
/// Two duties are easily mixed up: to *check the peer* (something must be received every interval,
/// whatever is sent) and to *be heard* (something must be sent every interval, whatever is received).
///
/// ```
/// # use liveness::{KeepaliveConfig, PingWhen};
/// let both = KeepaliveConfig::new().ping_when(PingWhen::EitherIdle);
/// # assert_ne!(both, KeepaliveConfig::new());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(
    clippy::exhaustive_enums,
    reason = "two directions, both, neither, always: a closed sum"
)]
pub enum PingWhen {
    /// Never: the peer pings, or a silence limit does the watching.
    Never,
    /// Every interval, whatever the traffic.
    Always,
    /// When nothing proved life for an interval: checks the peer, and costs nothing while the peer
    /// talks.
    #[default]
    RecvIdle,
    /// When nothing was sent for an interval: keeps the promise to be heard. It does *not* watch a
    /// peer while this side keeps writing; add [`silence`](KeepaliveConfig::silence), or use
    /// [`EitherIdle`](Self::EitherIdle).
    SendIdle,
    /// When nothing was sent, or nothing proved life, for an interval: both duties.
    EitherIdle,
}

impl PingWhen {
    const fn checks_peer(self) -> bool {
        matches!(self, Self::Always | Self::RecvIdle | Self::EitherIdle)
    }
}

/// What counts as a sign of life.
///
/// ```
/// # use liveness::{KeepaliveConfig, Proof};
/// let strict = KeepaliveConfig::new().proof(Proof::PongOnly);
/// # assert_ne!(strict, KeepaliveConfig::new());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(
    clippy::exhaustive_enums,
    reason = "anything or the answer only: a closed sum"
)]
pub enum Proof {
    /// Any byte received: a large message that takes its time, or an answer stuck behind data, is
    /// not death.
    #[default]
    AnyBytes,
    /// Only a pong that answers one of our pings: also finds a peer that babbles and does not
    /// listen. Wants a reply timeout that covers the queue in front of the answer.
    PongOnly,
}

/// Whether a silence limit is reached at the limit or only beyond it.
///
/// Systems differ, and their tests can tell: MQTT brokers drop a client that was silent for *more
/// than* 1.5 keep alives, AMQP a peer that was silent for two intervals *or longer*.
///
/// ```
/// # use liveness::{KeepaliveConfig, keepalive::Boundary};
/// let mqtt = KeepaliveConfig::new().silence_boundary(Boundary::Exclusive);
/// # assert_ne!(mqtt, KeepaliveConfig::new());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(clippy::exhaustive_enums, reason = "at or beyond: a closed sum")]
pub enum Boundary {
    /// Dead when the silence has lasted exactly as long as the limit.
    #[default]
    Inclusive,
    /// Still alive then; dead one nanosecond later.
    Exclusive,
}

/// How long an answer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "fixed or measured: a closed sum")]
pub enum ReplyTimeout {
    /// Always this long; zero for pings that nobody answers.
    Fixed(Duration),
    /// As long as the measured round trip suggests: see
    /// [`adaptive_reply_timeout`](KeepaliveConfig::adaptive_reply_timeout).
    Adaptive {
        /// The shortest that it gets.
        floor: Duration,
        /// The longest that it gets, and its length before the first answer.
        cap: Duration,
    },
}

/// How a connection is kept alive: when to ask, what proves life, when to give up.
///
/// One flat value, checked once by [`Keepalive::new`](crate::Keepalive::new). In every duration
/// [`Duration::ZERO`] means off.
///
/// | setter | default | meaning |
/// | --- | --- | --- |
/// | [`interval`](Self::interval) | 20 s | the time before a ping |
/// | [`ping_when`](Self::ping_when) | `RecvIdle` | what that time is counted from |
/// | [`proof`](Self::proof) | `AnyBytes` | what proves life |
/// | [`reply_timeout`](Self::reply_timeout) | 10 s | the time for an answer, from the moment the ping left |
/// | [`max_unanswered`](Self::max_unanswered) | 1 | unanswered pings until the verdict |
/// | [`silence`](Self::silence) | off | a limit for peers that are not asked |
/// | [`write_stall`](Self::write_stall) | 30 s | bytes offered, and none taken for that long |
/// | [`jitter`](Self::jitter) | none | spreads many connections |
/// | [`forgive_stall`](Self::forgive_stall) | yes | asks again instead of burying after *our own* pause |
///
/// With the defaults a dead peer is found within [30 s](Self::detection_bound).
///
/// ```
/// use std::time::Duration;
/// use liveness::{KeepaliveConfig, PingWhen};
///
/// const CONFIG: KeepaliveConfig = KeepaliveConfig::new()
///     .interval(Duration::from_secs(5))
///     .ping_when(PingWhen::EitherIdle)
///     .reply_timeout(Duration::from_secs(2))
///     .max_unanswered(2);
/// assert_eq!(CONFIG.detection_bound(), Some(Duration::from_secs(9)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeepaliveConfig {
    /// The time before a ping.
    pub interval: Duration,
    /// What that time is counted from.
    pub ping_when: PingWhen,
    /// How much of that time is left to chance.
    pub jitter: Jitter,
    /// What proves life.
    pub proof: Proof,
    /// The time for an answer.
    pub reply_timeout: ReplyTimeout,
    /// The pings in a row that may go unanswered, with the last of which the verdict comes.
    pub max_unanswered: u32,
    /// The limit for peers that are not asked.
    pub silence: Duration,
    /// Whether that limit is reached at its end or only beyond it.
    pub silence_boundary: Boundary,
    /// The time in which a peer takes at least one of the bytes that are offered to it.
    pub write_stall: Duration,
    /// Whether a pause of our own is forgiven.
    pub forgive_stall: bool,
}

impl Default for KeepaliveConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl KeepaliveConfig {
    /// The defaults in the [table above](Self).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::KeepaliveConfig;
    /// assert_eq!(KeepaliveConfig::new().detection_bound(), Some(Duration::from_secs(30)));
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            interval: Duration::from_secs(20),
            ping_when: PingWhen::RecvIdle,
            jitter: Jitter::NONE,
            proof: Proof::AnyBytes,
            reply_timeout: ReplyTimeout::Fixed(Duration::from_secs(10)),
            max_unanswered: 1,
            silence: Duration::ZERO,
            silence_boundary: Boundary::Inclusive,
            write_stall: Duration::from_secs(30),
            forgive_stall: true,
        }
    }

    /// Everything off: no ping, no verdict. A start for configurations that name all they want.
    ///
    /// ```
    /// # use liveness::KeepaliveConfig;
    /// assert_eq!(KeepaliveConfig::off().detection_bound(), None);
    /// ```
    #[must_use]
    pub const fn off() -> Self {
        Self::new()
            .interval(Duration::ZERO)
            .ping_when(PingWhen::Never)
            .reply_timeout(Duration::ZERO)
            .write_stall(Duration::ZERO)
    }

    /// The time before a ping, at least 1 ms; zero is off. Default 20 s.
    ///
    /// Never longer than promised; never shorter than `interval` less its jitter, but for the first
    /// one if it is [spread](Jitter::spread_first). Counted from what [`ping_when`](Self::ping_when)
    /// says and from the last ping that left.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::KeepaliveConfig;
    /// let config = KeepaliveConfig::new().interval(Duration::from_secs(5));
    /// assert_eq!(config.detection_bound(), Some(Duration::from_secs(15)));
    /// ```
    #[must_use]
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// What the interval is counted from. Default [`PingWhen::RecvIdle`].
    ///
    /// ```
    /// # use liveness::{KeepaliveConfig, PingWhen};
    /// let passive = KeepaliveConfig::new().ping_when(PingWhen::Never);
    /// assert_eq!(passive.detection_bound(), None);
    /// ```
    #[must_use]
    pub const fn ping_when(mut self, when: PingWhen) -> Self {
        self.ping_when = when;
        self
    }

    /// How much of an interval is left to chance, so that many connections do not beat in step.
    /// Default [`Jitter::NONE`].
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// What proves life. Default [`Proof::AnyBytes`].
    ///
    /// ```
    /// # use liveness::{KeepaliveConfig, Proof};
    /// let config = KeepaliveConfig::new().proof(Proof::PongOnly);
    /// # assert_ne!(config, KeepaliveConfig::new());
    /// ```
    #[must_use]
    pub const fn proof(mut self, proof: Proof) -> Self {
        self.proof = proof;
        self
    }

    /// The time for an answer, counted from the moment the ping was flushed; at least 1 ms, zero for
    /// pings that nobody answers. Default 10 s.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::KeepaliveConfig;
    /// let config = KeepaliveConfig::new().reply_timeout(Duration::from_secs(3));
    /// assert_eq!(config.detection_bound(), Some(Duration::from_secs(23)));
    /// ```
    #[must_use]
    pub const fn reply_timeout(mut self, timeout: Duration) -> Self {
        self.reply_timeout = ReplyTimeout::Fixed(timeout);
        self
    }

    /// The time for an answer from the measured round trip, between `floor` and `cap`: see
    /// [`Rtt::reply_timeout`]. `cap` until the first answer. A floor below 1 ms counts as 1 ms; a cap
    /// of zero is off.
    ///
    /// Round trips have heavy tails: keep the floor at a second or more, and
    /// [`max_unanswered`](Self::max_unanswered) above 1.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::KeepaliveConfig;
    /// let config = KeepaliveConfig::new()
    ///     .adaptive_reply_timeout(Duration::from_secs(1), Duration::from_secs(10))
    ///     .max_unanswered(2);
    /// assert_eq!(config.detection_bound(), Some(Duration::from_secs(20 + 2 * 10)));
    /// ```
    #[must_use]
    pub const fn adaptive_reply_timeout(mut self, floor: Duration, cap: Duration) -> Self {
        self.reply_timeout = ReplyTimeout::Adaptive { floor, cap };
        self
    }

    /// How many pings in a row may go unanswered, the last of which is the verdict; at least 1.
    /// Default 1.
    ///
    /// After each reply timeout but the last another ping is sent at once.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::KeepaliveConfig;
    /// let config = KeepaliveConfig::new().max_unanswered(3);
    /// assert_eq!(config.detection_bound(), Some(Duration::from_secs(20 + 3 * 10)));
    /// ```
    #[must_use]
    pub const fn max_unanswered(mut self, pings: u32) -> Self {
        self.max_unanswered = pings;
        self
    }

    /// A passive limit: dead after that long without proof of life, asked or not. At least 1 ms,
    /// zero is off. Default off.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::{KeepaliveConfig, PingWhen};
    /// let listener = KeepaliveConfig::new().ping_when(PingWhen::Never).silence(Duration::from_secs(90));
    /// assert_eq!(listener.detection_bound(), Some(Duration::from_secs(90)));
    /// ```
    #[must_use]
    pub const fn silence(mut self, limit: Duration) -> Self {
        self.silence = limit;
        self
    }

    /// Whether [`silence`](Self::silence) is reached at its limit or only beyond. Default
    /// [`Boundary::Inclusive`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::{KeepaliveConfig, keepalive::Boundary};
    /// let config = KeepaliveConfig::off().silence(Duration::from_secs(90));
    /// assert_eq!(
    ///     config.silence_boundary(Boundary::Exclusive).detection_bound(),
    ///     Some(Duration::new(90, 1)),
    /// );
    /// ```
    #[must_use]
    pub const fn silence_boundary(mut self, boundary: Boundary) -> Self {
        self.silence_boundary = boundary;
        self
    }

    /// Dead when bytes were offered to the peer and none was taken for that long, whatever is
    /// received; at least 1 ms, zero is off. Default 30 s.
    ///
    /// This is what finds a dead peer behind a full socket buffer, where no ping can leave.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::KeepaliveConfig;
    /// let config = KeepaliveConfig::new().write_stall(Duration::from_secs(5));
    /// # assert_ne!(config, KeepaliveConfig::new());
    /// ```
    #[must_use]
    pub const fn write_stall(mut self, limit: Duration) -> Self {
        self.write_stall = limit;
        self
    }

    /// What to do when this side was away itself: suspended, in a debugger, its executor blocked. That
    /// is assumed when a deadline is noticed late by more than a quarter of its limit, or when a ping
    /// was not asked for in time.
    ///
    /// With `true`, the default, the peer gets one *clean window* per period without life: all limits
    /// run afresh from now, as if the peer had just been heard. It begins with a ping if one is due; and the [silence](Self::silence) limit waits for the answer to a
    /// ping that left late. With `false` it is dead at once.
    ///
    /// ```
    /// # use liveness::KeepaliveConfig;
    /// let merciless = KeepaliveConfig::new().forgive_stall(false);
    /// # assert_ne!(merciless, KeepaliveConfig::new());
    /// ```
    #[must_use]
    pub const fn forgive_stall(mut self, forgive: bool) -> Self {
        self.forgive_stall = forgive;
        self
    }

    /// The longest time from the last proof of life to the verdict, or `None` when this
    /// configuration promises none.
    ///
    /// It is the smaller of `interval + max_unanswered * reply_timeout` (for a configuration that
    /// checks the peer) and `silence`. It holds when the caller is on time and a ping leaves when it
    /// is asked for; while the peer takes no bytes at all, [`write_stall`](Self::write_stall) limits
    /// the wait instead.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use liveness::{KeepaliveConfig, PingWhen};
    /// const BOUND: Option<Duration> = KeepaliveConfig::new().detection_bound();
    /// assert_eq!(BOUND, Some(Duration::from_secs(30)));
    /// // Own writes would keep postponing the question:
    /// let config = KeepaliveConfig::new().ping_when(PingWhen::SendIdle);
    /// assert_eq!(config.detection_bound(), None);
    /// ```
    #[must_use]
    pub const fn detection_bound(&self) -> Option<Duration> {
        let reply = self.longest_reply();
        let asks = self.checks_peer() && !reply.is_zero();
        let asked = self
            .interval
            .saturating_add(reply.saturating_mul(self.max_unanswered));
        let silent = self.silence_deadline();
        match (asks, silent) {
            (true, Some(silent)) if shorter(silent, asked) => Some(silent),
            (true, _) => Some(asked),
            (false, silent) => silent,
        }
    }

    /// Refuses what cannot work.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let (floor, cap) = match self.reply_timeout {
            ReplyTimeout::Fixed(fixed) => (fixed, fixed),
            ReplyTimeout::Adaptive { floor, cap } => (floor, cap),
        };
        if floor > cap {
            return Err(ConfigError::EmptyRange { floor, cap });
        }
        let durations = [
            ("interval", self.interval),
            ("reply_timeout", cap),
            ("silence", self.silence),
            ("write_stall", self.write_stall),
        ];
        for (name, value) in durations {
            if !value.is_zero() && value < SHORTEST {
                return Err(ConfigError::TooShort {
                    name,
                    value,
                    least: SHORTEST,
                });
            }
        }
        self.jitter.validate()?;
        if self.max_unanswered == 0 {
            return Err(ConfigError::NothingMayGoUnanswered);
        }
        self.validate_silence(cap)
    }

    fn validate_silence(&self, reply: Duration) -> Result<(), ConfigError> {
        let (silence, interval) = (self.silence, self.interval);
        if silence.is_zero() {
            return Ok(());
        }
        let checks = self.checks_peer();
        if !checks && self.proof == Proof::PongOnly {
            return Err(ConfigError::NeverAsked { silence, interval });
        }
        if checks && silence <= interval {
            return Err(ConfigError::SilenceBeforePing { silence, interval });
        }
        if checks && silence < interval.saturating_add(reply) {
            return Err(ConfigError::SilenceBeforeReply {
                silence,
                interval,
                reply,
            });
        }
        Ok(())
    }

    pub(super) const fn pings(&self) -> Option<PingWhen> {
        if self.interval.is_zero() || matches!(self.ping_when, PingWhen::Never) {
            return None;
        }
        Some(self.ping_when)
    }

    /// Whether the peer is asked when nothing proved life for an interval.
    pub(super) const fn checks_peer(&self) -> bool {
        !self.interval.is_zero() && self.ping_when.checks_peer()
    }

    /// The passive limit as the first instant at which it is exceeded.
    pub(super) const fn silence_deadline(&self) -> Option<Duration> {
        match (self.silence.is_zero(), self.silence_boundary) {
            (true, _) => None,
            (false, Boundary::Inclusive) => Some(self.silence),
            (false, Boundary::Exclusive) => {
                Some(self.silence.saturating_add(Duration::from_nanos(1)))
            }
        }
    }

    pub(crate) const fn stall_limit(&self) -> Option<Duration> {
        if self.write_stall.is_zero() {
            None
        } else {
            Some(self.write_stall)
        }
    }

    /// The time for the answer to the next ping; `None` for pings that nobody answers.
    pub(super) fn reply_limit(&self, rtt: &Rtt) -> Option<Duration> {
        let limit = match self.reply_timeout {
            ReplyTimeout::Fixed(fixed) => fixed,
            ReplyTimeout::Adaptive { floor, cap } => rtt.reply_timeout(floor.max(SHORTEST), cap),
        };
        (!limit.is_zero()).then_some(limit)
    }

    const fn longest_reply(&self) -> Duration {
        match self.reply_timeout {
            ReplyTimeout::Fixed(longest) | ReplyTimeout::Adaptive { cap: longest, .. } => longest,
        }
    }

    /// The interval before the ping with the number `nth` of the connection with this seed.
    pub(super) fn interval_before(&self, seed: u64, nth: u64) -> Duration {
        self.jitter.shorten(self.interval, seed, nth)
    }

    /// The same limits for a connection that is being closed, where nothing can be asked any more.
    pub(crate) fn after_close(&self) -> Self {
        let silence = self.detection_bound().unwrap_or_default();
        let write_stall = self.stall_limit().unwrap_or(silence);
        Self {
            proof: Proof::AnyBytes,
            silence,
            write_stall,
            ..self.ping_when(PingWhen::Never)
        }
    }

    /// The shortest time that a shell must be able to resolve for this configuration.
    pub(crate) fn shortest(&self) -> Option<Duration> {
        let interval = self.pings().map(|_| self.interval);
        let silence = (!self.silence.is_zero()).then_some(self.silence);
        let others = silence.into_iter().chain(self.stall_limit());
        interval.into_iter().chain(others).min()
    }

    /// The longest that one silence may take.
    pub(crate) fn longest_limit(&self) -> Duration {
        self.longest_reply().max(self.silence)
    }
}
