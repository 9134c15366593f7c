//! The sending side of a [`PingPong`]: the user's messages, and heartbeats before them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{Sink, Stream};

use super::end::End;
use super::error::Error;
use super::outbox::Whose;
use super::{PingPong, Protocol};
use crate::driver::{Half, Offer};
use crate::keepalive::Input;
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

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error<E>>> {
        self.end.check()?;
        let mut ready = self.as_mut().poll_send(Half::Write, cx);
        if let Poll::Ready(Ok(())) = ready {
            let this = self.as_mut().project();
            ready = this.driver.poll_write(Half::Write, Offer::New, cx, |cx| {
                this.transport.poll_ready(cx)
            });
            this.outbox.reserved = matches!(ready, Poll::Ready(Ok(())));
        }
        match ready {
            Poll::Ready(result) => Poll::Ready(result.map_err(Error::Transport)),
            Poll::Pending => self.poll_stalled(cx),
        }
    }

    fn start_send(self: Pin<&mut Self>, message: M) -> Result<(), Error<E>> {
        self.end.check()?;
        let this = self.project();
        if !std::mem::take(&mut this.outbox.reserved) && this.outbox.displaced.is_none() {
            this.outbox.displaced = Some(message);
            return Ok(());
        }
        this.outbox.unflushed = true;
        this.transport.start_send(message).map_err(Error::Transport)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error<E>>> {
        self.end.check()?;
        match self.as_mut().poll_flush_all(Half::Write, cx) {
            Poll::Ready(result) => Poll::Ready(result.map_err(Error::Transport)),
            Poll::Pending => self.poll_stalled(cx),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error<E>>> {
        self.end.check()?;
        let mut closed = self.as_mut().poll_send(Half::Write, cx);
        if let Poll::Ready(Ok(())) = closed {
            let this = self.as_mut().project();
            this.driver.close();
            closed = this.driver.poll_write(Half::Write, Offer::Flush, cx, |cx| {
                this.transport.poll_close(cx)
            });
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
    /// Hands what is queued to the transport: heartbeats, then a displaced message.
    #[inline]
    fn poll_send(self: Pin<&mut Self>, half: Half, cx: &Context<'_>) -> Poll<Result<(), E>> {
        if !self.outbox.is_waiting() {
            return Poll::Ready(Ok(()));
        }
        self.poll_send_waiting(half, cx)
    }

    #[cold]
    fn poll_send_waiting(
        mut self: Pin<&mut Self>,
        half: Half,
        cx: &Context<'_>,
    ) -> Poll<Result<(), E>> {
        while self.outbox.is_waiting() {
            let mut this = self.as_mut().project();
            let transport = this.transport.as_mut();
            // If the user had a place in the transport, it is taken now, or is none any more.
            this.outbox.reserved = false;
            ready!(
                this.driver
                    .poll_write(half, Offer::New, cx, |cx| transport.poll_ready(cx))
            )?;
            let Some((message, whose)) = this.outbox.next() else {
                continue;
            };
            match this.transport.start_send(message) {
                Ok(()) => this.outbox.on_taken(&whose),
                Err(error) if matches!(whose, Whose::User) => return Poll::Ready(Err(error)),
                // A transport that is closing refuses heartbeats and still has things to be read,
                // which one of ours must not cut off. The peer has not been asked, so only its
                // silence counts.
                Err(_) => {
                    this.outbox.forget_heartbeats();
                    this.driver.close();
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    #[allow(
        clippy::inline_always,
        reason = "the sending path's one call; measured"
    )]
    #[inline(always)]
    pub(super) fn poll_flush_all(
        mut self: Pin<&mut Self>,
        half: Half,
        cx: &Context<'_>,
    ) -> Poll<Result<(), E>> {
        ready!(self.as_mut().poll_send(half, cx))?;
        let this = self.project();
        ready!(
            this.driver
                .poll_write(half, Offer::Flush, cx, |cx| this.transport.poll_flush(cx))
        )?;
        this.outbox.owes_flush = false;
        if std::mem::take(&mut this.outbox.unflushed) {
            this.driver.on_left(half, this.outbox.leaving.take());
        }
        Poll::Ready(Ok(()))
    }

    /// Sends the heartbeats that wait, if any do. Pending means that the transport is full; the task
    /// is woken when it is not.
    #[inline]
    pub(super) fn poll_heartbeats(self: Pin<&mut Self>, cx: &Context<'_>) -> Poll<Result<(), E>> {
        if !self.outbox.is_waiting() && !self.outbox.owes_flush {
            return Poll::Ready(Ok(()));
        }
        self.poll_owed(cx)
    }

    #[cold]
    fn poll_owed(self: Pin<&mut Self>, cx: &Context<'_>) -> Poll<Result<(), E>> {
        self.poll_flush_all(Half::Read, cx)
    }

    /// Offers again what the transport did not take: who offered it may have given up, and then
    /// nobody else finds out that it would be taken now.
    pub(super) fn poll_unblock(mut self: Pin<&mut Self>, cx: &Context<'_>) -> Poll<Result<(), E>> {
        match self.driver.blocked() {
            None => Poll::Ready(Ok(())),
            Some(Offer::Flush) => self.poll_flush_all(Half::Read, cx),
            Some(Offer::New) => {
                let this = self.as_mut().project();
                this.driver.poll_write(Half::Read, Offer::New, cx, |cx| {
                    this.transport.poll_ready(cx)
                })
            }
        }
    }

    /// An operation of the sending side that has to wait must not wait for a dead peer.
    fn poll_stalled<O>(mut self: Pin<&mut Self>, cx: &Context<'_>) -> Poll<Result<O, Error<E>>> {
        let dead = match ready!(self.as_mut().poll_judge(Half::Write, Input::Unread, cx)) {
            Ok(dead) => dead,
            Err(error) => return Poll::Ready(Err(Error::Transport(error))),
        };
        let this = self.project();
        *this.end = End::Dead { dead, told: false };
        this.driver.end(Half::Write);
        Poll::Ready(Err(Error::Dead(dead)))
    }
}
