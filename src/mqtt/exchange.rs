//! [`Exchange`]: how far the handshake of a connection has come and what keep alive it agreed on.
//! [`Askers`]: whose PINGREQs are open.
//!
//! Each client, broker and [`Wire`](super::Wire) follows the handshake by this one state.

/// How far the handshake has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Before CONNECT.
    Opening,
    /// Between CONNECT and CONNACK.
    Asked,
    /// Behind a CONNACK that accepts.
    Accepted,
}

/// The handshake and the end of one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exchange {
    phase: Phase,
    is_over: bool,
    /// In seconds; 0 is off.
    keep_alive: u16,
}

impl Exchange {
    pub(super) const fn new() -> Self {
        Self {
            phase: Phase::Opening,
            is_over: false,
            keep_alive: 0,
        }
    }

    /// Behind the CONNACK.
    pub(super) const fn accepted(keep_alive: u16) -> Self {
        Self {
            phase: Phase::Accepted,
            is_over: false,
            keep_alive,
        }
    }

    /// A CONNECT has passed.
    pub(super) fn on_connect(&mut self, keep_alive: u16) {
        self.keep_alive = keep_alive;
        if self.phase == Phase::Opening {
            self.phase = Phase::Asked;
        }
    }

    /// A CONNACK has passed. The keep alive of the server counts where it gives one
    /// ([MQTT-3.1.2-21] of MQTT 5); a refusal ends the connection.
    pub(super) fn on_connack(&mut self, code: u8, server_keep_alive: Option<u16>) {
        if code != 0 {
            return self.end();
        }
        self.phase = Phase::Accepted;
        self.keep_alive = server_keep_alive.unwrap_or(self.keep_alive);
    }

    /// Nothing more is promised or judged: behind DISCONNECT, a refusal, a fault.
    pub(super) const fn end(&mut self) {
        self.is_over = true;
    }

    pub(super) const fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) const fn is_accepted(&self) -> bool {
        matches!(self.phase, Phase::Accepted)
    }

    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether a client may send PINGREQ: accepted, and not ended.
    pub(super) const fn may_ping(&self) -> bool {
        self.is_accepted() && !self.is_over
    }

    /// The keep alive in force, in seconds; 0 is off.
    pub(super) const fn seconds(&self) -> u16 {
        self.keep_alive
    }

    /// The keep alive in force, in seconds; `None` before CONNECT and for off.
    pub(super) fn keep_alive(&self) -> Option<u16> {
        (self.keep_alive > 0).then_some(self.keep_alive)
    }
}

/// Whose each open PINGREQ is, oldest first. Answers come in the same order, one for each question
/// ([MQTT-3.12.4-1] of both versions).
#[derive(Debug, Clone, Copy)]
pub(super) struct Askers {
    /// One bit each, the oldest lowest; set for ours.
    ours: u64,
    open: u8,
}

impl Askers {
    pub(super) const fn new() -> Self {
        Self { ours: 0, open: 0 }
    }

    /// A PINGREQ has gone out. Behind 64 that are open it is not remembered, and its answer counts
    /// as the user's: so the user gets an answer for each of its questions, or more.
    pub(super) fn push(&mut self, is_ours: bool) {
        if self.open < 64 {
            self.ours |= u64::from(is_ours) << self.open;
            self.open += 1;
        }
    }

    pub(super) const fn is_next_ours(self) -> bool {
        self.ours & 1 == 1
    }

    /// An answer has come: returns whether it is ours. An answer without a question is the user's.
    pub(super) fn pop(&mut self) -> bool {
        let is_ours = self.is_next_ours();
        self.ours >>= 1;
        self.open = self.open.saturating_sub(1);
        is_ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_has_the_last_word_on_the_keep_alive() {
        let mut exchange = Exchange::new();
        assert_eq!((exchange.keep_alive(), exchange.may_ping()), (None, false));
        exchange.on_connect(60);
        assert_eq!(
            (exchange.keep_alive(), exchange.may_ping()),
            (Some(60), false)
        );
        exchange.on_connack(0, Some(10));
        assert_eq!(
            (exchange.keep_alive(), exchange.may_ping()),
            (Some(10), true)
        );
        exchange.end();
        assert!(exchange.is_accepted() && !exchange.may_ping());
    }

    #[test]
    fn a_refusal_ends_it_and_changes_no_number() {
        let mut exchange = Exchange::new();
        exchange.on_connect(60);
        exchange.on_connack(0x87, Some(10));
        assert_eq!((exchange.phase(), exchange.seconds()), (Phase::Asked, 60));
        assert!(exchange.is_over());
    }

    #[test]
    fn each_answer_goes_to_its_asker() {
        let mut askers = Askers::new();
        let questions = [true, false, true, true, false, false, false, true];
        for round in 0..3 {
            for is_ours in questions {
                askers.push(is_ours);
            }
            for is_ours in questions {
                assert_eq!(askers.pop(), is_ours, "round {round}");
            }
            assert!(!askers.pop(), "one without a question");
        }
    }

    #[test]
    fn the_user_gets_an_answer_for_each_question() {
        let mut askers = Askers::new();
        for turn in 0..1000 {
            askers.push(turn % 2 == 0);
        }
        let passed = (0..1000).filter(|_| !askers.pop()).count();
        assert_eq!(passed, 1000 - 32);
        assert!(!askers.is_next_ours());
    }
}
