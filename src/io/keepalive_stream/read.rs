//! The data path from the peer to the user, with the heartbeats taken out; time moves here.

use std::io;
use std::task::{Context, Poll, ready};

use super::inbox::TakenOut;
use super::state::{State, Stop};
use crate::driver::{Carrier as _, Half, Seen};
use crate::io::adapt::{Outlet, Room, Source};
use crate::io::wire::Wire;
use crate::rt::{BUDGET, Runtime};

impl<W: Wire, R: Runtime> State<W, R> {
    /// Reads for the user, and moves time when there is nothing to read.
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

    /// One read: returns how many bytes came, and leaves those that are the user's in `room`.
    fn poll_fill<T: Source>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
        room: &mut T::Room<'_>,
    ) -> Poll<io::Result<usize>> {
        let Self {
            wire,
            pinger,
            inbox,
            outbox,
            ..
        } = self;
        let mut flooded = None;
        let mut heard = |heard| match heard {
            TakenOut::Pong(answers) => pinger.on_pong(answers),
            TakenOut::Ping => match pinger.on_ping() {
                Ok(()) => outbox.push_answer(),
                Err(error) => flooded = Some(error),
            },
        };
        let read = if inbox.is_holding() {
            let read = inbox.top_up(wire, &mut heard, |fresh| {
                match io.poll_read_slice(cx, fresh) {
                    Poll::Ready(Ok(count)) => Ok(count),
                    other => Err(other),
                }
            });
            read.map_or_else(|other| other, |count| Poll::Ready(Ok(count)))
        } else {
            let mark = room.filled();
            ready!(io.poll_read(cx, room))?;
            let fresh = room.since(mark);
            let count = fresh.len();
            let kept = inbox.admit(wire, fresh, &mut heard);
            room.truncate(mark + kept);
            Poll::Ready(Ok(count))
        };
        if let Some(flooded) = flooded {
            self.stop(Half::Read, Stop::Flooded(flooded));
        }
        read
    }

    fn after_read<T: Outlet>(&mut self, io: &mut T, cx: &mut Context<'_>) {
        self.pinger.on_data();
        self.reconfigure(Half::Read);
        if !self.pinger.end.is_open() {
            return;
        }
        let (mut bytes, pinger) = self.parts(io);
        if pinger.is_due() {
            // Data may keep coming for ever; what we owe the peer is due all the same.
            match pinger.poll_judge(&mut bytes, Half::Read, Seen::More, cx) {
                Poll::Ready(Ok(dead)) => return drop(self.finish_dead(Half::Read, dead)),
                Poll::Ready(Err(error)) => return self.failed = Some(error),
                Poll::Pending => {}
            }
        }
        if let Poll::Ready(Err(error)) = bytes.poll_own(pinger, Half::Read, cx) {
            self.failed = Some(error);
        }
    }

    /// The peer says nothing more. A failure on the way is told first: its end may be the reason.
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
        let (mut bytes, pinger) = self.parts(io);
        if let Poll::Ready(Err(error)) = bytes.poll_own(pinger, Half::Read, cx) {
            return Poll::Ready(error);
        }
        if pinger.is_asleep(Half::Read, cx) {
            return Poll::Pending;
        }
        match ready!(pinger.poll_judge(&mut bytes, Half::Read, Seen::Drained, cx)) {
            Ok(dead) => Poll::Ready(self.finish_dead(Half::Read, dead)),
            Err(error) => Poll::Ready(error),
        }
    }
}
