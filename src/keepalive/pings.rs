//! The pings of one connection that are still open, in constant space.

use crate::seq::{Answers, Seq};
use crate::time::Nanos;

/// How many pings are remembered with their time; the round trip of an older one is not measured.
///
/// More than one is open only after misses, or where the peer is promised to hear from us.
const REMEMBERED: u64 = 3;

/// When each of the last few pings left, and which were answered.
#[derive(Debug, Clone)]
pub(super) struct Pings {
    next: u64,
    /// All pings below this number are answered.
    answered: u64,
    /// When a ping left; until that is reported, when it was handed out.
    sent_at: [Nanos; REMEMBERED as usize],
}

/// What a pong turned out to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The ping that left then, and all before it.
    Sent(Nanos),
    /// Everything that was open. Which of it cannot be told, so no time belongs to it.
    All,
    /// A ping that is answered, by an earlier pong or by this one, and whose time is forgotten.
    Old,
    /// No ping of ours.
    Nothing,
}

impl Pings {
    pub(super) const fn new() -> Self {
        Self {
            next: 0,
            answered: 0,
            sent_at: [Nanos::ZERO; REMEMBERED as usize],
        }
    }

    /// How many pings were issued: the number of the next one.
    pub(super) const fn issued(&self) -> u64 {
        self.next
    }

    /// The ping that was issued last.
    pub(super) const fn last(&self) -> Seq {
        Seq::new(self.next.saturating_sub(1))
    }

    /// When the last ping left, or was handed out; the start if there was none.
    pub(super) const fn last_at(&self) -> Nanos {
        self.sent_at[slot(self.last().value())]
    }

    /// How many pings are answered: the number of the first that is open.
    pub(super) const fn answered(&self) -> u64 {
        self.answered
    }

    pub(super) fn issue(&mut self, now: Nanos) -> Seq {
        let seq = Seq::new(self.next);
        self.next = self.next.saturating_add(1);
        self.on_sent(seq, now);
        seq
    }

    pub(super) fn on_sent(&mut self, seq: Seq, now: Nanos) {
        self.sent_at[slot(seq.value())] = now;
    }

    pub(super) fn on_pong(&mut self, answers: Answers) -> Found {
        let seq = match answers {
            Answers::Nothing => return Found::Nothing,
            Answers::Ping(seq) => seq.value(),
            Answers::Oldest if self.answered == self.next => return Found::Nothing,
            Answers::Oldest if self.next - self.answered > 1 => {
                self.answered = self.next;
                return Found::All;
            }
            Answers::Oldest => self.answered,
        };
        if seq >= self.next {
            return Found::Nothing;
        }
        if seq < self.answered {
            return Found::Old;
        }
        self.answered = seq.saturating_add(1);
        if seq < self.next.saturating_sub(REMEMBERED) {
            return Found::Old;
        }
        Found::Sent(self.sent_at[slot(seq)])
    }
}

const fn slot(seq: u64) -> usize {
    (seq % REMEMBERED) as usize
}
