//! [`Outbox`]: what is to be sent beside the user's messages, in constant space.

use crate::seq::Seq;

/// What waits to be sent, at most one of each.
pub(super) struct Outbox<M> {
    pub(super) pong: Option<M>,
    pub(super) ping: Option<(Seq, M)>,
    /// A user's message whose place in the transport a heartbeat has taken.
    pub(super) displaced: Option<M>,
    /// The user has been told that the transport takes a message.
    pub(super) reserved: bool,
    /// The transport holds something that is not flushed.
    pub(super) unflushed: bool,
    /// It is for us to flush it.
    pub(super) owes_flush: bool,
    /// A ping is part of it.
    pub(super) leaving: Option<Seq>,
}

impl<M> Outbox<M> {
    pub(super) const fn new() -> Self {
        Self {
            pong: None,
            ping: None,
            displaced: None,
            reserved: false,
            unflushed: false,
            owes_flush: false,
            leaving: None,
        }
    }

    /// Whether anything waits to be handed to the transport.
    pub(super) const fn is_waiting(&self) -> bool {
        self.pong.is_some() || self.ping.is_some() || self.displaced.is_some()
    }

    /// What to hand over next, heartbeats first, and whether it is one.
    pub(super) fn next(&mut self) -> Option<(M, bool)> {
        if let Some(pong) = self.pong.take() {
            return Some((pong, true));
        }
        if let Some((seq, ping)) = self.ping.take() {
            self.leaving = Some(seq);
            return Some((ping, true));
        }
        self.displaced.take().map(|message| (message, false))
    }
}
