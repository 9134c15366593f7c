//! Saturating arithmetic on [`Instant`]: a point too far away to be represented is *never*.
//!
//! Timeouts come from users and from peers, so `Duration::MAX` is an input like any other. Adding it
//! to an `Instant` panics in the standard library; here it gives `None`, and `None` is also what
//! every `poll_timeout` answers for "no deadline".

use std::time::{Duration, Instant};

/// The shortest period a timer is asked for: Netty's floor, and the resolution of most timer wheels.
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
}
