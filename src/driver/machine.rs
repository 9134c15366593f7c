//! [`Machine`]: a sans-I/O machine, as the driver sees it.

use std::time::Instant;

use super::Dated;
use crate::keepalive::{Keepalive, KeepaliveEvent};

/// What a machine has to say when time moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happened<E> {
    /// A silence is due: look at the input in a later turn, and report.
    Look,
    Event(E),
}

/// A machine that watches for silence.
pub(crate) trait Machine {
    type Event;

    /// What its notes yield.
    type Dated;

    /// What was noted without a date, and the dates that it got.
    fn on_dated(&mut self, dated: Self::Dated, now: Instant);

    /// Nothing is left to read.
    fn on_drained(&mut self, now: Instant);

    /// There may be more to read.
    fn on_more_input(&mut self, now: Instant);

    fn poll_timeout(&self) -> Option<Instant>;

    fn handle_timeout(&mut self, now: Instant) -> Option<Happened<Self::Event>>;

    /// Whether a look was asked for and is not answered in full.
    fn is_looking(&self) -> bool;
}

impl Machine for Keepalive {
    /// Never [`KeepaliveEvent::Look`].
    type Event = KeepaliveEvent;
    type Dated = Dated;

    fn on_dated(&mut self, dated: Dated, now: Instant) {
        if let Some(sent) = dated.sent {
            self.on_send(sent);
        }
        if dated.stuck {
            self.on_write_blocked(now);
        }
        if let Some(received) = dated.received {
            self.on_receive(received);
        }
    }

    fn on_drained(&mut self, now: Instant) {
        Self::on_drained(self, now);
    }

    fn on_more_input(&mut self, now: Instant) {
        Self::on_more_input(self, now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Self::poll_timeout(self)
    }

    fn handle_timeout(&mut self, now: Instant) -> Option<Happened<KeepaliveEvent>> {
        Some(match Self::handle_timeout(self, now)? {
            KeepaliveEvent::Look => Happened::Look,
            event => Happened::Event(event),
        })
    }

    fn is_looking(&self) -> bool {
        Self::is_looking(self)
    }
}
