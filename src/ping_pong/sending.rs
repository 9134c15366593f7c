//! The data path from us to the peer: the user's messages, and heartbeats before them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{Sink, Stream};

use super::error::Error;
use super::{PingPong, Protocol};
use crate::driver::{End, Half, Offer, Seen};
use crate::rt::Runtime;

/// Sends the user's messages. An operation that has to wait ends with the verdict when the peer
/// takes nothing for too long, whether or not anybody reads.
impl<T, P, R, M, E> Sink<M> for PingPong<T, P, R>
where
    T: Stream<Item = Result<M, E>> + Sink<M, Error = E>,
    P: Protocol<Message = M>,
    R: Runtime,
{
    type Error = Error<E>;

    #[inline]
    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error<E>>> {
        // The usual case, short enough to be part of the caller.
        let direct = self.is_direct();
        if direct {
            let this = self.as_mut().project();
            if let Poll::Ready(ready) = this.transport.poll_ready(cx) {
                this.outbox.grant(ready.is_ok());
                return Poll::Ready(ready.map_err(Error::Transport));
            }
        }
        self.poll_ready_behind(direct, cx)
    }

    #[inline]
    fn start_send(mut self: Pin<&mut Self>, message: M) -> Result<(), Error<E>> {
        let this = self.as_mut().project();
        if this.pinger.end.is_open() && this.outbox.take_place() {
            return this.transport.start_send(message).map_err(Error::Transport);
        }
        self.start_send_late(message)
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error<E>>> {
        let direct = self.is_direct();
        if direct {
            let this = self.as_mut().project();
            match this.transport.poll_flush(cx) {
                Poll::Ready(Ok(())) => {
                    if this.outbox.on_flushed_directly() {
                        this.pinger.on_sent(Half::Write);
                    }
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Error::Transport(error))),
                Poll::Pending => {}
            }
        }
        self.poll_flush_behind(direct, cx)
    }

    /// After a verdict the transport is tried once, and not waited for.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error<E>>> {
        let verdict = self.check();
        let (mut messages, pinger) = self.as_mut().parts();
        if let Err(verdict) = verdict {
            return Poll::Ready(match messages.transport.as_mut().poll_close(cx) {
                Poll::Ready(closed) => closed.map_err(Error::Transport),
                Poll::Pending => Err(verdict),
            });
        }
        let mut closed = messages.poll_send(pinger, Half::Write, cx);
        if let Poll::Ready(Ok(())) = closed {
            pinger.close();
            let transport = &mut messages.transport;
            closed = pinger.poll_write(Half::Write, Offer::Flush, cx, |cx| {
                transport.as_mut().poll_close(cx)
            });
            if closed.is_ready() {
                messages.outbox.on_closed();
            }
        }
        match closed {
            Poll::Ready(result) => Poll::Ready(result.map_err(Error::Transport)),
            Poll::Pending => self.poll_stalled(cx),
        }
    }
}

impl<T, P, R, M, E> PingPong<T, P, R>
where
    T: Stream<Item = Result<M, E>> + Sink<M, Error = E>,
    P: Protocol<Message = M>,
    R: Runtime,
{
    /// Whether an operation of the user's may go straight to the transport.
    #[inline]
    fn is_direct(&self) -> bool {
        self.pinger.is_flowing() && self.outbox.is_direct()
    }

    /// Heartbeats go first, or the transport has `refused` to give a place.
    #[cold]
    fn poll_ready_behind(
        mut self: Pin<&mut Self>,
        refused: bool,
        cx: &Context<'_>,
    ) -> Poll<Result<(), Error<E>>> {
        self.check()?;
        let (mut messages, pinger) = self.as_mut().parts();
        let mut ready = messages.poll_send(pinger, Half::Write, cx);
        if let Poll::Ready(Ok(())) = ready {
            let transport = &mut messages.transport;
            let operation = |cx: &mut Context<'_>| transport.as_mut().poll_ready(cx);
            ready = match refused {
                true => pinger.poll_refused(Half::Write, Offer::New, cx, operation),
                false => pinger.poll_write(Half::Write, Offer::New, cx, operation),
            };
            messages.outbox.grant(matches!(ready, Poll::Ready(Ok(()))));
        }
        match ready {
            Poll::Ready(result) => Poll::Ready(result.map_err(Error::Transport)),
            Poll::Pending => self.poll_stalled(cx),
        }
    }

    /// The place that was given is taken, or was not asked for.
    #[cold]
    fn start_send_late(self: Pin<&mut Self>, message: M) -> Result<(), Error<E>> {
        self.check()?;
        let mut this = self.project();
        if this.outbox.take_place() {
            return this.transport.start_send(message).map_err(Error::Transport);
        }
        for message in this.outbox.hand_over(message).into_iter().flatten() {
            let transport = this.transport.as_mut();
            transport.start_send(message).map_err(Error::Transport)?;
        }
        Ok(())
    }

    /// Heartbeats go first, or the transport has `refused` to be flushed at once.
    #[cold]
    fn poll_flush_behind(
        mut self: Pin<&mut Self>,
        refused: bool,
        cx: &Context<'_>,
    ) -> Poll<Result<(), Error<E>>> {
        self.check()?;
        let (mut messages, pinger) = self.as_mut().parts();
        let flushed = match refused {
            true => messages.poll_flush_refused(pinger, Half::Write, cx),
            false => messages.poll_flush(pinger, Half::Write, cx),
        };
        match flushed {
            Poll::Ready(result) => Poll::Ready(result.map_err(Error::Transport)),
            Poll::Pending => self.poll_stalled(cx),
        }
    }

    /// What the sending side says when it is over.
    fn check(&self) -> Result<(), Error<E>> {
        match &self.pinger.end {
            End::Open | End::Over => Ok(()),
            End::Other(flooded) => Err(Error::Flooded(**flooded)),
            End::Dead { .. } => match self.pinger.keepalive().dead() {
                Some(dead) => Err(Error::Dead(dead)),
                None => Ok(()),
            },
        }
    }

    /// An operation of the sending side that has to wait must not wait for a dead peer.
    #[cold]
    fn poll_stalled(mut self: Pin<&mut Self>, cx: &Context<'_>) -> Poll<Result<(), Error<E>>> {
        let (mut messages, pinger) = self.as_mut().parts();
        let dead = match ready!(pinger.poll_judge(&mut messages, Half::Write, Seen::Nothing, cx)) {
            Ok(dead) => dead,
            Err(error) => return Poll::Ready(Err(Error::Transport(error))),
        };
        // A stream that has ended already has nothing left to tell.
        let told = !pinger.end.is_open();
        pinger.finish(Half::Write, End::Dead { told });
        Poll::Ready(Err(Error::Dead(dead)))
    }
}
