//! [`Gap`] and [`Window`]: a pause of our own is not the silence of the peer.
//!
//! A side that was suspended, in a debugger or kept from its executor notices deadlines late. What
//! became overdue meanwhile says nothing about the peer: perhaps it was not asked, perhaps its
//! answer was lost. So lateness beyond a quarter of the limit is forgiven, with one clean window in
//! which the peer can show life. Once only: forgiveness is renewed by the proof that the clock
//! waits for, and by nothing else, so no sequence of pauses and stalls postpones a verdict for
//! ever.

use std::time::Duration;

use crate::time::{Nanos, nanos};

/// The last move of time: from the call before to the last one.
///
/// Lateness belongs to the gap. A caller who came a moment ago was not away, however long ago the
/// deadline was; and all calls at one instant see the same gap.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gap {
    from: Nanos,
    to: Nanos,
}

impl Gap {
    pub(crate) const fn new(now: Nanos) -> Self {
        Self { from: now, to: now }
    }

    /// A call that moves time to `now`.
    pub(crate) fn advance(&mut self, now: Nanos) {
        if now > self.to {
            (self.from, self.to) = (self.to, now);
        }
    }

    /// By how much the last move of time missed `deadline`.
    pub(crate) fn lateness(self, deadline: Nanos) -> u64 {
        self.to.nanos_since(deadline.max(self.from))
    }
}

/// One clock: since when it runs, and whether it was forgiven since its last proof.
///
/// Both in eight bytes: the highest bit tells the latter, and what is left for the former lasts 292
/// years, beyond which is never.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window(u64);

/// Set in a [`Window`] that was forgiven.
const FORGIVEN: u64 = 1 << 63;

impl Window {
    /// A clock that runs since then.
    pub(crate) const fn new(since: Nanos) -> Self {
        let since = since.value();
        Self(if since > FORGIVEN - 1 {
            FORGIVEN - 1
        } else {
            since
        })
    }

    pub(crate) const fn since(self) -> Nanos {
        match self.0 & !FORGIVEN {
            since if since == FORGIVEN - 1 => Nanos::MAX,
            since => Nanos::new(since),
        }
    }

    /// The proof that this clock waits for has come: forgiveness is there again.
    pub(crate) const fn renew(&mut self) {
        self.0 &= !FORGIVEN;
    }

    /// From here on, whatever was before.
    pub(crate) const fn restart(&mut self, since: Nanos) {
        self.0 = Self::new(since).0 | (self.0 & FORGIVEN);
    }

    /// Whether a deadline of `limit` that was noticed so `late` is forgiven: then the clock starts
    /// anew at `now`.
    pub(crate) fn forgive(&mut self, late: u64, limit: u64, now: Nanos) -> bool {
        let forgives = self.0 & FORGIVEN == 0 && was_away(late, limit);
        if forgives {
            self.0 = Self::new(now).0 | FORGIVEN;
        }
        forgives
    }

    /// The clock stood still from `paused` to `now`; it has run since `since` or later.
    pub(crate) fn shift(&mut self, since: Nanos, paused: Nanos, now: Nanos) {
        let since = self.since().max(since);
        self.restart(since.plus(now.nanos_since(paused.max(since))));
    }
}

/// Whether a caller who noticed a deadline so late was away itself. A quarter: beyond what a loaded
/// executor does to a timer of a sensible length, and short enough that the clean window that
/// follows comes in time.
pub(crate) const fn was_away(late: u64, limit: u64) -> bool {
    late > limit / 4
}

/// The same for a machine that counts in spans.
pub(crate) const fn was_away_for(late: Duration, limit: Duration) -> bool {
    was_away(nanos(late), nanos(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Nanos {
        Nanos::ZERO.plus(seconds)
    }

    #[test]
    fn lateness_is_the_part_of_the_gap_after_the_deadline() {
        let mut gap = Gap::new(at(0));
        gap.advance(at(10));
        gap.advance(at(30));
        assert_eq!(gap.lateness(at(25)), 5);
        // The call at 10 was there for a deadline at 5.
        assert_eq!(gap.lateness(at(5)), 20);
        assert_eq!(gap.lateness(at(31)), 0);
        // Another call at the same instant sees the same gap; one in the past changes nothing.
        gap.advance(at(30));
        gap.advance(at(20));
        assert_eq!(gap.lateness(at(25)), 5);
        // A caller who came a moment ago was not away.
        gap.advance(at(31));
        assert_eq!(gap.lateness(at(25)), 1);
    }

    #[test]
    fn a_window_is_forgiven_once_and_renewed_by_its_proof_alone() {
        let mut window = Window::new(at(0));
        assert!(!window.forgive(25, 100, at(125)), "a quarter is no pause");
        assert!(window.forgive(26, 100, at(126)));
        assert_eq!(window.since(), at(126));
        assert!(!window.forgive(1000, 100, at(1226)));
        window.restart(at(1300));
        assert!(!window.forgive(1000, 100, at(2400)));
        window.renew();
        assert!(window.forgive(1000, 100, at(2400)));
    }

    #[test]
    fn a_pause_shifts_a_window_by_its_length() {
        let mut window = Window::new(at(10));
        window.shift(at(0), at(40), at(100));
        assert_eq!(window.since(), at(70));
        // Life that was proved while nobody judged counts from there.
        window.shift(at(110), at(105), at(120));
        assert_eq!(window.since(), at(120));
    }
}
