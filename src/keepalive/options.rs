//! The choices of a [`KeepaliveConfig`](super::KeepaliveConfig) that are not a duration.

use std::time::Duration;

/// When to send a ping.
///
/// Two duties are easily mixed up: to *check the peer* (something must be received every interval,
/// whatever is sent) and to *be heard* (something must be sent every interval, whatever is
/// received).
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
