//! The data path from the user to the peer, with our heartbeats at the borders of its frames.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use super::state::State;
use crate::driver::{Half, Offer};
use crate::io::adapt::Outlet;
use crate::io::wire::Wire;
use crate::rt::Runtime;

impl<W: Wire, R: Runtime> State<W, R> {
    /// What comes before a write of `upcoming`: ours, if it stands at a border. Ready with how many
    /// bytes may be written before ours have to be looked at again.
    #[inline]
    fn poll_turn<T: Outlet>(
        &mut self,
        io: &mut T,
        cx: &Context<'_>,
        upcoming: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        if self.outbox.is_idle() {
            return Poll::Ready(Ok(usize::MAX));
        }
        self.poll_own_turn(io, cx, upcoming)
    }

    #[cold]
    fn poll_own_turn<T: Outlet>(
        &mut self,
        io: &mut T,
        cx: &Context<'_>,
        upcoming: &[u8],
    ) -> Poll<io::Result<usize>> {
        let (mut bytes, pinger) = self.parts(io);
        match bytes.poll_place(pinger, Half::Write, cx) {
            Poll::Ready(placed) => placed?,
            Poll::Pending => return self.poll_stalled(io, cx).map(Err),
        }
        let until = if self.outbox.is_waiting() {
            next_border(&self.wire, upcoming)
        } else {
            None
        };
        Poll::Ready(Ok(until.unwrap_or(usize::MAX)))
    }

    pub(super) fn poll_write<T: Outlet>(
        &mut self,
        io: &mut T,
        cx: &Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(self.check().map(|()| 0));
        }
        let most = ready!(self.poll_turn(io, cx, bytes))?;
        let bytes = &bytes[..most.min(bytes.len())];
        let written = self
            .pinger
            .poll_write(Half::Write, Offer::New, cx, |cx| io.poll_write(cx, bytes));
        match written {
            Poll::Ready(Ok(taken)) => {
                let taken = taken.min(bytes.len());
                self.follow(&bytes[..taken]);
                self.after_write(io, cx, taken);
                Poll::Ready(Ok(taken))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.poll_stalled(io, cx).map(Err),
        }
    }

    pub(super) fn poll_write_vectored<T: Outlet>(
        &mut self,
        io: &mut T,
        cx: &Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.iter().find(|slice| !slice.is_empty());
        let first = first.map_or(&[][..], |slice| slice);
        // One slice at a time while something of ours looks for a border.
        if first.is_empty() || self.outbox.is_waiting() {
            return self.poll_write(io, cx, first);
        }
        ready!(self.poll_turn(io, cx, first))?;
        let written = self.pinger.poll_write(Half::Write, Offer::New, cx, |cx| {
            io.poll_write_vectored(cx, slices)
        });
        match written {
            Poll::Ready(Ok(taken)) => {
                let mut left = taken;
                for slice in slices {
                    let part = left.min(slice.len());
                    self.follow(&slice[..part]);
                    left -= part;
                }
                self.after_write(io, cx, taken);
                Poll::Ready(Ok(taken))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.poll_stalled(io, cx).map(Err),
        }
    }

    fn follow(&mut self, mut taken: &[u8]) {
        while !taken.is_empty() {
            let followed = self.wire.outgoing(taken);
            taken = &taken[whole(followed, taken)..];
        }
    }

    #[inline]
    fn after_write<T: Outlet>(&mut self, io: &mut T, cx: &Context<'_>, taken: usize) {
        if taken == 0 {
            return;
        }
        self.pinger.on_bytes(Half::Write, taken);
        self.reconfigure(Half::Write);
        if self.outbox.is_waiting() {
            // At once, or the border is gone with the next write. If it fails, so will that.
            let (mut bytes, pinger) = self.parts(io);
            let placed = bytes.poll_place(pinger, Half::Write, cx);
            if let Poll::Ready(Err(error)) = placed {
                self.failed = Some(error);
            } else if self.outbox.is_unflushed() {
                // The user may not flush; the reader does.
                self.pinger.wake(Half::Read);
            }
        }
    }

    pub(super) fn poll_flush<T: Outlet>(
        &mut self,
        io: &mut T,
        cx: &Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_turn(io, cx, &[]))?;
        match self
            .pinger
            .poll_write(Half::Write, Offer::Flush, cx, |cx| io.poll_flush(cx))
        {
            Poll::Ready(flushed) => {
                if let Some(seq) = self.outbox.on_flushed() {
                    self.pinger.on_ping_flushed(Half::Write, seq);
                }
                Poll::Ready(flushed)
            }
            Poll::Pending => self.poll_stalled(io, cx).map(Err),
        }
    }

    /// After a verdict the socket is tried once, and not waited for.
    pub(super) fn poll_close<T: Outlet>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.outbox.close();
        if let Err(verdict) = self.check() {
            return Poll::Ready(match io.poll_close(cx) {
                Poll::Ready(closed) => closed,
                Poll::Pending => Err(verdict),
            });
        }
        self.pinger.close();
        ready!(self.poll_turn(io, cx, &[]))?;
        match self
            .pinger
            .poll_write(Half::Write, Offer::Flush, cx, |cx| io.poll_close(cx))
        {
            Poll::Ready(closed) => Poll::Ready(closed),
            Poll::Pending => self.poll_stalled(io, cx).map(Err),
        }
    }
}

/// How many of the bytes to come end at the next border, if one is among them.
fn next_border<W: Wire>(wire: &W, upcoming: &[u8]) -> Option<usize> {
    let mut ahead = wire.clone();
    let mut rest = upcoming;
    while !rest.is_empty() {
        let followed = ahead.outgoing(rest);
        rest = &rest[whole(followed, rest)..];
        if ahead.may_ping() {
            return Some(upcoming.len() - rest.len());
        }
    }
    None
}

/// A count by a [`Wire`]: zero or too many is all.
fn whole(count: usize, bytes: &[u8]) -> usize {
    if count == 0 {
        bytes.len()
    } else {
        count.min(bytes.len())
    }
}
