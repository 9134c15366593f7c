//! [`Seq`], the number of a ping or of a beat, and [`Answers`], the ping that a pong belongs to.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// The number of a ping or of a heartbeat: it only grows, and the first one is 0.
///
/// One connection never reuses a number; at a million pings a second the 64 bits last 584 000
/// years.
///
/// ```
/// use liveness::Seq;
///
/// let first = Seq::default();
/// assert_eq!(first.next(), Seq::new(1));
/// assert_eq!(Seq::from(41).next().value(), 42);
/// assert_eq!(Seq::new(7).to_string(), "#7");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(u64);

impl Seq {
    /// The number `value`.
    #[must_use]
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The bare number, for a wire format.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The number after this one; the last one is followed by itself.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl From<u64> for Seq {
    fn from(value: u64) -> Self {
        Self(value)
    }
}

impl From<Seq> for u64 {
    fn from(seq: Seq) -> Self {
        seq.0
    }
}

/// Reads the bare number, as [`value`](Self::value) gives it.
impl FromStr for Seq {
    type Err = ParseIntError;

    fn from_str(number: &str) -> Result<Self, ParseIntError> {
        number.parse().map(Self)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// The ping that a pong answers.
///
/// Protocols differ in their pongs: most repeat the number of the ping; some carry none, and then
/// the oldest open ping is meant; and some pongs answer nothing of ours. Every one of them shows
/// that the peer sends; only the first two show that it has read our ping.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::keepalive::Pong;
/// use liveness::{Answers, Keepalive, KeepaliveConfig};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let mut keepalive = Keepalive::new(KeepaliveConfig::new(), 0, start)?;
/// keepalive.handle_timeout(start + 20 * second);
/// assert_eq!(keepalive.on_pong(Answers::Nothing, start + 21 * second), Pong::Unsolicited);
/// let pong = keepalive.on_pong(Answers::Oldest, start + 22 * second);
/// assert_eq!(pong, Pong::Matched { rtt: 2 * second });
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(
    clippy::exhaustive_enums,
    reason = "the oldest, a numbered one, none: a closed sum"
)]
pub enum Answers {
    /// The oldest ping that is still open: the pong carries no number.
    Oldest,
    /// The ping of this number.
    Ping(Seq),
    /// No ping of ours: a pong that was not asked for, or one whose content is foreign.
    Nothing,
}
