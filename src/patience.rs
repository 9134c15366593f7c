//! [`Patience`]: no verdict about input that nobody has looked at yet.
//!
//! An answer may sit in a buffer while its deadline passes: the caller was busy, or a runtime's
//! budget said "nothing to read" for a socket with bytes. A caller who cannot promise that all
//! input was reported says so once ([`on_more_input`](Patience::on_more_input)). From then on a
//! silence that falls due is first a request to look:
//!
//! | state of a silence that is due | report | then |
//! | --- | --- | --- |
//! | not asked yet | | asks for a look |
//! | asked | none | waits: nobody is reading, which says nothing about the peer |
//! | asked | drained, the first in a row | asks for a second look |
//! | asked | drained, the second in a row | judges |
//! | asked | more input | waits for the limit, from the first report on |
//! | asked twice | more input | waits for the next report: there is more to read |
//! | the limit is over | | asks for the second look, if there was none |
//! | the limit is over | any | judges: we have read for as long as an answer may take |
//!
//! A look that found nothing at the deadline itself counts as the first. No more than two looks are
//! asked for. A silence that is not due any more ends it all.

use crate::time::Nanos;

/// How a silence that falls due waits for somebody to look. One a machine; its times are the
/// machine's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// The first report about a silence that is due now, or never.
    since: Nanos,
    /// The last report that nothing was left: enough of its time to tell whether that is now.
    drained_at: u32,
    /// The caller reports what it has looked at.
    wary: bool,
    /// So many looks were asked for.
    asked: u8,
    /// So many reports in a row that nothing was left.
    drained: u8,
    spent: Spent,
}

/// How far the waiting has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spent {
    No,
    /// The first look found nothing: the second is wanted at once.
    Again,
    /// There was a report after the limit of waiting.
    Yes,
}

/// What to do about a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing before this; `MAX` until there is a report.
    Wait(Nanos),
    /// Ask for a look.
    Look,
    /// All was looked at.
    Judge,
}

impl Patience {
    pub(crate) const fn new() -> Self {
        Self {
            since: Nanos::MAX,
            drained_at: 0,
            wary: false,
            asked: 0,
            drained: 0,
            spent: Spent::No,
        }
    }

    /// All input that has arrived was reported. `limit` is the shortest of the silences that are
    /// due, if any is.
    pub(crate) fn on_drained(&mut self, now: Nanos, limit: u64) {
        self.drained_at = mark(now);
        if self.is_looking() {
            self.drained = self.drained.saturating_add(1);
            if self.drained == 1 && self.asked == 1 {
                self.spent = Spent::Again;
            }
            self.on_report(now, limit);
        }
    }

    /// There may be more input than was reported; also the promise to report from now on.
    pub(crate) fn on_more_input(&mut self, now: Nanos, limit: u64) {
        self.wary = true;
        self.drained = 0;
        self.drained_at = mark(now).wrapping_add(1);
        if self.spent == Spent::Again {
            self.spent = Spent::No;
        }
        if self.is_looking() {
            self.on_report(now, limit);
        }
    }

    fn on_report(&mut self, now: Nanos, limit: u64) {
        self.since = self.since.min(now);
        if now >= self.since.plus(limit) {
            self.spent = Spent::Yes;
        }
    }

    /// Whether a silence is due and waits for a look.
    pub(crate) const fn is_looking(&self) -> bool {
        self.asked > 0
    }

    /// The end of the wait for more input, if that is what is waited for; another gap of ours may
    /// lie before it.
    pub(crate) const fn waits_until(&self, limit: u64) -> Option<Nanos> {
        if self.is_looking() && self.drained < 2 && self.since.is_ever() {
            Some(self.since.plus(limit))
        } else {
            None
        }
    }

    /// What is to be done at `now` about a silence of `limit` that was due at `due`.
    pub(crate) fn step(&self, due: Nanos, limit: u64, now: Nanos) -> Step {
        match self.step_when_due(limit, now.max(due)) {
            Step::Wait(until) => Step::Wait(until.max(due)),
            _ if now < due => Step::Wait(due),
            step => step,
        }
    }

    /// The same for one that is due by now.
    fn step_when_due(&self, limit: u64, now: Nanos) -> Step {
        if !self.wary || self.drained >= 2 || (self.spent == Spent::Yes && self.asked > 1) {
            return Step::Judge;
        }
        if !self.is_looking() || self.spent == Spent::Again {
            return Step::Look;
        }
        if !self.since.is_ever() {
            return Step::Wait(Nanos::MAX);
        }
        let over = self.since.plus(limit);
        let is_over = now >= over;
        match (self.asked, self.drained) {
            (1, _) if is_over => Step::Look,
            (_, 1) if is_over => Step::Judge,
            (1, _) | (_, 1) => Step::Wait(over),
            // Who found more in the second look reads on, and reports again.
            _ => Step::Wait(Nanos::MAX),
        }
    }

    /// A look was asked for, about a silence that is due.
    pub(crate) fn on_look(&mut self, now: Nanos) {
        if !self.is_looking() && self.drained_at == mark(now) {
            self.since = now;
            self.drained = 1;
        }
        // What was reported before it does not answer it.
        self.spent = Spent::No;
        self.asked = self.asked.saturating_add(1);
    }

    /// No silence is due any more.
    pub(crate) fn reset(&mut self) {
        self.since = Nanos::MAX;
        (self.asked, self.drained, self.spent) = (0, 0, Spent::No);
    }
}

/// The low half of a point in time.
const fn mark(at: Nanos) -> u32 {
    at.value() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 10;

    fn at(seconds: u64) -> Nanos {
        Nanos::ZERO.plus(seconds)
    }

    /// A silence that was due at 100.
    struct Silence(Patience);

    impl Silence {
        fn wary() -> Self {
            let mut patience = Patience::new();
            patience.on_more_input(at(0), LIMIT);
            Self(patience)
        }

        fn step(&mut self, now: u64) -> Step {
            let step = self.0.step(at(100), LIMIT, at(now));
            if step == Step::Look {
                self.0.on_look(at(now));
            }
            step
        }

        fn drained(&mut self, now: u64) -> &mut Self {
            self.0.on_drained(at(now), LIMIT);
            self
        }

        fn more(&mut self, now: u64) -> &mut Self {
            self.0.on_more_input(at(now), LIMIT);
            self
        }
    }

    #[test]
    fn who_promises_that_all_was_reported_is_not_asked() {
        let mut silence = Silence(Patience::new());
        assert_eq!(silence.step(99), Step::Wait(at(100)));
        assert_eq!(silence.step(100), Step::Judge);
    }

    #[test]
    fn two_looks_that_find_nothing_judge() {
        let mut silence = Silence::wary();
        assert_eq!(silence.step(100), Step::Look);
        assert_eq!(silence.step(100), Step::Wait(Nanos::MAX));
        assert_eq!(silence.drained(101).step(101), Step::Look);
        assert_eq!(silence.step(101), Step::Wait(at(111)));
        assert_eq!(silence.drained(102).step(102), Step::Judge);
    }

    #[test]
    fn a_look_at_the_deadline_itself_is_the_first() {
        let mut silence = Silence::wary();
        assert_eq!(silence.drained(100).step(100), Step::Look);
        assert_eq!(silence.drained(100).step(100), Step::Judge);
    }

    #[test]
    fn a_look_before_the_deadline_is_none() {
        let mut silence = Silence::wary();
        assert_eq!(silence.drained(99).step(100), Step::Look);
        assert_eq!(silence.drained(100).step(100), Step::Look);
        assert_eq!(silence.drained(100).step(100), Step::Judge);
    }

    #[test]
    fn more_input_waits_for_the_limit_and_no_longer() {
        let mut silence = Silence::wary();
        assert_eq!(silence.drained(100).step(100), Step::Look);
        for now in 101..110 {
            assert_eq!(silence.more(now).step(now), Step::Wait(at(110)));
        }
        assert_eq!(silence.step(110), Step::Look);
        assert_eq!(silence.more(110).step(110), Step::Judge);
    }

    #[test]
    fn input_after_the_first_drained_look_begins_the_count_anew() {
        let mut silence = Silence::wary();
        assert_eq!(silence.step(100), Step::Look);
        assert_eq!(silence.drained(101).step(101), Step::Look);
        assert_eq!(silence.more(102).step(102), Step::Wait(Nanos::MAX));
        assert_eq!(silence.drained(103).step(103), Step::Wait(at(111)));
        // Nothing has come since: the limit is over, and all was looked at.
        assert_eq!(silence.step(111), Step::Judge);
    }

    #[test]
    fn input_right_after_an_empty_look_takes_the_second_look_back() {
        let mut silence = Silence::wary();
        assert_eq!(silence.step(100), Step::Look);
        assert_eq!(
            silence.drained(101).more(101).step(101),
            Step::Wait(at(111))
        );
    }

    #[test]
    fn nobody_who_reads_means_no_verdict() {
        let mut silence = Silence::wary();
        assert_eq!(silence.step(100), Step::Look);
        assert_eq!(silence.step(1000), Step::Wait(Nanos::MAX));
        // Whoever comes back has the whole time.
        assert_eq!(silence.more(1001).step(1001), Step::Wait(at(1011)));
        assert_eq!(silence.step(1011), Step::Look);
        assert_eq!(silence.step(1011), Step::Wait(Nanos::MAX));
        assert_eq!(silence.more(1012).step(1012), Step::Judge);
    }

    #[test]
    fn a_silence_that_ended_is_forgotten() {
        let mut silence = Silence::wary();
        assert_eq!(silence.drained(100).step(100), Step::Look);
        silence.0.reset();
        assert!(!silence.0.is_looking());
        silence.more(120);
        assert_eq!(silence.step(120), Step::Look);
        assert_eq!(silence.more(121).step(121), Step::Wait(at(131)));
    }
}
