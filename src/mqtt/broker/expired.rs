//! [`Expired`]: the verdict about a client, in MQTT's words.

use crate::keepalive::Dead;

/// The reason to close a client's connection, as an error value. Its text gives all the numbers.
///
/// Each variant holds the [`Dead`] of the rest of this crate, as its
/// [source](std::error::Error::source) too, so [`Dead::find`] finds it however the error is
/// wrapped.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::mqtt::{BrokerConfig, BrokerKeepalive};
/// use liveness::{Cause, Dead};
///
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// let mut watch = BrokerKeepalive::new(BrokerConfig::new(), start)?;
/// let expired = watch.handle_timeout(start + 10 * second).unwrap();
/// assert_eq!(expired.to_string(), "no CONNECT within 10s");
/// let dead = Dead::find(&std::io::Error::other(expired)).unwrap();
/// assert_eq!((dead.cause, dead.silent_for), (Cause::Silent, 10 * second));
/// # Ok::<(), liveness::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Expired {
    /// No whole CONNECT came within the connect timeout.
    #[error("no CONNECT within {:?}", dead.limit)]
    NoConnect {
        /// The verdict: [`Silent`](crate::Cause::Silent) if no byte came, else
        /// [`TooSlow`](crate::Cause::TooSlow).
        #[source]
        dead: Dead,
    },
    /// No packet came for 1.5 keep alives.
    #[error(
        "no packet within {:?}, 1.5 times the keep alive of {keep_alive} s; silent for {:?}",
        dead.limit,
        dead.silent_for
    )]
    Silent {
        /// The keep alive in force, in seconds.
        keep_alive: u16,
        /// The verdict: [`Silent`](crate::Cause::Silent).
        #[source]
        dead: Dead,
    },
    /// A packet came too slowly.
    #[error(
        "{received} bytes of a packet within {:?}, slower than {rate} bytes a second",
        dead.silent_for
    )]
    TooSlow {
        /// How many bytes of the packet came.
        received: u32,
        /// The least rate, in bytes a second.
        rate: u32,
        /// The verdict: [`TooSlow`](crate::Cause::TooSlow).
        #[source]
        dead: Dead,
    },
}

impl Expired {
    /// The verdict in the words of the rest of this crate.
    #[must_use]
    pub const fn dead(&self) -> Dead {
        match *self {
            Self::NoConnect { dead } | Self::Silent { dead, .. } | Self::TooSlow { dead, .. } => {
                dead
            }
        }
    }
}
