//! A configuration that cannot work ([`ConfigError`]), bytes that mean nothing ([`DecodeError`]).

use std::time::Duration;

/// A configuration that cannot work. The text names the values that disagree.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::{Keepalive, KeepaliveConfig};
///
/// let config = KeepaliveConfig::new()
///     .interval(Duration::from_secs(60))
///     .silence(Duration::from_secs(30));
/// let error = Keepalive::new(config, 0, Instant::now()).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "silence (30s) is not longer than interval (60s): \
///      the peer would be dead before it was asked",
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A duration that is on but shorter than any timer can honour.
    #[error("{name} ({value:?}) is shorter than {least:?}; zero turns it off")]
    TooShort {
        /// The setter's name.
        name: &'static str,
        /// What was asked for.
        value: Duration,
        /// The shortest that works.
        least: Duration,
    },
    /// A passive limit that runs out before the peer has been asked.
    #[error(
        "silence ({silence:?}) is not longer than interval ({interval:?}): \
         the peer would be dead before it was asked"
    )]
    SilenceBeforePing {
        /// The passive limit.
        silence: Duration,
        /// The time before a ping.
        interval: Duration,
    },
    /// A passive limit that cuts off the time for an answer.
    #[error(
        "silence ({silence:?}) is shorter than interval + reply timeout ({interval:?} + {reply:?}): \
         an answer that is in time would come too late"
    )]
    SilenceBeforeReply {
        /// The passive limit.
        silence: Duration,
        /// The time before a ping.
        interval: Duration,
        /// The time for its answer.
        reply: Duration,
    },
    /// An adaptive range that is empty.
    #[error("adaptive reply timeout: floor ({floor:?}) is above cap ({cap:?})")]
    EmptyRange {
        /// The lower bound.
        floor: Duration,
        /// The upper bound.
        cap: Duration,
    },
    /// A jitter that leaves nothing of the interval.
    #[error("jitter of {percent} % is above {most} %")]
    TooMuchJitter {
        /// What was asked for.
        percent: u8,
        /// The largest that works.
        most: u8,
    },
    /// No ping may go unanswered, not even the one that was just sent.
    #[error("max_unanswered is 0: the first ping would be a verdict; the least is 1")]
    NothingMayGoUnanswered,
    /// Only pongs count as life, but nothing asks for one, or own writes may put off every ping.
    #[error(
        "Proof::PongOnly with silence ({silence:?}) and no pings that check the peer \
         (interval {interval:?}): it might never be asked"
    )]
    NeverAsked {
        /// The passive limit.
        silence: Duration,
        /// The interval: zero, or with `PingWhen::Never` or `SendIdle`.
        interval: Duration,
    },
    /// A number outside what its receiver takes.
    #[error("{name} ({value}) is outside {least}..={most}")]
    OutOfRange {
        /// The setter's name.
        name: &'static str,
        /// What was asked for.
        value: u64,
        /// The smallest that works.
        least: u64,
        /// The largest that works.
        most: u64,
    },
    /// A duration outside what its receiver takes; zero is no way to turn it off.
    #[error("{name} ({value:?}) is outside {least:?}..={most:?}")]
    DurationOutOfRange {
        /// The setter's name.
        name: &'static str,
        /// What was asked for.
        value: Duration,
        /// The shortest that works.
        least: Duration,
        /// The longest that works.
        most: Duration,
    },
    /// A duration that its receiver would have to round.
    #[error("{name} ({value:?}) is not a multiple of {step:?}")]
    TooFine {
        /// The setter's name.
        name: &'static str,
        /// What was asked for.
        value: Duration,
        /// What it must be a multiple of.
        step: Duration,
    },
    /// A setting that this platform does not have.
    #[error("{name} cannot be set on this platform")]
    Unsupported {
        /// The setter's name.
        name: &'static str,
    },
}

/// Bytes from a peer that are not what they should be. The text says what was wrong and where.
///
/// ```
/// use bytes::Bytes;
/// use liveness::{DecodeError, Payload};
///
/// let error = u64::decode(Bytes::from_static(b"123")).unwrap_err();
/// assert_eq!(error, DecodeError::length("u64 payload", 8, 3));
/// assert_eq!(error.to_string(), "u64 payload: 3 bytes instead of 8");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Something announces more bytes than the limit allows; none of them was buffered.
    #[error("{what}: {size} bytes announced, the limit is {limit}")]
    TooLarge {
        /// What was being read.
        what: &'static str,
        /// The size announced.
        size: u64,
        /// The limit in force.
        limit: u64,
    },
    /// Something has not the length it must have.
    #[error("{what}: {found} bytes instead of {expected}")]
    Length {
        /// What was being read.
        what: &'static str,
        /// The length it must have.
        expected: u64,
        /// The length it has.
        found: u64,
    },
    /// A field holds a value that is not defined.
    #[error("{what}: value {found:#04x} at byte {at} is not defined")]
    Value {
        /// The field.
        what: &'static str,
        /// Its value.
        found: u64,
        /// Its place, in bytes from the start of the frame.
        at: usize,
    },
    /// Text that is not UTF-8.
    #[error("{what}: not UTF-8 from byte {}", error.valid_up_to())]
    Utf8 {
        /// What was being read.
        what: &'static str,
        /// Why it is no text, and from which byte on.
        #[source]
        error: std::str::Utf8Error,
    },
    /// The stream ended inside a frame.
    #[error("{what}: the stream ended after {found} of {expected} bytes")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// How many bytes it has, as far as known.
        expected: u64,
        /// How many came.
        found: u64,
    },
    /// A payload that its own type refuses; for [`Payload`](crate::Payload) implementations.
    #[error("payload: {0}")]
    Payload(std::borrow::Cow<'static, str>),
}

impl DecodeError {
    /// `what` has `found` bytes instead of `expected`.
    #[must_use]
    pub const fn length(what: &'static str, expected: usize, found: usize) -> Self {
        Self::Length {
            what,
            expected: expected as u64,
            found: found as u64,
        }
    }
}
