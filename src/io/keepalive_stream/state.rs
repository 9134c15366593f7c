//! [`State`]: all of a [`KeepaliveStream`](super::KeepaliveStream) but the socket.
//!
//! Apart from it, since the socket is pinned, and reads and writes are the same for both families
//! of I/O traits.

use std::io;
use std::task::{Context, Poll, ready};

use super::inbox::Inbox;
use super::outbox::Outbox;
use crate::driver::{Carrier, End, Half, Offer, Pinger, Seen};
use crate::error::ConfigError;
use crate::flood::Flooded;
use crate::io::adapt::Outlet;
use crate::io::wire::{Stage, Wire};
use crate::keepalive::{Dead, KeepaliveConfig};
use crate::metrics;
use crate::rt::Runtime;
use crate::seq::Seq;

/// What ends such a stream beside a verdict.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stop {
    /// The wire changed the configuration to one that cannot work.
    Config(ConfigError),
    /// The peer sent pings faster than allowed.
    Flooded(Flooded),
}

impl From<Stop> for io::Error {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Config(error) => Self::new(io::ErrorKind::InvalidInput, error),
            Stop::Flooded(flooded) => Self::new(io::ErrorKind::InvalidData, flooded),
        }
    }
}

pub(super) fn dead_error(dead: Dead) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, dead)
}

#[derive(Debug)]
pub(super) struct State<W, R: Runtime> {
    pub(super) wire: W,
    pub(super) pinger: Pinger<R, Stop>,
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
    /// How far the protocol had come at the last look.
    pub(super) stage: Stage,
    /// A failure to write on the way, told to the reader after what can be read.
    pub(super) failed: Option<io::Error>,
}

impl<W: Wire, R: Runtime> State<W, R> {
    pub(super) fn new(wire: W, config: KeepaliveConfig, rt: R) -> Result<Self, ConfigError> {
        let mut state = Self {
            wire,
            pinger: Pinger::new(config, rt)?,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            stage: Stage::Open,
            failed: None,
        };
        state.look_at_stage();
        Ok(state)
    }

    /// Whether pings can be put in.
    pub(super) fn is_beating(&self) -> bool {
        self.stage == Stage::Open && self.pinger.end.is_open() && !self.pinger.is_closing()
    }

    /// The sending side's part of it, and what sends.
    pub(super) const fn parts<'a, T>(
        &'a mut self,
        io: &'a mut T,
    ) -> (Bytes<'a, T, W>, &'a mut Pinger<R, Stop>) {
        let bytes = Bytes {
            io,
            wire: &mut self.wire,
            outbox: &mut self.outbox,
        };
        (bytes, &mut self.pinger)
    }

    /// Why nothing works any more, if that is so.
    #[inline]
    pub(super) fn check(&self) -> io::Result<()> {
        if self.pinger.end.is_open() {
            return Ok(());
        }
        self.ended()
    }

    #[cold]
    fn ended(&self) -> io::Result<()> {
        match &self.pinger.end {
            End::Open | End::Over => Ok(()),
            End::Other(stop) => Err((**stop).into()),
            End::Dead { .. } => match self.pinger.keepalive().dead() {
                Some(dead) => Err(dead_error(dead)),
                None => Ok(()),
            },
        }
    }

    pub(super) fn finish_dead(&mut self, half: Half, dead: Dead) -> io::Error {
        self.pinger.finish(half, End::Dead { told: true });
        dead_error(dead)
    }

    pub(super) fn stop(&mut self, half: Half, stop: Stop) {
        self.pinger.finish(half, End::Other(Box::new(stop)));
    }

    /// An operation of the sending side that has to wait must not wait for a dead peer.
    #[cold]
    pub(super) fn poll_stalled<T: Outlet>(
        &mut self,
        io: &mut T,
        cx: &Context<'_>,
    ) -> Poll<io::Error> {
        let (mut bytes, pinger) = self.parts(io);
        match ready!(pinger.poll_judge(&mut bytes, Half::Write, Seen::Nothing, cx)) {
            Ok(dead) => Poll::Ready(self.finish_dead(Half::Write, dead)),
            Err(error) => Poll::Ready(error),
        }
    }

    /// The wire may have seen something that changes the limits.
    #[inline]
    pub(super) fn reconfigure(&mut self, half: Half) {
        if self.wire.stage() != self.stage {
            self.look_at_stage();
        }
        if self.wire.has_news() {
            self.reconfigure_now(half);
        }
    }

    /// The protocol has come further: what cannot be asked is judged by plain silence, and another
    /// protocol by nobody.
    #[cold]
    fn look_at_stage(&mut self) {
        self.stage = self.wire.stage();
        match self.stage {
            Stage::Handshake => self.pinger.wait(),
            Stage::Open | Stage::Closing => self.pinger.end_wait(),
            Stage::Foreign => {
                self.pinger.end_wait();
                let KeepaliveConfig {
                    write_stall,
                    stall_when,
                    ..
                } = self.pinger.keepalive().config();
                let hands_off = KeepaliveConfig::off()
                    .write_stall(write_stall)
                    .stall_when(stall_when);
                // Nothing in it can disagree with anything.
                let _ = self.pinger.set_config(hands_off);
                metrics::not_beating("the bytes are of another protocol");
            }
        }
        self.pinger.set_beating(self.stage == Stage::Open);
    }

    #[cold]
    fn reconfigure_now(&mut self, half: Half) {
        let config = self.pinger.keepalive().config();
        if let Some(config) = self.wire.reconfigure(&config) {
            if let Err(error) = self.pinger.set_config(config) {
                self.stop(half, Stop::Config(error));
            }
        }
    }
}

/// Pings and answers as bytes at the borders of the wire's frames.
pub(super) struct Bytes<'a, T, W> {
    io: &'a mut T,
    wire: &'a mut W,
    outbox: &'a mut Outbox,
}

impl<T: Outlet, W: Wire, R: Runtime> Carrier<R, Stop> for Bytes<'_, T, W> {
    type Error = io::Error;

    fn put_ping(&mut self, seq: Seq) {
        self.outbox.push_ping(seq);
    }

    #[inline]
    fn poll_own(
        &mut self,
        pinger: &mut Pinger<R, Stop>,
        half: Half,
        cx: &Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.outbox.is_idle() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_place(pinger, half, cx))?;
        if self.outbox.is_unflushed() {
            let io = &mut *self.io;
            ready!(pinger.poll_write(half, Offer::Flush, cx, |cx| io.poll_flush(cx)))?;
            if let Some(seq) = self.outbox.on_flushed() {
                pinger.on_ping_flushed(half, seq);
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_unblock(
        &mut self,
        pinger: &mut Pinger<R, Stop>,
        cx: &Context<'_>,
    ) -> Poll<io::Result<()>> {
        if pinger.blocked() == Some(Offer::Flush) {
            let io = &mut *self.io;
            // What fails here fails again for whoever asks for it.
            let _ = pinger.poll_write(Half::Read, Offer::Flush, cx, |cx| io.poll_flush(cx));
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Outlet, W: Wire> Bytes<'_, T, W> {
    /// Writes what stands at a border, all of it.
    pub(super) fn poll_place<R: Runtime>(
        &mut self,
        pinger: &mut Pinger<R, Stop>,
        half: Half,
        cx: &Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let own = self.outbox.stage(self.wire);
            if own.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let io = &mut *self.io;
            match pinger.poll_write(half, Offer::New, cx, |cx| io.poll_write(cx, own)) {
                Poll::Ready(Ok(0)) => {
                    self.outbox.discard();
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                Poll::Ready(Ok(taken)) => match self.outbox.on_taken(taken) {
                    Some(seq) => pinger.on_ping_taken(half, seq),
                    None => pinger.on_bytes(half, taken),
                },
                Poll::Ready(Err(error)) => {
                    self.outbox.discard();
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
