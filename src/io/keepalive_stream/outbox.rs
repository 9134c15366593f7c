//! [`Outbox`]: our own bytes, from the border where they are put to their flush.

use bytes::{Buf, BytesMut};

use crate::io::wire::Wire;
use crate::seq::Seq;

/// A ping and an answer at most, which wait for a border or are being written.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// What goes out before any further byte of the user.
    bytes: BytesMut,
    /// The transport has taken a part of it, so the rest must follow.
    started: bool,
    /// The ping among the bytes, and then among what is not flushed.
    leaving: Option<Seq>,
    /// A ping that waits for a border.
    ping: Option<Seq>,
    /// An answer waits for a border.
    answer: bool,
    /// All was taken, and not flushed.
    unflushed: bool,
    closed: bool,
}

impl Outbox {
    pub(super) fn push_ping(&mut self, seq: Seq) {
        self.ping = Some(seq).filter(|_| !self.closed);
    }

    pub(super) fn push_answer(&mut self) {
        self.answer = !self.closed;
    }

    /// Whether there is nothing to do at all.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.bytes.is_empty() && !self.is_waiting() && !self.unflushed
    }

    /// Whether something waits for a border.
    #[inline]
    pub(super) fn is_waiting(&self) -> bool {
        self.ping.is_some() || self.answer
    }

    /// The bytes to write now; empty if there are none, or no border to put them at.
    pub(super) fn stage<W: Wire>(&mut self, wire: &mut W) -> &[u8] {
        if self.bytes.is_empty() && self.is_waiting() && wire.may_ping() {
            if std::mem::take(&mut self.answer) {
                wire.answer(&mut self.bytes);
            }
            if let Some(seq) = self.ping.take() {
                let before = self.bytes.len();
                wire.ping(seq, &mut self.bytes);
                self.leaving = Some(seq).filter(|_| self.bytes.len() > before);
            }
        }
        &self.bytes
    }

    /// The transport took `taken` bytes; returns the ping whose last byte was among them.
    pub(super) fn on_taken(&mut self, taken: usize) -> Option<Seq> {
        self.bytes.advance(taken.min(self.bytes.len()));
        self.started = !self.bytes.is_empty();
        if self.started {
            return None;
        }
        self.unflushed = true;
        self.leaving
    }

    /// Whether what was written wants a flush.
    pub(super) fn is_unflushed(&self) -> bool {
        self.unflushed && self.bytes.is_empty()
    }

    /// All that was taken is flushed; returns the ping among it.
    pub(super) fn on_flushed(&mut self) -> Option<Seq> {
        if !self.is_unflushed() {
            return None;
        }
        self.unflushed = false;
        self.leaving.take()
    }

    /// Nothing more is put in: the peer has stopped talking.
    pub(super) fn forget(&mut self) {
        self.closed = true;
        (self.ping, self.answer) = (None, false);
    }

    /// Nothing more is started: the user has shut down.
    pub(super) fn close(&mut self) {
        self.forget();
        if !self.started {
            self.discard();
        }
    }

    /// The transport takes nothing any more.
    pub(super) fn discard(&mut self) {
        self.bytes.clear();
        self.leaving = None;
        self.unflushed = false;
        self.started = false;
    }
}
