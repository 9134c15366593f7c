//! [`Dead`]: the verdict, with its reason and all its numbers.

use std::error::Error;
use std::time::Duration;
use std::{fmt, io};

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
    /// Nobody on this side has read for too long, so the peer's state cannot be told.
    Unread,
    /// A packet of the peer's came more slowly than the least rate allows.
    TooSlow,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoReply => "no reply",
            Self::Silent => "silent",
            Self::WriteStalled => "write stalled",
            Self::Unread => "unread",
            Self::TooSlow => "too slow",
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
/// let mut keepalive = Keepalive::new(config, 0, start)?;
/// let Some(KeepaliveEvent::Dead(dead)) = keepalive.handle_timeout(start + 90 * second) else {
///     panic!("a verdict was due")
/// };
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
    /// That limit: the reply timeout of the last ping, the silence limit, the write stall limit, or
    /// the time that the packet had.
    pub limit: Duration,
    /// The time since the last byte from the peer, or since the start if there was none. With
    /// [`Cause::TooSlow`] the time since the first byte of the packet, whose bytes are no sign of
    /// life.
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
            (Cause::Unread, _) => write!(f, "nobody has read for {limit}")?,
            (Cause::TooSlow, _) => {
                write!(
                    f,
                    "a packet not whole after {silent_for} instead of within {limit}"
                )?;
            }
        }
        if self.cause != Cause::TooSlow {
            write!(f, "; silent for {silent_for}")?;
        }
        if self.cause != Cause::NoReply && self.unanswered > 0 {
            write!(f, ", {} unanswered", self.unanswered)?;
        }
        match self.last_rtt {
            Some(rtt) => write!(f, ", last round trip {}", Brief(rtt)),
            None => f.write_str(", no round trip measured"),
        }
    }
}

impl Error for Dead {}

impl Dead {
    /// A verdict for a test of your own: nothing was asked or measured, and the peer was silent for
    /// the limit. The fields can be assigned.
    #[must_use]
    pub const fn new(cause: Cause, limit: Duration) -> Self {
        Self {
            cause,
            limit,
            silent_for: limit,
            unanswered: 0,
            last_rtt: None,
        }
    }

    /// The verdict inside `error`, however it is wrapped: by [`Error`](crate::Error), by an
    /// [`io::Error`], by the error of a library that holds one, and so on along its
    /// [sources](Error::source). `None` if there is none.
    ///
    /// ```
    /// use std::io;
    /// use liveness::Dead;
    /// # use std::time::Duration;
    /// # use liveness::Cause;
    /// # let dead = Dead::new(Cause::Silent, Duration::from_secs(9));
    ///
    /// #[derive(Debug, thiserror::Error)]
    /// #[error("library: {0}")]
    /// struct LibraryError(#[from] io::Error);
    ///
    /// let error = LibraryError(io::Error::new(io::ErrorKind::TimedOut, dead));
    /// assert_eq!(Dead::find(&error), Some(dead));
    /// assert_eq!(Dead::find(&io::Error::from(io::ErrorKind::TimedOut)), None);
    /// ```
    #[must_use]
    pub fn find(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(dead) = error.downcast_ref::<Self>() {
                return Some(*dead);
            }
            // An `io::Error` passes over what it holds and gives that one's source.
            let held = error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref);
            next = match held {
                Some(held) => Some(held),
                None => error.source(),
            };
        }
        None
    }
}
