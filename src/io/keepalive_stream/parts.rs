//! [`Parts`]: all of a [`KeepaliveStream`](super::KeepaliveStream) but the socket; reads and writes
//! through it.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use super::end::End;
use super::inbox::{Heard, Inbox};
use super::outbox::Outbox;
use super::transport::{Outlet, Room, Source};
use crate::driver::{Driver, Half, Offer};
use crate::io::wire::Wire;
use crate::keepalive::{Dead, Input, KeepaliveEvent};
use crate::rt::{BUDGET, Runtime};

#[derive(Debug)]
pub(super) struct Parts<W, R: Runtime> {
    pub(super) wire: W,
    pub(super) driver: Driver<R>,
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
    /// A failed write of ours, for the next read that finds nothing to read.
    pub(super) failed: Option<io::Error>,
    pub(super) end: Option<End>,
}

impl<W: Wire, R: Runtime> Parts<W, R> {
    /// Reads for the user. The input is emptied before the time is looked at.
    pub(super) fn poll_read<T: Source + Outlet>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
        room: &mut T::Room<'_>,
    ) -> Poll<io::Result<()>> {
        if room.is_full() {
            return Poll::Ready(Ok(()));
        }
        for _ in 0..BUDGET {
            self.check()?;
            if self.inbox.serve(room) {
                return Poll::Ready(Ok(()));
            }
            let mark = room.filled();
            let Poll::Ready(read) = self.poll_fill(io, cx, room) else {
                return self.poll_idle(io, cx).map(Err);
            };
            if read? == 0 {
                return Poll::Ready(self.on_end(room));
            }
            self.after_read(io, cx);
            if room.filled() > mark {
                return Poll::Ready(Ok(()));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads once and takes the heartbeats out; ready with the number of bytes that came, theirs
    /// included.
    fn poll_fill<T: Source>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
        room: &mut T::Room<'_>,
    ) -> Poll<io::Result<usize>> {
        let Self {
            wire,
            driver,
            inbox,
            outbox,
            ..
        } = self;
        let mut heard = |heard| match heard {
            Heard::Pong(answers) => driver.on_pong(answers),
            Heard::Ping => outbox.push_answer(),
        };
        if inbox.is_holding() {
            let read = inbox.top_up(wire, &mut heard, |fresh| {
                match io.poll_read_slice(cx, fresh) {
                    Poll::Ready(Ok(count)) => Ok(count),
                    other => Err(other),
                }
            });
            return read.map_or_else(|other| other, |count| Poll::Ready(Ok(count)));
        }
        let mark = room.filled();
        ready!(io.poll_read(cx, room))?;
        let fresh = room.since(mark);
        let count = fresh.len();
        let kept = inbox.admit(wire, fresh, &mut heard);
        room.truncate(mark + kept);
        Poll::Ready(Ok(count))
    }

    fn after_read<T: Outlet>(&mut self, io: &mut T, cx: &mut Context<'_>) {
        self.driver.on_data();
        self.reconfigure(Half::Read);
        if self.end.is_some() {
            return;
        }
        if self.driver.is_due() {
            // Data may keep coming for ever; what we owe the peer is due all the same.
            match self.poll_judge(io, Half::Read, Input::Arriving, cx) {
                Poll::Ready(Ok(dead)) => return drop(self.bury(Half::Read, dead)),
                Poll::Ready(Err(error)) => return self.failed = Some(error),
                Poll::Pending => {}
            }
        }
        if let Poll::Ready(Err(error)) = self.poll_own(io, Half::Read, cx) {
            self.failed = Some(error);
        }
    }

    /// The peer will say nothing more, so it is asked nothing more.
    fn on_end(&mut self, room: &mut impl Room) -> io::Result<()> {
        self.outbox.forget();
        self.inbox.release();
        if !self.inbox.serve(room) {
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
        }
        Ok(())
    }

    /// There is nothing to read: the time for pings and verdicts.
    fn poll_idle<T: Outlet>(&mut self, io: &mut T, cx: &mut Context<'_>) -> Poll<io::Error> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(error);
        }
        if let Poll::Ready(Err(error)) = self.poll_own(io, Half::Read, cx) {
            return Poll::Ready(error);
        }
        if self.driver.is_asleep(Half::Read, cx) {
            return Poll::Pending;
        }
        self.poll_unblock(io, cx);
        match ready!(self.poll_judge(io, Half::Read, Input::Drained, cx)) {
            Ok(dead) => Poll::Ready(self.bury(Half::Read, dead)),
            Err(error) => Poll::Ready(error),
        }
    }

    /// Offers a flush again that had to wait: who offered it may have given up. Bytes of the user
    /// only the user can offer, and a shutdown is not undone by a flush.
    fn poll_unblock<T: Outlet>(&mut self, io: &mut T, cx: &mut Context<'_>) {
        if self.driver.blocked() == Some(Offer::Flush) && !self.driver.is_closing() {
            // What fails here fails again for who asks for it.
            let _ = self
                .driver
                .poll_write(Half::Read, Offer::Flush, cx, |cx| io.poll_flush(cx));
        }
    }

    /// An operation of the writer that has to wait must not wait for a dead peer.
    ///
    /// Nothing is said here about what is received: the writer cannot read, so it does not know.
    #[cold]
    fn poll_stalled<T: Outlet>(&mut self, io: &mut T, cx: &mut Context<'_>) -> Poll<io::Error> {
        match ready!(self.poll_judge(io, Half::Write, Input::Unread, cx)) {
            Ok(dead) => Poll::Ready(self.bury(Half::Write, dead)),
            Err(error) => Poll::Ready(error),
        }
    }

    /// Moves time: a ping that is due is queued and placed; a verdict is what this is ready with.
    fn poll_judge<T: Outlet>(
        &mut self,
        io: &mut T,
        half: Half,
        input: Input,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Dead>> {
        loop {
            match ready!(self.driver.poll_due(half, input, cx)) {
                KeepaliveEvent::Ping(seq) => self.outbox.push_ping(seq),
                KeepaliveEvent::Dead(dead) => return Poll::Ready(Ok(dead)),
            }
            match self.poll_own(io, half, cx) {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                // What the user waits for may be possible now.
                Poll::Ready(Ok(())) if half == Half::Write => cx.waker().wake_by_ref(),
                _ => {}
            }
        }
    }

    /// An error if it is all over.
    #[inline]
    fn check(&self) -> io::Result<()> {
        match self.end {
            None => Ok(()),
            Some(end) => Err(end.into()),
        }
    }

    /// It is over; the other half learns of it.
    fn finish(&mut self, half: Half, end: End) {
        self.end = Some(end);
        self.driver.end(half);
    }

    fn bury(&mut self, half: Half, dead: Dead) -> io::Error {
        self.finish(half, End::Dead(dead));
        End::Dead(dead).into()
    }

    /// Writes and flushes what is ours.
    #[inline]
    fn poll_own<T: Outlet>(
        &mut self,
        io: &mut T,
        half: Half,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.outbox.is_idle() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_place(io, half, cx))?;
        if self.outbox.is_unflushed() {
            ready!(
                self.driver
                    .poll_write(half, Offer::Flush, cx, |cx| io.poll_flush(cx))
            )?;
            self.outbox.on_flushed();
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what is ours and has a border to stand at. Half of it is never left for later.
    fn poll_place<T: Outlet>(
        &mut self,
        io: &mut T,
        half: Half,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let Self {
            wire,
            driver,
            outbox,
            ..
        } = self;
        loop {
            let own = outbox.stage(wire);
            if own.is_empty() {
                return Poll::Ready(Ok(()));
            }
            match driver.poll_write(half, Offer::New, cx, |cx| io.poll_write(cx, own)) {
                Poll::Ready(Ok(0)) => {
                    outbox.discard();
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                Poll::Ready(Ok(taken)) => driver.on_left(half, outbox.on_taken(taken)),
                Poll::Ready(Err(error)) => {
                    outbox.discard();
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Before the user writes `upcoming`: how many of these bytes may go before ours are put in.
    #[inline]
    fn poll_turn<T: Outlet>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
        upcoming: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        if self.outbox.is_idle() {
            return Poll::Ready(Ok(usize::MAX));
        }
        match self.poll_place(io, Half::Write, cx) {
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
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(self.check().map(|()| 0));
        }
        let most = ready!(self.poll_turn(io, cx, bytes))?;
        let bytes = &bytes[..most.min(bytes.len())];
        let written = self
            .driver
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
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.iter().find(|slice| !slice.is_empty());
        let first = first.map_or(&[][..], |slice| slice);
        // One slice at a time while something of ours looks for a border.
        if first.is_empty() || self.outbox.is_waiting() {
            return self.poll_write(io, cx, first);
        }
        ready!(self.poll_turn(io, cx, first))?;
        let written = self.driver.poll_write(Half::Write, Offer::New, cx, |cx| {
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
    fn after_write<T: Outlet>(&mut self, io: &mut T, cx: &mut Context<'_>, taken: usize) {
        if taken == 0 {
            return;
        }
        self.driver.on_left(Half::Write, None);
        self.reconfigure(Half::Write);
        if self.outbox.is_waiting() {
            // At once, or the border is gone with the next write. If it fails, so will that.
            let placed = self.poll_place(io, Half::Write, cx);
            if let Poll::Ready(Err(error)) = placed {
                self.failed = Some(error);
            }
        }
    }

    pub(super) fn poll_flush<T: Outlet>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_turn(io, cx, &[]))?;
        match self
            .driver
            .poll_write(Half::Write, Offer::Flush, cx, |cx| io.poll_flush(cx))
        {
            Poll::Ready(flushed) => {
                self.outbox.on_flushed();
                Poll::Ready(flushed)
            }
            Poll::Pending => self.poll_stalled(io, cx).map(Err),
        }
    }

    pub(super) fn poll_close<T: Outlet>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.outbox.close();
        if let Err(verdict) = self.check() {
            // One try: who is dead is not waited for.
            let closed = self
                .driver
                .poll_write(Half::Write, Offer::Flush, cx, |cx| io.poll_close(cx));
            return Poll::Ready(match closed {
                Poll::Ready(closed) => closed,
                Poll::Pending => Err(verdict),
            });
        }
        self.driver.close();
        ready!(self.poll_turn(io, cx, &[]))?;
        match self
            .driver
            .poll_write(Half::Write, Offer::Flush, cx, |cx| io.poll_close(cx))
        {
            Poll::Ready(closed) => Poll::Ready(closed),
            Poll::Pending => self.poll_stalled(io, cx).map(Err),
        }
    }

    #[inline]
    fn reconfigure(&mut self, half: Half) {
        let config = self.driver.keepalive.config();
        if let Some(config) = self.wire.reconfigure(config) {
            if let Err(error) = self.driver.set_config(config) {
                self.finish(half, End::Config(error));
            }
        }
    }
}

/// After how many of the `upcoming` bytes something of ours may stand; `None` if nowhere in them.
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

/// A number of bytes as a [`Wire`] gave it: zero and too many are all.
fn whole(count: usize, bytes: &[u8]) -> usize {
    if count == 0 {
        bytes.len()
    } else {
        count.min(bytes.len())
    }
}
