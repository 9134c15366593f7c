//! [`PeerKey`]: the name of a peer in its monitor, and [`StaleKey`]: a name of nobody.

use std::fmt;
use std::num::NonZeroU32;

use super::word::Word;

/// The name of a peer in the [`Monitor`](super::Monitor) that gave it. Eight bytes, in an `Option`
/// too.
///
/// A key is never given twice: after the peer was removed, it is a [`StaleKey`] for ever. It means
/// nothing to another monitor.
///
/// ```
/// # use std::time::{Duration, Instant};
/// use liveness::Monitor;
/// use liveness::detector::{FixedTimeout, Sample};
///
/// let start = Instant::now();
/// let mut monitor = Monitor::new(FixedTimeout::new(Duration::from_secs(30)), start);
/// let pump = monitor.insert("pump", start);
/// monitor.remove(pump)?;
///
/// // The valve gets the pump's place, but not its key: a late beat of the pump's cannot hit it.
/// let valve = monitor.insert("valve", start);
/// assert_ne!(valve, pump);
/// assert!(monitor.on_heartbeat(pump, Sample::new(), start).is_err());
/// assert_eq!(monitor.remove(valve)?, "valve");
/// # Ok::<(), liveness::monitor::StaleKey>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey {
    index: u32,
    generation: NonZeroU32,
}

impl PeerKey {
    pub(super) const fn new(index: u32, generation: NonZeroU32) -> Self {
        Self { index, generation }
    }

    /// The place in the monitor's arrays.
    pub(super) const fn index(self) -> usize {
        self.index as usize
    }

    /// How often the place was given, with this time.
    pub(super) const fn generation(self) -> NonZeroU32 {
        self.generation
    }

    /// The word of a peer that is alive and was not forgiven: the one that the fast path meets.
    pub(super) const fn quiet_word(self) -> Word {
        Word::alive(self.generation)
    }
}

impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerKey({self})")
    }
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.generation)
    }
}

/// The peer of this key was removed. A key of another monitor is not always found out: it may name
/// one of this monitor's own peers.
///
/// ```
/// # use std::time::{Duration, Instant};
/// use liveness::Monitor;
/// use liveness::detector::{FixedTimeout, Sample};
///
/// let start = Instant::now();
/// let mut monitor = Monitor::new(FixedTimeout::new(Duration::from_secs(30)), start);
/// let pump = monitor.insert("pump", start);
/// monitor.remove(pump)?;
///
/// // A beat was still on its way.
/// let stale = monitor.on_heartbeat(pump, Sample::new(), start).unwrap_err();
/// assert_eq!(stale.key, pump);
/// assert_eq!(stale.to_string(), format!("no peer has the key {pump} any more"));
/// # Ok::<(), liveness::monitor::StaleKey>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no peer has the key {key} any more")]
#[non_exhaustive]
pub struct StaleKey {
    /// The key.
    pub key: PeerKey,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_eight_bytes_in_an_option_too() {
        assert_eq!(size_of::<PeerKey>(), 8);
        assert_eq!(size_of::<Option<PeerKey>>(), 8);
    }
}
