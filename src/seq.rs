//! [`Seq`]: the number of a ping or of a beat.

use std::fmt;

/// The number of a ping or of a heartbeat: it only grows, and the first one is 0.
///
/// One connection never reuses a number; at a million pings a second the 64 bits last 584 000 years.
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
    ///
    /// ```
    /// assert!(liveness::Seq::new(1) < liveness::Seq::new(2));
    /// ```
    #[must_use]
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The bare number, for a wire format.
    ///
    /// ```
    /// assert_eq!(liveness::Seq::new(3).value(), 3);
    /// ```
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The number after this one; the last one is followed by itself.
    ///
    /// ```
    /// # use liveness::Seq;
    /// assert_eq!(Seq::new(u64::MAX).next(), Seq::new(u64::MAX));
    /// ```
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

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
