//! [`Outbox`]: what is to be sent beside the user's messages, in constant space.

use crate::seq::Seq;

/// What waits to be sent, at most one of each; it takes memory only while something does.
#[derive(Debug)]
pub(super) struct Outbox<M> {
    waiting: Option<Box<Waiting<M>>>,
    /// The ping that the transport has taken and not flushed.
    leaving: Option<Seq>,
    /// The user has been told that the transport takes a message.
    granted: bool,
    /// The transport still has the place that the user was told of.
    reserved: bool,
    /// The transport holds something that is not flushed.
    unflushed: bool,
    /// We, not the user, must flush.
    owes_flush: bool,
}

#[derive(Debug)]
struct Waiting<M> {
    pong: Option<M>,
    ping: Option<(Seq, M)>,
    /// A user's message whose place in the transport a heartbeat has taken.
    displaced: Option<M>,
}

/// Whose a message is that is handed to the transport.
pub(super) enum Whose {
    User,
    Pong,
    Ping(Seq),
}

impl<M> Outbox<M> {
    pub(super) const fn new() -> Self {
        Self {
            waiting: None,
            leaving: None,
            granted: false,
            reserved: false,
            unflushed: false,
            owes_flush: false,
        }
    }

    /// Whether anything waits to be handed to the transport.
    #[inline]
    pub(super) const fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Whether there is nothing to hand over and nothing to flush.
    #[inline]
    pub(super) const fn is_idle(&self) -> bool {
        self.waiting.is_none() && !self.owes_flush
    }

    fn waiting(&mut self) -> &mut Waiting<M> {
        self.waiting.get_or_insert_with(|| {
            Box::new(Waiting {
                pong: None,
                ping: None,
                displaced: None,
            })
        })
    }

    pub(super) fn put_ping(&mut self, seq: Seq, ping: M) {
        self.waiting().ping = Some((seq, ping));
    }

    /// Only the newest ping need be answered (RFC 6455, 5.5.3). Without a reply the layer below may
    /// have queued one of its own, which wants flushing too.
    pub(super) fn put_pong(&mut self, reply: Option<M>) {
        self.owes_flush = true;
        if reply.is_some() {
            self.waiting().pong = reply;
        }
    }

    /// What to hand over next, heartbeats first, and whose it is.
    pub(super) fn next(&mut self) -> Option<(M, Whose)> {
        let waiting = self.waiting.as_mut()?;
        let next = if let Some(pong) = waiting.pong.take() {
            Some((pong, Whose::Pong))
        } else if let Some((seq, ping)) = waiting.ping.take() {
            Some((ping, Whose::Ping(seq)))
        } else {
            let displaced = waiting.displaced.take();
            displaced.map(|message| (message, Whose::User))
        };
        if waiting.pong.is_none() && waiting.ping.is_none() && waiting.displaced.is_none() {
            self.waiting = None;
        }
        next
    }

    /// The transport has a place for a message of ours: if it was the user's, it is taken now, or
    /// is none any more.
    pub(super) const fn on_place(&mut self) {
        self.reserved = false;
    }

    /// The transport has taken what came [next](Self::next).
    pub(super) fn on_taken(&mut self, whose: &Whose) {
        self.unflushed = true;
        self.owes_flush = true;
        if let Whose::Ping(seq) = whose {
            self.leaving = Some(*seq);
        }
    }

    /// Whether the transport was asked for a place, which it gave or not.
    #[inline]
    pub(super) const fn grant(&mut self, granted: bool) {
        (self.granted, self.reserved) = (granted, granted);
    }

    /// The user hands over a message and has [no place](Self::take_place) for it. It comes back if
    /// it is for the transport now, with one that has to go before it if the user did not wait to
    /// be [granted](Self::grant) a place.
    pub(super) fn hand_over(&mut self, message: M) -> [Option<M>; 2] {
        if std::mem::take(&mut self.granted) {
            self.waiting().displaced = Some(message);
            return [None, None];
        }
        self.unflushed = true;
        let before = self
            .waiting
            .as_mut()
            .and_then(|waiting| waiting.displaced.take());
        [before, Some(message)]
    }

    /// Whether nothing of ours is on its way: the user's operations go straight to the transport.
    #[inline]
    pub(super) const fn is_direct(&self) -> bool {
        self.waiting.is_none() && self.leaving.is_none()
    }

    /// The user hands over a message: whether it has the place that was [granted](Self::grant) and
    /// is for the transport now.
    #[inline]
    pub(super) const fn take_place(&mut self) -> bool {
        let reserved = self.reserved;
        if reserved {
            (self.granted, self.reserved) = (false, false);
            self.unflushed = true;
        }
        reserved
    }

    /// All is flushed while nothing of ours was on its way: whether anything was.
    #[inline]
    pub(super) const fn on_flushed_directly(&mut self) -> bool {
        self.owes_flush = false;
        std::mem::replace(&mut self.unflushed, false)
    }

    /// All is flushed: whether anything was, and the ping among it.
    #[inline]
    pub(super) const fn on_flushed(&mut self) -> (bool, Option<Seq>) {
        self.owes_flush = false;
        let unflushed = self.unflushed;
        self.unflushed = false;
        (unflushed, self.leaving.take())
    }

    /// The transport takes no heartbeats any more.
    pub(super) fn forget_heartbeats(&mut self) {
        if let Some(waiting) = &mut self.waiting {
            (waiting.pong, waiting.ping) = (None, None);
            if waiting.displaced.is_none() {
                self.waiting = None;
            }
        }
    }

    /// The transport is closed: nothing is flushed any more.
    pub(super) fn on_closed(&mut self) {
        self.forget_heartbeats();
        self.unflushed = false;
        self.owes_flush = false;
    }
}
