//! The pings of one connection that are still open, in constant space.

use std::time::Instant;

use super::Pong;
use crate::seq::Seq;

/// How many open pings are remembered; older ones are still recognised, as [`Pong::Stale`].
///
/// More than one is open only after strikes, or where a peer proves life without ever answering.
const REMEMBERED: u64 = 4;

/// When each of the last few pings left, until it is answered.
#[derive(Debug, Clone)]
pub(super) struct Pings {
    next: u64,
    sent_at: [Option<Instant>; REMEMBERED as usize],
}

impl Pings {
    pub(super) const fn new() -> Self {
        Self {
            next: 0,
            sent_at: [None; REMEMBERED as usize],
        }
    }

    /// How many pings were issued: the number of the next one.
    pub(super) const fn issued(&self) -> u64 {
        self.next
    }

    pub(super) fn issue(&mut self) -> Seq {
        let seq = self.next;
        self.next = seq.saturating_add(1);
        self.sent_at[slot(seq)] = None;
        Seq::new(seq)
    }

    pub(super) fn on_sent(&mut self, seq: Seq, now: Instant) {
        self.sent_at[slot(seq.value())] = Some(now);
    }

    pub(super) fn on_pong(&mut self, answers: Option<Seq>, now: Instant) -> Pong {
        let oldest = self.next.saturating_sub(REMEMBERED);
        let open = |seq: &u64| self.sent_at[slot(*seq)].is_some();
        let found = match answers {
            Some(seq) if seq.value() >= self.next => return Pong::Unsolicited,
            Some(seq) if seq.value() < oldest => return Pong::Stale,
            Some(seq) => Some(seq.value()),
            None => (oldest..self.next).find(open),
        };
        let Some(seq) = found else {
            return Pong::Unsolicited;
        };
        let Some(sent_at) = self.sent_at[slot(seq)] else {
            return Pong::Stale;
        };
        for earlier in oldest..=seq {
            self.sent_at[slot(earlier)] = None;
        }
        Pong::Matched {
            rtt: now.saturating_duration_since(sent_at),
        }
    }
}

const fn slot(seq: u64) -> usize {
    (seq % REMEMBERED) as usize
}
