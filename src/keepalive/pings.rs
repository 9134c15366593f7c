//! The pings of one connection that are still open, in constant space.

use std::time::Instant;

use super::Pong;
use crate::seq::{Answers, Seq};

/// How many pings are remembered with their time; the round trip of an older one is not measured.
///
/// More than one is open only after strikes, or where the peer is promised to hear from us.
const REMEMBERED: u64 = 4;

/// When each of the last few pings left, and which were answered.
#[derive(Debug, Clone)]
pub(super) struct Pings {
    next: u64,
    /// All pings below this number are answered.
    answered: u64,
    /// When a ping left; until that is reported, when it was handed out.
    sent_at: [Instant; REMEMBERED as usize],
}

impl Pings {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            next: 0,
            answered: 0,
            sent_at: [now; REMEMBERED as usize],
        }
    }

    /// How many pings were issued: the number of the next one.
    pub(super) const fn issued(&self) -> u64 {
        self.next
    }

    /// How many pings are answered: the number of the first that is open.
    pub(super) const fn answered(&self) -> u64 {
        self.answered
    }

    pub(super) fn issue(&mut self, now: Instant) -> Seq {
        let seq = Seq::new(self.next);
        self.next = self.next.saturating_add(1);
        self.on_sent(seq, now);
        seq
    }

    pub(super) fn on_sent(&mut self, seq: Seq, now: Instant) {
        self.sent_at[slot(seq.value())] = now;
    }

    pub(super) fn on_pong(&mut self, answers: Answers, now: Instant) -> Pong {
        let remembered = self.next.saturating_sub(REMEMBERED);
        let oldest = self.answered.max(remembered);
        let seq = match answers {
            Answers::Oldest => oldest,
            Answers::Ping(seq) => seq.value(),
            Answers::Nothing => return Pong::Unsolicited,
        };
        if seq >= self.next {
            return Pong::Unsolicited;
        }
        if seq < self.answered {
            return Pong::Stale;
        }
        self.answered = seq.saturating_add(1);
        if seq < remembered {
            return Pong::Stale;
        }
        Pong::Matched {
            rtt: now.saturating_duration_since(self.sent_at[slot(seq)]),
        }
    }
}

const fn slot(seq: u64) -> usize {
    (seq % REMEMBERED) as usize
}
