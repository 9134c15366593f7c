//! [`Dead`]: the verdict, with its reason and all its numbers.

use std::fmt;
use std::time::Duration;

use crate::time::Brief;

/// Which limit ran out.
///
/// ```
/// # use liveness::Cause;
/// assert_eq!(Cause::NoReply.to_string(), "no reply");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The peer was asked, and no answer came in time.
    NoReply,
    /// The peer gave no sign of life for the passive limit, asked or not.
    Silent,
    /// The peer took none of the bytes offered to it for too long.
    WriteStalled,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoReply => "no reply",
            Self::Silent => "silent",
            Self::WriteStalled => "write stalled",
        })
    }
}

/// The verdict about a peer, as an error value.
///
/// Its text gives the limit that ran out and all numbers; match on [`cause`](Self::cause), not on
/// the text.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::{Cause, Keepalive, KeepaliveConfig, KeepaliveEvent};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let config = KeepaliveConfig::off().silence(90 * second);
/// let mut keepalive = Keepalive::new(config, start)?;
/// let Some(KeepaliveEvent::Dead(dead)) = keepalive.handle_timeout(start + 90 * second) else { panic!() };
/// assert_eq!(dead.cause, Cause::Silent);
/// assert_eq!(
///     dead.to_string(),
///     "no sign of life within 90s; silent for 90s, no round trip measured",
/// );
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dead {
    /// Which limit ran out.
    pub cause: Cause,
    /// That limit: the reply timeout of the last ping, the silence limit, or the write stall limit.
    pub limit: Duration,
    /// The time since the last byte from the peer, or since the start if there was none.
    pub silent_for: Duration,
    /// How many pings in a row were not answered in time.
    pub unanswered: u32,
    /// The last measured round trip.
    pub last_rtt: Option<Duration>,
}

impl fmt::Display for Dead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (limit, silent_for) = (Brief(self.limit), Brief(self.silent_for));
        match (self.cause, self.unanswered) {
            (Cause::NoReply, 1) => write!(f, "no reply to 1 ping within {limit}")?,
            (Cause::NoReply, n) => write!(f, "no reply to {n} pings within {limit} each")?,
            (Cause::Silent, _) => write!(f, "no sign of life within {limit}")?,
            (Cause::WriteStalled, _) => write!(f, "no byte taken for {limit}")?,
        }
        write!(f, "; silent for {silent_for}")?;
        if self.cause != Cause::NoReply && self.unanswered > 0 {
            write!(f, ", {} unanswered", self.unanswered)?;
        }
        match self.last_rtt {
            Some(rtt) => write!(f, ", last round trip {}", Brief(rtt)),
            None => f.write_str(", no round trip measured"),
        }
    }
}

impl std::error::Error for Dead {}
