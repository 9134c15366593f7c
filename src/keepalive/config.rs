//! [`KeepaliveConfig`]: when to ask, what proves life, when to give up.

use std::time::Duration;

use super::{Boundary, PingWhen, Proof, ReplyTimeout, StallWhen};
use crate::error::ConfigError;
use crate::jitter::Jitter;
use crate::time::SHORTEST;

/// How a connection is kept alive: when to ask, what proves life, when to give up.
///
/// One flat value. Its fields can be read and assigned, and each has a setter of the same name for
/// constants; [`Keepalive::new`](crate::Keepalive::new) checks it once. In every duration
/// [`Duration::ZERO`] means off, and anything else is at least 1 ms.
///
/// | field | default | meaning |
/// | --- | --- | --- |
/// | [`interval`](Self::interval()) | 20 s | the time before a ping |
/// | [`ping_when`](Self::ping_when()) | `RecvIdle` | what that time is counted from |
/// | [`jitter`](Self::jitter()) | none | spreads many connections |
/// | [`proof`](Self::proof()) | `AnyBytes` | what proves life |
/// | [`reply_timeout`](Self::reply_timeout()) | 10 s | the time for an answer, once the ping is out |
/// | [`max_unanswered`](Self::max_unanswered()) | 2 | unanswered pings until the verdict |
/// | [`upload_wait`](Self::upload_wait()) | 90 s | how long a ping may stand behind an upload |
/// | [`silence`](Self::silence()) | off | a limit for peers that are not asked |
/// | [`write_stall`](Self::write_stall()) | 30 s | bytes offered, and none taken for that long |
/// | [`pause_limit`](Self::pause_limit()) | 15 min | how long nobody may read |
/// | [`forgive_stall`](Self::forgive_stall()) | yes | after *our own* pause, asks again first |
///
/// Why these numbers: see [`manual::defaults`](crate::manual::defaults).
///
/// ```
/// use std::time::Duration;
/// use liveness::{KeepaliveConfig, PingWhen};
///
/// const CONFIG: KeepaliveConfig = KeepaliveConfig::new()
///     .interval(Duration::from_secs(5))
///     .ping_when(PingWhen::EitherIdle)
///     .reply_timeout(Duration::from_secs(2))
///     .max_unanswered(3);
/// assert_eq!(CONFIG.interval, Duration::from_secs(5));
///
/// // A peer that falls silent on a quiet connection is dead after 5 s and three answers' time.
/// // While its bytes keep arriving and prove nothing, the last answer gets its time twice.
/// let bound = CONFIG.detection_bound().unwrap();
/// assert_eq!(bound.quiet, Duration::from_secs(5 + 3 * 2));
/// assert_eq!(bound.undrained, Duration::from_secs(5 + 3 * 2 + 2));
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
    /// The pings in a row that may go unanswered; the last of them is the verdict.
    pub max_unanswered: u32,
    /// The longest that a ping may stand behind an upload.
    pub upload_wait: Duration,
    /// The limit for peers that are not asked.
    pub silence: Duration,
    /// Whether that limit is reached at its end or only beyond it.
    pub silence_boundary: Boundary,
    /// The time in which a peer takes at least one of the bytes that are offered to it.
    pub write_stall: Duration,
    /// Whether a peer that takes nothing is dead although it shows life.
    pub stall_when: StallWhen,
    /// The longest that nobody may read.
    pub pause_limit: Duration,
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
    #[must_use]
    pub const fn new() -> Self {
        Self {
            interval: Duration::from_secs(20),
            ping_when: PingWhen::RecvIdle,
            jitter: Jitter::NONE,
            proof: Proof::AnyBytes,
            reply_timeout: ReplyTimeout::Fixed(Duration::from_secs(10)),
            max_unanswered: 2,
            upload_wait: Duration::from_secs(90),
            silence: Duration::ZERO,
            silence_boundary: Boundary::Inclusive,
            write_stall: Duration::from_secs(30),
            stall_when: StallWhen::Always,
            pause_limit: Duration::from_secs(15 * 60),
            forgive_stall: true,
        }
    }

    /// Everything off: no ping, no verdict. A start for configurations that name all they want.
    #[must_use]
    pub const fn off() -> Self {
        Self::new()
            .interval(Duration::ZERO)
            .ping_when(PingWhen::Never)
            .reply_timeout(Duration::ZERO)
            .write_stall(Duration::ZERO)
            .pause_limit(Duration::ZERO)
    }

    /// All periods from one number: a peer that falls silent on a quiet connection is dead within
    /// `bound`, the sixteenth included by which a shell may date a busy stream's last byte late.
    ///
    /// The interval is 8/17 of it, the time for each of two answers a quarter, the time for a
    /// stalled write a half; a ping may stand behind an upload for all of it. Where the path has a
    /// slow uplink with a deep queue, raise [`upload_wait`](Self::upload_wait()) again.
    ///
    /// ```
    /// use std::time::Duration;
    /// use liveness::KeepaliveConfig;
    ///
    /// let config = KeepaliveConfig::within(Duration::from_secs(17));
    /// assert_eq!(config.interval, Duration::from_secs(8));
    /// let bound = config.detection_bound().unwrap();
    /// assert_eq!(bound.quiet + config.interval / 16, Duration::from_secs(17));
    /// ```
    #[must_use]
    pub const fn within(bound: Duration) -> Self {
        Self::new()
            .interval(part(bound, 8, 17))
            .reply_timeout(part(bound, 1, 4))
            .max_unanswered(2)
            .write_stall(part(bound, 1, 2))
            .upload_wait(bound)
    }

    /// The time before a ping. Default 20 s.
    ///
    /// A ping waits at most `interval` and at least `interval` minus the jitter. The first may come
    /// sooner: see [`Jitter::spread_first`]. Counted from what [`ping_when`](Self::ping_when())
    /// says and from the last ping that left. On a busy stream a shell dates sent bytes up to a
    /// sixteenth of the shortest period early, so that the promise to be heard is never late.
    #[must_use]
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// What the interval is counted from. Default [`PingWhen::RecvIdle`].
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
    #[must_use]
    pub const fn proof(mut self, proof: Proof) -> Self {
        self.proof = proof;
        self
    }

    /// The time for an answer, counted from the moment the ping is
    /// [out](crate::Keepalive#when-a-ping-is-out); zero for pings that nobody answers. Default 10
    /// s.
    #[must_use]
    pub const fn reply_timeout(mut self, timeout: Duration) -> Self {
        self.reply_timeout = ReplyTimeout::Fixed(timeout);
        self
    }

    /// The time for an answer from the measured round trip, between `floor` and `cap`: see
    /// [`Rtt::reply_timeout`](crate::rtt::Rtt::reply_timeout). `cap` until the first answer. A
    /// floor below 1 ms counts as 1 ms; a cap of zero is off.
    ///
    /// Round trips have heavy tails: keep the floor at a second or more, and
    /// [`max_unanswered`](Self::max_unanswered()) above 1.
    #[must_use]
    pub const fn adaptive_reply_timeout(mut self, floor: Duration, cap: Duration) -> Self {
        self.reply_timeout = ReplyTimeout::Adaptive { floor, cap };
        self
    }

    /// How many pings in a row may go unanswered; the last of them is the verdict. At least 1.
    /// Default 2.
    ///
    /// After each reply timeout but the last another ping is sent at once.
    #[must_use]
    pub const fn max_unanswered(mut self, pings: u32) -> Self {
        self.max_unanswered = pings;
        self
    }

    /// How long a ping may stand behind our own upload before its answer is due all the same.
    /// Default 90 s; zero waits for as long as bytes are taken.
    ///
    /// A socket that takes a ping has put it behind everything in its send buffer, megabytes on a
    /// slow uplink. Until the ping is known to be [out](crate::Keepalive#when-a-ping-is-out), only
    /// [`write_stall`](Self::write_stall()) judges.
    #[must_use]
    pub const fn upload_wait(mut self, wait: Duration) -> Self {
        self.upload_wait = wait;
        self
    }

    /// A passive limit: dead after that long without proof of life, asked or not. Default off.
    #[must_use]
    pub const fn silence(mut self, limit: Duration) -> Self {
        self.silence = limit;
        self
    }

    /// Whether [`silence`](Self::silence()) is reached at its limit or only beyond. Default
    /// [`Boundary::Inclusive`].
    #[must_use]
    pub const fn silence_boundary(mut self, boundary: Boundary) -> Self {
        self.silence_boundary = boundary;
        self
    }

    /// Dead when bytes were offered to the peer and none was taken for that long. Default 30 s.
    ///
    /// This is what finds a dead peer behind a full socket buffer, where no ping can leave. The
    /// bytes are those that the shell sees: [`PingPong`](crate::PingPong) alone sees whole
    /// messages, and a message that is being taken for longer than this looks like a stall. Give it
    /// the bytes ([`with_activity`](crate::PingPong::with_activity)).
    #[must_use]
    pub const fn write_stall(mut self, limit: Duration) -> Self {
        self.write_stall = limit;
        self
    }

    /// Whether a peer that takes nothing is dead although it shows life. Default
    /// [`StallWhen::Always`].
    #[must_use]
    pub const fn stall_when(mut self, when: StallWhen) -> Self {
        self.stall_when = when;
        self
    }

    /// How long nobody may read ([`Keepalive::pause`](crate::Keepalive::pause)) before the
    /// connection is given up, since a dead peer cannot be told from a live one meanwhile. Default
    /// 15 min, about as long as TCP itself goes on sending to a peer that is gone.
    #[must_use]
    pub const fn pause_limit(mut self, limit: Duration) -> Self {
        self.pause_limit = limit;
        self
    }

    /// Whether a pause of this side is forgiven: suspended, in a debugger, its executor blocked.
    /// That is assumed when a deadline is noticed late by more than a quarter of its limit, or when
    /// a ping was not asked for in time. Default yes.
    ///
    /// With `true` the peer gets one *clean window* per silence: all limits run afresh from now, as
    /// if the peer had just been heard. The window begins with a ping if one is due. The
    /// [silence](Self::silence()) limit waits for the answer to a ping that left late. With `false`
    /// the peer is dead at once.
    #[must_use]
    pub const fn forgive_stall(mut self, forgive: bool) -> Self {
        self.forgive_stall = forgive;
        self
    }

    /// Refuses a configuration that cannot work.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
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
            ("upload_wait", self.upload_wait),
            ("silence", self.silence),
            ("write_stall", self.write_stall),
            ("pause_limit", self.pause_limit),
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

    /// Whether the peer is asked when nothing proved life for an interval.
    pub(super) const fn checks_peer(&self) -> bool {
        !self.interval.is_zero() && self.ping_when.checks_peer()
    }

    /// The same limits for a connection that cannot be asked, not yet or not any more: plain
    /// silence is judged by the same bound.
    pub(crate) fn unasked(&self) -> Self {
        let silence = self.detection_bound().map(|bound| bound.quiet);
        let silence = silence.unwrap_or_default();
        let write_stall = match self.write_stall.is_zero() {
            true => silence,
            false => self.write_stall,
        };
        Self {
            proof: Proof::AnyBytes,
            ping_when: PingWhen::Never,
            silence,
            write_stall,
            ..*self
        }
    }

    /// The shortest time that a shell must be able to resolve for this configuration.
    pub(crate) fn shortest(&self) -> Option<Duration> {
        let pings = self.ping_when != PingWhen::Never;
        let interval = if pings { self.interval } else { Duration::ZERO };
        let periods = [interval, self.silence, self.write_stall];
        periods.into_iter().filter(|span| !span.is_zero()).min()
    }
}

/// `parts` of `of` equal parts of `span`; no more than the longest span there is.
const fn part(span: Duration, parts: u32, of: u32) -> Duration {
    let whole = match span.checked_mul(parts) {
        Some(whole) => whole,
        None => Duration::MAX,
    };
    match whole.checked_div(of) {
        Some(part) => part,
        None => Duration::MAX,
    }
}
