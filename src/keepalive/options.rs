//! The choices of a [`KeepaliveConfig`](super::KeepaliveConfig) that are not a duration.

use std::time::Duration;

/// When to send a ping.
///
/// Two duties are easily mixed up: to *check the peer* (something must be received every interval,
/// whatever is sent) and to *be heard* (something must be sent every interval, whatever is
/// received).
///
/// ```
/// # use std::time::{Duration, Instant};
/// use liveness::{Keepalive, KeepaliveConfig, PingWhen};
///
/// // An interval of 20 s; the last byte came in after 10 s, and the last went out after 15 s.
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let due = |when| {
///     let config = KeepaliveConfig::new().ping_when(when);
///     let mut keepalive = Keepalive::new(config, 0, start).unwrap();
///     keepalive.on_receive(start + 10 * second);
///     keepalive.on_send(start + 15 * second);
///     keepalive.poll_timeout().map(|at| at - start)
/// };
/// assert_eq!(due(PingWhen::Never), None);
/// assert_eq!(due(PingWhen::Always), Some(20 * second));
/// assert_eq!(due(PingWhen::RecvIdle), Some(30 * second));
/// assert_eq!(due(PingWhen::SendIdle), Some(35 * second));
/// assert_eq!(due(PingWhen::EitherIdle), Some(30 * second));
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
    /// peer while this side keeps writing; add [`silence`](super::KeepaliveConfig::silence()), or
    /// use [`EitherIdle`](Self::EitherIdle).
    SendIdle,
    /// When nothing was sent, or nothing proved life, for an interval: both duties.
    EitherIdle,
}

impl PingWhen {
    pub(super) const fn checks_peer(self) -> bool {
        matches!(self, Self::Always | Self::RecvIdle | Self::EitherIdle)
    }
}

/// What counts as a sign of life.
///
/// ```
/// # use std::time::{Duration, Instant};
/// use liveness::{Cause, Keepalive, KeepaliveConfig, KeepaliveEvent, Proof};
///
/// # let start = Instant::now();
/// // A peer that says something every second, and answers nothing.
/// let verdict = |proof| {
///     let config = KeepaliveConfig::new().proof(proof);
///     let mut keepalive = Keepalive::new(config, 0, start).unwrap();
///     for now in (1..60).map(|seconds| start + Duration::from_secs(seconds)) {
///         keepalive.on_receive(now);
///         if let Some(KeepaliveEvent::Ping(seq)) = keepalive.handle_timeout(now) {
///             keepalive.on_ping_sent(seq, now);
///         }
///     }
///     keepalive.dead().map(|dead| dead.cause)
/// };
/// assert_eq!(verdict(Proof::AnyBytes), None);
/// assert_eq!(verdict(Proof::PongOnly), Some(Cause::NoReply));
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
    /// Only a pong that answers one of our pings: also finds a peer that talks and does not
    /// listen. Wants a reply timeout that covers the queue in front of the answer.
    PongOnly,
}

/// Whether a silence limit is reached at the limit or only beyond it.
///
/// Systems differ, and their tests can tell: MQTT brokers drop a client that was silent for *more
/// than* 1.5 keep alives, AMQP a peer that was silent for two intervals *or longer*.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::keepalive::Boundary;
/// use liveness::{Keepalive, KeepaliveConfig};
///
/// // A limit of 90 s, and a peer that was silent for exactly that long.
/// let (start, limit) = (Instant::now(), Duration::from_secs(90));
/// let is_dead = |boundary| {
///     let config = KeepaliveConfig::off().silence(limit).silence_boundary(boundary);
///     let mut keepalive = Keepalive::new(config, 0, start).unwrap();
///     keepalive.handle_timeout(start + limit).is_some()
/// };
/// assert!(is_dead(Boundary::Inclusive));
/// assert!(!is_dead(Boundary::Exclusive));
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
///
/// ```
/// # use std::time::{Duration, Instant};
/// use liveness::keepalive::ReplyTimeout;
/// use liveness::{Answers, Keepalive, KeepaliveConfig, KeepaliveEvent};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let config = KeepaliveConfig::new().adaptive_reply_timeout(second, 10 * second);
/// assert_eq!(config.reply_timeout, ReplyTimeout::Adaptive { floor: second, cap: 10 * second });
///
/// // Nothing is measured before the first answer, so it may take the longest time.
/// let mut keepalive = Keepalive::new(config, 0, start)?;
/// for (asked, may_take) in [(20, 10), (40, 1)] {
///     let now = start + asked * second;
///     let Some(KeepaliveEvent::Ping(seq)) = keepalive.handle_timeout(now) else { panic!() };
///     keepalive.on_ping_sent(seq, now);
///     assert_eq!(keepalive.poll_timeout(), Some(now + may_take * second));
///     keepalive.on_pong(Answers::Ping(seq), now);
/// }
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "fixed or measured: a closed sum")]
pub enum ReplyTimeout {
    /// Always this long; zero for pings that nobody answers.
    Fixed(Duration),
    /// As long as the measured round trip suggests: see
    /// [`adaptive_reply_timeout`](super::KeepaliveConfig::adaptive_reply_timeout).
    Adaptive {
        /// The shortest that it gets.
        floor: Duration,
        /// The longest that it gets, and its length before the first answer.
        cap: Duration,
    },
}

/// Whether a peer that takes nothing is dead although it shows life.
///
/// A peer may stop reading for minutes and be well: flow control of a broker, a paused consumer.
///
/// ```
/// # use std::time::{Duration, Instant};
/// use liveness::keepalive::StallWhen;
/// use liveness::{Keepalive, KeepaliveConfig};
///
/// // The peer takes nothing from the start on, and says something after 25 s.
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let dead_after = |when| {
///     let config = KeepaliveConfig::off().write_stall(30 * second).stall_when(when);
///     let mut keepalive = Keepalive::new(config, 0, start).unwrap();
///     keepalive.on_write_blocked(start);
///     keepalive.on_receive(start + 25 * second);
///     keepalive.poll_timeout().unwrap() - start
/// };
/// assert_eq!(dead_after(StallWhen::Always), 30 * second);
/// assert_eq!(dead_after(StallWhen::Unproven), (25 + 30) * second);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(
    clippy::exhaustive_enums,
    reason = "with or without life: a closed sum"
)]
pub enum StallWhen {
    /// Whatever is received.
    #[default]
    Always,
    /// Only while life is not proven: the limit counts from the last byte taken or the last proof
    /// of life, whichever is later.
    Unproven,
}
