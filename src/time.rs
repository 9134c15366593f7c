//! Saturating arithmetic on [`Instant`]: a point too far away to be represented is *never*. And
//! [`Newest`]: time that never runs back. And [`Nanos`]: time as a number.
//!
//! Timeouts come from users and from peers, so `Duration::MAX` is an input like any other. Adding
//! it to an `Instant` panics in the standard library; here it gives `None`, and `None` is also what
//! every `poll_timeout` answers for "no deadline".

use std::fmt;
use std::time::{Duration, Instant};

/// The shortest period a timer is asked for: Netty's floor, and the resolution of most timer
/// wheels.
pub(crate) const SHORTEST: Duration = Duration::from_millis(1);

/// `at + after`, or `None` when that lies beyond what an `Instant` can hold.
pub(crate) fn later(at: Instant, after: Duration) -> Option<Instant> {
    at.checked_add(after)
}

/// The earlier of two deadlines, where `None` is never.
pub(crate) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Whether `deadline` has come: never for `None`.
pub(crate) fn reached(deadline: Option<Instant>, now: Instant) -> bool {
    deadline.is_some_and(|deadline| now >= deadline)
}

/// `span` in whole nanoseconds, at most `u64::MAX` (584 years).
pub(crate) const fn nanos(span: Duration) -> u64 {
    let nanos = span.as_nanos();
    if nanos > u64::MAX as u128 {
        u64::MAX
    } else {
        nanos as u64
    }
}

/// Whether `a` is shorter than `b`; `Duration`'s own comparison is not `const`.
pub(crate) const fn shorter(a: Duration, b: Duration) -> bool {
    a.as_nanos() < b.as_nanos()
}

/// The newest time that a machine was told: for it, time never runs back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Newest(Instant);

impl Newest {
    pub(crate) const fn new(now: Instant) -> Self {
        Self(now)
    }

    pub(crate) const fn now(self) -> Instant {
        self.0
    }

    /// Moves on to `now`. An older `now` counts as the newest.
    #[inline]
    pub(crate) fn advance(&mut self, now: Instant) -> Instant {
        if now > self.0 {
            self.0 = now;
        }
        self.0
    }
}

/// A point in time as a number: nanoseconds since a base of its owner's choice.
///
/// A million peers that share a base need eight bytes each for a deadline, and comparing two of
/// them is comparing two numbers. Arithmetic saturates: a point too far away, 584 years after the
/// base, is [`MAX`](Self::MAX), which is never.
///
/// ```
/// use std::time::{Duration, Instant};
/// use liveness::detector::Nanos;
///
/// let base = Instant::now();
/// let second = Duration::from_secs(1);
/// let now = Nanos::since(base, base + 3 * second);
/// let due = now.after(Nanos::of(2 * second));
/// assert_eq!(due.instant(base), Some(base + 5 * second));
/// assert_eq!(due.span_since(now).duration(), 2 * second);
/// assert_eq!(now.after(Nanos::of(Duration::MAX)), Nanos::MAX);
/// assert_eq!(Nanos::MAX.instant(base), None); // never
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nanos(u64);

impl Nanos {
    /// The base itself, or no time at all.
    pub const ZERO: Self = Self(0);

    /// Never.
    pub const MAX: Self = Self(u64::MAX);

    /// So many nanoseconds.
    #[must_use]
    pub const fn new(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The bare number.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The length of `span`, at most [`MAX`](Self::MAX).
    #[must_use]
    pub const fn of(span: Duration) -> Self {
        Self(nanos(span))
    }

    /// The place of `at` after `base`. A point before the base counts as the base.
    #[must_use]
    pub fn since(base: Instant, at: Instant) -> Self {
        Self::of(at.saturating_duration_since(base))
    }

    /// The point `span` after this one.
    #[must_use]
    pub const fn after(self, span: Self) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The time from `earlier` to this point; zero if that is later.
    #[must_use]
    pub const fn span_since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// So many nanoseconds later.
    pub(crate) const fn plus(self, nanos: u64) -> Self {
        self.after(Self(nanos))
    }

    /// The nanoseconds from `earlier` to this point; zero if that is later.
    pub(crate) const fn nanos_since(self, earlier: Self) -> u64 {
        self.span_since(earlier).0
    }

    /// Whether this is a point in time at all.
    pub(crate) const fn is_ever(self) -> bool {
        self.0 != u64::MAX
    }

    /// As the length of a span.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// As a point in time; `None` for [`MAX`](Self::MAX), or when an `Instant` cannot hold it.
    #[must_use]
    pub fn instant(self, base: Instant) -> Option<Instant> {
        if self == Self::MAX {
            return None;
        }
        later(base, self.duration())
    }
}

/// A duration for people: three decimals at most, and none that say nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Brief(pub(crate) Duration);

impl fmt::Display for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.3?}", self.0);
        let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, unit) = text.split_at(unit.unwrap_or(text.len()));
        let number = match number.contains('.') {
            true => number.trim_end_matches('0').trim_end_matches('.'),
            false => number,
        };
        write!(f, "{number}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "any instant will do")]
    fn too_far_is_never() {
        let now = Instant::now();
        assert_eq!(later(now, Duration::MAX), None);
        assert_eq!(earlier(None, Some(now)), Some(now));
        assert_eq!(earlier(Some(now + SHORTEST), Some(now)), Some(now));
        assert!(!reached(None, now));
        assert!(reached(Some(now), now));
        assert_eq!(nanos(Duration::MAX), u64::MAX);
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "any instant will do")]
    fn an_older_now_counts_as_the_newest() {
        let start = Instant::now();
        let mut newest = Newest::new(start + SHORTEST);
        assert_eq!(newest.advance(start), start + SHORTEST);
        assert_eq!(newest.advance(start + 3 * SHORTEST), start + 3 * SHORTEST);
        assert_eq!(newest.advance(start + 2 * SHORTEST), start + 3 * SHORTEST);
    }

    #[test]
    fn brief_keeps_what_matters() {
        let brief = |nanos| Brief(Duration::from_nanos(nanos)).to_string();
        assert_eq!(brief(0), "0ns");
        assert_eq!(brief(100), "100ns");
        assert_eq!(brief(116_323), "116.323µs");
        assert_eq!(brief(701_377_257), "701.377ms");
        assert_eq!(brief(1_500_000_000), "1.5s");
        assert_eq!(brief(100_000_000_000), "100s");
        assert_eq!(brief(90_000_000_001), "90s");
    }
}
